using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;

namespace EnergyGrid.Results.Tests;

/// <summary>A plan, trials of it and how its sweep stands, made by hand.</summary>
internal static class Samples
{
    public const string PlanText = """
        name: kept
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: none}
          service: {milliseconds_per_token: 100, statistic: mean}
        workload_mix: decode only
        batching: closed batch
        hardware: {description: "simulated H100, ümlaut", model: H100-SXM-80GB, devices: 2}
        boundary: gpu
        stack: simulated
        groups:
          - name: dense
            baseline: A
            sweep:
              - {workload: [A, C], batch: 8, context: 4096}
        passes: {min: 2, max: 4, half_width: 0.05}
        trial: {warmup_s: {min: 20, max: 60}, window_s: 12, cooldown_s: 11}
        traces: all
        """;

    public static readonly DateTimeOffset Start = new(2026, 11, 29, 12, 0, 0, TimeSpan.FromHours(1));

    public static ResolvedPlan Plan { get; } = PlanFile.Load(PlanText, "plan.yaml").Plan ?? throw new InvalidOperationException("The sample is no plan.");

    /// <summary>Trial number <paramref name="n"/> of a sweep: passes over blocks over cells.</summary>
    public static TrialResult Trial(string sweep, int n, int blocks = 2, TrialOutcome outcome = TrialOutcome.Valid)
    {
        var cells = Plan.Groups[0].Cells;
        var (cell, block, pass) = (cells[n % cells.Length], n / cells.Length % blocks, n / cells.Length / blocks);
        return Trial(new TrialId(sweep, Plan.Groups[0].Name, cell.Label, cell.ConfigurationSha256, block, pass), cell, outcome);
    }

    private static TrialResult Trial(TrialId id, PlannedCell cell, TrialOutcome outcome)
    {
        var legs = ImmutableArray.CreateBuilder<Leg>();
        var perLayer = (cell.Label.StartsWith('A') ? 0.4 : 0.2) * (1 + 0.01 * Math.Sin(7 * id.Pass + 3 * id.Block));
        foreach (var layers in new[] { cell.Configuration.ShortLayers, cell.Configuration.LongLayers })
        {
            var steps = 12 / (1e-3 * layers);
            var gpu = new Energy(steps * (0.1 + perLayer * layers), 11.9, 12, 1.5, 7.25, 0.125, "counter", Provenance.Modelled);
            legs.Add(new Leg(layers, Start.AddSeconds(id.Pass), 12, steps, steps * cell.Configuration.Batch, gpu, layers == cell.Configuration.ShortLayers ? null : gpu with { Method = "power" }, double.NaN, 8, 1,
                -0.001, 0, double.NaN, 20.5, 61.2, 1980, 1e-3 * layers, 1.1e-3 * layers, ["warm-up not flat"]));
        }
        return new TrialResult(id, outcome, outcome == TrialOutcome.Valid ? [] : ["thermal slowdown"], $"n{id.Block}", "lab", "r1", [$"GPU-{id.Block}"], "H100-SXM-80GB", "test", 700, 3, 1,
            Start.AddMinutes(id.Pass), Start.AddMinutes(id.Pass).AddSeconds(44.1234567), 40.5, legs.ToImmutable(), 88.75, ["a flag"], "", "");
    }

    /// <summary>What a serving engine's trial has, every member another value.</summary>
    public static ServedTrial Served(string requests, string sha256)
    {
        static LatencyLine Line(int n) => new(n, n + 0.1, n + 0.2, n + 0.3, n + 0.4, n + 0.5);
        return new ServedTrial("vllm", "0.11.0", ["vllm", "serve", "--port", "1"], new string('a', 64), true, requests, sha256, 1234, 12, 17, 16, new(Line(1), Line(2), Line(3), LatencyLine.None), "chunks, byText",
            new(20, 17, 1, 2, 999.5, 60, 1001, "vllm:generation_tokens_total", -1, "they agree"), 3.5, double.NaN, 0.25, 0.75, 0.125);
    }

    public static SweepRecord Record(SweepPhase phase = SweepPhase.Running, int passes = 2) => new(
        "kept", phase, "tests", Start, phase == SweepPhase.Running ? null : Start.AddHours(1), Start.AddHours(1), "1.2.3", ".NET of the tests", phase == SweepPhase.Finished,
        [.. Enumerable.Range(0, 2).Select(i => new DeviceInfo($"n{i}", $"GPU-{i}", "H100-SXM-80GB", DeviceKind.Simulated, "lab", "r1", i, 80e9, 3.35e12, Provenance.Declared, 989e12, 700, 700, "test", "a model", Provenance.Modelled))],
        Enumerable.Range(0, 2).ToImmutableSortedDictionary(i => i, i => ImmutableArray.Create($"n{i}/GPU-{i}")),
        [.. Enumerable.Range(0, 2 * passes).Select(i => new PassRow("dense", i % 2, i / 2, PassPhase.Open, 1, ""))],
        new FacilityRatio("ipue", 1.25, null, null, 3, 1_700_000_000, 1_700_000_010, 1250 / 3.6e6, 1000 / 3.6e6, 1, 1, ["lab/pdu"], [], Provenance.Measured, "ISO/IEC 30134-2:2016"),
        [new ClosureResidual("node input − gpu", 100, 99.5)], [new FacilityStretch(1_700_000_000, 1_700_000_010, 10, true, 1250, 0, 0, 7000, 7000, 1000, 0, 0, 0)]);

    /// <summary>As a node writes it.</summary>
    public static byte[] Trace(int rows, int seed = 1)
    {
        var random = new Random(seed);
        var text = new StringBuilder("seconds,device,watts,joules,phase\n");
        var joules = 123456.789;
        for (var i = 0; i < rows; i++)
        {
            var watts = i % 17 == 0 ? double.NaN : 300 + 50 * random.NextDouble();
            joules += 30;
            text.Append(CultureInfo.InvariantCulture, $"{i * 0.1:F3},GPU-{(i < rows / 2 ? 0 : 1)},{watts:F2},{(i % 5 == 0 ? double.NaN : joules):F3},{(i % 100 < 30 ? "warm-up" : "window")}\n");
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}

/// <summary>A clock that stands still: what is said twice is said at the same instant.</summary>
internal sealed class StillClock : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => Samples.Start.ToUniversalTime();
}
