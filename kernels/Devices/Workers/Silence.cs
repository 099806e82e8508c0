namespace EnergyGrid.Devices.Workers;

/// <summary>
/// How long another process has been silent, as far as this one can know: time that this one did not look, because it was held, suspended or busy, is not held against the other.
/// Not thread-safe.
/// </summary>
/// <param name="time">Monotonic.</param>
/// <param name="mostSeconds">What one look counts at most, s: somewhat more than lies between two.</param>
internal sealed class Silence(TimeProvider time, double mostSeconds)
{
    private long _looked = time.GetTimestamp();
    private double _seconds;

    /// <summary>It was heard, or nothing is owed.</summary>
    public void Break() => (_looked, _seconds) = (time.GetTimestamp(), 0);

    /// <summary>Looks; how long it has been silent, s.</summary>
    public double Look()
    {
        var now = time.GetTimestamp();
        _seconds += Math.Min(mostSeconds, time.GetElapsedTime(_looked, now).TotalSeconds);
        _looked = now;
        return _seconds;
    }
}
