using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>From a file or its text to a resolved plan in one step.</summary>
public static class PlanFile
{
    /// <summary>Reads and resolves text.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="fileName">For the problems only.</param>
    /// <param name="devices">What the grid has, to refuse hardware that nobody has; null: not checked.</param>
    public static PlanResolution Load(string text, string fileName, IReadOnlyCollection<DeviceInfo>? devices = null) => Resolve(PlanReader.Read(text, fileName), devices);

    /// <summary>Reads and resolves a file.</summary>
    public static PlanResolution LoadFile(string path, IReadOnlyCollection<DeviceInfo>? devices = null) => Resolve(PlanReader.ReadFile(path), devices);

    private static PlanResolution Resolve(PlanReadResult read, IReadOnlyCollection<DeviceInfo>? devices) =>
        read.Plan is { } plan ? PlanResolver.Resolve(plan, devices) : new PlanResolution(null, read.Problems);
}
