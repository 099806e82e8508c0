using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>Two numbers of layers whose step energies give the energy per layer as a slope.</summary>
/// <param name="Short">The smaller L', whole units.</param>
/// <param name="Long">The larger L'; the same where only one fits.</param>
/// <param name="Notes">What results must say of it.</param>
/// <param name="Middle">Half-way between them, whole units, for cells whose straight line is tested; 0 where there is none.</param>
public sealed record LayerPair(int Short, int Long, ImmutableArray<string> Notes, int Middle = 0)
{
    /// <summary>Said where only one L' fits.</summary>
    public const string LinearityUnchecked = "linearity unchecked";

    /// <summary>Said where even the smaller working set cannot be made large against the cache.</summary>
    public const string SmallWorkingSet = "working set may sit in cache";

    /// <summary>Whether a slope exists.</summary>
    public bool IsLinearityChecked => Long > Short;
}

/// <summary>The choice of L' from residency: large against the cache, within the memory, whole units, one pair for a match group.</summary>
public static class LayerPairs
{
    /// <summary>The least working set, B, whatever the cache.</summary>
    public const double LeastWorkingSetBytes = 500e6;

    /// <summary>How often the working set must exceed the last-level cache.</summary>
    public const double CacheMultiple = 10;

    /// <summary>The longer L' is at most this many times the shorter one: beyond that the slope gains little and data takes long to make.</summary>
    public const int MaxRatio = 16;

    /// <summary>One pair for all of <paramref name="group"/>.</summary>
    /// <param name="group">The cells of a match group, resolved, L' not yet decided or to be decided again.</param>
    /// <param name="profile">Memory and cache of the device.</param>
    /// <param name="leastWorkingSetBytes">For devices where 500 MB would take too long, B. The cache multiple holds all the same.</param>
    /// <exception cref="ConfigurationRefusedException">Not one unit of the largest member fits in 95 % of the memory.</exception>
    public static LayerPair Choose(IReadOnlyCollection<Configuration> group, DeviceProfile profile, double leastWorkingSetBytes = LeastWorkingSetBytes)
    {
        if (group.Count == 0)
        {
            throw new ArgumentException("a match group has at least one cell", nameof(group));
        }

        var unit = Unit(group);
        var fits = group.Min(c => Fitting(c, profile, unit));
        if (fits == 0)
        {
            var largest = group.MaxBy(c => Catalogue.ResidentBytes(c, unit))!;
            throw new ConfigurationRefusedException("batch", string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"{unit} layer(s) of {largest.Workload} at batch {largest.Batch} and context {largest.Context} occupy {Catalogue.ResidentBytes(largest, unit) / 1e9:F1} GB; {profile.Name} has {profile.UsableBytes / 1e9:F1} GB to use: take a smaller batch or context"));
        }

        var wanted = Math.Max(leastWorkingSetBytes, CacheMultiple * profile.CacheBytes);
        var needed = group.Max(c => Units(wanted, c, unit)) * unit;
        var limit = Math.Max(unit, Math.Min(fits, group.Min(c => c.ModelLayers) / unit * unit));
        // Where the memory cannot hold two lengths of that size, two lengths matter more than the last factor against the cache.
        var shorter = needed < limit ? needed : Math.Max(unit, limit / 2 / unit * unit);
        var longer = Math.Max(shorter, Math.Min(limit, shorter * MaxRatio));
        var notes = ImmutableArray<string>.Empty;
        if (longer == shorter)
        {
            notes = notes.Add(LayerPair.LinearityUnchecked);
        }

        if (shorter < needed)
        {
            notes = notes.Add(LayerPair.SmallWorkingSet);
        }

        return new LayerPair(shorter, longer, notes);
    }

    /// <summary>
    /// The pair of <see cref="Choose"/> with a third L' half-way, where three lengths fit. At equal distances the least-squares line through three points has the slope of
    /// the outer two, so the third tests the line and does not move it. The longer one gives up a unit where the distance is odd.
    /// </summary>
    /// <inheritdoc cref="Choose"/>
    public static LayerPair ChooseWithThird(IReadOnlyCollection<Configuration> group, DeviceProfile profile, double leastWorkingSetBytes = LeastWorkingSetBytes)
    {
        var pair = Choose(group, profile, leastWorkingSetBytes);
        var unit = Unit(group);
        var half = (pair.Long - pair.Short) / unit / 2 * unit;
        return half == 0 ? pair : pair with { Middle = pair.Short + half, Long = pair.Short + 2 * half };
    }

    /// <summary>The members with the pair that <see cref="Choose"/> gives them all.</summary>
    public static ImmutableArray<Configuration> Share(IReadOnlyCollection<Configuration> group, DeviceProfile profile, double leastWorkingSetBytes = LeastWorkingSetBytes)
    {
        var pair = Choose(group, profile, leastWorkingSetBytes);
        return [.. group.Select(c => c with { ShortLayers = pair.Short, LongLayers = pair.Long })];
    }

    /// <summary>Largest L' in whole multiples of <paramref name="unit"/> that fits in 95 % of the memory; 0 where none does.</summary>
    public static int Fitting(Configuration c, DeviceProfile profile, int unit) =>
        (int)Math.Min(1 << 20, Math.Floor(profile.UsableBytes / Catalogue.ResidentBytes(c, unit))) * unit;

    /// <summary>L' that is whole units of every member.</summary>
    private static int Unit(IEnumerable<Configuration> group) => group.Select(Catalogue.UnitSize).Aggregate(1, LeastCommonMultiple);

    private static int Units(double bytes, Configuration c, int unit) => (int)Math.Ceiling(bytes / Catalogue.ResidentBytes(c, unit));

    private static int LeastCommonMultiple(int a, int b)
    {
        var (x, y) = (a, b);
        while (y != 0)
        {
            (x, y) = (y, x % y);
        }

        return a / x * b;
    }
}
