using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology.Tests;

public class MatchingTests
{
    private static readonly Disclosure Disclosure = new(
        "not applicable: synthetic weights", "none", 100, "p99", "s = 4096, saturated", "static", "H100 SXM", Boundary.Gpu);

    private static readonly MatchSubject Cell = new(
        "A", Disclosure, ImmutableSortedDictionary<string, string>.Empty.Add("batch", "8").Add("context", "4096"));

    public static TheoryData<string, MatchSubject, string> Differences => new()
    {
        { "quality (q*)", Cell with { Disclosure = Disclosure with { Quality = "MMLU ≥ 0.70" } }, "quality (q*): not applicable: synthetic weights ≠ MMLU ≥ 0.70" },
        { "quality check (q*)", Cell with { Disclosure = Disclosure with { QualityCheck = "5-shot" } }, "quality check (q*): none ≠ 5-shot" },
        { "service (s*)", Cell with { Disclosure = Disclosure with { ServiceMilliseconds = 50 } }, "service (s*): p99 ≤ 100 ms ≠ p99 ≤ 50 ms" },
        { "service (s*)", Cell with { Disclosure = Disclosure with { ServiceStatistic = "mean" } }, "service (s*): p99 ≤ 100 ms ≠ mean ≤ 100 ms" },
        { "workload mix", Cell with { Disclosure = Disclosure with { WorkloadMix = "s = 64k" } }, "workload mix: s = 4096, saturated ≠ s = 64k" },
        { "batching", Cell with { Disclosure = Disclosure with { Batching = "continuous" } }, "batching: static ≠ continuous" },
        { "hardware", Cell with { Disclosure = Disclosure with { Hardware = "H200" } }, "hardware: H100 SXM ≠ H200" },
        { "boundary", Cell with { Disclosure = Disclosure with { Boundary = Boundary.Node } }, "boundary: Gpu ≠ Node" },
        { "match key batch", Cell with { Keys = Cell.Keys.SetItem("batch", "24") }, "match key batch: 8 ≠ 24" },
        { "match key context", Cell with { Keys = Cell.Keys.Remove("context") }, "match key context: 4096 ≠ not disclosed" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void Every_dimension_and_key_must_be_equal_and_a_refusal_names_it_with_both_values(string what, MatchSubject other, string text)
    {
        var mismatch = Assert.Single(Matching.Compare(Cell, other, ["batch", "context"]));
        Assert.Equal(what, mismatch.What);
        Assert.Equal(text, mismatch.ToString());
    }

    [Fact]
    public void Equal_cells_match_and_keys_that_the_plan_does_not_name_do_not_count()
    {
        Assert.Empty(Matching.Compare(Cell, Cell with { Label = "C" }, ["batch", "context"]));
        Assert.Empty(Matching.Compare(Cell, Cell with { Keys = Cell.Keys.SetItem("batch", "24") }, ["context"]));
    }

    [Fact]
    public void What_neither_discloses_does_not_match()
    {
        var silent = Cell with { Disclosure = Disclosure with { Batching = " " } };
        Assert.Equal("batching: not disclosed", Assert.Single(Matching.Compare(silent, silent, ["batch"])).ToString());
    }

    [Fact]
    public void A_group_is_checked_against_its_baseline()
    {
        var wrong = Cell with { Label = "F", Keys = Cell.Keys.SetItem("batch", "24") };
        var (label, reasons) = Assert.Single(Matching.CheckGroup([Cell, Cell with { Label = "C" }, wrong], "A", ["batch"]));
        Assert.Equal("F", label);
        Assert.Equal("match key batch", Assert.Single(reasons).What);
        Assert.Throws<ArgumentException>(() => Matching.CheckGroup([wrong], "A", ["batch"]));
    }
}
