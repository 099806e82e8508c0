namespace EnergyGrid.Devices;

/// <summary>What was found of the processor's energy counters: a counter of all packages and their memory, or why there is none.</summary>
/// <param name="Counter">Null if nothing there may be called a sensor of this processor.</param>
/// <param name="Says">What counts and what is left out, or why nothing counts.</param>
/// <param name="Advice">What would help; empty if nothing is needed.</param>
public sealed record RaplSearch(RaplCounter? Counter, string Says, string Advice)
{
    // They step about every millisecond: a counter that does not in so long will not.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    /// <summary>
    /// Looks at what Linux shows below <paramref name="root"/>. A domain that is shown by several interfaces is counted once; what lies inside a package (core, uncore)
    /// and what contains the packages (psys) is not counted; a counter that does not move is none. Takes up to 0.3 s where one does not.
    /// </summary>
    public static RaplSearch Of(string root = RaplCounter.SystemRoot)
    {
        var (zones, unreadable) = Zones(root);
        if (zones.Length == 0)
            return unreadable > 0
                ? new(null, $"{Counters(unreadable)}, not readable by {Environment.UserName}", $"As root: chmod a+r {root}/*/energy_uj (or a udev rule).")
                : new(null, "no energy counter of the processor", "Virtual machines rarely have RAPL; on bare metal: modprobe intel_rapl_msr.");
        var counted = zones.Where(z => z.IsPackage || z.IsMemory).ToArray();
        if (!counted.Any(z => z.IsPackage)) return new(null, $"no counter of a processor package among {string.Join(", ", zones.Select(z => z.Identity).Distinct())}", "");
        if (counted.GroupBy(z => (z.Type, z.Identity)).FirstOrDefault(g => g.Count() > 1) is { } twice)
            return new(null, $"{twice.Key.Type} shows {twice.Count()} counters that are all named {twice.Key.Identity}: which of them count the same joules is not known", "");

        var moving = Moving(counted);
        // The registers' own interface first; another one, where that does not count.
        var domains = counted.GroupBy(z => z.Identity).Select(g => (g.Key, Ways: g.OrderByDescending(z => z.Type == "intel-rapl").ThenBy(z => z.Type, StringComparer.Ordinal).ToArray()))
            .Select(d => (d.Key, d.Ways, Best: d.Ways.FirstOrDefault(moving.Contains))).OrderBy(d => d.Ways[0].IsMemory).ThenBy(d => d.Key, StringComparer.Ordinal).ToArray();
        if (domains.FirstOrDefault(d => d is { Best: null } && d.Ways[0].IsPackage) is { Ways: not null } dead)
            return new(null, $"the counter of {dead.Key} stands still", "Nothing draws no power: on a virtual machine it is a dummy.");

        var best = domains.Where(d => d.Best is not null).Select(d => d.Best!).ToArray();
        List<string> without = [.. domains.Where(d => d.Best is null).Select(d => $"{d.Key} (stands still)")];
        if (!best.Any(z => z.IsMemory) && without.Count == 0) without.Add("DRAM");
        var name = $"rapl {string.Join(" + ", best.Select(z => z.Identity))}{(without.Count > 0 ? $", without {string.Join(", ", without)}" : "")}";
        List<string> notes =
        [
            .. domains.Where(d => d.Ways.Length > 1 && d.Best is not null).Select(d => $"{d.Key} is shown by {string.Join(" and ", d.Ways.Select(w => w.Type))}, counted once"),
            .. zones.Where(z => z is { IsPackage: false, IsMemory: false }).Select(z => z.IsPlatform ? $"{z.Identity} is the whole machine" : $"{z.Identity} lies inside a package").Distinct(),
        ];
        if (unreadable > 0) notes.Add($"{Counters(unreadable)} not readable by {Environment.UserName}");
        return new(new RaplCounter(best, name), notes.Count > 0 ? $"{name} ({string.Join("; ", notes)})" : name, "");
    }

    private static (RaplZone[] Readable, int Unreadable) Zones(string root)
    {
        if (!Directory.Exists(root)) return ([], 0);
        var found = new List<RaplZone>();
        var unreadable = 0;
        foreach (var directory in Directory.EnumerateFileSystemEntries(root).Order(StringComparer.Ordinal))
        {
            var parts = Path.GetFileName(directory).Split(':');
            var energy = Path.Combine(directory, "energy_uj");
            if (!File.Exists(energy)) continue;
            try
            {
                var name = File.ReadAllText(Path.Combine(directory, "name")).Trim();
                // A part says what it is, and its package says whose.
                var package = Path.Combine(root, string.Join(':', parts[..^1]), "name");
                var identity = parts.Length > 2 ? $"{(File.Exists(package) ? File.ReadAllText(package).Trim() : parts[1])}/{name}" : name;
                RaplZone.Number(energy);
                found.Add(new RaplZone(directory, parts[0], name, identity, RaplZone.Number(Path.Combine(directory, "max_energy_range_uj"))));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
            {
                // Not for us to read: then it is absent, never zero.
                unreadable++;
            }
        }
        return ([.. found], unreadable);
    }

    private static HashSet<RaplZone> Moving(RaplZone[] zones)
    {
        var began = TimeProvider.System.GetTimestamp();
        var first = zones.ToDictionary(z => z, z => Try(z));
        var moving = new HashSet<RaplZone>();
        while (moving.Count < zones.Length && TimeProvider.System.GetElapsedTime(began) < Patience)
        {
            Thread.Sleep(5);
            moving.UnionWith(zones.Where(z => Try(z) is { } now && now != first[z]));
        }
        return moving;
    }

    private static double? Try(RaplZone zone)
    {
        try { return zone.Microjoules(); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException) { return null; }
    }

    private static string Counters(int n) => n == 1 ? "1 counter" : $"{n} counters";
}
