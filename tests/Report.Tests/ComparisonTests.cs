using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class ComparisonTests
{
    private static Matrix One(Func<MatrixRow, MatrixRow> change)
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        return matrix with { Groups = [matrix.Groups[0] with { Rows = [change(matrix.Groups[0].Rows[0])] }] };
    }

    private static double? HalfWidth(double? errorA, double? boundA, double? errorB, double? boundB)
    {
        Matrix Of(double? error, double? bound, double factor) => One(r => r with
        {
            JoulesPerTokenLayer = r.JoulesPerTokenLayer with { Value = factor },
            Uncertainty = r.Uncertainty with { StandardError = error, DegreesOfFreedom = 3, Bound = bound },
        });
        var cell = Assert.Single(Comparison.Of(Of(errorA, boundA, 1), Of(errorB, boundB, 1.5)).Cells);
        Assert.Equal(1.5, cell.Ratio!.Value, 12);
        if (cell.Low is { } low) Assert.Equal(Math.Log(cell.Ratio.Value / low), Math.Log(cell.High!.Value / cell.Ratio.Value), 10);
        return cell.Low is null ? null : Math.Log(cell.Ratio.Value / cell.Low.Value);
    }

    [Fact]
    public void Between_two_sweeps_no_bound_cancels()
    {
        // Welch and Satterthwaite: equal errors with 3 degrees of freedom each are 6 together; t(0.975, 6) = 2.4469.
        Assert.Equal(2.4469118 * Math.Sqrt(2) * 0.002, HalfWidth(0.002, 0, 0.002, 0)!.Value, 9);
        // One error alone keeps its own; t(0.975, 3) = 3.1824.
        Assert.Equal(3.1824463 * 0.002, HalfWidth(0.002, 0, 0, 0)!.Value, 9);
        Assert.Equal(0.05 + 0.07, HalfWidth(0, 0.05, 0, 0.07)!.Value, 12);
        // Both: more than either, at least the bounds and a one-sided quantile, t(0.95, 6) = 1.9432.
        Assert.InRange(HalfWidth(0.002, 0.05, 0.002, 0.07)!.Value, 0.12 + (1.943 * Math.Sqrt(2) * 0.002), 0.12 + (2.447 * Math.Sqrt(2) * 0.002));
    }

    [Fact]
    public void Without_an_error_or_with_a_bound_that_is_not_known_there_is_no_interval()
    {
        Assert.Null(HalfWidth(null, 0.05, 0.002, 0.05));
        Assert.Null(HalfWidth(0.002, 0.05, 0.002, null));
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
