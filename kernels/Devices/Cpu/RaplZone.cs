using System.Globalization;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices;

/// <summary>What a zone counts, as its name and its place tell.</summary>
internal enum RaplKind
{
    /// <summary>A processor package, or a die of one: memory beside it is not in it.</summary>
    Package,

    /// <summary>The memory of a package or a die.</summary>
    Memory,

    /// <summary>The whole machine as its firmware adds it up, the packages among it, or a part of that.</summary>
    Platform,

    /// <summary>Something inside a package (core, uncore).</summary>
    Part,

    /// <summary>Nobody here knows: it may be a package.</summary>
    Unknown,
}

/// <summary>A processor package, or one die of it.</summary>
internal readonly record struct RaplUnit(int Package, int? Die) : IComparable<RaplUnit>
{
    /// <summary>Nothing to do with a package.</summary>
    public static readonly RaplUnit None = new(-1, null);

    public override string ToString() => Die is { } die ? $"package-{Package}-die-{die}" : $"package-{Package}";

    public int CompareTo(RaplUnit other) => (Package, Die ?? -1).CompareTo((other.Package, other.Die ?? -1));
}

/// <summary>One counter as Linux shows it: a directory <c>TYPE:PACKAGE[:PART]</c> with a name.</summary>
/// <param name="Directory">Where.</param>
/// <param name="Type">The interface that it is read by: <c>intel-rapl</c> (model-specific registers), <c>intel-rapl-mmio</c>, <c>intel-rapl-tpmi</c>.</param>
/// <param name="Kind">What it counts.</param>
/// <param name="Unit">Of which package or die.</param>
/// <param name="Identity">What it counts in words, the same however it is read: <c>package-0</c>, <c>package-0-die-1/dram</c>, <c>psys</c>.</param>
/// <param name="ModulusMicrojoules">Where it wraps, µJ.</param>
/// <param name="MostWatts">More than what it counts can ever draw, W.</param>
/// <param name="Trouble">Why it is no counter, to be said after its name; null if it is one.</param>
/// <param name="IsDenied">Whether the trouble is that it is not ours to read.</param>
internal sealed partial record RaplZone(
    string Directory, string Type, RaplKind Kind, RaplUnit Unit, string Identity, double ModulusMicrojoules, double MostWatts, string? Trouble, bool IsDenied)
{
    /// <summary>So many times its rated power no package draws for a tenth of a second.</summary>
    private const double RatedFactor = 3;

    /// <summary>Below this a rated power says too little of what is possible, W.</summary>
    private const double LeastBoundWatts = 300;

    private const int Constraints = 3, LongestShown = 40;

    /// <summary>What it has counted, µJ.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="FormatException">It says something that is no number.</exception>
    public double Microjoules() => Number(Text(Path.Combine(Directory, "energy_uj"))) is { } energy ? energy : throw new FormatException($"{Identity} says no number");

    /// <summary>All zones below <paramref name="root"/>, those that cannot be read among them.</summary>
    public static RaplZone[] All(string root)
    {
        if (!System.IO.Directory.Exists(root)) return [];
        return [.. System.IO.Directory.EnumerateFileSystemEntries(root).Where(d => Path.GetFileName(d).Contains(':')).Order(StringComparer.Ordinal).Select(d => Of(root, d)).OfType<RaplZone>()];
    }

    private static RaplZone? Of(string root, string directory)
    {
        var parts = Path.GetFileName(directory).Split(':');
        var (name, trouble, denied) = Name(directory);
        var parent = Name(Path.Combine(root, string.Join(':', parts[..^1]))).Name;
        var (kind, unit, identity) = parts.Length == 2 ? Top(name, directory) : Part(name, parent, directory, string.Join(':', parts[..^1]));
        // What counts no energy and does not say that it is a package is something else: another kind of power zone.
        if (!File.Exists(Path.Combine(directory, "energy_uj")) && !System.IO.Directory.Exists(Path.Combine(directory, "energy_uj")) && kind is not (RaplKind.Package or RaplKind.Memory)) return null;
        if (trouble is null) (trouble, denied) = Counter(directory, "energy_uj", out _, least: 0);
        var modulus = 0.0;
        if (trouble is null) (trouble, denied) = Counter(directory, "max_energy_range_uj", out modulus, least: 1);
        return new(directory, parts[0], kind, unit, identity, modulus, Bound(directory), trouble, denied);
    }

    private static (RaplKind Kind, RaplUnit Unit, string Identity) Top(string? name, string directory)
    {
        if (name is null) return (RaplKind.Unknown, RaplUnit.None, Path.GetFileName(directory));
        if (UnitOf(name) is { } unit) return (RaplKind.Package, unit, $"{unit}");
        return name switch
        {
            "psys" => (RaplKind.Platform, RaplUnit.None, name),
            // Whose it is nobody says.
            "core" or "uncore" or "dram" => (RaplKind.Part, RaplUnit.None, name),
            _ => (RaplKind.Unknown, RaplUnit.None, Shown(name)),
        };
    }

    private static (RaplKind Kind, RaplUnit Unit, string Identity) Part(string? name, string? parent, string directory, string above)
    {
        var part = name is null ? Path.GetFileName(directory) : Shown(name);
        if (parent is not null && UnitOf(parent) is { } unit) return (name == "dram" ? RaplKind.Memory : RaplKind.Part, unit, $"{unit}/{part}");
        return (parent == "psys" ? RaplKind.Platform : RaplKind.Part, RaplUnit.None, $"{(parent is null ? above : Shown(parent))}/{part}");
    }

    private static RaplUnit? UnitOf(string name) => PackageName().Match(name) is { Success: true } match
        ? new(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), match.Groups[2].Success ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : null)
        : null;

    private static (string? Name, string? Trouble, bool IsDenied) Name(string directory)
    {
        var (text, trouble, denied) = Try(directory, "name");
        if (text is null) return (null, trouble, denied);
        var name = text.Trim().ToLowerInvariant();
        return name.Length > 0 ? (name, null, false) : (null, "has an empty name", false);
    }

    private static (string? Trouble, bool IsDenied) Counter(string directory, string file, out double value, double least)
    {
        value = 0;
        var (text, trouble, denied) = Try(directory, file);
        if (text is null) return (trouble, denied);
        if (Number(text) is not { } number || number < least) return ($"says '{Shown(text.Trim())}' in {file}", false);
        value = number;
        return (null, false);
    }

    // A socket says what it is made for; nothing that it may be set to for a while says more of what it cannot draw.
    private static double Bound(string directory)
    {
        var (rated, limits) = (0.0, 0.0);
        for (var i = 0; i < Constraints; i++)
        {
            rated = Math.Max(rated, Watts($"constraint_{i}_max_power_uw"));
            limits = Math.Max(limits, Watts($"constraint_{i}_power_limit_uw"));
        }
        return rated > 0 ? Math.Clamp(RatedFactor * Math.Max(rated, limits), LeastBoundWatts, RaplCounter.MostPackageWatts) : RaplCounter.MostPackageWatts;

        double Watts(string file) => Try(directory, file).Text is { } text && Number(text) is { } microwatts ? microwatts / 1e6 : 0;
    }

    private static (string? Text, string? Trouble, bool IsDenied) Try(string directory, string file)
    {
        try
        {
            return (Text(Path.Combine(directory, file)), null, false);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return (null, $"has no {file}", false);
        }
        catch (UnauthorizedAccessException)
        {
            return (null, $"is not readable by {Environment.UserName}", true);
        }
        catch (IOException error)
        {
            return (null, $"cannot be read: {Unprintable.Clean(error.Message)}", false);
        }
    }

    private static string Text(string file) => File.ReadAllText(file);

    // The kernel writes whole numbers and nothing else.
    private static double? Number(string text) => ulong.TryParse(text.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Shown(string text) => Unprintable.Clean(text.Length > LongestShown ? text[..LongestShown] + "…" : text);

    [GeneratedRegex(@"^package-0*(\d{1,6})(?:-die-0*(\d{1,6}))?$", RegexOptions.CultureInvariant)]
    private static partial Regex PackageName();
}
