using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>From recordings to the figures of one window.</summary>
internal static class LegEvaluation
{
    /// <summary>Readings so far on either side of an edge are looked at, ns.</summary>
    public const long Margin = 2 * UtcNanoseconds.PerSecond;

    // A window may be longer than was asked for by the wait for a counter's tick, and by no more than this: then something held the process up.
    private const double OverrunShare = 0.05;
    private const double OverrunSeconds = 1;

    // No reading or no step for so long: nobody knows what happened meanwhile, whatever the counter says of the sum.
    internal const double LongestSilenceSeconds = 1;

    public static Leg Of(Trial trial, TrialLeg leg, NodeSampler node)
    {
        var (from, to, guards) = (leg.From, leg.To, trial.Order.Guards);
        var seconds = (to - from) / 1e9;
        var flags = new List<string>();
        var energies = new List<Energy>();
        var (residual, cap, thermal) = (double.NaN, 0.0, 0.0);
        var (celsius, megahertz, readings) = (0.0, 0.0, 0);
        var leading = true;
        foreach (var (sampler, recording) in trial.Group)
        {
            var device = sampler.Device;
            var energy = DeviceEnergy(device, recording, from, to, leading && leg.OnTicks);
            leading = false;
            energies.Add(energy);
            if (device.Sensor.HasCounter && CounterEnergy.Resets(recording.Counter(from, to, Margin), device.Sensor.Profile) > 0)
                trial.Invalidate($"the energy counter of {device.Info.Uuid} began anew at L'={leg.Layers}");
            if (Silence(recording, from, to) is var silence && silence > Math.Max(LongestSilenceSeconds, device.Sensor.Profile.GapNanoseconds / 1e9)) trial.Invalidate($"no reading of {device.Info.Uuid} for {silence:G3} s within the window at L'={leg.Layers}");
            if (energy.Coverage < guards.MinCoverage) trial.Invalidate($"coverage {energy.Coverage:P2} of {device.Info.Uuid} at L'={leg.Layers} is below {guards.MinCoverage:P2}");
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
        }
        var work = trial.Work.Within(leg, flags);
        if (seconds > trial.Order.Timing.WindowSeconds * (1 + OverrunShare) + OverrunSeconds) trial.Invalidate($"the window at L'={leg.Layers} lasted {seconds:G4} s, not {trial.Order.Timing.WindowSeconds:G4} s: something held the node up");
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
        // What rests on a source that was silent is not known; the devices' own energy does not rest on these.
        if (nodeEnergy is not null && NodeSilence(trial, node, from, to) is { } silent)
        {
            flags.Add(silent);
            (nodeEnergy, nodeGpuJoules) = (null, double.NaN);
        }
        if (nodeEnergy is { Coverage: < 0.95 }) flags.Add($"node meter covers {nodeEnergy.Coverage:P0} of the window");
        return new Leg(
            leg.Layers, UtcNanoseconds.ToInstant(from), seconds, work.Steps, work.Tokens, gpu, nodeEnergy, nodeGpuJoules,
            node.Devices.Count(d => d.Kind == SourceKind.Gpu), work.Devices, residual, cap, thermal, leg.WarmupSeconds,
            readings > 0 ? celsius / readings : double.NaN, readings > 0 ? megahertz / readings : double.NaN,
            work.P50StepSeconds, work.P99StepSeconds, [.. flags], WindowEvidence.OfNode(trial, node, from, to));
    }

    // The longest stretch of the window without a reading, its ends included, s.
    private static double Silence(DeviceRecording recording, long from, long to)
    {
        var times = new List<long>();
        foreach (ref readonly var reading in recording.Within(from, to)) times.Add(reading.TimeNanoseconds);
        return Silence(times, from, to);
    }

    private static double Silence(IEnumerable<long> times, long from, long to)
    {
        var (longest, last) = (0L, from);
        foreach (var time in times) (longest, last) = (Math.Max(longest, time - last), time);
        return Math.Max(longest, to - last) / 1e9;
    }

    // The node's meter or another GPU of the node, silent within the window for longer than its own pace explains; null if none was.
    private static string? NodeSilence(Trial trial, NodeSampler node, long from, long to)
    {
        var meter = node.Input!.Meter;
        var silence = Silence(trial.InputReadings()!.Select(r => r.TimeNanoseconds).Where(t => from <= t && t <= to), from, to);
        // A gap of power is not covered, and shows as that; a counter bridges it.
        if (meter.Profile.Quantity == SensorQuantity.Counter && silence > Math.Max(LongestSilenceSeconds, meter.Profile.GapNanoseconds / 1e9)) return $"the node's meter was silent for {silence:G3} s: its energy is not used";
        foreach (var (sampler, recording) in trial.Neighbours)
            if (Silence(recording, from, to) is var quiet && quiet > Math.Max(LongestSilenceSeconds, sampler.Device.Sensor.Profile.GapNanoseconds / 1e9)) return $"no reading of {sampler.Device.Info.Uuid} for {quiet:G3} s: the node's energy cannot be attributed";
        return null;
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
        return CounterAgreement.Of(counter, PowerOf(device, recording, from, to)!);
    }

    /// <summary>A device's power integrated over the window beside its counter; null where it does not tell both independently.</summary>
    public static Energy? PowerOf(IDevice device, DeviceRecording recording, long from, long to) => device.Sensor is { HasCounter: true, PowerIsIndependent: true }
        ? PowerEnergy.Between(recording.Power(from, to, Margin), from, to, device.Sensor.Profile with { Quantity = SensorQuantity.Power })
        : null;

    private static (Energy? Node, double GpuJoules) NodeEnergy(Trial trial, NodeSampler node, long from, long to)
    {
        if (trial.InputReadings() is not { } readings) return (null, double.NaN);
        var energy = MeterEnergy(node.Input!.Meter.Profile, readings, from, to);
        var gpus = 0.0;
        foreach (var (sampler, recording) in trial.NodeGpus) gpus += DeviceEnergy(sampler.Device, recording, from, to, aligned: false).Joules;
        return (energy, gpus);
    }

    /// <summary>What a meter says of a window; its readings are of a counter or of power, as its profile says.</summary>
    public static Energy MeterEnergy(SensorProfile profile, CounterReading[] readings, long from, long to) => profile.Quantity == SensorQuantity.Counter
        ? CounterEnergy.Between(readings, from, to, profile)
        : PowerEnergy.Between(Array.ConvertAll(readings, r => new PowerReading(r.TimeNanoseconds, r.Joules)), from, to, profile);

    private static double Share(double part, double whole) => Math.Clamp(part / whole, 0, 1);
}
