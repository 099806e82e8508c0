using System.Collections.Immutable;

namespace EnergyGrid.Devices.Evidence;

/// <summary>The two calls of six minutes each that hold all of the evidence in short: what is right and how fast, then what is metered.</summary>
public static class EvidenceParts
{
    /// <summary>Time of such a call, s: what is left of the six minutes is for the start, and for what hangs.</summary>
    public const double Seconds = 330;

    /// <summary>Sections of each part in their order, with the share of its time that is kept for each.</summary>
    private static readonly ImmutableArray<ImmutableArray<(string Section, double Share)>> Parts =
    [
        [("kernels", 0.35), ("bandwidth", 0.35), ("pytorch", 0.3)],
        [("ceilings", 0.2), ("qualification", 0.2), ("perturbation", 0.2), ("sweep", 0.4)],
    ];

    /// <summary>How many there are; the first is 1.</summary>
    public static int Count => Parts.Length;

    /// <summary>Names of a part's sections.</summary>
    public static ImmutableArray<string> Sections(int part) => [.. Parts[part - 1].Select(s => s.Section)];

    /// <summary>Shares of a part's sections.</summary>
    public static ImmutableArray<double> Shares(int part) => [.. Parts[part - 1].Select(s => s.Share)];

    /// <summary>The part that a section belongs to; null if none.</summary>
    public static int? Of(string section)
    {
        for (var part = 1; part <= Count; part++)
            if (Sections(part).Contains(section)) return part;
        return null;
    }
}
