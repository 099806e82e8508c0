using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Report;

/// <summary>One cell of two matrices.</summary>
/// <param name="Group">Match group.</param>
/// <param name="Label">Cell.</param>
/// <param name="Boundary">Where both are accounted; that of the first where they are refused.</param>
/// <param name="Estimator">How both were made; that of the first where they are refused.</param>
/// <param name="A">J per token and layer in the first.</param>
/// <param name="B">The same in the second.</param>
/// <param name="Ratio">B over A; null if refused.</param>
/// <param name="Low">Lower end of its 95 % interval, if both have one; the bounds of both sensors are in it.</param>
/// <param name="High">Upper end.</param>
/// <param name="Provenance">The worse of both; null where one has no valid trial. Only a measured one speaks of hardware.</param>
/// <param name="OutsideOperatingPoint">Whether one of them misses its s*.</param>
/// <param name="Refused">Names what differs and may not; null if the cells may be compared.</param>
public sealed record ComparedCell(
    string Group, string Label, Boundary Boundary, string Estimator, Estimate A, Estimate B, double? Ratio, double? Low, double? High, Provenance? Provenance, bool OutsideOperatingPoint, string? Refused);

/// <summary>
/// Two matrices cell by cell. They were not run in the same passes, so nothing cancels: standard errors add in quadrature (degrees of freedom after Welch and Satterthwaite) and the
/// bounds of the sensors, gain included, linearly; both are combined as in a matrix (see <see cref="BoundedBias"/>). Cells whose disclosure, configuration, boundary or estimator differ are refused by the name of what differs.
/// </summary>
/// <param name="A">The first sweep.</param>
/// <param name="B">The second.</param>
/// <param name="BannerA">What the first one's energies are.</param>
/// <param name="BannerB">What the second one's are.</param>
/// <param name="Refused">Dimensions of the disclosure that differ: then no cell may be compared.</param>
/// <param name="Cells">That both have.</param>
/// <param name="OnlyInA">Others of the first.</param>
/// <param name="OnlyInB">Others of the second.</param>
public sealed record Comparison(
    string A, string B, string BannerA, string BannerB, ImmutableArray<string> Refused, ImmutableArray<ComparedCell> Cells, ImmutableArray<string> OnlyInA, ImmutableArray<string> OnlyInB)
{
    /// <summary>Cells are the same by match group and label.</summary>
    public static Comparison Of(Matrix a, Matrix b)
    {
        var dimensions = Differences(a.Disclosure, b.Disclosure);
        var left = ByName(a);
        var right = ByName(b);
        var cells = left.Keys.Where(right.ContainsKey).Select(k => Compare(k, left[k], right[k], dimensions)).ToImmutableArray();
        return new(a.Sweep, b.Sweep, Standing.Of(a).Word, Standing.Of(b).Word, dimensions, cells, Only(left, right), Only(right, left));
    }

    /// <summary>Names of the disclosure dimensions that differ, with both values.</summary>
    private static ImmutableArray<string> Differences(Disclosure a, Disclosure b)
    {
        var found = ImmutableArray.CreateBuilder<string>();
        void Check(string name, object left, object right)
        {
            if (!Equals(left, right)) found.Add($"{name}: '{left}' against '{right}'");
        }
        Check("quality target q*", a.Quality, b.Quality);
        Check("quality check", a.QualityCheck, b.QualityCheck);
        Check("service target s*", a.ServiceMilliseconds, b.ServiceMilliseconds);
        Check("service statistic", a.ServiceStatistic, b.ServiceStatistic);
        Check("workload mix", a.WorkloadMix, b.WorkloadMix);
        Check("batching", a.Batching, b.Batching);
        Check("hardware", a.Hardware, b.Hardware);
        Check("boundary", a.Boundary, b.Boundary);
        return found.ToImmutable();
    }

    private static Dictionary<(string Group, string Label), (MatrixGroup Group, MatrixRow Row)> ByName(Matrix matrix) =>
        matrix.Groups.SelectMany(g => g.Rows.Select(r => (g, r))).ToDictionary(p => (p.g.Name, p.r.Label), p => (p.g, p.r));

    private static ImmutableArray<string> Only(Dictionary<(string Group, string Label), (MatrixGroup, MatrixRow)> here, Dictionary<(string Group, string Label), (MatrixGroup, MatrixRow)> there) =>
        [.. here.Keys.Where(k => !there.ContainsKey(k)).Select(k => $"{k.Group}/{k.Label}")];

    private static ComparedCell Compare((string Group, string Label) key, (MatrixGroup Group, MatrixRow Row) a, (MatrixGroup Group, MatrixRow Row) b, ImmutableArray<string> dimensions)
    {
        var (left, right) = (a.Row.Headline, b.Row.Headline);
        var refused = dimensions.Length > 0 ? string.Join("; ", dimensions) : Difference(a, b);
        if (!(left.Value > 0 && right.Value > 0)) refused ??= "no valid trial in one of them";
        double? ratio = refused is null ? right.Value / left.Value : null;
        var half = refused is null ? HalfWidth(a.Row.Uncertainty, b.Row.Uncertainty) : null;
        var provenance = a.Row.Provenance is { } x && b.Row.Provenance is { } y ? Provenances.Worst(x, y) : (Provenance?)null;
        return new(key.Group, key.Label, a.Row.Boundary, Verdicts.Estimator(a.Row), left, right, ratio, ratio * Exp(-half), ratio * Exp(half), provenance, Verdicts.Misses(a.Row) || Verdicts.Misses(b.Row), refused);
    }

    private static double? Exp(double? log) => log is { } l ? Math.Exp(l) : null;

    // A bound that is not known, or has none, leaves no interval.
    private static double? HalfWidth(Uncertainty a, Uncertainty b)
    {
        if (a is not { StandardError: { } x, DegreesOfFreedom: > 0, Bound: { } boundA } || b is not { StandardError: { } y, DegreesOfFreedom: > 0, Bound: { } boundB }) return null;
        var (varianceA, varianceB) = (x * x, y * y);
        var sum = varianceA + varianceB;
        var freedom = sum == 0 ? 1 : (int)Math.Floor(sum * sum / ((varianceA * varianceA / a.DegreesOfFreedom) + (varianceB * varianceB / b.DegreesOfFreedom)) * (1 + 1e-12));
        return BoundedBias.HalfWidth(Math.Sqrt(sum), freedom, boundA + boundB, AnalysisSettings.Level);
    }

    // The stack may differ: that is what one compares matrices for.
    private static string? Difference((MatrixGroup Group, MatrixRow Row) a, (MatrixGroup Group, MatrixRow Row) b)
    {
        var (x, y) = (a.Row.Configuration, b.Row.Configuration);
        string? Unequal(string name, object? left, object? right) => Equals(left, right) ? null : $"{name}: '{left}' against '{right}'";
        return Unequal("hardware class", a.Group.Hardware, b.Group.Hardware) ?? Unequal("kind of token", a.Row.TokenKind, b.Row.TokenKind) ?? Unequal("boundary", a.Row.Boundary, b.Row.Boundary)
            ?? Unequal("estimator", a.Row.Estimator, b.Row.Estimator) ?? Unequal("s*", a.Row.ServiceMilliseconds, b.Row.ServiceMilliseconds)
            ?? Unequal("workload", x.Workload, y.Workload) ?? Unequal("weights", x.Weights, y.Weights) ?? Unequal("batch", x.Batch, y.Batch)
            ?? Unequal("context", x.Context, y.Context) ?? Unequal("d_model", x.ModelWidth, y.ModelWidth) ?? Unequal("heads", x.Heads, y.Heads)
            ?? Unequal("kv heads", x.KeyValueHeads, y.KeyValueHeads) ?? Unequal("d_ff", x.FeedForwardWidth, y.FeedForwardWidth)
            ?? Unequal("data", x.Data, y.Data) ?? Unequal("data seed", x.DataSeed, y.DataSeed) ?? Unequal("energy", Standing.OfEnergy(a.Row.Provenance), Standing.OfEnergy(b.Row.Provenance));
    }
}
