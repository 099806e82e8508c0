using EnergyGrid.Contracts;
using EnergyGrid.Devices;

namespace EnergyGrid.Node;

/// <summary>Decode steps of one configuration, back to back, a copy on each device of the group.</summary>
internal sealed class DecodeWork(Trial trial) : ITrialWork
{
    // Steps of one trial are alike: a pause of so many is none of them.
    private const double LongestSteps = 20;

    public string? Refusal()
    {
        var order = trial.Order;
        foreach (var device in trial.Devices)
            foreach (var layers in order.LayerLegs)
                if (device.Device.Refusal(order.Configuration, order.Cost, layers) is { } refusal) return $"{device.Device.Info.Uuid} cannot run {order.Configuration.Workload}: {refusal}";
        return null;
    }

    public Task Load(int layers, CancellationToken stop) => Task.WhenAll(trial.Devices.Select(d => d.Device.Load(trial.Order.Configuration, trial.Order.Cost, layers, stop)));

    public void Start()
    {
        foreach (var device in trial.Devices) device.Device.Start();
    }

    public bool IsFlat(double seconds)
    {
        foreach (var (_, recording) in trial.Group)
        {
            // The last reading or mark may be a little behind now.
            if (recording.Steps is not [.., var last]) return false;
            if (!Flatness.IsFlat(recording, last.TimeNanoseconds, seconds)) return false;
        }
        return true;
    }

    public Task Stop(CancellationToken stop) => Task.WhenAll(trial.Devices.Select(d => d.Device.Stop()));

    public async Task Release()
    {
        List<Exception> failed = [];
        foreach (var device in trial.Devices.Where(d => d.TryHold(trial)))
        {
            try
            {
                await device.Device.Stop();
                await device.Device.Unload();
            }
            catch (Exception error)
            {
                // One that cannot be stopped keeps none of the others.
                failed.Add(error);
            }
        }
        if (failed.Count > 0) throw failed[0];
    }

    public WindowWork Within(TrialLeg leg, List<string> flags)
    {
        var (from, to) = (leg.From, leg.To);
        var stepSeconds = new List<double>();
        var (steps, running) = (0.0, 0);
        foreach (var (sampler, recording) in trial.Group)
        {
            var uuid = sampler.Device.Info.Uuid;
            var copies = recording.StepsAt(to) - recording.StepsAt(from);
            if (double.IsNaN(copies)) trial.Invalidate($"step timestamps of {uuid} do not span the window at L'={leg.Layers}");
            else if (copies > 0) running++;
            steps += copies;
            AddStepSeconds(recording, from, to, stepSeconds);
            if (LongestPause(recording, from, to) is var pause && pause.Seconds > Math.Max(LegEvaluation.LongestSilenceSeconds, LongestSteps * pause.Usual))
                trial.Invalidate($"no step of {uuid} ended for {pause.Seconds:G3} s within the window at L'={leg.Layers}");
        }
        stepSeconds.Sort();
        return new WindowWork(steps, steps * trial.Order.Configuration.Batch, running, Quantile(stepSeconds, 0.5), Quantile(stepSeconds, 0.99));
    }

    // The longest time between two marks that reaches into the window, and the usual time between two marks there, s.
    private static (double Seconds, double Usual) LongestPause(DeviceRecording recording, long from, long to)
    {
        var marks = recording.Steps;
        var between = new List<double>();
        for (var i = 1; i < marks.Length; i++)
            if (marks[i].TimeNanoseconds > from && marks[i - 1].TimeNanoseconds < to) between.Add((marks[i].TimeNanoseconds - marks[i - 1].TimeNanoseconds) / 1e9);
        between.Sort();
        return between.Count == 0 ? (0, 0) : (between[^1], between[between.Count / 2]);
    }

    /// <summary>Step times between marks within the window; where a device marks groups of steps, each group's mean.</summary>
    private static void AddStepSeconds(DeviceRecording recording, long from, long to, List<double> stepSeconds)
    {
        var marks = recording.Steps;
        for (var i = 1; i < marks.Length; i++)
        {
            if (marks[i - 1].TimeNanoseconds < from || marks[i].TimeNanoseconds > to) continue;
            var ended = marks[i].Steps - marks[i - 1].Steps;
            if (ended > 0) stepSeconds.Add((marks[i].TimeNanoseconds - marks[i - 1].TimeNanoseconds) / 1e9 / ended);
        }
    }

    private static double Quantile(List<double> sorted, double share) => sorted.Count == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Count - 1, Math.Floor(share * sorted.Count))];
}
