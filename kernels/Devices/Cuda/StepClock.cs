namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// Maps the device's event times to the node's clock. An event that the host has seen lies before that moment: the least lag seen is the mapping's error, and the
/// two oscillators drift apart slowly, so the mapping moves forward by at most 50 ppm and back at once.
/// </summary>
/// <param name="anchorNanoseconds">The node's clock when the base event was passed, ns since the Unix epoch.</param>
internal sealed class StepClock(long anchorNanoseconds)
{
    private const double MostDrift = 50e-6;

    private double _anchor = anchorNanoseconds;
    private double _lastElapsed;

    /// <summary>Where an event lies on the node's clock, ns since the Unix epoch.</summary>
    /// <param name="elapsedNanoseconds">From the base event to it, by the device.</param>
    /// <param name="seenNanoseconds">When the host found it passed, by the node's clock.</param>
    public long Map(double elapsedNanoseconds, long seenNanoseconds)
    {
        var lag = seenNanoseconds - (_anchor + elapsedNanoseconds);
        _anchor += lag < 0 ? lag : Math.Min(lag, MostDrift * Math.Max(0, elapsedNanoseconds - _lastElapsed));
        _lastElapsed = elapsedNanoseconds;
        return (long)(_anchor + elapsedNanoseconds);
    }
}
