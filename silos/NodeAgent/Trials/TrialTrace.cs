using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Node;

/// <summary>The raw samples of a trial as text.</summary>
internal static class TrialTrace
{
    /// <summary>Rows at most; more are thinned evenly.</summary>
    public const int MostRows = 2000;

    /// <summary>Columns: seconds since the trial's start, device, watts, joules of the counter, phase.</summary>
    public static ReadOnlyMemory<byte> Csv(Trial trial)
    {
        var text = new StringBuilder("seconds,device,watts,joules,phase\n");
        var group = trial.Group.ToArray();
        var start = trial.Phases[0].From;
        var total = group.Sum(g => g.Recording.Readings.Length);
        var stride = Math.Max(1, (total + MostRows - 1) / MostRows);
        var kept = 0;
        foreach (var (sampler, recording) in group)
        {
            var readings = recording.Readings;
            var phase = 0;
            for (var i = 0; i < readings.Length && kept < MostRows; i += stride)
            {
                var reading = readings[i];
                while (phase + 1 < trial.Phases.Count && trial.Phases[phase + 1].From <= reading.TimeNanoseconds) phase++;
                text.Append(CultureInfo.InvariantCulture, $"{(reading.TimeNanoseconds - start) / 1e9:F3},{sampler.Device.Info.Uuid},{reading.InstantWatts:F2},{reading.CounterJoules:F3},{Name(trial.Phases[phase].Phase)}\n");
                kept++;
            }
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string Name(TrialPhase phase) => phase switch
    {
        TrialPhase.Waiting => "waiting",
        TrialPhase.Loading => "loading",
        TrialPhase.WarmingUp => "warm-up",
        TrialPhase.Measuring => "window",
        TrialPhase.CoolingDown => "cool-down",
        _ => "other",
    };
}
