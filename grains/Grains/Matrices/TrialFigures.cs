using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>What one trial says of its cell, at one boundary: energies over covered time divided by the steps in that time.</summary>
/// <param name="Result">The trial.</param>
/// <param name="Gross">J per token and layer, with intercept and flags; null if the trial is not valid.</param>
/// <param name="Net">The same net of idle with context; null if idle was not measured.</param>
/// <param name="StepSeconds">Slope of step time over L', s per step and layer; null if the trial is not valid.</param>
/// <param name="Reason">Why it is not valid at this boundary; empty if it is.</param>
internal sealed record TrialFigures(TrialResult Result, LayerSlope? Gross, LayerSlope? Net, LayerSlope? StepSeconds, string Reason)
{
    /// <summary>Why a trial is left out whose noise exceeds its signal: no logarithm can be taken of it.</summary>
    public const string NoSlope = "the slope over L' is not positive";

    public bool Valid => Gross is not null;

    /// <summary>The window at the larger L'.</summary>
    public Leg Longest => Result.Legs.MaxBy(l => l.Layers)!;

    /// <summary>Mean power of one device over all windows, W.</summary>
    public double MeanWatts => Result.Legs.Sum(l => l.Gpu.Joules) / Result.Legs.Sum(l => l.Gpu.CoveredSeconds) / Result.Devices.Length;

    /// <summary>The name of its device group, unique over all nodes.</summary>
    public string Device => $"{Result.Host}/{string.Join('+', Result.Devices)}";

    /// <summary>J per token and layer of the window at the larger L' as it ran, intercept included; NaN where the boundary was not metered.</summary>
    public double LongJoulesPerTokenLayer(Boundary boundary)
    {
        var leg = Longest;
        return boundary switch
        {
            Boundary.Gpu => leg.Gpu.Joules / (leg.Tokens * leg.Gpu.Coverage) / leg.Layers,
            Boundary.Node when leg.Node is { CoveredSeconds: > 0 } node => NodeShare(leg, node, Result.Devices.Length) / (leg.Tokens * node.Coverage) / leg.Layers,
            _ => double.NaN,
        };
    }

    /// <param name="result">The trial.</param>
    /// <param name="batch">Sequences of a step.</param>
    /// <param name="boundary">Where energy is accounted; only the devices and their node are metered cell by cell.</param>
    /// <param name="minNodeCoverage">The guard on coverage, 0–1, for the node's meter: the node agent applies it to the devices alone.</param>
    public static TrialFigures Of(TrialResult result, int batch, Boundary boundary, double minNodeCoverage = 0)
    {
        if (result.Outcome != TrialOutcome.Valid) return Not(result.Reasons.IsDefaultOrEmpty ? result.Outcome.ToString().ToLowerInvariant() : result.Reasons[0]);
        if (result.Legs.IsDefaultOrEmpty) return Not("no window was measured");
        if (Energies(result, boundary) is not { } energies) return Not($"energy at the {boundary.ToString().ToLowerInvariant()} boundary was not measured");
        if (boundary == Boundary.Node && result.Legs.Min(l => l.Node!.Coverage) < minNodeCoverage) return Not("coverage of the node's meter is below the guard");

        var gross = LayerSlope.Fit([.. energies.Select(e => new LayerPoint(e.Leg.Layers, e.Joules / e.Steps))], batch);
        if (!(gross.JoulesPerTokenLayer > 0)) return Not(NoSlope);
        LayerSlope? net = null;
        if (double.IsFinite(result.IdleContextWatts) && boundary == Boundary.Gpu)
            net = LayerSlope.Fit([.. energies.Select(e => new LayerPoint(e.Leg.Layers, (e.Joules - result.IdleContextWatts * e.Seconds) / e.Steps))], batch);
        // The window over the steps of one copy is the time of a step; the slope's batch is 1, since this is time and not energy.
        var time = LayerSlope.Fit([.. result.Legs.Select(l => new LayerPoint(l.Layers, l.WindowSeconds * result.Devices.Length / l.Steps))], 1);
        return new TrialFigures(result, gross, net, time, "");

        TrialFigures Not(string reason) => new(result, null, null, null, reason);
    }

    // Energy is known over covered time only, so the steps are those of covered time: never mean power times the whole duration.
    private static ImmutableArray<(Leg Leg, double Joules, double Seconds, double Steps)>? Energies(TrialResult result, Boundary boundary)
    {
        var parts = ImmutableArray.CreateBuilder<(Leg, double, double, double)>();
        foreach (var leg in result.Legs)
        {
            if (!(leg.Steps > 0)) return null;
            if (boundary == Boundary.Gpu)
            {
                if (!(leg.Gpu.CoveredSeconds > 0)) return null;
                parts.Add((leg, leg.Gpu.Joules, leg.Gpu.CoveredSeconds, leg.Steps * leg.Gpu.Coverage));
            }
            else
            {
                // A rack's or a facility's energy is nobody's in particular: there is no such thing as a cell's share of it.
                if (boundary != Boundary.Node || leg.Node is not { CoveredSeconds: > 0 } node) return null;
                var joules = NodeShare(leg, node, result.Devices.Length);
                if (!double.IsFinite(joules)) return null;
                parts.Add((leg, joules, node.CoveredSeconds, leg.Steps * node.Coverage));
            }
        }
        return parts.ToImmutable();
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

    /// <summary>How a window's energy at a boundary came about: what is attributed is modelled.</summary>
    public static Provenance ProvenanceAt(Leg leg, Boundary boundary) => boundary == Boundary.Gpu || leg.Node is not { } node
        ? leg.Gpu.Provenance
        : WholeNode(leg) ? node.Provenance : Provenances.Worst(Provenances.Worst(leg.Gpu.Provenance, node.Provenance), Provenance.Modelled);

    /// <summary>Whether node energy was measured for this cell and not attributed to it.</summary>
    public static bool WholeNode(Leg leg) => leg.NodeGpus > 0 && leg.SameCellGpus == leg.NodeGpus;
}
