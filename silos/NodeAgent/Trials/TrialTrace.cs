using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>The raw readings of a trial as text.</summary>
internal static class TrialTrace
{
    public const string Header = "nanoseconds,source,watts,joules,phase";

    /// <summary>Rows of a source at most outside of windows.</summary>
    public const int MostThinned = 250;

    // Every reading is kept so far on either side of a window, ns.
    private const long Around = 2 * UtcNanoseconds.PerSecond;

    /// <summary>
    /// Columns: ns since the trial's origin, source, W, J of the counter, phase. Of the trial's devices, of the node's meter and of whatever is metered by its power, every reading of the
    /// windows and of the idle stretch is there; what lies outside of them is thinned evenly.
    /// </summary>
    public static ReadOnlyMemory<byte> Csv(Trial trial)
    {
        var text = new StringBuilder(Header).Append('\n');
        var stretches = trial.Legs.Select(l => (l.From, l.To, "window")).Concat(trial.Idle is { } idle ? [(idle.From, idle.To, "idle")] : []).ToArray();
        foreach (var (sampler, recording) in trial.Group.Concat(trial.Neighbours.Where(n => !n.Sampler.Device.Sensor.HasCounter)))
            Rows(text, trial, stretches, sampler.Device.Info.Uuid, recording.Readings, r => r.TimeNanoseconds, r => (r.InstantWatts, r.CounterJoules));
        if (trial.Meter is { } meter)
            Rows(text, trial, stretches, meter.Info.Source, trial.MeterReadings, r => r.TimeNanoseconds, r => meter.Profile.Quantity == SensorQuantity.Counter ? (double.NaN, r.Value) : (r.Value, double.NaN));
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Rows<T>(StringBuilder text, Trial trial, (long From, long To, string Name)[] stretches, string source, ReadOnlySpan<T> readings, Func<T, long> time, Func<T, (double Watts, double Joules)> values)
    {
        var stride = Math.Max(1, (readings.Length + MostThinned - 1) / MostThinned);
        for (var i = 0; i < readings.Length; i++)
        {
            var at = time(readings[i]);
            if (i % stride != 0 && !stretches.Any(s => s.From - Around <= at && at <= s.To + Around)) continue;
            var (watts, joules) = values(readings[i]);
            text.Append(CultureInfo.InvariantCulture, $"{at - trial.Origin},{source},{Number(watts)},{Number(joules)},{Phase(trial, stretches, at)}\n");
        }
    }

    // Readings are whole µJ and µW: six decimals are all of them.
    private static string Number(double value) => double.IsFinite(value) ? value.ToString("F6", CultureInfo.InvariantCulture) : "NaN";

    private static string Phase(Trial trial, (long From, long To, string Name)[] stretches, long at)
    {
        foreach (var (from, to, name) in stretches) if (from <= at && at <= to) return name;
        if (at >= trial.Ended) return "after";
        var phase = trial.Phases[0].Phase;
        foreach (var (from, next) in trial.Phases) if (from <= at) phase = next;
        return phase switch
        {
            TrialPhase.Waiting => "waiting",
            TrialPhase.Loading => "loading",
            TrialPhase.WarmingUp => "warm-up",
            TrialPhase.Measuring => "lead",
            TrialPhase.CoolingDown => "cool-down",
            _ => "after",
        };
    }
}
