using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Metrology;

namespace EnergyGrid.Results;

/// <summary>
/// From the readings to the trials, and from the trials to the matrix, a second time: what a directory says must follow from what it holds (docs/results.md has the formulas).
/// Every answer is a sentence for each figure that does not.
/// </summary>
public static class Recomputation
{
    /// <summary>Two numbers are the same within this, relative.</summary>
    public const double Tolerance = 1e-9;

    private const int MostDifferences = 20;

    /// <summary>The figures of a trial against the readings that it holds.</summary>
    /// <param name="trial">As it stands in the journal.</param>
    /// <param name="batch">Sequences of a step; null if the plan is not known.</param>
    public static IEnumerable<string> Trial(TrialResult trial, int? batch)
    {
        foreach (var leg in trial.Legs)
            if (leg.Evidence is { } evidence)
                foreach (var wrong in Leg(trial, leg, evidence, batch).Concat(Counters(evidence))) yield return $"{trial.Trial}, L' = {leg.Layers}: {wrong}";
        if (trial.Idle is not { } idle) yield break;
        var watts = idle.Sources.Sum(s => s.Joules / s.CoveredSeconds);
        if (!Same(watts, trial.IdleContextWatts)) yield return $"{trial.Trial}: idle power is {R(trial.IdleContextWatts)} W, its readings give {R(watts)} W";
        foreach (var wrong in Counters(idle)) yield return $"{trial.Trial}, idle: {wrong}";
    }

    /// <summary>The readings that a trial holds against its trace.</summary>
    /// <param name="trial">As it stands in the journal.</param>
    /// <param name="trace">Its trace's rows by source.</param>
    public static IEnumerable<string> Trace(TrialResult trial, ILookup<string, TraceRow> trace)
    {
        foreach (var leg in trial.Legs)
            if (leg.Evidence is { } evidence)
                foreach (var wrong in Sources(evidence, trace)) yield return $"{trial.Trial}, L' = {leg.Layers}: {wrong}";
        if (trial.Idle is { } idle)
            foreach (var wrong in Sources(idle, trace)) yield return $"{trial.Trial}, idle: {wrong}";
    }

    private static IEnumerable<string> Leg(TrialResult trial, Leg leg, Evidence evidence, int? batch)
    {
        var devices = evidence.Sources.Where(s => s.Role == "device").ToArray();
        if (!devices.Select(d => d.Source).Order(StringComparer.Ordinal).SequenceEqual(trial.Devices.Order(StringComparer.Ordinal))) yield return "its evidence is of other devices than the trial";
        var window = (evidence.ToNanoseconds - evidence.FromNanoseconds) / 1e9;
        if (!Same(window, leg.WindowSeconds)) yield return $"the window is {R(leg.WindowSeconds)} s, its edges give {R(window)} s";
        var joules = devices.Sum(d => d.Joules);
        if (!Same(joules, leg.Gpu.Joules)) yield return $"energy is {R(leg.Gpu.Joules)} J, its devices' readings give {R(joules)} J";
        var covered = devices.Length > 0 ? devices.Min(d => d.CoveredSeconds) : double.NaN;
        if (!Same(covered, leg.Gpu.CoveredSeconds)) yield return $"covered are {R(leg.Gpu.CoveredSeconds)} s, its devices' readings give {R(covered)} s";
        if (!Same(window, leg.Gpu.ExpectedSeconds)) yield return $"expected are {R(leg.Gpu.ExpectedSeconds)} s, its edges give {R(window)} s";
        // A serving engine's tokens are those of its requests, which are in a file of their own.
        var steps = trial.Served is null ? devices.Sum(d => Steps(d, evidence)) : leg.Steps;
        if (!Same(steps, leg.Steps)) yield return $"steps are {R(leg.Steps)}, its marks give {R(steps)}";
        if (batch is { } b && !Same(steps * b, leg.Tokens)) yield return $"tokens are {R(leg.Tokens)}, its marks give {R(steps * b)}";
        var residual = devices.Select(Residual).Where(double.IsFinite).DefaultIfEmpty(double.NaN).MaxBy(Math.Abs);
        if (!Same(residual, leg.CounterResidual, 1e-12)) yield return $"the counter's residual is {R(leg.CounterResidual)}, its readings give {R(residual)}";
        var cap = Slowdown(devices, d => d.PowerCapSeconds);
        if (!Same(cap, leg.PowerCapFraction, 1e-12)) yield return $"the share under the power cap is {R(leg.PowerCapFraction)}, its readings give {R(cap)}";
        var thermal = Slowdown(devices, d => d.ThermalSeconds);
        if (!Same(thermal, leg.ThermalFraction, 1e-12)) yield return $"the share of thermal slowdown is {R(leg.ThermalFraction)}, its readings give {R(thermal)}";
        if (leg.Node is { } node)
        {
            if (evidence.Sources.FirstOrDefault(s => s.Role == "node") is not { } meter) yield return "node energy without readings of a node meter";
            else if (!Same(meter.Joules, node.Joules) || !Same(meter.CoveredSeconds, node.CoveredSeconds)) yield return $"node energy is {R(node.Joules)} J over {R(node.CoveredSeconds)} s, its meter's readings give {R(meter.Joules)} J over {R(meter.CoveredSeconds)} s";
            var gpus = evidence.Sources.Where(s => s.Role is "device" or "neighbour").Sum(s => s.Joules);
            var count = evidence.Sources.Count(s => s.Role is "device" or "neighbour");
            if (leg.NodeGpus > 0 && leg.NodeGpus != count) yield return $"the node is said to have {leg.NodeGpus} GPUs, there are readings of {count}";
            if (!Same(gpus, leg.NodeGpuJoules)) yield return $"all GPUs of the node have {R(leg.NodeGpuJoules)} J, their readings give {R(gpus)} J";
        }
    }

