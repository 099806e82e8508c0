using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>What one trial says of its cell, at one boundary: energies over covered time divided by the steps in that time.</summary>
/// <param name="Result">The trial.</param>
/// <param name="Gross">J per token and layer over the shortest and the longest L', with intercept and flags; null if the trial is not valid.</param>
/// <param name="Net">The same net of idle with context; null if idle was not measured.</param>
/// <param name="StepSeconds">Slope of step time over the same L', s per step and layer; null if the trial is not valid.</param>
/// <param name="Points">The points of both slopes.</param>
/// <param name="Departure">Energy of a step at the middle L' over the line between the outer two, minus 1; null without one.</param>
/// <param name="HeadJoulesPerToken">The LM head alone, J; null if it was not run.</param>
/// <param name="Reason">Why it is not valid at this boundary; empty if it is.</param>
internal sealed record TrialFigures(
    TrialResult Result, LayerSlope? Gross, LayerSlope? Net, LayerSlope? StepSeconds, ImmutableArray<EnergyPoint> Points, double? Departure, double? HeadJoulesPerToken, string Reason)
{
    /// <summary>Why a trial is left out whose noise exceeds its signal: no logarithm can be taken of it.</summary>
    public const string NoSlope = "the slope over L' is not positive";

    public bool Valid => Gross is not null;

    /// <summary>The windows of layers, from the smallest L' to the largest.</summary>
    public IEnumerable<Leg> Layers => Result.Legs.Where(l => l.Layers > 0).OrderBy(l => l.Layers);

    /// <summary>The window at the larger L'.</summary>
    public Leg Longest => Layers.Last();

    /// <summary>Mean power of one device over all windows of layers, W.</summary>
    public double MeanWatts => Layers.Sum(l => l.Gpu.Joules) / Layers.Sum(l => l.Gpu.CoveredSeconds) / Result.Devices.Length;

    /// <summary>The largest share of a window of layers under the power cap; NaN where the device cannot tell.</summary>
    public double PowerCapFraction => Largest(Layers.Select(l => l.PowerCapFraction));

    /// <summary>The largest of some shares; NaN if one of them is not known, or there is none.</summary>
    public static double Largest(IEnumerable<double> shares) => shares.DefaultIfEmpty(double.NaN).Aggregate(Math.Max);

    /// <summary>Whether node energy was measured for this cell and not attributed to it: all of the node's GPUs are its own.</summary>
    public bool HasWholeNode => Layers.All(IsWholeNode);

    /// <summary>The name of its device group, unique over all nodes.</summary>
    public string Device => $"{Result.Host}/{string.Join('+', Result.Devices)}";

    /// <summary>Rate of one device, layers × steps per second.</summary>
    public double LayerStepsPerSecond => 1 / StepSeconds!.SlopeJoulesPerLayer;

    /// <summary>Time per token, s: of a layer and one device's copy of a decode step; of a whole device group's engine.</summary>
    public double SecondsPerToken(Configuration configuration) => configuration.Serve is null ? 1 / (configuration.Batch * LayerStepsPerSecond) : Longest.WindowSeconds / Longest.Tokens;

    /// <summary>How its energy at a boundary came about, at worst: what is attributed is modelled.</summary>
    public Provenance ProvenanceAt(Boundary boundary) => Layers.Aggregate(Provenance.Measured, (worst, leg) => Provenances.Worst(worst, boundary == Boundary.Gpu || leg.Node is not { } node
        ? leg.Gpu.Provenance
        : IsWholeNode(leg) ? node.Provenance : Provenances.Worst(Provenances.Worst(leg.Gpu.Provenance, node.Provenance), Provenance.Modelled)));

    /// <summary>A value of this trial at its place in the nested sample.</summary>
    public PassValue At(double value) => new(Result.Host, Device, Result.Trial.Pass, value);

    /// <param name="result">The trial.</param>
    /// <param name="batch">Sequences of a step.</param>
    /// <param name="boundary">Where energy is accounted; only the devices and their node are metered cell by cell.</param>
    /// <param name="minNodeCoverage">The guard on coverage, 0–1, for the node's meter: the node agent applies it to the devices alone.</param>
    public static TrialFigures Of(TrialResult result, int batch, Boundary boundary, double minNodeCoverage = 0)
    {
        if (result.Outcome != TrialOutcome.Valid) return Not(result.Reasons.IsDefaultOrEmpty ? result.Outcome.ToString().ToLowerInvariant() : result.Reasons[0]);
        if (result.Legs.IsDefaultOrEmpty || !result.Legs.Any(l => l.Layers > 0)) return Not("no window was measured");
        if (Energies(result, boundary) is not { } energies) return Not($"energy at the {boundary.ToString().ToLowerInvariant()} boundary was not measured");
        if (boundary == Boundary.Node && result.Legs.Where(l => l.Layers > 0).Min(l => l.Node!.Coverage) < minNodeCoverage) return Not("coverage of the node's meter is below the guard");

        var head = energies.FirstOrDefault(e => e.Leg.Layers == 0) is { Leg: not null } alone ? alone.Joules / alone.Steps / batch : (double?)null;
        var layers = energies.Where(e => e.Leg.Layers > 0).OrderBy(e => e.Leg.Layers).ToArray();
        ImmutableArray<WindowEnergy> pair = layers.Length > 1 && layers[0].Leg.Layers < layers[^1].Leg.Layers ? [layers[0], layers[^1]] : [layers[^1]];
        var gross = LayerSlope.Fit([.. pair.Select(e => new LayerPoint(e.Leg.Layers, e.Joules / e.Steps))], batch);
        if (!(gross.JoulesPerTokenLayer > 0)) return Not(NoSlope);
        LayerSlope? net = null;
        if (double.IsFinite(result.IdleContextWatts) && boundary == Boundary.Gpu)
            net = LayerSlope.Fit([.. pair.Select(e => new LayerPoint(e.Leg.Layers, (e.Joules - result.IdleContextWatts * e.Seconds) / e.Steps))], batch);
        // The window over the steps of one copy is the time of a step; the slope's batch is 1, since this is time and not energy.
        var time = LayerSlope.Fit([.. pair.Select(e => new LayerPoint(e.Leg.Layers, e.Leg.WindowSeconds * result.Devices.Length / e.Leg.Steps))], 1);
        // Noise may turn the slope of time around where that of energy still stands.
        if (!(time.SlopeJoulesPerLayer > 0)) return Not(NoSlope);
        double? departure = null;
        if (layers.Length > 2 && pair.Length == 2 && layers[1..^1].FirstOrDefault(e => e.Leg.Layers > pair[0].Leg.Layers && e.Leg.Layers < pair[1].Leg.Layers) is { Leg: not null } middle)
            departure = middle.Joules / middle.Steps / (gross.InterceptJoules + gross.SlopeJoulesPerLayer * middle.Leg.Layers) - 1;
        // What a bound in watts acts on is what one sensor reads: each device's own, or the node's one meter for all copies.
        var sensors = boundary == Boundary.Gpu ? result.Devices.Length : 1;
        var points = pair.Select(e => new EnergyPoint(e.Leg.Layers, e.Joules / e.Steps, e.Seconds * sensors / e.Steps)).ToImmutableArray();
        return new TrialFigures(result, gross, net, time, points, departure, head, "");

        TrialFigures Not(string reason) => new(result, null, null, null, [], null, null, reason);
    }

    private bool IsWholeNode(Leg leg) => leg.NodeGpus == Result.Devices.Length && leg.SameCellGpus == leg.NodeGpus;

    private readonly record struct WindowEnergy(Leg Leg, double Joules, double Seconds, double Steps);

    // Energy is known over covered time only, so the steps are those of covered time: never mean power times the whole duration.
    private static ImmutableArray<WindowEnergy>? Energies(TrialResult result, Boundary boundary)
    {
        var parts = ImmutableArray.CreateBuilder<WindowEnergy>();
        foreach (var leg in result.Legs)
        {
            if (EnergyOf(leg, result.Devices.Length, boundary) is { } energy) parts.Add(energy);
            // The head is a figure of its own: without it the layers still stand.
            else if (leg.Layers > 0) return null;
        }
        return parts.ToImmutable();
    }

    private static WindowEnergy? EnergyOf(Leg leg, int devices, Boundary boundary)
    {
        if (!(leg.Steps > 0)) return null;
        if (boundary == Boundary.Gpu) return leg.Gpu.CoveredSeconds > 0 ? new(leg, leg.Gpu.Joules, leg.Gpu.CoveredSeconds, leg.Steps * leg.Gpu.Coverage) : null;
        // A rack's or a facility's energy is nobody's in particular: there is no such thing as a cell's share of it.
        if (boundary != Boundary.Node || leg.Node is not { CoveredSeconds: > 0 } node) return null;
        var joules = NodeShare(leg, node, devices);
        return double.IsFinite(joules) ? new(leg, joules, node.CoveredSeconds, leg.Steps * node.Coverage) : null;
    }

    /// <summary>
    /// E_node,i = E_gpu,i + (E_node − ΣE_gpu) · (allocated / GPUs in node) over the time that the node's meter covered; the whole node where all its
    /// GPUs ran the cell. NaN where the node has no GPUs to attribute to.
    /// </summary>
    private static double NodeShare(Leg leg, Energy node, int allocated)
    {
        if (leg.NodeGpus < allocated || !(leg.Gpu.Coverage > 0)) return double.NaN;
        return NodeAttribution.Of(leg.Gpu.Joules / leg.Gpu.Coverage * node.Coverage, node.Joules, leg.NodeGpuJoules * node.Coverage,
            allocated, leg.NodeGpus, leg.SameCellGpus, node.Provenance).Joules;
    }
}
