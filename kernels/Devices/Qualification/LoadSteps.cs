using EnergyGrid.Metrology;

namespace EnergyGrid.Devices;

/// <summary>One level of load that was held: means over one and the same window.</summary>
/// <param name="GpuWatts">What the GPU's sensor told, W; summed where several were loaded together.</param>
/// <param name="NodeWatts">What the node's meter told, W.</param>
public readonly record struct LoadLevel(double GpuWatts, double NodeWatts);

/// <summary>What the node's meter would tell if the GPU drew nothing and all else were as in the levels.</summary>
/// <param name="Watts">W.</param>
/// <param name="BoundWatts">It lies within ± this, W.</param>
public readonly record struct NodeBase(double Watts, double BoundWatts);

/// <summary>GPU steps against node-meter steps: the only evidence of a GPU sensor's accuracy.</summary>
/// <param name="Slope">Node W per W of the GPU's reading: 1 / (gain · efficiency of the supply).</param>
/// <param name="SlopeError">Its standard error.</param>
/// <param name="InterceptWatts">The node's power where the GPU's sensor would read 0, W.</param>
/// <param name="OffsetWatts">The GPU sensor's offset lies within ± this at 95 %, W of its reading; NaN where the node's base is not known.</param>
/// <param name="ResidualWatts">The largest distance of a level from the straight line, W of the GPU's reading: non-linearity of either meter, and scatter.</param>
/// <param name="Levels">How many levels it rests on.</param>
public sealed record LoadStepFit(double Slope, double SlopeError, double InterceptWatts, double OffsetWatts, double ResidualWatts, int Levels);

/// <summary>
/// Fits the node's power to the GPU's over several levels of load. Steps alone give the slope and the residual: an offset of the GPU's sensor and the power of everything else in the
/// node are one number, the intercept. Only who knows the node's base tells them apart, and then the offset is what the sensor would read at the base.
/// </summary>
public static class LoadSteps
{
    /// <summary>Levels that a fit needs: two degrees of freedom are left for its error.</summary>
    public const int LeastLevels = 4;

    /// <summary>Between the lowest and the highest level, W of the GPU's reading: steps within a node's own unrest say nothing.</summary>
    public const double LeastSpanWatts = 100;

    /// <summary>Fits by least squares; null where the levels allow no statement.</summary>
    /// <param name="levels">In any order.</param>
    /// <param name="nodeBase">Null where nobody knows it.</param>
    /// <param name="reason">Why there is none, or why it has no offset; empty otherwise.</param>
    public static LoadStepFit? Fit(IReadOnlyCollection<LoadLevel> levels, NodeBase? nodeBase, out string reason)
    {
        ArgumentNullException.ThrowIfNull(levels);
        if (levels.Any(l => !(double.IsFinite(l.GpuWatts) && double.IsFinite(l.NodeWatts))))
        {
            reason = "a level's power is not known";
            return null;
        }
        if (levels.Count < LeastLevels)
        {
            reason = $"{levels.Count} levels of load; at least {LeastLevels} are needed";
            return null;
        }
        var span = levels.Max(l => l.GpuWatts) - levels.Min(l => l.GpuWatts);
        if (span < LeastSpanWatts)
        {
            reason = FormattableString.Invariant($"the levels span {span:F0} W of the GPU's power; at least {LeastSpanWatts:F0} W are needed");
            return null;
        }

        var (gpu, node) = (levels.Average(l => l.GpuWatts), levels.Average(l => l.NodeWatts));
        var squares = levels.Sum(l => (l.GpuWatts - gpu) * (l.GpuWatts - gpu));
        var slope = levels.Sum(l => (l.GpuWatts - gpu) * (l.NodeWatts - node)) / squares;
        if (!(slope > 0))
        {
            reason = FormattableString.Invariant($"the node's power does not rise with the GPU's: {slope:F2} W for each W");
            return null;
        }
        var intercept = node - slope * gpu;
        var freedom = levels.Count - 2;
        var variance = levels.Sum(l => Math.Pow(l.NodeWatts - intercept - slope * l.GpuWatts, 2)) / freedom;
        var residual = levels.Max(l => Math.Abs(l.NodeWatts - intercept - slope * l.GpuWatts)) / slope;

        var bound = double.NaN;
        if (nodeBase is { } known)
        {
            // Where the line reaches the base: the error of a level read from the line, far outside the levels.
            var offset = (known.Watts - intercept) / slope;
            var error = Math.Sqrt(variance * (1.0 / levels.Count + (offset - gpu) * (offset - gpu) / squares)) / slope;
            bound = Math.Abs(offset) + StudentDistribution.Quantile(0.975, freedom) * error + known.BoundWatts / slope;
        }
        reason = nodeBase is null ? "the node's power without the GPU is not known: an offset of the GPU's sensor cannot be told from it" : "";
        return new LoadStepFit(slope, Math.Sqrt(variance / squares), intercept, bound, residual, levels.Count);
    }
}