    private static IEnumerable<string> Counters(Evidence evidence)
    {
        var window = (evidence.ToNanoseconds - evidence.FromNanoseconds) / 1e9;
        foreach (var source in evidence.Sources)
        {
            foreach (var (bracket, edge, name) in new[] { (source.First, evidence.FromNanoseconds, "first"), (source.Last, evidence.ToNanoseconds, "second"), (source.FirstSteps, evidence.FromNanoseconds, "first"), (source.LastSteps, evidence.ToNanoseconds, "second") })
                if (bracket is { } b && !(b.BeforeNanoseconds <= edge && edge <= b.AfterNanoseconds)) yield return $"{source.Source}: what stands around the {name} edge, {edge} ns, is of {b.BeforeNanoseconds} to {b.AfterNanoseconds} ns";
            if (source.Method is not ("counter" or "power")) yield return $"{source.Source}: '{source.Method}' is no way to come to an energy";
            if (source.ModulusJoules is { } most && new[] { source.First, source.Last }.OfType<Bracket>().Any(b => Math.Max(b.Before, b.After) > most)) yield return $"{source.Source} reads more than the {R(most)} J at which it is said to wrap";
            if (source is { Method: "counter" } and ({ First: null } or { Last: null })) yield return $"{source.Source} counts, and what it showed at the edges is not there";
            if (source is not { Method: "counter", First: { } first, Last: { } last }) continue;
            var wraps = source.WrappedJoules / source.ModulusJoules ?? 0;
            if (source.WrappedJoules != 0 && !(wraps > 0 && Same(wraps, Math.Round(wraps)))) yield return $"{source.Source} is said to have wrapped by {R(source.WrappedJoules)} J, no multiple of what it wraps at";
            var joules = Value(Unwrapped(last, source), evidence.ToNanoseconds) + source.WrappedJoules - Value(Unwrapped(first, source), evidence.FromNanoseconds);
            if (!Same(joules, source.Joules)) yield return $"{source.Source} has {R(source.Joules)} J, its counter's edges give {R(joules)} J";
            if (!Same(window, source.CoveredSeconds)) yield return $"{source.Source} covers {R(source.CoveredSeconds)} s, its counter spans the window of {R(window)} s";
        }
    }

