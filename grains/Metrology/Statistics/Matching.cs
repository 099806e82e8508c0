using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>What a cell must have in common with another to be compared with it.</summary>
/// <param name="Label">The cell's label.</param>
/// <param name="Disclosure">Its six dimensions.</param>
/// <param name="Keys">The plan's match keys with this cell's values, for example <c>batch = 8</c>.</param>
public sealed record MatchSubject(string Label, Disclosure Disclosure, ImmutableSortedDictionary<string, string> Keys);

/// <summary>One reason why two cells may not be compared.</summary>
/// <param name="What">The dimension or the key.</param>
/// <param name="First">The first cell's value; <c>not disclosed</c> where it is absent.</param>
/// <param name="Second">The second cell's value.</param>
public sealed record Mismatch(string What, string First, string Second)
{
    /// <summary><c>what: first ≠ second</c>.</summary>
    public override string ToString() => First == Second ? $"{What}: {First}" : $"{What}: {First} ≠ {Second}";
}

/// <summary>
/// Whether two cells may be compared: all six disclosure dimensions and the plan's match keys must be disclosed and equal.
/// Equality of q* means the same target <i>and</i> the same way of checking.
/// </summary>
public static class Matching
{
    /// <summary>Stands for a value that is missing; two missing values do not match.</summary>
    public const string NotDisclosed = "not disclosed";

    /// <summary>Every reason against the comparison, dimensions first; empty if the cells may be compared.</summary>
    public static ImmutableArray<Mismatch> Compare(MatchSubject first, MatchSubject second, IEnumerable<string> matchKeys)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(matchKeys);
        var reasons = ImmutableArray.CreateBuilder<Mismatch>();
        var (a, b) = (first.Disclosure, second.Disclosure);
        Check("quality (q*)", a.Quality, b.Quality);
        Check("quality check (q*)", a.QualityCheck, b.QualityCheck);
        Check("service (s*)", Service(a), Service(b));
        Check("workload mix", a.WorkloadMix, b.WorkloadMix);
        Check("batching", a.Batching, b.Batching);
        Check("hardware", a.Hardware, b.Hardware);
        Check("boundary", a.Boundary.ToString(), b.Boundary.ToString());
        foreach (var key in matchKeys)
        {
            Check($"match key {key}", first.Keys.GetValueOrDefault(key), second.Keys.GetValueOrDefault(key));
        }
        return reasons.ToImmutable();

        void Check(string what, string? x, string? y)
        {
            var (left, right) = (Shown(x), Shown(y));
            if (left == NotDisclosed || left != right)
            {
                reasons.Add(new Mismatch(what, left, right));
            }
        }
    }

    /// <summary>
    /// Every cell that may not stand in a group with its baseline, with all its reasons. Empty: the group is matched.
    /// </summary>
    public static ImmutableArray<(string Cell, ImmutableArray<Mismatch> Reasons)> CheckGroup(
        IEnumerable<MatchSubject> cells, string baseline, IReadOnlyCollection<string> matchKeys)
    {
        ArgumentNullException.ThrowIfNull(cells);
        var all = cells.ToArray();
        var reference = all.FirstOrDefault(cell => cell.Label == baseline)
            ?? throw new ArgumentException($"The baseline {baseline} is not a cell of the group.", nameof(baseline));
        return [.. all
            .Select(cell => (cell.Label, Compare(reference, cell, matchKeys)))
            .Where(pair => !pair.Item2.IsEmpty)];
    }

    private static string Shown(string? value) => string.IsNullOrWhiteSpace(value) ? NotDisclosed : value;

    private static string Service(Disclosure disclosure) =>
        double.IsFinite(disclosure.ServiceMilliseconds) && disclosure.ServiceMilliseconds > 0 && !string.IsNullOrWhiteSpace(disclosure.ServiceStatistic)
            ? string.Create(CultureInfo.InvariantCulture, $"{disclosure.ServiceStatistic} ≤ {disclosure.ServiceMilliseconds:R} ms")
            : NotDisclosed;
}
