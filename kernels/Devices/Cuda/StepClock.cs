namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// Maps the device's event times to the machine's monotonic clock, in ticks of that. An event that the host has seen lies before that moment: the least lag seen is the
/// mapping's error, and the two oscillators drift apart slowly, so the mapping moves forward by at most 50 ppm and back at once.
/// </summary>
/// <param name="anchor">The clock when the base event was passed.</param>
internal sealed class StepClock(long anchor)
{
    private const double MostDrift = 50e-6;

    private double _anchor = anchor;
    private double _lastElapsed;

    /// <summary>When an event was, by the clock.</summary>
    /// <param name="elapsed">From the base event to it, by the device.</param>
    /// <param name="seen">When the host found it passed, by the clock.</param>
    public long Map(double elapsed, long seen)
    {
        var lag = seen - (_anchor + elapsed);
        _anchor += lag < 0 ? lag : Math.Min(lag, MostDrift * Math.Max(0, elapsed - _lastElapsed));
        _lastElapsed = elapsed;
        return (long)(_anchor + elapsed);
    }
}
