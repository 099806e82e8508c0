using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>The energy of one step at one L'.</summary>
/// <param name="Layers">L'.</param>
/// <param name="JoulesPerStep">ΣE / Σsteps of one copy, J; net values may be small but not NaN.</param>
public readonly record struct LayerPoint(int Layers, double JoulesPerStep);

/// <summary>
/// J per token and layer: the slope of step energy over the values of L', divided by the batch, so that whatever a step costs besides its layers
/// (launches, sampling) falls into the intercept. Least squares; two values of L' give it exactly.
/// </summary>
/// <param name="JoulesPerTokenLayer">Slope / batch, J.</param>
/// <param name="SlopeJoulesPerLayer">J per step and layer.</param>
/// <param name="InterceptJoules">Energy of a step at L' = 0, J; NaN where linearity is unchecked.</param>
/// <param name="Residual">RMS deviation of the points from the line, J, with the degrees of freedom taken off; not estimated with two points.</param>
/// <param name="Linearity"><c>two points</c>, <c>n points</c>, or <c>unchecked</c> where only one L' fits.</param>
/// <param name="Flags"><see cref="LinearityUnchecked"/>, <see cref="NegativeIntercept"/>.</param>
public sealed record LayerSlope(
    double JoulesPerTokenLayer,
    double SlopeJoulesPerLayer,
    double InterceptJoules,
    Figure Residual,
    string Linearity,
    ImmutableArray<string> Flags)
{
    /// <summary>Only one L' fits: the whole step's energy is spread over its layers, intercept included.</summary>
    public const string LinearityUnchecked = "linearity unchecked";

    /// <summary>A step at L' = 0 cannot yield energy: the two windows differ in something other than layers.</summary>
    public const string NegativeIntercept = "negative intercept";

    private const string ResidualEstimator = "RMS of least squares over L', J";

    /// <summary>Fits the points of one trial (or of several). Throws <see cref="ArgumentException"/> without points, for L' below 1 or a batch below 1.</summary>
    public static LayerSlope Fit(IReadOnlyCollection<LayerPoint> points, int batch)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        if (points.Count == 0 || points.Any(point => point.Layers < 1 || !double.IsFinite(point.JoulesPerStep)))
        {
            throw new ArgumentException("The slope needs at least one point, with L' of at least 1 and finite joules.", nameof(points));
        }
        var meanLayers = points.Average(point => (double)point.Layers);
        var meanJoules = points.Average(point => point.JoulesPerStep);
        var spread = points.Sum(point => (point.Layers - meanLayers) * (point.Layers - meanLayers));
        if (spread == 0)
        {
            var perLayer = meanJoules / meanLayers;
            return new LayerSlope(
                perLayer / batch, perLayer, double.NaN, Figures.NotEstimated(ResidualEstimator, "one value of L'"), "unchecked", [LinearityUnchecked]);
        }
        var slope = points.Sum(point => (point.Layers - meanLayers) * (point.JoulesPerStep - meanJoules)) / spread;
        var intercept = meanJoules - slope * meanLayers;
        var residual = points.Count == 2
            ? Figures.NotEstimated(ResidualEstimator, "two points leave no degree of freedom")
            : Figures.Of(
                Math.Sqrt(points.Sum(point => Math.Pow(point.JoulesPerStep - intercept - slope * point.Layers, 2)) / (points.Count - 2)), ResidualEstimator);
        return new LayerSlope(
            slope / batch,
            slope,
            intercept,
            residual,
            points.Count == 2 ? "two points" : $"{points.Count} points",
            intercept < 0 ? [NegativeIntercept] : []);
    }
}

/// <summary>J/token of a whole model, extrapolated from its layers. Its provenance is always projected.</summary>
/// <param name="LayersJoulesPerToken">J/token/layer · L, J: "layers only".</param>
/// <param name="WithHeadJoulesPerToken">The LM-head step, measured separately, added, J.</param>
/// <param name="Flags">What a reader must know.</param>
public sealed record WholeModel(double LayersJoulesPerToken, Figure WithHeadJoulesPerToken, ImmutableArray<string> Flags)
{
    /// <summary>What the projection leaves out.</summary>
    public const string LayersOnly = "layers only";

    /// <summary>Nothing between devices is in it.</summary>
    public const string NoInterconnect = "interconnect excluded";

    private const string HeadEstimator = "J/token/layer · L + LM-head step / batch";

    /// <summary>Always <see cref="Contracts.Provenance.Projected"/>.</summary>
    public Provenance Provenance => Provenance.Projected;

    /// <summary>Projects.</summary>
    /// <param name="joulesPerTokenLayer">The slope, J.</param>
    /// <param name="layers">L.</param>
    /// <param name="headJoulesPerToken">A measured LM-head step ÷ batch, J; null if it was not run.</param>
    /// <param name="modelBytes">Resident bytes of the whole model, B; NaN if unknown.</param>
    /// <param name="deviceBytes">Memory of a device that a model may fill, B; NaN if unknown.</param>
    public static WholeModel Project(
        double joulesPerTokenLayer, int layers, double? headJoulesPerToken = null, double modelBytes = double.NaN, double deviceBytes = double.NaN)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(layers);
        var sum = joulesPerTokenLayer * layers;
        var flags = ImmutableArray.CreateBuilder<string>();
        flags.Add(LayersOnly);
        flags.Add(NoInterconnect);
        if (modelBytes > deviceBytes)
        {
            flags.Add($"needs {Math.Ceiling(modelBytes / deviceBytes):0} devices");
        }
        return new WholeModel(
            sum,
            headJoulesPerToken is { } head ? Figures.Of(sum + head, HeadEstimator) : Figures.NotEstimated(HeadEstimator, "no LM-head step was run"),
            flags.ToImmutable());
    }
}
