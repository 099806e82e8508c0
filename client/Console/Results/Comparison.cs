using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Console;

/// <summary>One cell of two matrices.</summary>
/// <param name="Group">Match group.</param>
/// <param name="Label">Cell.</param>
/// <param name="A">J per token and layer in the first, J.</param>
/// <param name="B">The same in the second, J.</param>
/// <param name="Ratio">B over A; null if refused.</param>
/// <param name="Low">Lower end of its 95 % interval, if both have one.</param>
/// <param name="High">Upper end.</param>
/// <param name="Refused">Names what differs and may not; null if the cells may be compared.</param>
internal sealed record ComparedCell(string Group, string Label, double A, double B, double? Ratio, double? Low, double? High, string? Refused);

/// <summary>
/// Two matrices cell by cell. They were not run in the same passes, so nothing cancels: half-widths of the log ratios add in quadrature, and
/// the gain of the sensors is on both sides. Cells whose disclosure or configuration differs are refused by the name of what differs.
/// </summary>
internal sealed record Comparison(string A, string B, ImmutableArray<string> Refused, ImmutableArray<ComparedCell> Cells, ImmutableArray<string> OnlyInA, ImmutableArray<string> OnlyInB)
{
    public static Comparison Of(Matrix a, Matrix b)
    {
        var dimensions = Differences(a.Disclosure, b.Disclosure);
        var left = ByName(a);
        var right = ByName(b);
        var cells = left.Keys.Where(right.ContainsKey).Select(k => Compare(k, left[k], right[k], dimensions)).ToImmutableArray();
        return new(a.Sweep, b.Sweep, dimensions, cells, Only(left, right), Only(right, left));
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
        var (left, right) = (a.Row.JoulesPerTokenLayer, b.Row.JoulesPerTokenLayer);
        var refused = dimensions.Length > 0 ? string.Join("; ", dimensions) : Difference(a, b);
        if (refused is null && !(left.Value > 0 && right.Value > 0)) refused = "no valid trial in one of them";
        if (refused is not null) return new(key.Group, key.Label, left.Value, right.Value, null, null, null, refused);
        var ratio = right.Value / left.Value;
        double? half = left is { Low: { } al, High: { } ah } && right is { Low: { } bl, High: { } bh } && al > 0 && bl > 0
            ? Math.Sqrt(Square(Math.Log(ah / al) / 2) + Square(Math.Log(bh / bl) / 2)) : null;
        return new(key.Group, key.Label, left.Value, right.Value, ratio, half is { } h ? ratio * Math.Exp(-h) : null, half is { } k ? ratio * Math.Exp(k) : null, null);
    }

    // The stack may differ: that is what one compares matrices for.
    private static string? Difference((MatrixGroup Group, MatrixRow Row) a, (MatrixGroup Group, MatrixRow Row) b)
    {
        var (x, y) = (a.Row.Configuration, b.Row.Configuration);
        string? Unequal(string name, object left, object right) => Equals(left, right) ? null : $"{name}: '{left}' against '{right}'";
        return Unequal("hardware class", a.Group.Hardware, b.Group.Hardware) ?? Unequal("kind of token", a.Row.TokenKind, b.Row.TokenKind)
            ?? Unequal("workload", x.Workload, y.Workload) ?? Unequal("weights", x.Weights, y.Weights) ?? Unequal("batch", x.Batch, y.Batch)
            ?? Unequal("context", x.Context, y.Context) ?? Unequal("d_model", x.ModelWidth, y.ModelWidth) ?? Unequal("heads", x.Heads, y.Heads)
            ?? Unequal("kv heads", x.KeyValueHeads, y.KeyValueHeads) ?? Unequal("d_ff", x.FeedForwardWidth, y.FeedForwardWidth)
            ?? Unequal("data", x.Data, y.Data) ?? Unequal("data seed", x.DataSeed, y.DataSeed) ?? Unequal("provenance", a.Row.Provenance, b.Row.Provenance);
    }

    private static double Square(double x) => x * x;
}
