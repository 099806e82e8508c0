using System.Collections.Immutable;
using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Benchmarks;

/// <summary>Readings through integration into windows, and a site's windows through its racks: what one core does, and what it allocates.</summary>
public static class IntegrationBenchmark
{
    private const long Second = Readings.NanosecondsPerSecond;
    private const long Start = 1_700_000_000;

    /// <summary>Prints one figure a line with its unit.</summary>
    public static void Run(bool quick)
    {
        var rounds = quick ? 4 : 40;
        Stream("power, 10 Hz, streaming", new SensorProfile(SensorQuantity.Power, 0.1, 60, 700), Second / 10, rounds);
        Stream("counter, 10 Hz, streaming", new SensorProfile(SensorQuantity.Counter, 0.1, 60, 700), Second / 10, rounds);
        Stream("counter, 50 Hz, streaming", new SensorProfile(SensorQuantity.Counter, 0.02, 60, 700), Second / 50, rounds);
        Batch(rounds);
        Merge(quick ? 20 : 120);
    }

    /// <summary>1,024 sources, each with its own integrator; a window is taken as soon as it is ready.</summary>
    private static void Stream(string name, SensorProfile sensor, long step, int rounds)
    {
        const int sources = 1024, chunk = 500;
        var integrators = Enumerable.Range(0, sources).Select(i => new WindowIntegrator($"n/{i}", SourceKind.Gpu, sensor, 8)).ToArray();
        var values = Enumerable.Range(0, chunk).Select(i => 400.0 + i * 37 % 101).ToArray();
        var isCounter = sensor.Quantity == SensorQuantity.Counter;
        var (joules, windows) = (new NeumaierSum(), 0L);
        long Round(long first)
        {
            foreach (var integrator in integrators)
            {
                var time = Start * Second + first * step;
                for (var i = 0; i < chunk; i++, time += step)
                {
                    integrator.Push(time, isCounter ? (first + i) * 40.0 : values[i]);
                    if (integrator.Ready == 0) continue;
                    while (integrator.TryTake(out WindowSum window))
                    {
                        joules.Add(window.Joules);
                        windows++;
                    }
                }
            }
            return (long)sources * chunk;
        }
        Round(0);
        Round(chunk);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.StartNew();
        var samples = 0L;
        for (var r = 0; r < rounds; r++) samples += Round((long)(r + 2) * chunk);
        var seconds = clock.Elapsed.TotalSeconds;
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Console.WriteLine($"integration, {name}: {samples / seconds / 1e6:F1} M samples/s a core");
        Console.WriteLine($"integration, {name}: {(double)bytes / samples:F3} bytes allocated/sample ({windows:N0} windows of {sources:N0} sources, {joules.Value:E3} J)");
    }

    private static void Batch(int rounds)
    {
        var power = Enumerable.Range(0, 100_000).Select(i => new PowerReading(Start * Second + i * (Second / 10), 400 + i * 37 % 101)).ToArray();
        var counter = Enumerable.Range(0, 100_000).Select(i => new CounterReading(Start * Second + i * (Second / 10), 40.0 * i)).ToArray();
        var sensor = new SensorProfile(SensorQuantity.Power, 0.1, 60, 700);
        var (from, to) = (Start * Second + 12_345, Start * Second + 9_000 * Second + 6_789);
        PowerEnergy.Between(power, from, to, sensor);
        CounterEnergy.Between(counter, from, to, sensor);
        var clock = Stopwatch.StartNew();
        for (var r = 0; r < rounds; r++) PowerEnergy.Between(power, from, to, sensor);
        Console.WriteLine($"integration, power of one interval: {rounds * 1e5 / clock.Elapsed.TotalSeconds / 1e6:F1} M samples/s a core");
        clock.Restart();
        for (var r = 0; r < rounds; r++) CounterEnergy.Between(counter, from, to, sensor);
        Console.WriteLine($"integration, counter of one interval: {rounds * 1e5 / clock.Elapsed.TotalSeconds / 1e6:F1} M samples/s a core");
    }

    /// <summary>160 racks of 8 nodes of 8 GPUs and a node meter: every second's reports through racks and site to a view.</summary>
    private static void Merge(int seconds)
    {
        const int racks = 160, nodes = 8, gpus = 8;
        var site = new SiteMerge("s");
        site.SetFacilityMeters([new MeterInfo("s/main", SourceKind.FacilityInput, true, 2e7)]);
        var merges = new RackMerge[racks];
        for (var r = 0; r < racks; r++)
        {
            merges[r] = new RackMerge($"s/r{r}");
            site.ExpectRack($"s/r{r}");
            for (var n = 0; n < nodes; n++)
            {
                var host = $"r{r}n{n}";
                merges[r].SetInventory(new NodeInventory(host, "s", $"r{r}", [],
                [
                    .. Enumerable.Range(0, gpus).Select(g => new MeterInfo($"{host}/gpu{g}", SourceKind.Gpu, false, 700)),
                    new MeterInfo($"{host}/bmc", SourceKind.NodeInput, true, 10_200),
                ]));
            }
        }
        // The reports are the agents' work: made before the clock starts.
        var truth = new NeumaierSum();
        var random = new Random(1);
        var all = new NodeReport[seconds][];
        for (var w = 0; w < seconds; w++)
        {
            all[w] = new NodeReport[racks * nodes];
            for (var i = 0; i < all[w].Length; i++)
            {
                var host = $"r{i / nodes}n{i % nodes}";
                var windows = ImmutableArray.CreateBuilder<PowerWindow>(gpus + 1);
                for (var g = 0; g < gpus; g++) windows.Add(new PowerWindow($"{host}/gpu{g}", SourceKind.Gpu, Start + w, 0, 600, 1, 0, 0, 590, 610, 10, 0, 0.001, Provenance.Modelled));
                var joules = 6000 + 1000 * random.NextDouble();
                truth.Add(joules);
                windows.Add(new PowerWindow($"{host}/bmc", SourceKind.NodeInput, Start + w, 0, joules, 1, 0, 0, joules, joules, 10, 0, 0.001, Provenance.Modelled));
                all[w][i] = new NodeReport(host, w, windows.MoveToImmutable());
            }
        }
        SiteView? view = null;
        var clock = Stopwatch.StartNew();
        for (var w = 0; w < seconds; w++)
        {
            for (var i = 0; i < all[w].Length; i++)
            {
                merges[i / nodes].Apply(all[w][i]);
                if (i % nodes == nodes - 1 && merges[i / nodes].TakeReport() is { } report) site.Apply(report);
            }
            site.Apply(new FacilityReport("s", [new PowerWindow("s/main", SourceKind.FacilityInput, Start + w, 0, 1e7, 1, 0, 0, 1e7, 1e7, 1, 0, 0.001, Provenance.Modelled)]));
            view = site.View();
        }
        var perSecond = clock.Elapsed.TotalSeconds / seconds;
        var racksTotal = new NeumaierSum();
        for (var r = 0; r < racks; r++) racksTotal.Add(site.RackTotalJoules($"s/r{r}"));
        Console.WriteLine($"merging, {racks} racks x {nodes} nodes x {gpus + 1} sources and a view each second: {perSecond * 1e3:F2} ms of one core per second of data");
        Console.WriteLine($"merging, |sum racks - site| / site: {Math.Abs(racksTotal.Value - view!.TotalItJoules) / view.TotalItJoules:E1}");
        Console.WriteLine($"merging, |truth - site| / truth: {Math.Abs(truth.Value - view.TotalItJoules) / truth.Value:E1}");
    }
}
