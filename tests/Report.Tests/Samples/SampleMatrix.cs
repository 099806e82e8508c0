using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

/// <summary>
/// A matrix of the catalogue's size and shape for looking at the report. Its energies come from a simple formula with seeded noise:
/// they are inputs of these tests and results of nothing.
/// </summary>
internal static class SampleMatrix
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 8, 0, 0, TimeSpan.Zero);

    // Workload, weight format, parameters per layer (M), weights (MB), KV at the group's batch of 8 (MB), GFLOP at 8.
    private static readonly (string Workload, string Weights, double P, double WeightMb, double KvMb, double Gflop)[] Dense =
    [
        ("A", "FP16", 809.5, 1619.0, 1073.7, 14.03), ("B", "INT8", 809.5, 822.1, 1073.7, 14.03), ("C", "INT4", 809.5, 420.6, 1073.7, 14.03),
        ("D", "FP16", 652.7, 1305.5, 37.7, 15.01), ("E", "INT8", 652.7, 662.9, 37.7, 15.01), ("F", "INT4", 652.7, 339.1, 37.7, 15.01),
        ("D'", "FP16", 809.5, 1619.1, 37.7, 17.52), ("E'", "INT8", 809.5, 822.2, 37.7, 17.52), ("F'", "INT4", 809.5, 420.6, 37.7, 17.52),
    ];

    public static Matrix Of(Provenance provenance = Provenance.Modelled, Func<string, string, Provenance>? byCell = null, string plan = "The paper's Table 3, matched")
    {
        var random = new Random(11733);
        byCell ??= (_, _) => provenance;
        MatrixGroup[] groups =
        [
            DenseGroup("batch 8", 8, random, byCell),
            DenseGroup("batch 24", 24, random, byCell),
            Pair("sparse attention", "G0", "G", 16, 65536, (683.7, 1367.3, 2147.5, 56.24), (683.7, 1367.3, 184.5, 24.83), random, byCell, passed: true),
            Pair("hybrid linear", "I0", "I", 20, 65536, (692.1, 1384.1, 5368.7, 70.63), (853.5, 1707.1, 817.9, 39.6), random, byCell, passed: false),
            Alone(random, byCell),
        ];
        var rows = groups.SelectMany(g => g.Rows).ToArray();
        return new Matrix(
            1, "s-20261121-080000-7f3a", plan, Sha("plan"), Start.AddMinutes(96), true,
            rows.Select(r => r.Provenance).Aggregate(provenance, Provenances.Worst), Disclosure, [.. groups],
            [
                new MatrixPanel("The paper's printed layout (Table 3)",
                [
                    Panel(groups[0], "A", 3.5, 3.5), Panel(groups[0], "B", 3.5, 2.1), Panel(groups[0], "C", 3.5, 1.2),
                    Panel(groups[1], "D", 3.5, 1.6), Panel(groups[1], "E", 3.5, 0.95), Panel(groups[1], "F", 3.5, 0.35), Panel(groups[2], "G", 3.5, 1.8),
                    Panel(groups[3], "I", 3.5, 1.2), Panel(groups[4], "H", 3.5, null), Panel(groups[4], "J", 3.5, 0.28), Panel(groups[4], "K", 3.5, 0.12),
                ]),
            ],
            new FacilityRatio("ipue", 1.2384, 1.231, 1.246, 3, Start.ToUnixTimeSeconds(), Start.AddMinutes(95).ToUnixTimeSeconds(), 98.613, 79.629, 0.9987, 0.982, ["rack-2/pdu-b"], ["one feed silent for 41 s"], provenance, "ISO/IEC 30134-2:2016"),
            [
                new ClosureResidual("node input − (gpu + cpu + dram)", 2.866e8, 2.713e8), new ClosureResidual("rack − nodes", 2.951e8, 2.866e8), new ClosureResidual("facility IT − racks", 2.962e8, 2.951e8),
            ],
            [
                new ChecklistItem("J/token at the declared boundary", "gpu, slope over layers; node modelled", true),
                new ChecklistItem("active binding constraint", "per cell, equation (3) with a declared envelope of 22.4 kW for 32 devices", true),
                new ChecklistItem("PUE-adjusted delivered power", "ipue of the site over the sweep, category 3", true),
                new ChecklistItem("utilization-adjusted output", "not applicable (saturated)", true),
                new ChecklistItem("accuracy beside efficiency", "", false),
                new ChecklistItem("Phi_mem and ρ", "both, with estimators", true),
            ],
            ["Weights and activations are seeded normal data, quantised by the named algorithm; the seed belongs to each cell's identity.", "W_UK and W_UV are quantised like the rest."]);
    }

    public static Manifest Manifest(Matrix matrix, int devices = 16)
    {
        var provenance = matrix.Provenance;
        return new Manifest(1, matrix.Sweep, matrix.Plan, matrix.PlanSha256, "0.1.0", ".NET 10.0.0, Debian GNU/Linux 12", SweepPhase.Finished, "ada", Start, Start.AddMinutes(95),
            [.. Enumerable.Range(0, devices).Select(i => new DeviceInfo(
                $"r{i / 8}-n{i / 4 % 2}", Uuid(i), "H100-SXM-80GB", provenance == Provenance.Measured ? DeviceKind.Cuda : DeviceKind.Simulated, "aurora", $"rack-{i / 8}", i % 4, 80e9, 3.35e12, Provenance.Declared, 989e12, 700, 700,
                provenance == Provenance.Measured ? "580.82.07" : "simulator 1", provenance == Provenance.Measured ? "nvml energy counter" : "energy model, sensor defects applied", provenance))],
            matrix.Disclosure, [],
            [
                new ManifestFile("plan.resolved.yaml", 18_204, Sha("a")), new ManifestFile("trials.ndjson", 3_482_117, Sha("b")), new ManifestFile("cells.csv", 21_840, Sha("c")), new ManifestFile("matrix.json", 96_401, Sha("d")), new ManifestFile("events.ndjson", 182_700, Sha("e")),
            ]);
    }

    public static IReadOnlyList<SweepEvent> Events { get; } =
    [
        new(1, Start, "submitted", "by ada"), new(2, Start.AddMinutes(21), "void", "batch 24, block 3, pass 2: host r1-n0 unreachable; a whole new pass is leased"),
        new(3, Start.AddMinutes(40), "stage", "batch 8: 6 devices needed for a half-width of 0.005"), new(4, Start.AddMinutes(95), "finished", "every cell has its passes"),
    ];

    public static IReadOnlyList<PowerTrace> Traces(int count = 9) => [.. Enumerable.Range(0, count).Select(Trace)];

    public static string TraceCsv(int index)
    {
        var random = new Random(index);
        var csv = new StringBuilder("seconds,device,watts,joules,phase\n");
        var joules = 0.0;
        var level = 430 + (45 * (index % 5));
        for (var t = 0.0; t < 96; t += 0.1)
        {
            var (phase, target) = t switch
            {
                < 12 => ("idle", 118.0),
                < 32 => ("warm-up", level),
                < 52 => ("window 4", level),
                < 56 => ("warm-up", level * 1.06),
                < 76 => ("window 8", level * 1.06),
                _ => ("cool-down", 118 + (90 * Math.Exp(-(t - 76) / 5))),
            };
            var watts = target + (7 * (random.NextDouble() - 0.5)) - (t is > 12 and < 18 ? (18 - t) * 12 : 0);
            joules += watts * 0.1;
            csv.Append(CultureInfo.InvariantCulture, $"{t:F1},{Uuid(index)},{watts:F1},{joules:F1},{phase}\n");
        }

        return csv.ToString();
    }

    public static string Uuid(int i) => $"GPU-{Sha("uuid" + i)[..8]}-{i:x4}";

    public static string Sha(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static Disclosure Disclosure { get; } = new(
        "not applicable: synthetic weights", "not applicable", 100, "mean", "decode only, 4096 tokens of context (64k for G and I, 1M for H), saturated", "static batch, whole batch in step", "H100 SXM 80 GB, 700 W, 8 per node", Boundary.Gpu);

    private static PowerTrace Trace(int index) => PowerTrace.Parse($"batch {(index % 2 == 0 ? 8 : 24)} / {Dense[index % Dense.Length].Workload} · pass {1 + (index / 3)}", TraceCsv(index));

    private static PanelRow Panel(MatrixGroup group, string label, double baseline, double? published)
    {
        var joules = group.Rows.First(r => r.Label == label).JoulesPerToken["gpu"].Value!.Value;
        return new PanelRow(group.Name, label, joules, joules / baseline, published);
    }

    private static MatrixGroup DenseGroup(string name, int batch, Random random, Func<string, string, Provenance> byCell)
    {
        var seconds = Step(Dense[0].WeightMb, Dense[0].KvMb * batch / 8, Dense[0].Gflop * batch / 8);
        var baseline = Joules(Dense[0].WeightMb, Dense[0].KvMb * batch / 8, Dense[0].Gflop * batch / 8, seconds) / batch;
        var rows = Dense.SelectMany(d =>
        {
            var row = Row(d.Workload, null, d.Workload, d.Weights, batch, 4096, d.P, d.WeightMb, d.KvMb * batch / 8, d.Gflop * batch / 8, "A", baseline, random, byCell(name, d.Workload));
            return d.Workload == "A"
                ? [row, Row("A twin", "A", "A", d.Weights, batch, 4096, d.P, d.WeightMb, d.KvMb * batch / 8, d.Gflop * batch / 8, "A", baseline, random, byCell(name, "A twin"))]
                : new[] { row };
        });
        return new MatrixGroup(name, "A", "H100-SXM-80GB", [.. rows], new RepeatabilityTest("A", "A twin", new Estimate(1.0007, 0.9984, 1.0031, "nodes", 4), 0.01, true, 0.0046),
            new ReplicationOutcome("nodes", 4, 4, 4, batch == 8 ? "reached" : "more nodes needed"), batch == 8 ? 0 : 1);
    }

    private static MatrixGroup Pair(string name, string reference, string other, int batch, int context, (double P, double W, double Kv, double F) a, (double P, double W, double Kv, double F) b, Random random, Func<string, string, Provenance> byCell, bool passed)
    {
        var baseline = Joules(a.W, a.Kv, a.F, Step(a.W, a.Kv, a.F)) / batch;
        return new MatrixGroup(name, reference, "H100-SXM-80GB",
            [
                Row(reference, null, reference, "FP16", batch, context, a.P, a.W, a.Kv, a.F, reference, baseline, random, byCell(name, reference)),
                Row(reference + " twin", reference, reference, "FP16", batch, context, a.P, a.W, a.Kv, a.F, reference, baseline, random, byCell(name, reference + " twin")),
                Row(other, null, other, "FP16", batch, context, b.P, b.W, b.Kv, b.F, reference, baseline, random, byCell(name, other)),
            ],
            passed ? new RepeatabilityTest(reference, reference + " twin", new Estimate(0.9991, 0.9967, 1.0015, "this node", 5), 0.01, true, 0.0052) : new RepeatabilityTest(reference, reference + " twin", new Estimate(1.0083, 1.0041, 1.0125, "this node", 5), 0.01, false, 0.0124),
            new ReplicationOutcome("devices", 5, 7, 7, "reached"), 0);
    }

    private static MatrixGroup Alone(Random random, Func<string, string, Provenance> byCell)
    {
        const string Name = "no counterpart";
        var failed = Row("H long", null, "H", "FP16", 8, 1048576, 730, 1460, 318.7, 67.1, null, 0, random, byCell(Name, "H long")) with
        {
            Tokens = 0,
            JoulesPerTokenLayer = new Estimate(double.NaN, null, null, "none", 0),
            NetJoulesPerTokenLayer = null,
            JoulesPerToken = ImmutableSortedDictionary<string, Figure>.Empty.Add("gpu", new Figure(null, "slope", "no valid trial: thermal slowdown in all")),
            Passes = 0,
            TokensPerSecond = double.NaN,
            LayerTokensPerSecond = double.NaN,
            StepMillisecondsProjected = double.NaN,
            KEffRealized = double.NaN,
            MeanWatts = double.NaN,
            InterceptJoulesPerStep = double.NaN,
            Coverage = double.NaN,
            Constraint = "not determined",
            Ceilings = [],
            Phi = ImmutableSortedDictionary<string, Figure>.Empty,
            Spread = new Spread(null, null, null),
            MeetsService = null,
            Invalidations = ImmutableSortedDictionary<string, int>.Empty.Add("thermal slowdown", 6),
        };
        return new MatrixGroup(Name, null, "H100-SXM-80GB",
            [
                Row("H", null, "H", "FP16", 8, 1048576, 730, 1460, 159.3, 33.6, null, 0, random, byCell(Name, "H")),
                failed,
                Row("J", null, "J", "FP16", 32, 4096, 317.2, 634.4, 2684.4, 22.98, null, 0, random, byCell(Name, "J")),
                Row("K", null, "K", "INT4", 64, 4096, 174.3, 90.6, 302.0, 40.57, null, 0, random, byCell(Name, "K")) with { Linearity = "unchecked", Flags = ["linearity unchecked: only one L' fits"] },
            ],
            null, new ReplicationOutcome("nodes", 4, 4, 4, "reached"), 0);
    }

    private static double Step(double weightMb, double kvMb, double gflop) => Math.Max((weightMb + kvMb) * 1e6 / 3.0e12, gflop * 1e9 / 700e12) * 1.08;

    private static double Joules(double weightMb, double kvMb, double gflop, double seconds) => (120 * seconds) + ((weightMb + kvMb) * 1e6 * 8 * 10e-12) + (gflop * 1e9 * 0.7e-12);

    private static MatrixRow Row(string label, string? twinOf, string workload, string weights, int batch, int context, double p, double weightMb, double kvMb, double gflop, string? baseline, double baselineJoules, Random random, Provenance provenance)
    {
        var seconds = Step(weightMb, kvMb, gflop);
        var jump = Math.Exp(0.0015 * (random.NextDouble() - 0.5));
        var joules = Joules(weightMb, kvMb, gflop, seconds) / batch * jump;
        var layers = workload switch { "J" => 40, "K" => 32, _ => 80 };
        var u = 0.002 + (0.002 * random.NextDouble());
        var whole = joules * layers;
        var ratio = baseline is null ? null : new RatioToBaseline(baseline, label == baseline
            ? new Estimate(1, null, null, "none", 0)
            : new Estimate(joules / baselineJoules, joules / baselineJoules * Math.Exp(-u), joules / baselineJoules * Math.Exp(u), "nodes", 4),
            label == baseline ? null : joules / baselineJoules * Math.Exp(-1.9 * u), label == baseline ? null : joules / baselineJoules * Math.Exp(1.9 * u), 0.0012 + (0.001 * random.NextDouble()), Math.Abs(Math.Log(joules / baselineJoules)) > 0.0046);
        var watts = joules * batch / seconds;
        var rate = batch / (seconds * layers);
        return new MatrixRow(
            label, twinOf, new Configuration(workload, weights, batch, context, 8192, 64, 64, 22016, layers, 4, 8, 32000, "simulated", 7, "normal"), Sha(label + batch + context), "token-equivalent", 3.1e6 * batch / 8,
            new Estimate(joules, joules * Math.Exp(-2 * u), joules * Math.Exp(2 * u), "nodes", 4), new Estimate(joules * 0.83, joules * 0.83 * Math.Exp(-2 * u), joules * 0.83 * Math.Exp(2 * u), "nodes", 4), 0.0021 * (1 + random.NextDouble()), "two points",
            ImmutableSortedDictionary<string, Figure>.Empty
                .Add("gpu", new Figure(whole, "slope × layers", null))
                .Add("node", new Figure(whole * 1.41, "attributed share of the node's input", "modelled: the node ran other cells beside"))
                .Add("facility", new Figure(null, "node × PUE", "the site's ratio is an ipue of 95 minutes")),
            ImmutableSortedDictionary<string, string>.Empty.Add("node", "excluded from claims"),
            0.0289, ratio, 20, 16, 4, new Spread(0.0031, 0.0084, 0.0052),
            label is "C" or "F" ? ImmutableSortedDictionary<string, int>.Empty.Add("low coverage", 1).Add("thermal slowdown", 2) : ImmutableSortedDictionary<string, int>.Empty,
            gflop * 1e9 / (seconds * layers) * layers, 989e12, gflop * 1e9 / batch, p * 1e6, 700 / watts, 700 / watts * gflop * 1e9 / seconds / 989e12,
            700 / watts < 1 ? "power scarce" : "compute scarce", watts > 640 ? ["power_cap", "hbm"] : gflop * 1e9 / seconds > 0.7 * 989e12 ? ["compute"] : ["hbm"],
            ImmutableSortedDictionary<string, Figure>.Empty
                .Add("phi_mem", new Figure((weightMb + kvMb) * 1e6 / (seconds * 3.0e12), "bytes the step must move / (time × stream bandwidth)", null))
                .Add("phi_mem_paper", new Figure(rate / (3.35e12 / (2 * p * 1e6 * layers * 2)), "the paper's: Qdot_obs / (BW / (2·N·w)), no batch", null))
                .Add("phi_comp", new Figure(14.03e9 / 8 / (gflop * 1e9 / batch), "c_tok of A / c_tok", null))
                .Add("phi_system", p > 800 ? new Figure(baselineJoules / joules, "e_tok of A / e_tok, equal parameter count", null) : new Figure(null, "e_tok of A / e_tok, equal parameter count", "another parameter count"))
                .Add("phi_route", new Figure(null, "", "not estimated: no routing data")),
            new Figure(null, "saturated", "not applicable (saturated)"), rate, batch / seconds, seconds * layers * 1e3, seconds * layers < 0.1, "not applicable: synthetic weights",
            new Figure(whole * 1.41 * 1.2384, "node input × ipue", "modelled: ipue, not PUE"), null, 0.9994, watts, watts > 640 ? 0.034 : 0, twinOf is null ? [] : ["A/A twin"], provenance);
    }
}
