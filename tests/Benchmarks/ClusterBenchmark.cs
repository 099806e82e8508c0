using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using EnergyGrid.Cluster.Tests.Fixtures;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// Many silos over one Redis, all of them processes on this machine, in real time. First the flow of power at scale; then silos that have nearly
/// nothing to do, more and more of them, so that what membership and the directory cost can be told from what power costs.
/// </summary>
internal static class ClusterBenchmark
{
    private static readonly TimeProvider Clock = TimeProvider.System;

    /// <summary>One silo by itself, then 10,000 GPUs in 1,250 nodes over four silos; short: a tenth of it.</summary>
    public static async Task Run(bool quick)
    {
        if (!IsRedisHere()) return;
        await Alone();
        string[] sites = quick ? ["5x8x8", "5x8x8", "5x8x8"] : ["40x8x8", "39x8x8", "39x8x8", "34x9x8"];
        await Power(sites, quick ? 10 : 60);
    }

    /// <summary>Up to 40 silos of one GPU; short: 4.</summary>
    public static async Task RunSilos(bool quick)
    {
        if (IsRedisHere()) await Small(quick ? [2, 4] : [5, 10, 20, 40], quick ? 5 : 30);
    }

    // One machine, no server: how soon it serves, and how much memory it has then.
    private static async Task Alone()
    {
        using var scratch = new Scratch();
        await using var silo = new SiloProcess(new("alone", scratch["alone"], "127.0.0.1", ["--no-local", "--gpus", "none", "--simulate", "1x1x8"], new Dictionary<string, string>()));
        var began = Clock.GetTimestamp();
        await silo.Start();
        Say("one silo without a server: start to serving", Clock.GetElapsedTime(began).TotalSeconds, "s");
        await Patience.Until(silo.IsReady, "it is ready", 60, () => silo.Log);
        Say("one silo without a server: start to ready", Clock.GetElapsedTime(began).TotalSeconds, "s");
        await Task.Delay(TimeSpan.FromSeconds(5));
        Say("one silo without a server: resident after 5 s", ResidentMebibytes(silo.Id), "MiB");
    }

