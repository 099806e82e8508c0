using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class ComparisonTests
{
    private static Matrix One(Func<MatrixRow, MatrixRow> change)
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        return matrix with { Groups = [matrix.Groups[0] with { Rows = [change(matrix.Groups[0].Rows[0])] }] };
    }

    [Fact]
    public void Between_two_sweeps_no_bound_cancels_and_both_add_up()
    {
        var (a, b) = (One(r => r), One(r => r with { JoulesPerTokenLayer = r.JoulesPerTokenLayer with { Value = r.JoulesPerTokenLayer.Value * 1.5 } }));
        var cell = Assert.Single(Comparison.Of(a, b).Cells);
        var row = a.Groups[0].Rows[0];
        var half = (Math.Sqrt(2) * Verdicts.TypeA(row.Uncertainty)!.Value) + (2 * row.Uncertainty.Bound!.Value);
        Assert.Equal(1.5, cell.Ratio!.Value, 12);
        Assert.Equal(half, Math.Log(cell.High!.Value / cell.Ratio.Value), 12);
        Assert.Equal(half, Math.Log(cell.Ratio.Value / cell.Low!.Value), 12);
        Assert.True(half > 2 * 0.05, "the gain of either sensor is in it");
    }

    [Theory]
    [InlineData("estimator")]
    [InlineData("boundary")]
    [InlineData("energy")]
    [InlineData("s*")]
    [InlineData("batch")]
    public void Cells_that_differ_in_what_they_may_not_are_refused_by_its_name(string what)
    {
        var b = One(r => what switch
        {
            "estimator" => r with { Estimator = "one L' = 12, intercept included" },
            "boundary" => r with { Boundary = Boundary.Node },
            "energy" => r with { Provenance = Provenance.Modelled },
            "s*" => r with { ServiceMilliseconds = 50 },
            _ => r with { Configuration = r.Configuration with { Batch = 9 } },
        });
        var cell = Assert.Single(Comparison.Of(One(r => r), b).Cells);
        Assert.Null(cell.Ratio);
        Assert.StartsWith(what + ": ", cell.Refused);
    }

    [Fact]
    public void Without_a_valid_trial_in_one_of_them_nothing_is_compared()
    {
        var none = SampleMatrix.Cancelled();
        var comparison = Comparison.Of(none, none);
        Assert.All(comparison.Cells, c => Assert.Null(c.Ratio));
        Assert.Equal("NO RESULT", comparison.BannerA);
        Assert.DoesNotContain("NaN", string.Join(' ', ComparisonTable.Rows(comparison).SelectMany(r => r)));
    }

    [Fact]
    public void The_screen_says_what_both_are_how_they_were_made_and_what_no_claim_is()
    {
        var comparison = Comparison.Of(SampleMatrix.Of(), SampleMatrix.Of());
        Assert.Contains("MODELLED", ComparisonTable.Head(comparison)[0]);
        Assert.Contains("gpu boundary", ComparisonTable.Head(comparison)[2]);
        var rows = ComparisonTable.Rows(comparison);
        Assert.All(rows.Where(r => r[4] != "—"), r => Assert.Contains("*", r[4]));
        Assert.Contains(rows, r => r[6] == "slope over L' 12–36");
        Assert.Contains(rows, r => r[1] == "A †");
        Assert.All(rows, r => Assert.Equal(ComparisonTable.Columns(comparison).Length, r.Length));
        Assert.Contains(ComparisonTable.Foot(comparison), l => l.StartsWith('*'));
        Assert.Contains(ComparisonTable.Foot(comparison), l => l.StartsWith('†'));
    }
}
