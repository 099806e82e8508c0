namespace EnergyGrid.Node;

/// <summary>Whether a warm-up has become flat (docs/measurement: over 20 s, throughput changes by less than 0.2 %, temperature by less than 1 °C).</summary>
internal static class Flatness
{
    public const double MostThroughputChange = 0.002;
    public const double MostCelsiusChange = 1;

    /// <summary>Of a serving engine: requests come and go, and a window of 20 s sees few of them.</summary>
    public const double MostServedChange = 0.02;

    public const double TestSeconds = 20;
    private const int Bins = 20;

    /// <summary>The stretch over which to test when the plan's warm-up is shorter than the rule's 20 s, s.</summary>
    public static double WindowSeconds(double minWarmupSeconds) => Math.Clamp(minWarmupSeconds, 1, TestSeconds);

    /// <summary>Whether the device has been flat over <c>[to − window, to]</c>.</summary>
    public static bool IsFlat(DeviceRecording recording, long to, double windowSeconds, double mostChange = MostThroughputChange)
    {
        var from = to - Devices.UtcNanoseconds.FromSeconds(windowSeconds);
        Span<double> rates = stackalloc double[Bins];
        var before = recording.StepsAt(from);
        var total = 0.0;
        for (var i = 0; i < Bins; i++)
        {
            var steps = recording.StepsAt(from + (to - from) * (i + 1) / Bins);
            rates[i] = steps - before;
            total += rates[i];
            before = steps;
        }
        // Marks must span the stretch: NaN is not flat.
        if (!(total > 0) || !(Math.Abs(Change(rates)) <= mostChange * total / Bins)) return false;
        return IsWarm(recording, to, windowSeconds);
    }

    /// <summary>Whether the temperature has been flat over <c>[to − window, to]</c>, where the device tells one.</summary>
    public static bool IsWarm(DeviceRecording recording, long to, double windowSeconds)
    {
        var from = to - Devices.UtcNanoseconds.FromSeconds(windowSeconds);
        var readings = recording.Within(from, to);
        Span<double> celsius = readings.Length <= 512 ? stackalloc double[readings.Length] : new double[readings.Length];
        for (var i = 0; i < readings.Length; i++)
        {
            if (double.IsNaN(readings[i].Celsius)) return true;
            celsius[i] = readings[i].Celsius;
        }
        return readings.Length < 2 || Math.Abs(Change(celsius)) < MostCelsiusChange;
    }

    /// <summary>Change over the whole stretch of the least-squares line through evenly spaced values.</summary>
    internal static double Change(ReadOnlySpan<double> values)
    {
        var (n, covariance, variance) = (values.Length, 0.0, 0.0);
        if (n < 2) return 0;
        for (var i = 0; i < n; i++)
        {
            var x = i - (n - 1) / 2.0;
            covariance += x * values[i];
            variance += x * x;
        }
        return covariance / variance * n;
    }
}