    private static async Task Power(string[] sites, int seconds)
    {
        var nodes = sites.Select(s => s.Split('x').Select(int.Parse).ToArray()).Select(s => (Nodes: s[0] * s[1], Gpus: s[0] * s[1] * s[2])).ToArray();
        var name = string.Create(CultureInfo.InvariantCulture, $"{nodes.Sum(n => n.Gpus):N0} GPUs in {nodes.Sum(n => n.Nodes):N0} nodes over {sites.Length} silos and Redis");
        await using var grid = await Grid.Start(sites);
        await Patience.Until(async () => (await grid.Views()).All(v => v.Windows > 5 && v.Coverage > 0.999), "all nodes are in the site's windows", 120, grid.Log);
        await Task.Delay(TimeSpan.FromSeconds(5)); // starts are over

        var before = await grid.Measure();
        var first = await grid.Views();
        double behind = 0, least = 1;
        var meanBehind = new List<double>();
        for (var began = Clock.GetTimestamp(); Clock.GetElapsedTime(began).TotalSeconds < seconds;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500));
            // Each silo is asked: a view is as old as it looks to whoever looks.
            foreach (var view in await grid.Views())
            {
                var now = Clock.GetUtcNow().ToUnixTimeMilliseconds() / 1e3 - (view.Window + 1);
                meanBehind.Add(now);
                (behind, least) = (Math.Max(behind, now), Math.Min(least, view.Coverage));
            }
        }
        var last = await grid.Views();
        var after = await grid.Measure();
        Say($"{name}: site view behind, at most", behind, "s");
        Say($"{name}: site view behind, mean", meanBehind.Average(), "s");
        Say($"{name}: windows that passed and were not closed", (last[0].Window - first[0].Window) - (last[0].Windows - first[0].Windows), "windows");
        Say($"{name}: least coverage of a window", 100 * least, "%");
        grid.Say(name, before, after);
    }

    private static async Task Small(int[] counts, int seconds)
    {
        await using var grid = await Grid.Start([]);
        foreach (var count in counts)
        {
            var began = Clock.GetTimestamp();
            while (grid.Silos.Count < count)
            {
                // A few at a time: all at once they would wait for two processors, not for each other.
                var more = Enumerable.Range(0, Math.Min(2, count - grid.Silos.Count)).Select(_ => grid.Add("1x1x1")).ToArray();
                await Task.WhenAll(more);
            }
            await Patience.Until(async () =>
            {
                foreach (var silo in grid.Silos)
                    if (await Patience.Ask<object>(async () => await silo.Client.Silos()) is not ImmutableArray<SiloLine> lines || lines.Count(l => l.Status == "active") != count) return false;
                return true;
            }, $"{count} silos see each other", 120, grid.Log);
            var name = $"{count} silos of one GPU";
            Say($"{name}: from the first start to all see all", Clock.GetElapsedTime(began).TotalSeconds, "s");
            await Task.Delay(TimeSpan.FromSeconds(seconds)); // starts are over
            var before = await grid.Measure();
            await Task.Delay(TimeSpan.FromSeconds(seconds));
            grid.Say(name, before, await grid.Measure());
        }
    }

    private static void Say(string name, double value, string unit) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {value:G4} {unit}"));

    private static bool IsRedisHere()
    {
        if ((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(p => File.Exists(Path.Combine(p, "redis-server")))) return true;
        Console.WriteLine("left out, there is no redis-server here (Debian: apt-get install redis-server)");
        return false;
    }

    // Linux counts in ticks of 1/100 s; the fields come after the name, which may hold spaces.
    private static double CpuSeconds(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
    }

    private static double ResidentMebibytes(int process)
    {
        using var found = Process.GetProcessById(process);
        return found.WorkingSet64 / 1048576.0;
    }

    // Everything on loopback: between silos, to and from Redis, and what this program asks.
    private static double LoopbackBytes() => double.Parse(File.ReadLines("/proc/net/dev").First(l => l.TrimStart().StartsWith("lo:", StringComparison.Ordinal)).Split(':')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);

    /// <summary>Counters at one moment.</summary>
    private sealed record Moment(long At, double SiloCpuSeconds, double RedisCpuSeconds, double LoopbackBytes, double RedisInBytes, double RedisOutBytes, double RedisCommands, Dictionary<string, double> Calls);

    private sealed class Grid : IAsyncDisposable
    {
        private readonly Scratch _scratch = new();
        private RedisServer _redis = null!;

        public List<SiloProcess> Silos { get; } = [];

        public static async Task<Grid> Start(string[] sites)
        {
            var grid = new Grid();
            grid._redis = await RedisServer.Start(grid._scratch["redis"]);
            await File.WriteAllTextAsync(grid._scratch["redis.txt"], grid._redis.ConnectionString);
            await Task.WhenAll(sites.Select(grid.Add));
            return grid;
        }

        public async Task Add(string site)
        {
            SiloProcess silo;
            lock (Silos)
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"s{Silos.Count + 1}");
                silo = new(new(name, _scratch[name], "127.0.0.1",
                    ["--no-local", "--gpus", "none", "--simulate", site, "--seed", $"{Silos.Count + 1}", "--redis-file", _scratch["redis.txt"], "--cluster", "bench"], new Dictionary<string, string>()));
                Silos.Add(silo);
            }
            await silo.Start(seconds: 180);
        }

        /// <summary>The one site as each silo shows it.</summary>
        public async Task<ImmutableArray<SiteView>> Views()
        {
            var views = ImmutableArray.CreateBuilder<SiteView>();
            foreach (var silo in Silos)
            {
                ImmutableArray<SiteView>? shown = null;
                await Patience.Until(async () => (shown = await Patience.Ask<object>(async () => await silo.Client.Sites()) as ImmutableArray<SiteView>?) is { Length: 1 }, $"{silo.Name} shows the site", 120, Log);
                views.Add(shown!.Value[0]);
            }
            return views.ToImmutable();
        }

        public async Task<Moment> Measure()
        {
            var (stats, commands) = (await _redis.Info("stats"), await _redis.Info("commandstats"));
            double Number(string key) => double.Parse(stats[key], CultureInfo.InvariantCulture);
            var asked = commands.TryGetValue("cmdstat_info", out var own) ? Calls(own) : 0; // by this program
            return new(Clock.GetTimestamp(), Silos.Sum(s => CpuSeconds(s.Id)), CpuSeconds(_redis.Id), LoopbackBytes(), Number("total_net_input_bytes"), Number("total_net_output_bytes"), Number("total_commands_processed") - asked,
                commands.Where(c => c.Key != "cmdstat_info").ToDictionary(c => c.Key["cmdstat_".Length..], c => Calls(c.Value)));
        }

        // calls=…,usec=…
        private static double Calls(string statistics) => double.Parse(statistics.Split(',')[0].Split('=')[1], CultureInfo.InvariantCulture);

        public void Say(string name, Moment before, Moment after)
        {
            var seconds = Clock.GetElapsedTime(before.At, after.At).TotalSeconds;
            void Rate(string what, double from, double to, string unit) => ClusterBenchmark.Say($"{name}: {what}", (to - from) / seconds, unit);
            Rate("CPU of all silos", before.SiloCpuSeconds, after.SiloCpuSeconds, "cores");
            Rate("CPU of Redis", before.RedisCpuSeconds, after.RedisCpuSeconds, "cores");
            ClusterBenchmark.Say($"{name}: resident, all silos", Silos.Sum(s => ResidentMebibytes(s.Id)), "MiB");
            Rate("loopback traffic, all of it", before.LoopbackBytes / 1e3, after.LoopbackBytes / 1e3, "kB/s");
            Rate("into Redis", before.RedisInBytes / 1e3, after.RedisInBytes / 1e3, "kB/s");
            Rate("out of Redis", before.RedisOutBytes / 1e3, after.RedisOutBytes / 1e3, "kB/s");
            Rate("Redis commands", before.RedisCommands, after.RedisCommands, "1/s");
            foreach (var (command, calls) in after.Calls.Where(c => c.Value > before.Calls.GetValueOrDefault(c.Key)).OrderByDescending(c => c.Value - before.Calls.GetValueOrDefault(c.Key)).Take(6))
                Rate($"Redis {command}", before.Calls.GetValueOrDefault(command), calls, "1/s");
        }

        public string Log() => string.Join('\n', Silos.Select(s => $"-- {s.Name}\n{(s.Log.Length > 2000 ? s.Log[^2000..] : s.Log)}"));

        public async ValueTask DisposeAsync()
        {
            await Task.WhenAll(Silos.Select(s => s.DisposeAsync().AsTask()));
            await _redis.DisposeAsync();
            _scratch.Dispose();
        }
    }
}
