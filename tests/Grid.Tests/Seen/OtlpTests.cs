using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Seen;

/// <summary>What a collector of traces and metrics gets from a silo as a process of its own.</summary>
[Collection("faults")]
public sealed class OtlpTests
{
    [Fact]
    public async Task A_collector_gets_the_trace_of_a_trial_from_the_request_to_the_device_and_the_grids_meters_without_keys()
    {
        using var scratch = new Scratch();
        using var collector = new Collector();
        await using var silo = await SiloProcess.Start(
            scratch.Path, ["--simulate", "1x1x2", "--time-scale", "400", "--gpus", "none", "--otlp", collector.Address], "exec \"$@\"",
            new Dictionary<string, string> { ["OTEL_BSP_SCHEDULE_DELAY"] = "300", ["OTEL_METRIC_EXPORT_INTERVAL"] = "500" });
        await silo.Submit(SmallPlan.Of("traced", "A, F", min: 5, max: 5));
        await silo.Until(s => s.HasEnded, "the sweep ends");

        var trace = GridTelemetry.Root("s").TraceId.ToHexString();
        string[] wanted = ["submit", "pass", "trial", $"trial {TrialPhase.Loading}", $"trial {TrialPhase.WarmingUp}", $"trial {TrialPhase.Measuring}"];
        SeenSpan[] Ours() => [.. collector.Spans.Where(s => s.Trace == trace)];
        await SimulatedGrid.Until(() => Task.FromResult(wanted.All(w => Ours().Any(s => s.Name == w))), "spans of every kind have come", 30, () => string.Join(", ", collector.Spans.Select(s => s.Name).Distinct()));
        // A part is sent when it ends, before its whole is: each batch ends somewhere.
        await SimulatedGrid.Until(() => Task.FromResult(Ours() is var come && come.Where(s => s.Name == $"trial {TrialPhase.Measuring}").All(s => come.Any(w => w.Id == s.Parent))), "the whole of every part has come");
        var spans = Ours().DistinctBy(s => s.Id).ToDictionary(s => s.Id);
        IEnumerable<string> Above(SeenSpan span)
        {
            for (var at = span; spans.TryGetValue(at.Parent, out var parent); at = parent) yield return parent.Name;
        }
        Assert.Contains(spans.Values, s => s.Name == "trial" && Above(s).Contains("pass"));
        Assert.All(spans.Values.Where(s => s.Name == $"trial {TrialPhase.Measuring}"), s => Assert.Equal("trial", Above(s).First()));
        // The request that submitted the sweep has a trace of its own, to which the sweep's is linked.
        Assert.Contains(collector.Spans, s => s.Trace != trace && s.Name.StartsWith("POST", StringComparison.Ordinal));

        string[] meters = ["energygrid.trials.committed", "energygrid.reports", "energygrid.site.windows", "energygrid.site.lag", "orleans-", "dotnet.gc"];
        await SimulatedGrid.Until(() => Task.FromResult(meters.All(m => collector.Metrics.Contains(m, StringComparison.Ordinal))), "every meter has come", 30, () => string.Join(", ", meters.Where(m => !collector.Metrics.Contains(m, StringComparison.Ordinal))));
        var device = (await silo.Client.Devices())[0].Device;
        foreach (var key in (string[])[device.Uuid, device.Host, $"{device.Site}/{device.Rack}"]) Assert.DoesNotContain(key, collector.Metrics, StringComparison.Ordinal);
    }
}
