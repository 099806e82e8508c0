using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using EnergyGrid.Silo;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// What Orleans costs: calls within the process, enumerated items, state writes that are on the disk, the weight of an activation.
/// One figure a line: name, value, unit.
/// </summary>
public static class CallBenchmark
{
    private const int Callers = 100;

    public static async Task Run(bool quick)
    {
        var span = TimeSpan.FromSeconds(quick ? 1 : 4);
        var directory = Directory.CreateTempSubdirectory("energygrid-bench-");
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.AddGridClustering(o => o.StateDirectory = directory.FullName);
        using (var host = builder.Build())
        {
            await host.StartAsync();
            var grains = host.Services.GetRequiredService<IGrainFactory>();
            var report = new NodeReport("node", 1, [new PowerWindow("node/gpu", SourceKind.Gpu, 1, 0, 300, 1, 0, 0, 290, 310, 10, 0, 0, Provenance.Modelled)]);
            Print("empty call, one caller", await Rate(grains, 1, span, g => g.Ping()), "calls/s");
            Print($"empty call, {Callers} callers on {Callers} grains", await Rate(grains, Callers, span, g => g.Ping()), "calls/s");
            Print($"empty call, {Callers} callers on one grain", await Rate(grains, Callers, span, g => g.Ping(), oneGrain: true), "calls/s");
            Print($"call with a token, {Callers} callers", await Rate(grains, Callers, span, g => g.PingWith(CancellationToken.None)), "calls/s");
            Print($"node report of one window, {Callers} callers", await Rate(grains, Callers, span, g => g.Push(report)), "calls/s");
            Print("enumeration, one reader", await Items(grains, quick ? 20_000 : 200_000), "items/s");
            Print("state write on the disk, one grain", await Rate(grains, 1, span, g => g.Keep()), "writes/s");
            Print($"state write on the disk, {Callers} grains", await Rate(grains, Callers, span, g => g.Keep()), "writes/s");
            await Weigh(grains, 10_000);
            if (!quick) await Weigh(grains, 100_000);
            await host.StopAsync();
        }
        directory.Delete(recursive: true);
    }

    private static async Task<double> Rate(IGrainFactory grains, int callers, TimeSpan span, Func<IPingGrain, ValueTask> call, bool oneGrain = false)
    {
        var total = 0L;
        var start = Stopwatch.GetTimestamp();
        var from = start + (long)(span.TotalSeconds / 2 * Stopwatch.Frequency); // to warm up
        var to = from + (long)(span.TotalSeconds * Stopwatch.Frequency);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var grain = grains.GetGrain<IPingGrain>(oneGrain ? "ping" : $"ping-{caller}");
            var mine = 0L;
            for (var now = start; now < to; now = Stopwatch.GetTimestamp())
            {
                await call(grain);
                if (now >= from) mine++;
            }
            Interlocked.Add(ref total, mine);
        })));
        return total / span.TotalSeconds;
    }

    private static async Task<double> Items(IGrainFactory grains, int count)
    {
        var clock = Stopwatch.StartNew();
        var read = 0;
        await foreach (var _ in grains.GetGrain<IPingGrain>("items").Count(count)) read++;
        return read / clock.Elapsed.TotalSeconds;
    }

    private static async Task Weigh(IGrainFactory grains, int count)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < count; i++) await grains.GetGrain<IStoneGrain>($"{count}-{i}").Ping();
        var took = clock.Elapsed;
        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        Print(string.Create(CultureInfo.InvariantCulture, $"memory of {count:N0} activations"), bytes / 1e6, "MB");
        Print(string.Create(CultureInfo.InvariantCulture, $"time to activate {count:N0} grains one by one"), took.TotalSeconds, "s");
    }

    private static void Print(string name, double value, string unit)
        => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"calls: {name}: {(value >= 1000 ? value.ToString("N0", CultureInfo.InvariantCulture) : value.ToString("G4", CultureInfo.InvariantCulture))} {unit}"));
}

[Alias("Bench.IPingGrain")]
public interface IPingGrain : IGrainWithStringKey
{
    [Alias("Ping")] ValueTask Ping();
    [Alias("PingWith")] ValueTask PingWith(CancellationToken cancellationToken = default);
    [Alias("Push")] ValueTask Push(NodeReport report);
    [Alias("Keep")] ValueTask Keep();
    [Alias("Count")] IAsyncEnumerable<int> Count(int to, CancellationToken cancellationToken = default);
}

[Alias("Bench.IStoneGrain")]
public interface IStoneGrain : IGrainWithStringKey
{
    [Alias("Ping")] ValueTask Ping();
}

/// <summary>1 KB, as a grain's state is meant to be.</summary>
[GenerateSerializer, Alias("Bench.PingState")]
public sealed class PingState
{
    [Id(0)] public int Writes { get; set; }
    [Id(1)] public ImmutableArray<double> Table { get; set; } = [.. Enumerable.Repeat(1.0 / 3, 50)];
}

public sealed class PingGrain([PersistentState("ping", "grid")] IPersistentState<PingState> state) : Grain, IPingGrain
{
    private double _joules;

    public ValueTask Ping() => ValueTask.CompletedTask;

    public ValueTask PingWith(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask Push(NodeReport report)
    {
        foreach (var window in report.Windows) _joules += window.Joules;
        return ValueTask.CompletedTask;
    }

    public async ValueTask Keep()
    {
        state.State.Writes++;
        await state.WriteStateAsync();
    }

    public async IAsyncEnumerable<int> Count(int to, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var i = 0; i < to; i++) yield return i;
        await Task.CompletedTask;
    }
}

/// <summary>A grain with nothing inside.</summary>
public sealed class StoneGrain : Grain, IStoneGrain
{
    public ValueTask Ping() => ValueTask.CompletedTask;
}