    private static Bracket Unwrapped(Bracket b, SourceEvidence source) => b.After < b.Before ? b with { After = b.After + (source.ModulusJoules ?? double.NaN) } : b;

    private static IEnumerable<string> Sources(Evidence evidence, ILookup<string, TraceRow> trace)
    {
        foreach (var source in evidence.Sources)
        {
            var rows = trace[source.Source].ToArray();
            if (rows.Length == 0) continue;
            foreach (var (nanoseconds, joules) in new[] { source.First, source.Last }.OfType<Bracket>().SelectMany(b => new[] { (b.BeforeNanoseconds, b.Before), (b.AfterNanoseconds, b.After) }))
            {
                var row = rows.FirstOrDefault(r => r.Nanoseconds == nanoseconds, new(-1, 0, double.NaN));
                if (row.Nanoseconds >= 0 && !Same(row.Joules, joules)) yield return $"{source.Source} showed {R(joules)} J at {nanoseconds} ns, its trace says {R(row.Joules)} J";
                if (row.Nanoseconds < 0) yield return $"{source.Source} was read at {nanoseconds} ns, its trace has no such row";
            }
            if (source is { Method: "counter", First: { } first, Last: { } last })
            {
                var between = rows.Where(r => double.IsFinite(r.Joules) && first.BeforeNanoseconds <= r.Nanoseconds && r.Nanoseconds <= last.BeforeNanoseconds).OrderBy(r => r.Nanoseconds).ToArray();
                var falls = between.Zip(between.Skip(1)).Count(p => p.Second.Joules < p.First.Joules);
                if (!Same(falls * (source.ModulusJoules ?? 0), source.WrappedJoules)) yield return $"{source.Source} is said to have wrapped by {R(source.WrappedJoules)} J, its trace falls {falls} times";
            }
            var integrated = Integrated(source, rows, evidence);
            if (source.Method == "power" && !(Same(integrated.Joules, source.Joules) && Same(integrated.CoveredSeconds, source.CoveredSeconds)))
                yield return $"{source.Source} has {R(source.Joules)} J over {R(source.CoveredSeconds)} s, the power in its trace gives {R(integrated.Joules)} J over {R(integrated.CoveredSeconds)} s";
            if (source.PowerJoules is { } power && !Same(integrated.Joules, power)) yield return $"{source.Source}'s power comes to {R(power)} J, its trace gives {R(integrated.Joules)} J";
        }
    }

    private static Energy Integrated(SourceEvidence source, TraceRow[] rows, Evidence evidence) => PowerEnergy.Between(
        [.. rows.OrderBy(r => r.Nanoseconds).Select(r => new PowerReading(r.Nanoseconds, r.Watts))], evidence.FromNanoseconds, evidence.ToNanoseconds,
        new SensorProfile(SensorQuantity.Power, source.PeriodSeconds, 0, double.MaxValue));

    private static double Value(Bracket b, long at) => b.AfterNanoseconds == b.BeforeNanoseconds
        ? b.Before
        : b.Before + (b.After - b.Before) * ((double)(at - b.BeforeNanoseconds) / (b.AfterNanoseconds - b.BeforeNanoseconds));

    private static double Steps(SourceEvidence s, Evidence e) => s is { FirstSteps: { } first, LastSteps: { } last } ? Value(last, e.ToNanoseconds) - Value(first, e.FromNanoseconds) : double.NaN;

    private static double Residual(SourceEvidence s) => s is { PowerJoules: { } power, Joules: > 0 } ? (s.Joules - power) / s.Joules : double.NaN;

    private static double Slowdown(SourceEvidence[] devices, Func<SourceEvidence, double?> seconds) => devices.Any(d => seconds(d) is null || !(d.SlowdownSpanSeconds > 0))
        ? double.NaN
        : devices.Max(d => Math.Clamp(seconds(d)!.Value / d.SlowdownSpanSeconds, 0, 1));

