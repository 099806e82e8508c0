namespace EnergyGrid.Devices.Cuda;

/// <summary>The hardware class that plans name, from what the driver calls a board.</summary>
public static class HardwareName
{
    // What the driver calls them says less than plans must: the SXM boards bear no suffix.
    private static readonly Dictionary<string, string> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["NVIDIA H100 80GB HBM3"] = "H100-SXM-80GB",
        ["NVIDIA H200"] = "H200-SXM-141GB",
        ["NVIDIA H100 PCIe"] = "H100-PCIe-80GB",
        ["NVIDIA H100 NVL"] = "H100-NVL-94GB",
        ["NVIDIA H200 NVL"] = "H200-NVL-141GB",
        ["NVIDIA A100-SXM4-80GB"] = "A100-SXM-80GB",
        ["NVIDIA A100-SXM4-40GB"] = "A100-SXM-40GB",
    };

    /// <summary>The class; for a board that is not known, its name without the maker and without spaces.</summary>
    public static string Of(string name) => Known.GetValueOrDefault(name.Trim()) ?? string.Join('-', name.Replace("NVIDIA", "", StringComparison.OrdinalIgnoreCase).Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
