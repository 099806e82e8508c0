using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>What the resolver knows of a hardware class: its memory decides L'.</summary>
internal static class HardwareClass
{
    /// <summary>Memory that a plan for any cpu may count on, B: small machines must be able to run it.</summary>
    public const double AnyCpuMemoryBytes = 2e9;

    /// <summary>Last-level cache assumed of any cpu, B.</summary>
    public const double AnyCpuCacheBytes = 32e6;

    /// <summary>Last-level cache assumed of an unknown accelerator, B: that of H100 and H200.</summary>
    public const double UnknownCacheBytes = 50e6;

    private static readonly DeviceProfile[] Known =
    [
        DeviceProfile.H100Sxm,
        DeviceProfile.H200Sxm,
        new(PlanFormat.AnyCpu, 20e9, 100e9, 100e9, AnyCpuMemoryBytes, AnyCpuCacheBytes),
    ];

    public static IEnumerable<string> Names => Known.Select(p => p.Name);

    /// <summary>The profile by name, else from the devices of that model; null if neither knows it.</summary>
    public static DeviceProfile? Profile(string model, IReadOnlyCollection<DeviceInfo>? devices)
    {
        if (Known.FirstOrDefault(p => p.Name == model) is { } known)
        {
            return known;
        }

        var found = (devices ?? []).Where(d => d.Model == model).ToArray();
        return found.Length == 0 ? null : new DeviceProfile(
            model, found.Min(d => d.BandwidthBytesPerSecond), found.Min(d => d.PeakFlopsPerSecond), found.Min(d => d.PeakFlopsPerSecond), found.Min(d => d.MemoryBytes), UnknownCacheBytes);
    }

    /// <summary>Whether a plan that asks for <paramref name="model"/> may use the device.</summary>
    public static bool Fits(DeviceInfo device, string model) => model == PlanFormat.AnyCpu ? device.Kind == DeviceKind.Cpu : device.Model == model;

    /// <summary>Every stack that a plan may name.</summary>
    public static IReadOnlyList<string> Stacks => KernelStacks.All;

    /// <summary>What devices of a known class can be; empty for a class that only the grid knows.</summary>
    public static DeviceKind[] KindsOf(string model) =>
        model == PlanFormat.AnyCpu ? [DeviceKind.Cpu]
        : Known.Any(p => p.Name == model) ? [DeviceKind.Simulated, DeviceKind.Cuda]
        : [];

    /// <summary>Devices that execute a stack.</summary>
    public static DeviceKind KindFor(string stack) => stack switch
    {
        KernelStacks.Reference or KernelStacks.LlamaCpp => DeviceKind.Cpu,
        KernelStacks.Simulated => DeviceKind.Simulated,
        _ => DeviceKind.Cuda,
    };
}