    /// <summary>The facility's ratio against the sums of <c>facility.csv</c>.</summary>
    public static IEnumerable<string> Facility(FacilityRatio? ratio, ImmutableArray<FacilityStretch> stretches)
    {
        if (ratio is null) return stretches.IsEmpty ? [] : ["there are sums of a facility and no ratio of it"];
        var whole = stretches.Where(s => s.Whole).ToArray();
        var used = whole.Length > 0 ? whole : [.. stretches];
        if (used.Length == 0) return ["there is a ratio of a facility and no sums of it"];
        var weight = used.Sum(s => s.FacilityWeight);
        var again = FacilityRatios.Of(new FacilityPeriod(ratio.FromWindow, ratio.ToWindow, used.Sum(s => s.Windows), used.Sum(s => s.FacilityJoules), whole.Length > 0 ? 0 : used.Sum(s => s.FacilityLowJoules),
            whole.Length > 0 ? 0 : used.Sum(s => s.FacilityHighJoules), whole.Length > 0 ? 1 : weight > 0 ? used.Sum(s => s.FacilityCoveredWeight) / weight : 0,
            used.Sum(s => s.ItJoules), used.Sum(s => s.ItLowJoules), used.Sum(s => s.ItHighJoules), used.Sum(s => s.ItUnmeteredRatedJoules), ratio.Category, false, ratio.MissingMeters, ratio.Provenance));
        // A value stands alone.
        if (double.IsFinite(again.Value) && ratio is { Low: null, High: null }) again = again with { Low = null, High = null };
        return Differences(Node(again with { Flags = ratio.Flags }), Node(ratio), "facility");
    }

    /// <summary>Where two documents differ: members by path, numbers beyond the tolerance, at most twenty of them.</summary>
    /// <param name="ours">What follows from the trials.</param>
    /// <param name="theirs">What the file says.</param>
    /// <param name="path">Of the document.</param>
    public static IEnumerable<string> Differences(JsonNode? ours, JsonNode? theirs, string path) => Walk(ours, theirs, path).Take(MostDifferences);

    /// <summary>A document as the files have it.</summary>
    public static JsonNode? Node<T>(T document) => JsonSerializer.SerializeToNode(document, DocumentJson.Compact);

    private static IEnumerable<string> Walk(JsonNode? ours, JsonNode? theirs, string path)
    {
        switch (ours, theirs)
        {
            case (JsonObject a, JsonObject b):
                foreach (var name in a.Select(m => m.Key).Union(b.Select(m => m.Key)))
                    foreach (var difference in !a.ContainsKey(name) ? [$"{path}.{name} is not known"] : !b.ContainsKey(name) ? [$"{path}.{name} is missing"] : Walk(a[name], b[name], $"{path}.{name}")) yield return difference;
                break;
            case (JsonArray a, JsonArray b):
                if (a.Count != b.Count) yield return $"{path} has {b.Count} members, {a.Count} follow from the trials";
                for (var i = 0; i < Math.Min(a.Count, b.Count); i++)
                    foreach (var difference in Walk(a[i], b[i], $"{path}[{(a[i] is JsonObject o && (o["label"] ?? o["name"]) is JsonValue name ? name.ToString() : i.ToString(CultureInfo.InvariantCulture))}]")) yield return difference;
                break;
            case (JsonValue a, JsonValue b) when a.GetValueKind() == JsonValueKind.Number && b.GetValueKind() == JsonValueKind.Number:
                if (!Same(a.GetValue<double>(), b.GetValue<double>())) yield return $"{path} is {b.ToJsonString()}, {a.ToJsonString()} follows from the trials";
                break;
            default:
                if (!JsonNode.DeepEquals(ours, theirs)) yield return $"{path} is {theirs?.ToJsonString() ?? "null"}, {ours?.ToJsonString() ?? "null"} follows from the trials";
                break;
        }
    }

    // Sums of large numbers that cancel (a slope's intercept, a residual) keep fewer digits of what is left: those have a floor of their own.
    private static bool Same(double a, double b, double floor = 0) => a == b || (double.IsNaN(a) && double.IsNaN(b)) || Math.Abs(a - b) <= Math.Max(floor, Tolerance * Math.Max(Math.Abs(a), Math.Abs(b)));

    private static string R(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
