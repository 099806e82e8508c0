using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Silo;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// The flow of power at scale, in real time: simulated nodes sample at 10 Hz, integrate into windows of one second and report once a second;
/// racks merge, the site closes. One process.
/// </summary>
public static class GridBenchmark
{
    /// <summary>10,240 GPUs in 1,280 nodes and 160 racks; short: a tenth of it.</summary>
    public static async Task Run(bool quick)
    {
        var (racks, seconds) = quick ? (16, 6) : (160, 30);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.AddGridClustering(_ => { });
        builder.Services.AddSingleton(new WindowPace());
        var options = new SimulatedSiteOptions { Name = "bench", Silo = "bench", Racks = racks, NodesPerRack = 8, GpusPerNode = 8 };
        builder.Services.AddNodeAgents(nodes => nodes.AddSimulatedSite(options, TimeProvider.System));
        using var host = builder.Build();
        await host.StartAsync();
        var grains = host.Services.GetRequiredService<IGrainFactory>();
        var site = grains.GetGrain<ISiteGrain>("bench");
        await Task.Delay(TimeSpan.FromSeconds(5)); // windows flow

        using var process = Process.GetCurrentProcess();
        var (cpu, clock, first) = (process.TotalProcessorTime, Stopwatch.StartNew(), await site.View());
        double behind = 0, residual = 0;
        for (var second = 0; second < seconds; second++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            var view = await site.View();
            behind = Math.Max(behind, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1e3 - (view.Window + 1));
            var sum = 0.0;
            for (var rack = 1; rack <= racks; rack++)
                sum += (await grains.GetGrain<IRackGrain>($"bench/r{rack}").Recent(10)).Windows.LastOrDefault(w => w.Window == view.Window)?.ItJoules ?? double.NaN;
            residual = Math.Max(residual, Math.Abs(sum - view.ItWatts) / view.ItWatts);
        }
        process.Refresh();
        var last = await site.View();
        var name = $"grid of {racks * 64:N0} GPUs in {racks * 8:N0} nodes and {racks} racks";
        Console.WriteLine(FormattableString.Invariant($"{name}: CPU {(process.TotalProcessorTime - cpu).TotalSeconds / clock.Elapsed.TotalSeconds:F3} cores"));
        Console.WriteLine(FormattableString.Invariant($"{name}: site view at most {behind:F2} s behind"));
        Console.WriteLine(FormattableString.Invariant($"{name}: |sum of racks - site| / site at most {residual:E1}"));
        Console.WriteLine(FormattableString.Invariant($"{name}: {(last.Windows - first.Windows) / clock.Elapsed.TotalSeconds:F2} windows/s closed, coverage {last.Coverage:P2}, {last.ItWatts / 1e6:F2} MW P_IT (modelled)"));
        await host.StopAsync();
    }
}
