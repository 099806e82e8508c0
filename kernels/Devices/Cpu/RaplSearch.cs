using System.Diagnostics.CodeAnalysis;

namespace EnergyGrid.Devices;

/// <summary>What was found of the processor's energy counters: a counter of all packages and their memory, or why there is none.</summary>
/// <param name="Counter">Null if nothing there may be called a sensor of this processor.</param>
/// <param name="Says">What counts and what is left out, or why nothing counts.</param>
/// <param name="Advice">What would help; empty if nothing is needed.</param>
/// <param name="IsThere">Whether there is a counter at all, good or not.</param>
public sealed record RaplSearch(RaplCounter? Counter, string Says, string Advice, bool IsThere = true)
{
    // They step about every millisecond: a counter that does not in so long will not.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    /// <summary>
    /// Looks at what Linux shows below <paramref name="root"/>. A domain that is shown by several interfaces, or whole by one and by dies by another, is counted once; what
    /// lies inside a package (core, uncore) and what contains the packages (psys) is not counted; a counter that does not move, cannot be read, or says nonsense is none, and a
    /// package without a counter makes no sensor of the rest. Takes up to 0.3 s where one does not move.
    /// </summary>
    public static RaplSearch Of(string root = RaplCounter.SystemRoot)
    {
        var all = RaplZone.All(root);
        var denied = $"As root: chmod a+r {root}/*/energy_uj (or a udev rule).";
        if (all.Length == 0) return new(null, "no energy counter of the processor", "Virtual machines rarely have RAPL; on bare metal: modprobe intel_rapl_msr.", IsThere: false);
        if (Array.TrueForAll(all, z => z.IsDenied)) return new(null, $"{(all.Length == 1 ? "1 counter" : $"{all.Length} counters")}, not readable by {Environment.UserName}", denied);
        if (all.FirstOrDefault(z => z.Kind == RaplKind.Unknown) is { } unknown)
            return new(null, $"{Path.GetFileName(unknown.Directory)} {Unknown(unknown)}: whether it counts a processor package is not known", unknown.IsDenied ? denied : "");
        var counted = all.Where(z => z.Kind is RaplKind.Package or RaplKind.Memory).ToArray();
        if (!Array.Exists(counted, z => z.Kind == RaplKind.Package)) return new(null, $"no counter of a processor package among {string.Join(", ", all.Select(z => z.Identity).Distinct())}", "");
        if (counted.GroupBy(z => (z.Type, z.Identity)).FirstOrDefault(g => g.Count() > 1) is { } twice)
            return new(null, $"{twice.Key.Type} shows {twice.Count()} counters that are all named {twice.Key.Identity}: which of them count the same joules is not known", "");

        var moving = Moving([.. counted.Where(z => z.Trouble is null)]);
        List<RaplZone> packages = [], memories = [];
        List<string> without = [], notes = [];
        var isAlone = counted.Select(z => z.Unit.Package).Distinct().Count() == 1;
        foreach (var package in counted.GroupBy(z => z.Unit.Package).OrderBy(g => g.Key))
        {
            if (!TryCover(package.Where(z => z.Kind == RaplKind.Package), moving, denied, packages, out var dead)) return isAlone ? dead : dead with { Says = $"{dead.Says}: the rest alone is not the processor" };
            LookForMemory([.. package], moving, memories, without);
        }
        if (memories.Count == 0 && without.TrueForAll(w => !w.Contains(' '))) without = ["DRAM"];
        RaplZone[] best = [.. packages, .. memories];
        var name = $"rapl {string.Join(" + ", best.Select(z => z.Identity))}{(without.Count > 0 ? $", without {string.Join(", ", without)}" : "")}";
        foreach (var zone in best)
            if (counted.Where(z => z.Identity == zone.Identity).Select(z => z.Type).ToArray() is { Length: > 1 } types)
                notes.Add($"{zone.Identity} is shown by {string.Join(" and ", Preferred(types))}, counted once");
        notes.AddRange(counted.Where(z => z.Unit.Die is not null && best.Any(b => b.Unit == z.Unit with { Die = null } && b.Kind == z.Kind)).Select(z => $"{z.Identity} lies inside {z.Unit with { Die = null }}").Distinct());
        notes.AddRange(all.Where(z => z.Kind is RaplKind.Platform or RaplKind.Part).Select(Place).Distinct());
        notes.AddRange(all.Where(z => z.Trouble is not null && !without.Exists(w => w.StartsWith(z.Identity + " ", StringComparison.Ordinal))).Select(z => $"{Path.GetFileName(z.Directory)} {z.Trouble}"));
        return new(new RaplCounter(best, name), notes.Count > 0 ? $"{name} ({string.Join("; ", notes)})" : name, "");
    }

