using System.Globalization;
using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>Whether what was found about a device earlier fits it still: some seconds instead of a minute.</summary>
public static partial class SensorQualifier
{
    /// <summary>The counter's period may differ by so much, as a share: it is of the design of a board and comes in round numbers.</summary>
    private const double MostPeriodChange = 0.1;

    /// <summary>The residual may differ by so much over a look of some seconds, as a share.</summary>
    private const double MostResidualChange = 0.03;

    /// <summary>The power under the same work may differ by so much, as a share: it changes with temperature, and by far more with another gain.</summary>
    private const double MostPowerChange = 0.2;

    /// <summary>… and by this where there is little of it, W.</summary>
    private const double LeastPowerChange = 15;

    /// <summary>A read may take so many times as long, and that much longer in s, before polling must be thought about again.</summary>
    private const double MostReadFactor = 3, LeastReadChange = 200e-6;

    private const double FitSettleSeconds = 0.5, LeastFitSeconds = 1.2, FitPeriods = 12;

    /// <summary>Why an earlier qualification does not fit the device any more, in words; null where a short exercise finds its period, its read cost and its gain as they were.</summary>
    /// <param name="device">Nothing else may run on it.</param>
    /// <param name="earlier">What was found then.</param>
    /// <param name="time">Whose timestamps and timers are used.</param>
    /// <param name="exercise">As it was then; null where only idle was looked at.</param>
    /// <param name="options">Bounds of how long.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="DeviceLostException">The device does not answer any more.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static string? Misfit(NvmlDevice device, BoardQualification earlier, TimeProvider time, ISensorExercise? exercise = null, QualificationOptions? options = null, CancellationToken stop = default)
    {
        options ??= new();
        using var ending = new ManualResetEventSlim();
        using var registration = stop.Register(ending.Set);
        var look = new Look(device, time, ending, stop);
        var seconds = Math.Min(options.WindowSeconds, Math.Max(LeastFitSeconds, double.IsNaN(earlier.UpdatePeriodSeconds) ? 0 : FitPeriods * earlier.UpdatePeriodSeconds));
        var settle = Math.Min(options.SettleSeconds, FitSettleSeconds);
        var stretches = new List<Stretch>();
        if (exercise is null) stretches.Add(look.For("idle", seconds, options.LookSeconds));
        else
        {
            using var context = exercise.OpenContext();
            look.Settle(settle);
            stretches.Add(look.For("idle with a context", seconds, options.LookSeconds));
            using var work = exercise.Pulse(1, 1, time.GetTimestamp());
            look.Settle(settle);
            stretches.Add(look.For("busy", seconds, options.LookSeconds));
        }

        var why = Change(device, earlier, stretches);
        // Whoever looks again now begins with idle: the power sensors must have forgotten the work.
        if (why is not null && exercise is not null) look.Settle(options.SettleSeconds);
        return why;
    }

    private static string? Change(NvmlDevice device, BoardQualification earlier, List<Stretch> stretches)
    {
        var checks = stretches.Select(s => s.Check()).ToArray();
        var residual = checks.Select(c => c.Residual).Where(double.IsFinite).DefaultIfEmpty(double.NaN).MaxBy(Math.Abs);
        var (metering, verdict) = Judge(checks, residual, stretches, device);
        if (metering != earlier.Metering) return $"energy would come from {Words(metering)} now and came from {Words(earlier.Metering)}: {verdict}";
        return Period(stretches, earlier) ?? Reads(stretches, earlier) ?? checks.Select(now => Load(now, earlier, metering)).FirstOrDefault(why => why is not null);
    }

    private static string? Period(List<Stretch> stretches, BoardQualification earlier)
    {
        var steps = stretches.Select(s => s.Steps()).MaxBy(s => s.Count);
        if (double.IsNaN(earlier.UpdatePeriodSeconds)) return null;
        if (steps.Count < 3) return $"the counter stepped {steps.Count} times while it was looked at, and had a period of {Milliseconds(earlier.UpdatePeriodSeconds)}";
        return Math.Abs(steps.PeriodSeconds / earlier.UpdatePeriodSeconds - 1) > MostPeriodChange
            ? $"the counter steps every {Milliseconds(steps.PeriodSeconds)}, it was {Milliseconds(earlier.UpdatePeriodSeconds)}"
            : null;
    }

    private static string? Reads(List<Stretch> stretches, BoardQualification earlier)
    {
        var median = Quantile([.. stretches.SelectMany(s => s.ReadSeconds).Order()], 0.5);
        return median > MostReadFactor * earlier.ReadMedianSeconds && median - earlier.ReadMedianSeconds > LeastReadChange
            ? $"a read takes {Milliseconds(median)}, it was {Milliseconds(earlier.ReadMedianSeconds)}"
            : null;
    }

    private static string? Load(CounterCheck now, BoardQualification earlier, Metering metering)
    {
        if (earlier.Checks.FirstOrDefault(c => c.Load == now.Load) is not { } then) return $"'{now.Load}' was not looked at";
        if (Math.Abs(now.Residual - then.Residual) > MostResidualChange)
            return string.Create(CultureInfo.InvariantCulture, $"the counter is {100 * now.Residual:+0.0;-0.0;0.0} % from the integrated power, it was {100 * then.Residual:+0.0;-0.0;0.0} %, {now.Load}");
        var watts = metering == Metering.Counter ? now.CounterWatts : now.IntegratedJoules / now.Seconds;
        return Math.Abs(watts - then.MeanWatts) > Math.Max(LeastPowerChange, MostPowerChange * then.MeanWatts)
            ? string.Create(CultureInfo.InvariantCulture, $"it draws {watts:F0} W, it was {then.MeanWatts:F0} W, {now.Load}")
            : null;
    }

    private static string Words(Metering metering) => metering switch { Metering.Counter => "its counter", Metering.Integration => "its power, integrated", _ => "nothing" };

    private static string Milliseconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{1000 * seconds:0.0##} ms");
}
