using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

/// <summary>What the first lines may claim.</summary>
public sealed class HeadlineTests
{
    [Theory]
    [InlineData(Provenance.Modelled)]
    [InlineData(Provenance.Declared)]
    [InlineData(Provenance.Projected)]
    public void Energies_that_are_not_measured_resolve_nothing(Provenance provenance)
    {
        var overview = Verdicts.Overview(SampleMatrix.Of(provenance));
        Assert.Contains($"18 controlled ratios, none of them a claim: energies are {provenance.ToString().ToLowerInvariant()}", overview);
        Assert.DoesNotContain("resolved", overview);
    }

    [Fact]
    public void Ratios_outside_the_operating_point_are_counted_apart_with_who_misses_what()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var a = matrix.Groups[1].Rows[0];
        var overview = Verdicts.Overview(matrix with { Groups = [matrix.Groups[1] with { Rows = [.. matrix.Groups[1].Rows.Select(r => r.Label is "A" ? a with { ProjectedStepMilliseconds = 128.3 } : r)] }] });
        Assert.Contains("no controlled ratio lies at the operating point; 8 ratios lie outside the operating point: A misses s* 100 ms (128 ms)", overview);
        Assert.DoesNotContain("resolved", overview);
    }

    [Fact]
    public void Only_ratios_at_the_operating_point_are_counted_as_resolved()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var controlled = matrix.Groups.SelectMany(g => g.Rows.Where(r => Verdicts.IsControlled(g, r)).Select(r => r.Ratio!)).ToArray();
        var outside = controlled.Count(r => r.Standing == RatioStanding.OutsideOperatingPoint);
        Assert.Equal((18, 8), (controlled.Length, outside));
        Assert.Contains($"{controlled.Count(r => r.Resolved)} of 10 controlled ratios resolved; 8 ratios lie outside the operating point: batch 24 / A misses s* 100 ms", Verdicts.Overview(matrix));
    }

    [Fact]
    public void A_ratio_that_misses_its_target_is_in_no_headline_even_where_the_matrix_calls_it_resolved()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var forced = matrix with { Groups = [.. matrix.Groups.Select(g => g with { Rows = [.. g.Rows.Select(r => r with { Ratio = r.Ratio is null ? null : r.Ratio with { Standing = RatioStanding.Resolved } })] })] };
        Assert.Contains("10 of 10 controlled ratios resolved; 8 ratios lie outside", Verdicts.Overview(forced));
    }

    [Fact]
    public void Modelled_ratios_that_also_miss_their_target_say_both()
    {
        Assert.Contains("none of them a claim: energies are modelled; 8 of them lie outside the operating point: batch 24 / A misses s* 100 ms", Verdicts.Overview(SampleMatrix.Of()));
    }

    [Fact]
    public void One_modelled_baseline_takes_its_group_out_of_the_claims_and_leaves_the_others()
    {
        var overview = Verdicts.Overview(SampleMatrix.Of(Provenance.Measured, (group, label) => (group, label) == ("batch 8", "A") ? Provenance.Modelled : Provenance.Measured));
        Assert.Contains("of 2 controlled ratios resolved; 8 controlled ratios are no claim: energies are modelled; 8 ratios lie outside the operating point", overview);
    }

    [Fact]
    public void Cells_without_a_valid_trial_are_no_part_of_measured()
    {
        var standing = Standing.Of([Provenance.Measured, null, null], Provenance.Measured);
        Assert.True(standing is { Measured: true, Mixed: false, None: false, Word: "MEASURED" });
        Assert.EndsWith("2 cells of 3 have no valid trial and no figure.", standing.Sentence);
        Assert.Equal("PARTLY MODELLED", Standing.Of([Provenance.Measured, Provenance.Modelled, null], null).Word);
        Assert.StartsWith("1 of 2 cells are measured.", Standing.Of([Provenance.Measured, Provenance.Modelled, null], null).Sentence);
    }

    [Fact]
    public void Without_any_valid_trial_there_is_no_result_whatever_the_matrix_calls_itself()
    {
        foreach (var whole in new Provenance?[] { null, Provenance.Measured, Provenance.Modelled })
        {
            var standing = Standing.Of([null, null], whole);
            Assert.True(standing is { Measured: false, None: true, Word: "NO RESULT" });
        }

        Assert.Equal("NO RESULT", Standing.Of(SampleMatrix.Cancelled()).Word);
        Assert.Contains("no controlled ratio", Verdicts.Overview(SampleMatrix.Cancelled()));
    }

    [Fact]
    public void Every_ratio_that_is_no_claim_carries_a_mark_and_every_mark_used_is_explained()
    {
        foreach (var matrix in new[] { SampleMatrix.Of(), SampleMatrix.Of(Provenance.Measured), Hostile.Matrix() })
        {
            var legend = Verdicts.Legend(matrix);
            foreach (var (group, row) in matrix.Groups.SelectMany(g => g.Rows.Where(r => r.Ratio is not null && r.Label != g.Baseline).Select(r => (g, r))))
            {
                var marks = Verdicts.Marks(group, row);
                Assert.Equal(row.Ratio!.Resolved && !Verdicts.IsOutside(group, row), marks.Length == 0);
                Assert.All(marks, m => Assert.Contains(legend, l => l.StartsWith(m)));
            }
        }
    }
}