    private static string Unknown(RaplZone zone) => zone.Identity == Path.GetFileName(zone.Directory) ? zone.Trouble! : $"is named '{zone.Identity}'";

    private static string Place(RaplZone zone) => zone.Kind == RaplKind.Platform
        ? zone.Identity == "psys" ? "psys is the whole machine" : $"{zone.Identity} lies inside psys"
        : zone.Unit == RaplUnit.None ? $"{zone.Identity} belongs to no package that is told" : $"{zone.Identity} lies inside a package";

    // The package whole if it has a counter that lives; else its dies, if all of them have.
    private static bool TryCover(IEnumerable<RaplZone> package, HashSet<RaplZone> moving, string denied, List<RaplZone> into, [NotNullWhen(false)] out RaplSearch? dead)
    {
        dead = null;
        var units = package.GroupBy(z => z.Unit).OrderBy(g => g.Key).Select(g => (Unit: g.Key, Ways: g.ToArray(), Best: Best(g, moving))).ToArray();
        if (units[0] is { Unit.Die: null, Best: { } whole })
        {
            into.Add(whole);
            return true;
        }
        var dies = units.Where(u => u.Unit.Die is not null).ToArray();
        if (dies.Length > 0 && Array.TrueForAll(dies, d => d.Best is not null))
        {
            into.AddRange(dies.Select(d => d.Best!));
            return true;
        }
        var (unit, ways, _) = units.First(u => u.Best is null);
        dead = Array.Find(ways, z => z.Trouble is not null) is { } bad
            ? new(null, $"{unit} ({Path.GetFileName(bad.Directory)}) {bad.Trouble}", bad.IsDenied ? denied : "")
            : new(null, $"the counter of {unit} stands still", "Nothing draws no power: on a virtual machine it is a dummy.");
        return false;
    }

    // As with packages, but what is missing is left out by name.
    private static void LookForMemory(RaplZone[] package, HashSet<RaplZone> moving, List<RaplZone> into, List<string> without)
    {
        var memory = package.Where(z => z.Kind == RaplKind.Memory).GroupBy(z => z.Unit).ToDictionary(g => g.Key, g => g.ToArray());
        var whole = new RaplUnit(package[0].Unit.Package, null);
        if (memory.TryGetValue(whole, out var ways) && Best(ways, moving) is { } best)
        {
            into.Add(best);
            return;
        }
        var dies = package.Select(z => z.Unit).Where(u => u.Die is not null).Distinct().Order().ToArray();
        foreach (var unit in Array.Exists(dies, memory.ContainsKey) || !package.Any(z => z.Unit == whole) ? dies : [whole])
        {
            if (!memory.TryGetValue(unit, out var own)) without.Add($"{unit}/dram");
            else if (Best(own, moving) is { } counts) into.Add(counts);
            else without.Add($"{unit}/dram ({Array.Find(own, z => z.Trouble is not null)?.Trouble ?? "stands still"})");
        }
    }

    // The registers' own interface first; another one, where that does not count.
    private static RaplZone? Best(IEnumerable<RaplZone> ways, HashSet<RaplZone> moving) =>
        ways.OrderByDescending(z => z.Type == "intel-rapl").ThenBy(z => z.Type, StringComparer.Ordinal).FirstOrDefault(moving.Contains);

    private static IEnumerable<string> Preferred(string[] types) => types.OrderByDescending(t => t == "intel-rapl").ThenBy(t => t, StringComparer.Ordinal);

    private static HashSet<RaplZone> Moving(RaplZone[] zones)
    {
        var began = TimeProvider.System.GetTimestamp();
        var first = zones.ToDictionary(z => z, z => Try(z));
        var moving = new HashSet<RaplZone>();
        while (moving.Count < zones.Length && TimeProvider.System.GetElapsedTime(began) < Patience)
        {
            Thread.Sleep(5);
            moving.UnionWith(zones.Where(z => Try(z) is { } now && first[z] is { } then && now != then));
        }
        return moving;
    }

    private static double? Try(RaplZone zone)
    {
        try { return zone.Microjoules(); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException) { return null; }
    }
}
