namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>The node's clock for stamps: monotonic, set to UTC once. A wall clock that is put right later does not make stamps jump.</summary>
public sealed class NodeClock(TimeProvider time)
{
    private readonly long _startTimestamp = time.GetTimestamp();
    private readonly long _startNanoseconds = time.UtcNowNanoseconds();

    /// <summary>Where the time comes from.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>Now, ns since the Unix epoch.</summary>
    public long NowNanoseconds => At(Time.GetTimestamp());

    /// <summary>How far the wall clock has been moved since, s: stamps may be off by that much more.</summary>
    public double DriftSeconds => Math.Abs(Time.UtcNowNanoseconds() - NowNanoseconds) / 1e9;

    /// <summary>A timestamp of <see cref="Time"/> as ns since the Unix epoch.</summary>
    public long At(long timestamp) => _startNanoseconds + Time.GetElapsedTime(_startTimestamp, timestamp).Ticks * 100;
}
