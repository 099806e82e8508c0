using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>The readings that the figures of a window follow from, so that anybody can compute them again.</summary>
internal static class WindowEvidence
{
    /// <summary>Of the trial's own devices over a stretch.</summary>
    public static Evidence OfDevices(Trial trial, long from, long to) => new(from - trial.Origin, to - trial.Origin, [.. Devices(trial, from, to)]);

    /// <summary>Of the trial's own devices, and of all that the node's energy is attributed with.</summary>
    public static Evidence OfNode(Trial trial, NodeSampler node, long from, long to)
    {
        var sources = Devices(trial, from, to).ToList();
        if (trial.InputReadings() is { } readings)
        {
            sources.AddRange(trial.Neighbours.Select(g => Device(trial, g.Sampler.Device, g.Recording, "neighbour", from, to)));
            var meter = node.Input!.Meter;
            var energy = LegEvaluation.MeterEnergy(meter.Profile, readings, from, to);
            sources.Add(Source(trial, meter.Info.Source, "node", meter.Profile.Quantity == SensorQuantity.Counter, energy, readings, meter.Profile, from, to));
        }
        return new(from - trial.Origin, to - trial.Origin, [.. sources]);
    }

    private static IEnumerable<SourceEvidence> Devices(Trial trial, long from, long to) => trial.Group.Select(g => Device(trial, g.Sampler.Device, g.Recording, "device", from, to));

    private static SourceEvidence Device(Trial trial, IDevice device, DeviceRecording recording, string role, long from, long to)
    {
        var energy = LegEvaluation.DeviceEnergy(device, recording, from, to, aligned: false);
        var source = Source(trial, device.Info.Uuid, role, device.Sensor.HasCounter, energy, recording.Counter(from, to, LegEvaluation.Margin), device.Sensor.Profile, from, to);
        var within = recording.Within(from, to);
        var span = within.Length > 1 ? (within[^1].TimeNanoseconds - within[0].TimeNanoseconds) / 1e9 : 0;
        return source with
        {
            PowerJoules = LegEvaluation.PowerOf(device, recording, from, to) is { Coverage: >= CounterAgreement.MinCoverage } power ? power.Joules : null,
            FirstSteps = role == "device" ? Steps(trial, recording, from) : null,
            LastSteps = role == "device" ? Steps(trial, recording, to) : null,
            PowerCapSeconds = span > 0 ? Known(within[^1].PowerCapSeconds - within[0].PowerCapSeconds) : null,
            ThermalSeconds = span > 0 ? Known(within[^1].ThermalSeconds - within[0].ThermalSeconds) : null,
            SlowdownSpanSeconds = span,
        };
    }

    private static SourceEvidence Source(Trial trial, string name, string role, bool isCounter, Energy energy, CounterReading[] readings, SensorProfile profile, long from, long to)
    {
        var (first, last, wrapped) = isCounter ? Edges(trial, readings, profile, from, to) : (null, null, 0);
        return new(name, role, isCounter ? "counter" : "power", energy.Joules, energy.CoveredSeconds, first, last, wrapped, null, null, null, null, null, 0, profile.NominalPeriodSeconds,
            isCounter ? Known(profile.CounterModulusJoules) : null);
    }

    // The counter around both edges. Between them it may have wrapped; where it began anew there is no difference to take, and nothing is told.
    private static (Bracket? First, Bracket? Last, double Wrapped) Edges(Trial trial, CounterReading[] all, SensorProfile profile, long from, long to)
    {
        var readings = Array.FindAll(all, r => profile.IsReading(r.Joules));
        var ((a, b), (c, d)) = (Around(readings, from), Around(readings, to));
        if (a < 0 || c < 0) return (null, null, 0);
        var wrapped = new double[readings.Length];
        for (var i = a + 1; i <= d; i++)
        {
            var step = profile.StepJoules(readings[i - 1].Joules, readings[i].Joules, readings[i].TimeNanoseconds - readings[i - 1].TimeNanoseconds);
            if (double.IsNaN(step)) return (null, null, 0);
            wrapped[i] = wrapped[i - 1] + (readings[i].Joules < readings[i - 1].Joules ? profile.CounterModulusJoules : 0);
        }
        return (Bracketed(trial, readings[a], readings[b]), Bracketed(trial, readings[c], readings[d]), wrapped[c]);
    }

    // As they were read: whoever computes with them sees a wrap by the modulus.
    private static Bracket Bracketed(Trial trial, CounterReading before, CounterReading after) =>
        new(before.TimeNanoseconds - trial.Origin, before.Joules, after.TimeNanoseconds - trial.Origin, after.Joules);

    // Indices of the last reading at or before an instant and the first at or after it; -1 where there is none.
    private static (int Before, int After) Around(CounterReading[] readings, long instant)
    {
        var after = Array.FindIndex(readings, r => r.TimeNanoseconds >= instant);
        if (after < 0) return (-1, -1);
        if (readings[after].TimeNanoseconds == instant) return (after, after);
        return after == 0 ? (-1, -1) : (after - 1, after);
    }

    private static Bracket? Steps(Trial trial, DeviceRecording recording, long instant) => recording.MarksAround(instant) is var (before, after)
        ? new(before.TimeNanoseconds - trial.Origin, before.Steps, after.TimeNanoseconds - trial.Origin, after.Steps)
        : null;

    private static double? Known(double value) => double.IsFinite(value) ? value : null;
}
