using EnergyGrid.Contracts;

namespace EnergyGrid.Console;

/// <summary>What there is to measure, a line for each kind of device and way of metering it.</summary>
internal static class Equipment
{
    /// <param name="devices">Of this machine or of a whole grid.</param>
    public static IEnumerable<string> Lines(IEnumerable<DeviceInfo> devices) => devices
        .GroupBy(d => (d.Kind, d.Model, d.EnergySource, d.EnergyProvenance))
        .Select(g => $"{g.Count()} {(g.Key.Kind == DeviceKind.Simulated ? "simulated " : "")}{g.Key.Model}: energy is {g.Key.EnergyProvenance.ToString().ToUpperInvariant()} ({g.Key.EnergySource})");

    /// <summary>What a silo offers as it starts, and what is missing.</summary>
    /// <param name="devices">Of this machine and what it simulates.</param>
    /// <param name="opening">How many GPUs are still being looked at.</param>
    public static IEnumerable<string> AtStart(IReadOnlyCollection<DeviceInfo> devices, int opening)
    {
        foreach (var line in Lines(devices)) yield return line;
        if (opening > 0) yield return $"{opening} {(opening == 1 ? "GPU is" : "GPUs are")} being looked at: each is offered as soon as it is found fit";
        if (devices.Any(d => d is { Kind: DeviceKind.Cpu, EnergyProvenance: not Provenance.Measured })) yield return "the processor has no sensor: 'energygrid doctor' says what would measure it";
        if (devices.Count + opening == 0) yield return "nothing to measure: this silo steers and adds up for others (--simulate 1x1x2 adds simulated GPUs)";
    }
}
