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

    /// <param name="provenance">Of every energy.</param>
    /// <param name="byCell">By group and label where it differs.</param>
    /// <param name="plan">The plan's name.</param>
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
        double? Published(double value) => rows.All(r => r.Provenance is null or Provenance.Measured) ? value : null;
        return new Matrix(
            3, "s-20261121-080000-7f3a", plan, Sha("plan"), Start.AddMinutes(96), true,
            rows.Select(r => r.Provenance).OfType<Provenance>().Aggregate(provenance, Provenances.Worst), Disclosure,
            new RanOn(16, 4, 2, ["H100-SXM-80GB"], [provenance == Provenance.Measured ? "580.82.07" : "simulator 1"], [700], 16, ""), 18, [.. groups],
            [
                new MatrixPanel("The paper's printed layout (Table 3)",
                [
                    Panel(groups[0], "A", 3.5, Published(3.5)), Panel(groups[0], "B", 3.5, Published(2.1)), Panel(groups[0], "C", 3.5, Published(1.2)),
                    Panel(groups[1], "D", 3.5, Published(1.6)), Panel(groups[1], "E", 3.5, Published(0.95)), Panel(groups[1], "F", 3.5, Published(0.35)), Panel(groups[2], "G", 3.5, Published(1.8)),
                    Panel(groups[3], "I", 3.5, Published(1.2)), Panel(groups[4], "H", 3.5, null), Panel(groups[4], "J", 3.5, Published(0.28)), Panel(groups[4], "K", 3.5, Published(0.12)),
                ]),
            ],
            new FacilityRatio("ipue", 1.2384, 1.231, 1.246, 3, Start.ToUnixTimeSeconds(), Start.AddMinutes(95).ToUnixTimeSeconds(), 98.613, 79.629, 0.9987, 0.982, ["rack-2/pdu-b"], ["one feed silent for 41 s"], provenance, "ISO/IEC 30134-2:2016"),
            [
                new ClosureResidual("node input − (gpu + cpu + dram)", 2.866e8, 2.713e8), new ClosureResidual("rack − nodes", 2.951e8, 2.866e8), new ClosureResidual("facility IT − racks", 2.962e8, 2.951e8),
            ],
            [
                new ChecklistItem("q*: quality target and how it was checked", "not applicable: synthetic weights; not applicable", DisclosureState.NotApplicable),
                new ChecklistItem("J/token with interval", "in every row that has valid trials", DisclosureState.Disclosed),
                new ChecklistItem("active binding constraint", "against an envelope of 11,200 W at the gpu over 16 devices", DisclosureState.Disclosed),
                new ChecklistItem("PUE", "ipue 1.238, category 3, IT coverage 98.2 %", DisclosureState.Disclosed),
                new ChecklistItem("utilization-adjusted output", "U: not applicable (saturated kernel workloads)", DisclosureState.NotApplicable),
                new ChecklistItem("accuracy beside efficiency", "not disclosed", DisclosureState.Missing),
                new ChecklistItem("Phi_mem", "in every row that has valid trials", DisclosureState.Disclosed),
            ],
            ["Weights and activations are seeded normal data, quantised by the named algorithm; the seed belongs to each cell's identity.", "W_UK and W_UV are quantised like the rest."]);
    }

    /// <summary>What a sweep leaves that was cancelled before a trial was valid.</summary>
    public static Matrix Cancelled(Provenance provenance = Provenance.Measured)
    {
        var matrix = Of(provenance);
        return matrix with
        {
            Provenance = null,
            Groups = [.. matrix.Groups.Select(g => g with { Rows = [.. g.Rows.Select(Without)], Repeatability = null })],
            Panels = [],
            Facility = null,
            Closure = [],
            RanOn = new RanOn(0, 0, 0, [], [], [], 16, ""),
        };
    }

    public static Manifest Manifest(Matrix matrix, int devices = 16)
    {
        var provenance = matrix.Provenance ?? Provenance.Measured;
        return new Manifest(3, matrix.Sweep, matrix.Plan, matrix.PlanSha256, "0.1.0", ".NET 10.0.0, Debian GNU/Linux 12", SweepPhase.Finished, "ada", Start, Start.AddMinutes(95),
            [.. Enumerable.Range(0, devices).Select(i => new DeviceInfo(
                $"r{i / 8}-n{i / 4 % 2}", Uuid(i), "H100-SXM-80GB", provenance == Provenance.Measured ? DeviceKind.Cuda : DeviceKind.Simulated, "aurora", $"rack-{i / 8}", i % 4, 80e9, 3.35e12, Provenance.Declared, 989e12, 700, 700,
                provenance == Provenance.Measured ? "580.82.07" : "simulator 1", provenance == Provenance.Measured ? "nvml energy counter" : "energy model, sensor defects applied", provenance,
                new SensorQualification(0.1, 0.0006 + (0.00001 * i), 0.0011, 10, "assumed: no meter stands above the device", 700, Start, "counter against power over five windows of 10 s")))],
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

    /// <summary>A trial with two windows and the idle stretch; of every third trial the node's meter was kept too.</summary>
    public static string TraceCsv(int index)
    {
        var random = new Random(index);
        var csv = new StringBuilder("nanoseconds,source,watts,joules,phase\n");
        var joules = 0.0;
        var level = 430 + (45 * (index % 5));
        for (var i = 0; i < 960; i++)
        {
            var t = i / 10.0;
            var (phase, target) = t switch
            {
                < 4 => ("waiting", 96.0),
                < 10 => ("loading", 118.0),
                < 28 => ("warm-up", level),
                < 31 => ("lead", level),
                < 51 => ("window", level),
                < 55 => ("lead", level * 1.06),
                < 75 => ("window", level * 1.06),
                < 77 => ("after", level * 1.06),
                < 88 => ("idle", 118 + (90 * Math.Exp(-(t - 77) / 3))),
                _ => ("cool-down", 97 + (21 * Math.Exp(-(t - 88) / 3))),
            };
            var watts = target + (7 * (random.NextDouble() - 0.5)) - (t is > 10 and < 16 ? (16 - t) * 12 : 0);
            joules += watts * 0.1;
            csv.Append(CultureInfo.InvariantCulture, $"{i * 100_000_000L},{Uuid(index)},{watts:F6},{joules:F6},{phase}\n");
            if (index % 3 == 0 && i % 10 == 0)
            {
                csv.Append(CultureInfo.InvariantCulture, $"{(i * 100_000_000L) + 41_000_000},r0-n0/input,{1450 + (4 * watts):F6},NaN,{phase}\n");
            }
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
        var joules = group.Rows.First(r => r.Label == label).ProjectedJoulesPerToken["gpu"].Value!.Value;
        return new PanelRow(group.Name, label, joules, joules / baseline, published, ["needs 3 devices"]);
    }

    private static SensorLine Sensor { get; } = new(10, 7, 700, 0.0006, 0.0011, 0.05, "offset assumed; alias and counter qualified 2026-11-21");

    private static MatrixGroup DenseGroup(string name, int batch, Random random, Func<string, string, Provenance> byCell)
    {
        var reference = new Shape("A", "FP16", batch, 4096, Dense[0].P, Dense[0].WeightMb, Dense[0].KvMb * batch / 8, Dense[0].Gflop * batch / 8);
        var rows = Dense.SelectMany(d =>
        {
            var shape = new Shape(d.Workload, d.Weights, batch, 4096, d.P, d.WeightMb, d.KvMb * batch / 8, d.Gflop * batch / 8);
            var row = Row(name, d.Workload, null, shape, reference, random, byCell(name, d.Workload));
            return d.Workload == "A" ? [row, Row(name, "A twin", "A", shape, reference, random, byCell(name, "A twin"))] : new[] { row };
        }).ToArray();
        return Judged(new MatrixGroup(name, "A", "H100-SXM-80GB", Sensor, [.. rows],
            batch == 8 ? new RepeatabilityTest("A", "A twin", new Estimate(1.0007, 0.9984, 1.0031, "nodes", 4), 0.01, true, 0.0032) : null,
            new ReplicationOutcome("nodes", 4, 4, 4, batch == 8 ? "reached" : "more nodes needed"), batch == 8 ? 0 : 1));
    }

    private static MatrixGroup Pair(string name, string label, string other, int batch, int context, (double P, double W, double Kv, double F) a, (double P, double W, double Kv, double F) b, Random random, Func<string, string, Provenance> byCell, bool passed)
    {
        var reference = new Shape(label, "FP16", batch, context, a.P, a.W, a.Kv, a.F);
        var shape = new Shape(other, "FP16", batch, context, b.P, b.W, b.Kv, b.F);
        MatrixRow[] rows = [Row(name, label, null, reference, reference, random, byCell(name, label)), Row(name, label + " twin", label, reference, reference, random, byCell(name, label + " twin")), Row(name, other, null, shape, reference, random, byCell(name, other))];
        return Judged(new MatrixGroup(name, label, "H100-SXM-80GB", Sensor, [.. rows.Select(r => passed ? r : r with { Estimator = "one L' = 8, intercept included", InterceptJoulesPerStep = double.NaN, Linearity = null })],
            passed ? new RepeatabilityTest(label, label + " twin", new Estimate(0.9991, 0.9967, 1.0015, "this node", 5), 0.01, true, 0.0029) : new RepeatabilityTest(label, label + " twin", new Estimate(1.0083, 1.0041, 1.0125, "this node", 5), 0.01, false, 0.0054),
            new ReplicationOutcome("devices", 5, 7, 7, "reached"), 0));
    }

    private static MatrixGroup Alone(Random random, Func<string, string, Provenance> byCell)
    {
        const string Name = "no counterpart";
        MatrixRow Absolute(string label, Shape shape) => Row(Name, label, null, shape, null, random, byCell(Name, label));
        return new MatrixGroup(Name, null, "H100-SXM-80GB", Sensor,
            [
                Absolute("H", new Shape("H", "FP16", 8, 1048576, 730, 1460, 159.3, 33.6)),
                Without(Absolute("H long", new Shape("H", "FP16", 8, 1048576, 730, 1460, 318.7, 67.1))) with { Invalidations = ImmutableSortedDictionary<string, int>.Empty.Add("thermal slowdown", 6) },
                Absolute("J", new Shape("J", "FP16", 32, 4096, 317.2, 634.4, 2684.4, 22.98)),
                Absolute("K", new Shape("K", "INT4", 64, 4096, 174.3, 90.6, 302.0, 40.57)) with { Estimator = "one L' = 8, intercept included", InterceptJoulesPerStep = double.NaN, Linearity = null, Flags = ["linearity unchecked: only one L' fits"] },
            ],
            null, new ReplicationOutcome("nodes", 4, 4, 4, "reached"), 0);
    }

    /// <summary>The same cell without a valid trial: every number that needs one is gone.</summary>
    private static MatrixRow Without(MatrixRow row)
    {
        const string Why = "no valid trial";
        var none = new Uncertainty(null, 0, null, null, null, null, null, null, null);
        return row with
        {
            Tokens = 0,
            Estimator = "none: no valid trial",
            JoulesPerTokenLayer = new Estimate(double.NaN, null, null, "none", 0),
            Uncertainty = none,
            NetJoulesPerTokenLayer = null,
            InterceptJoulesPerStep = double.NaN,
            Linearity = null,
            HeadJoulesPerToken = new Figure(null, "LM head", Why),
            ProjectedJoulesPerToken = ImmutableSortedDictionary<string, Figure>.Empty,
            BoundaryNotes = ImmutableSortedDictionary<string, string>.Empty.Add("gpu", Why).Add("node", Why).Add("facility", Why),
            Ratio = null,
            Passes = 0,
            Devices = 0,
            Nodes = 0,
            Spread = new Spread(null, null, null),
            Invalidations = ImmutableSortedDictionary<string, int>.Empty,
            KEffRealized = double.NaN,
            KEffPeak = double.NaN,
            TokenLayersPerSecond = double.NaN,
            WattsPerDevice = double.NaN,
            AchievedOverFloor = null,
            Constraint = new PowerVerdict("not determined", "not determined: no valid trial", Why, "what limits it was not found", Boundary.Gpu, 16, 700, null, null, null, null, null, null, null),
            Ceilings = ["unresolved"],
            Phi = row.Phi.ToImmutableSortedDictionary(p => p.Key, p => new Figure(null, p.Value.Estimator, Why)),
            ProjectedTokensPerSecond = double.NaN,
            ProjectedStepMilliseconds = double.NaN,
            MeetsService = null,
            PueAdjustedJoulesPerToken = new Figure(null, "node input × ipue", Why),
            Coverage = double.NaN,
            MeanWatts = double.NaN,
            PowerCapFraction = double.NaN,
            Flags = [Why],
            Provenance = null,
            Absent = ImmutableSortedDictionary<string, string>.Empty.Add("coverage", Why).Add("kEffRealized", Why).Add("provenance", Why).Add("ratio", Why),
        };
    }

    // The rules of standing, as docs/results.md has them, on rows that know nothing of each other yet.
    private static MatrixGroup Judged(MatrixGroup group)
    {
        var baseline = group.Rows.First(r => r.Label == group.Baseline);
        return group with
        {
            Rows = [.. group.Rows.Select(row =>
            {
                if (row.Label == group.Baseline) return row with { Ratio = null };
                var ratio = row.Ratio!;
                var resolution = Math.Max(group.Repeatability?.HalfWidth95 ?? 0.0032, 2 * ratio.Uncertainty.TypeB!.Value);
                var worst = Provenances.Worst(row.Provenance!.Value, baseline.Provenance!.Value);
                var late = new[] { row, baseline }.Where(r => r.MeetsService == false).Select(r => FormattableString.Invariant($"{r.Label} takes {r.ProjectedStepMilliseconds:F0} ms a token, s* is 100 ms")).ToArray();
                var size = Math.Abs(Math.Log(ratio.Ratio.Value));
                var p = Math.Exp(-size / ratio.Uncertainty.StandardError!.Value);
                var (standing, reason) = worst != Provenance.Measured ? (RatioStanding.NotMeasured, $"its energies are {worst.ToString().ToLowerInvariant()}: no claim")
                    : late.Length > 0 ? (RatioStanding.OutsideOperatingPoint, "outside the operating point: " + string.Join("; ", late))
                    : row.TwinOf is not null ? (RatioStanding.NotResolved, "an A/A twin: it tests the chain")
                    : size <= resolution ? (RatioStanding.NotResolved, FormattableString.Invariant($"within the resolution of {resolution:P2}"))
                    : (RatioStanding.Resolved, "");
                return row with
                {
                    Ratio = ratio with
                    {
                        Resolution = resolution, ResolutionFrom = group.Repeatability is null ? "batch 8" : group.Name, Standing = standing, StandingReason = reason, PValue = p,
                        HolmPValue = row.TwinOf is null ? Math.Min(1, 18 * p) : null,
                        SimultaneousLow = row.TwinOf is null ? ratio.SimultaneousLow : null, SimultaneousHigh = row.TwinOf is null ? ratio.SimultaneousHigh : null,
                        AchievedOverFloor = row.AchievedOverFloor / baseline.AchievedOverFloor,
                    },
                };
            })],
        };
    }

    private sealed record Shape(string Workload, string Weights, int Batch, int Context, double P, double WeightMb, double KvMb, double Gflop)
    {
        public double Seconds => Math.Max((WeightMb + KvMb) * 1e6 / 3.0e12, Gflop * 1e9 / 700e12) * 1.08;

        public double Joules => (120 * Seconds) + ((WeightMb + KvMb) * 1e6 * 8 * 10e-12) + (Gflop * 1e9 * 0.7e-12);
    }

    private static MatrixRow Row(string group, string label, string? twinOf, Shape shape, Shape? reference, Random random, Provenance provenance)
    {
        var seconds = shape.Seconds;
        var jump = Math.Exp(0.0015 * (random.NextDouble() - 0.5));
        var joules = shape.Joules / shape.Batch * jump;
        var layers = shape.Workload switch { "J" => 40, "K" => 32, _ => 80 };
        var error = 0.0008 + (0.0008 * random.NextDouble());
        var (offset, bend) = (0.011 + (0.002 * random.NextDouble()), 0.004 * random.NextDouble());
        var whole = joules * layers;
        var (absolute, bound) = Parts(error * 1.6, offset, bend, 0.05);
        var half = (2.4 * error * 1.6) + bound;
        RatioToBaseline? ratio = null;
        if (reference is not null)
        {
            var value = shape.Joules * jump / reference.Joules;
            var (parts, ratioBound) = Parts(error, offset * 0.15, bend * 0.5, 0);
            var (near, wide) = ((1.9 * error) + ratioBound, (4.6 * error) + ratioBound);
            ImmutableArray<string> confounds = Math.Abs((shape.P / reference.P) - 1) > 0.01 ? [FormattableString.Invariant($"parameters per layer {(shape.P / reference.P) - 1:+0 %;−0 %}"), $"{label}: 52.2 B parameters, not 65 B"] : [];
            ratio = new RatioToBaseline(reference.Workload, new Estimate(value, value * Math.Exp(-near), value * Math.Exp(near), "nodes", 4), value * Math.Exp(-wide), value * Math.Exp(wide), parts, null, null, null, null, RatioStanding.NotResolved, "", null, confounds);
        }

        var watts = joules * shape.Batch / seconds;
        var rate = shape.Batch / seconds;
        var flops = shape.Gflop * 1e9 / shape.Batch;
        var realized = flops * rate;
        var milliseconds = seconds * layers * 1e3;
        var service = shape.Context > 4096 ? 250 : 100;
        var cost = new StepCost(shape.P * 1e6, shape.WeightMb * 1e6, shape.KvMb * 1e6, 2 * shape.P * 1e6 * shape.Batch, Math.Max(0, (shape.Gflop * 1e9) - (2 * shape.P * 1e6 * shape.Batch)), (shape.WeightMb + shape.KvMb) * 1e6);
        var headroom = 700 / watts;
        var verdict = headroom < 1 ? "power-bound" : "not power-bound";
        string[] ceilings = watts > 640 ? ["power_cap", "hbm"] : realized > 0.7 * 989e12 ? ["compute"] : ["hbm"];
        var limit = "limited by " + (ceilings[0] == "compute" ? "the matrix units" : "memory bandwidth");
        return new MatrixRow(
            label, twinOf, new Configuration(shape.Workload, shape.Weights, shape.Batch, shape.Context, 8192, 64, 64, 22016, layers, 12, 36, 32000, provenance == Provenance.Measured ? "cuda" : "simulated", 7, "normal"), Sha(label + shape.Batch + shape.Context), cost, "token-equivalent", 3.1e6 * shape.Batch / 8,
            Boundary.Gpu, "slope over L' = 12 and 36", new Estimate(joules, joules * Math.Exp(-half), joules * Math.Exp(half), "nodes", 4), absolute,
            new Estimate(joules * 0.83, joules * 0.83 * (1 - (3 * error)), joules * 0.83 * (1 + (3 * error)), "nodes", 4), 0.0021 * (1 + random.NextDouble()),
            reference is null || label == reference.Workload ? new LinearityCheck(new Estimate(0.0012, -0.0009, 0.0033, "nodes", 4), 24, true) : null,
            group == "batch 8" ? new Figure(joules * 1.9, "energy of the LM head's step ÷ batch, run by itself", null) : new Figure(null, "LM head", "the head was not run"),
            ImmutableSortedDictionary<string, Figure>.Empty
                .Add("gpu", new Figure(whole, "L · slope over L'", "projected: layers only, interconnect excluded"))
                .Add("node", new Figure(whole * 1.41, "L · slope over L' of node input", "modelled: attributed by share of the node's GPUs, excluded from claims"))
                .Add("facility", new Figure(null, "node × PUE", "the site's ratio is an ipue of 95 minutes")),
            ImmutableSortedDictionary<string, string>.Empty.Add("node", "attributed: not all GPUs of the node ran this cell"),
            ratio, 20, 16, 4, new Spread(0.0031, null, null, 0.0084),
            label is "C" or "F" ? ImmutableSortedDictionary<string, int>.Empty.Add("low coverage", 1).Add("thermal slowdown", 2) : ImmutableSortedDictionary<string, int>.Empty,
            realized, 989e12, flops, rate, watts, 1.06 + (0.05 * random.NextDouble()),
            new PowerVerdict(verdict, FormattableString.Invariant($"{verdict} at {watts:F0} W a device (headroom {headroom:G3}); {limit}"), "", limit, Boundary.Gpu, 16, 700, watts, 700 / realized, joules / flops,
                new Estimate(headroom, headroom * Math.Exp(-half), headroom * Math.Exp(half), "nodes", 4), headroom * realized / 989e12, 16 * watts, 16 * watts * 989e12 / realized),
            [.. ceilings],
            ImmutableSortedDictionary<string, Figure>.Empty
                .Add("phi_mem", new Figure((shape.WeightMb + shape.KvMb) * 1e6 / (seconds * 3.35e12), "bytes the step must move / (time × stream bandwidth)", "declared bandwidth"))
                .Add("phi_mem_paper", new Figure(rate / layers / (3.35e12 / (2 * shape.P * 1e6 * layers * 2)), "the paper's: Qdot_obs / (BW / (2·N·w)), no batch", null))
                .Add("phi_comp", new Figure(14.03e9 / 8 / flops, "c_tok of A / c_tok", null))
                .Add("phi_system", shape.P > 800 && reference is not null ? new Figure(reference.Joules / shape.Joules, "e_tok of A / e_tok, equal parameter count", null) : new Figure(null, "e_tok of A / e_tok, equal parameter count", "another parameter count"))
                .Add("phi_route", new Figure(null, "", "not estimated: no routing data")),
            new Figure(null, "saturated", "not applicable (saturated)"), rate / layers, milliseconds, service, "mean", milliseconds <= service, "not applicable: synthetic weights (not applicable)",
            new Figure(whole * 1.41 * 1.2384, "node input × ipue", "modelled: ipue, not PUE"), null, null, 0.9994, watts * 0.98, watts > 640 ? 0.034 : 0, twinOf is null ? [] : ["A/A twin"], provenance,
            ImmutableSortedDictionary<string, string>.Empty.Add("costPerMillionTokens", "the plan names no price"));
    }

    private static (Uncertainty Parts, double Bound) Parts(double error, double offset, double bend, double gain)
    {
        const double Alias = 0.0006, Counter = 0.0011;
        var bound = offset + bend + gain + (Math.Sqrt(3) * Math.Sqrt((Alias * Alias) + (Counter * Counter)));
        double Term(double limit) => limit / Math.Sqrt(3);
        var typeB = Math.Sqrt((Term(offset) * Term(offset)) + (Term(bend) * Term(bend)) + (Alias * Alias) + (Counter * Counter) + (Term(gain) * Term(gain)));
        return (new Uncertainty(error, 3, Term(offset), Term(bend), Alias, Counter, Term(gain), typeB, bound), bound);
    }
}
