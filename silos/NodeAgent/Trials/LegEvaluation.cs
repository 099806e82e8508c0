using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>From recordings to the figures of one window.</summary>
internal static class LegEvaluation
{
    // Readings on either side that an edge may need, ns.
    private const long Margin = 2 * UtcNanoseconds.PerSecond;

    public static Leg Of(Trial trial, TrialLeg leg, NodeSampler node)
    {
        var (from, to, guards) = (leg.From, leg.To, trial.Order.Guards);
        var seconds = (to - from) / 1e9;
        var flags = new List<string>();
        var energies = new List<Energy>();
        var stepSeconds = new List<double>();
        var (steps, residual, cap, thermal) = (0.0, double.NaN, 0.0, 0.0);
        var (celsius, megahertz, readings, running) = (0.0, 0.0, 0, 0);
        var leading = true;
        foreach (var (sampler, recording) in trial.Group)
        {
            var device = sampler.Device;
            var energy = DeviceEnergy(device, recording, from, to, leading && leg.OnTicks);
            leading = false;
            energies.Add(energy);
            if (device.Sensor.HasCounter && CounterEnergy.Resets(recording.Counter(from, to, Margin), device.Sensor.Profile) > 0)
                trial.Invalidate($"the energy counter of {device.Info.Uuid} began anew at L'={leg.Layers}");
            if (energy.Coverage < guards.MinCoverage) trial.Invalidate($"coverage {energy.Coverage:P2} of {device.Info.Uuid} at L'={leg.Layers} is below {guards.MinCoverage:P2}");
            var copies = recording.StepsAt(to) - recording.StepsAt(from);
            if (double.IsNaN(copies)) trial.Invalidate($"step timestamps of {device.Info.Uuid} do not span the window at L'={leg.Layers}");
            else if (copies > 0) running++;
            steps += copies;
            var one = Residual(device, recording, energy, from, to);
            if (double.IsNaN(residual) || Math.Abs(one) > Math.Abs(residual)) residual = one;
            var within = recording.Within(from, to);
            var span = within.Length > 1 ? (within[^1].TimeNanoseconds - within[0].TimeNanoseconds) / 1e9 : 0;
            // What a device cannot tell is not zero: NaN stays NaN.
            if (!(span > 0)) cap = thermal = double.NaN;
            else
            {
                cap = Math.Max(cap, Share(within[^1].PowerCapSeconds - within[0].PowerCapSeconds, span));
                thermal = Math.Max(thermal, Share(within[^1].ThermalSeconds - within[0].ThermalSeconds, span));
            }
            foreach (ref readonly var reading in within)
            {
                celsius += reading.Celsius;
                megahertz += reading.Megahertz;
                readings++;
            }
            AddStepSeconds(recording, from, to, stepSeconds);
        }
        if (!leg.Flat) flags.Add("warm-up not flat");
        else if (Flatness.WindowSeconds(trial.Order.Timing.MinWarmupSeconds) is var tested and < Flatness.TestSeconds) flags.Add($"flatness tested over {tested:F0} s, not {Flatness.TestSeconds:F0} s");
        if (!leg.OnTicks) flags.Add("edges not on ticks of an energy counter");
        if (seconds < TrialRunner.ShortSeconds - 0.5) flags.Add($"window of {seconds:F1} s is below {TrialRunner.ShortSeconds:F0} s");
        if (trial.Group.Any(g => g.Recording.Within(from, to) is [var any, ..] && double.IsNaN(any.ThermalSeconds))) flags.Add("slowdowns cannot be observed on this device");
        if (cap > 0) flags.Add($"power cap held the clocks down for {cap:P0} of the window: not an uncapped operating point");
        if (thermal > guards.MaxThermalFraction) trial.Invalidate($"thermal slowdown for {thermal:P1} of the window at L'={leg.Layers}, more than {guards.MaxThermalFraction:P1}");
        if (Math.Abs(residual) > guards.MaxCounterResidual) flags.Add($"counter and integrated power differ by {residual:P1}");
        var gpu = EnergySums.Over(energies);
        if (gpu.Coverage < 1 - 1e-9) flags.Add($"coverage {gpu.Coverage:P2}");
        var (nodeEnergy, nodeGpuJoules) = NodeEnergy(trial, node, from, to);
        if (nodeEnergy is { Coverage: < 0.95 }) flags.Add($"node meter covers {nodeEnergy.Coverage:P0} of the window");
        stepSeconds.Sort();
        return new Leg(
            leg.Layers, UtcNanoseconds.ToInstant(from), seconds, steps, steps * trial.Order.Configuration.Batch, gpu, nodeEnergy, nodeGpuJoules,
            node.Devices.Count(d => d.Kind == SourceKind.Gpu), running, residual, cap, thermal, leg.WarmupSeconds,
            readings > 0 ? celsius / readings : double.NaN, readings > 0 ? megahertz / readings : double.NaN,
            Quantile(stepSeconds, 0.5), Quantile(stepSeconds, 0.99), [.. flags]);
    }

    /// <summary>
    /// Energy of one device from its raw readings. An edge on a tick of its own counter is off by the poll and the read at most; any other
    /// by the sensor's whole period.
    /// </summary>
    public static Energy DeviceEnergy(IDevice device, DeviceRecording recording, long from, long to, bool aligned)
    {
        var sensor = device.Sensor;
        var energy = sensor.HasCounter
            ? CounterEnergy.Between(recording.Counter(from, to, Margin), from, to, sensor.Profile)
            : PowerEnergy.Between(recording.Power(from, to, Margin), from, to, sensor.Profile);
        var watts = energy.CoveredSeconds > 0 ? energy.Joules / energy.CoveredSeconds : 0;
        // What is drained are the sensor's steps; an edge on one is as good as the poll that saw it.
        var polled = sensor.Profile with { NominalPeriodSeconds = sensor.PollSeconds };
        return energy with { EdgeUncertaintyJoules = EdgeUncertainty.Joules(watts, polled, aligned, aligned) };
    }

    private static double Residual(IDevice device, DeviceRecording recording, Energy counter, long from, long to)
    {
        if (!device.Sensor.HasCounter || !device.Sensor.PowerIsIndependent) return double.NaN;
        var power = device.Sensor.Profile with { Quantity = SensorQuantity.Power };
        return CounterResidual.Of(counter, PowerEnergy.Between(recording.Power(from, to, Margin), from, to, power));
    }

    private static (Energy? Node, double GpuJoules) NodeEnergy(Trial trial, NodeSampler node, long from, long to)
    {
        if (trial.InputReadings() is not { } readings) return (null, double.NaN);
        var profile = node.Input!.Meter.Profile;
        var energy = profile.Quantity == SensorQuantity.Counter
            ? CounterEnergy.Between(readings, from, to, profile)
            : PowerEnergy.Between(Array.ConvertAll(readings, r => new PowerReading(r.TimeNanoseconds, r.Joules)), from, to, profile);
        var gpus = 0.0;
        foreach (var (sampler, recording) in trial.NodeGpus) gpus += DeviceEnergy(sampler.Device, recording, from, to, aligned: false).Joules;
        return (energy, gpus);
    }

    private static double Share(double part, double whole) => Math.Clamp(part / whole, 0, 1);

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
