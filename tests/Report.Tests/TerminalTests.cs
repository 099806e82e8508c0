using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class TerminalTests
{
    private static readonly int[] Widths = [20, 32, 40, 60, 80, 100, 140, 180, 240, 400];

    public static TheoryData<int> All => [.. Widths];

    [Theory]
    [MemberData(nameof(All))]
    public void Lines_fit_the_width_and_say_first_how_the_numbers_came_about(int width)
    {
        foreach (var matrix in new[] { SampleMatrix.Of(), Hostile.Matrix() })
        {
            var lines = TerminalMatrix.Lines(matrix, width);
            Assert.StartsWith("MODELLED", lines[0]);
            // The columns that are never dropped need some 36.
            Assert.All(lines, l => Assert.InRange(TerminalMatrix.Width(l), 0, Math.Max(width, 40)));
            Assert.DoesNotContain(lines, l => l.Any(char.IsControl));
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_missed_service_target_is_marked_at_the_cell_and_at_every_ratio_it_touches_and_the_mark_is_explained(int width)
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        // However long a label is: the mark survives its cut.
        var late = matrix.Groups[1] with { Rows = matrix.Groups[1].Rows.SetItem(2, matrix.Groups[1].Rows[2] with { Label = new string('x', 90), MeetsService = false }) };
        var lines = TerminalMatrix.Lines(matrix with { Groups = [late] }, width);
        var rows = lines.SkipWhile(l => !l.StartsWith('─')).Skip(1).Take(late.Rows.Length).ToArray();
        foreach (var (row, line) in late.Rows.Zip(rows))
        {
            // A misses it, so every ratio to A is outside; what misses it itself carries the mark at its name too.
            Assert.Equal((row.MeetsService == false ? 1 : 0) + (row.Label == "A" ? 0 : 1), line.Count(c => c == '†'));
        }

        Assert.Contains("†", string.Join(' ', lines[^8..]));
        Assert.Contains("misses its s*", string.Join(' ', lines));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void The_difference_from_what_was_disclosed_stands_directly_under_the_banner(int width)
    {
        const string Difference = "the plan discloses up to 16 devices; it ran on 4";
        var matrix = SampleMatrix.Of() with { RanOn = SampleMatrix.Of().RanOn with { Difference = Difference } };
        var text = string.Join(' ', TerminalMatrix.Lines(matrix, width));
        Assert.StartsWith($"MODELLED: {Standing.Of(matrix).Sentence} {Difference} ", text);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_a_ratio_cannot_say_by_itself_stands_below_its_group_at_every_width(int width)
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var text = string.Join(' ', TerminalMatrix.Lines(matrix, width));
        Assert.Contains("also different from A in D, E, F: parameters per layer −19 %", text);
        Assert.Contains("also different from I0 in I: parameters per layer +23 %", text);
        Assert.Equal(4, text.Split("step time over its floor, as ratio to").Length - 1);
        Assert.Contains("own A/A pair", text);
        Assert.Contains("borrowed from batch 8", text);
        Assert.Contains("slope over L' 12–36", text);
        Assert.Contains("one L' = 8, intercept included", text);
    }

    [Fact]
    public void A_group_whose_cells_differ_in_their_estimator_names_the_ones_that_do()
    {
        var matrix = SampleMatrix.Of();
        var table = MatrixTable.Of(matrix with { Groups = [matrix.Groups[4]] });
        Assert.EndsWith("slope over L' 12–36", table.Groups[0].Title);
        Assert.Contains("K: one L' = 8, intercept included", table.Groups[0].Footer);
    }

    [Fact]
    public void With_room_both_intervals_and_both_parts_of_the_uncertainty_stand_beside_the_ratio()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var table = MatrixTable.Of(matrix);
        string Cell(string header, string unit, int row) => table.Groups[0].Rows[row].Cells[table.Columns.IndexOf(table.Columns.First(c => c.Header == header && c.Unit == unit))];
        var b = matrix.Groups[0].Rows[2].Ratio!;
        var decimals = NumberText.Decimals(b.Ratio.Value, b.Ratio.Low, b.Ratio.High);
        Assert.Equal(NumberText.Fixed(b.Ratio.Value, decimals), Cell("ratio", "", 2));
        Assert.Equal(NumberText.Interval(b.Ratio.Low, b.Ratio.High, decimals), Cell("95 % interval", "pairwise", 2));
        Assert.Equal(NumberText.Interval(b.SimultaneousLow, b.SimultaneousHigh, decimals), Cell("95 % interval", "simultaneous", 2));
        // t(0.975, 3) = 3.1824.
        Assert.Equal(NumberText.PlusMinus(3.1824463 * b.Uncertainty.StandardError), Cell("type A", "±, of ratio", 2));
        Assert.Equal(NumberText.PlusMinus(b.Uncertainty.Bound), Cell("type B", "±, of ratio", 2));
        Assert.DoesNotContain(table.Columns, c => c.Header.Contains("Holm", StringComparison.Ordinal) || c.Unit.Contains("Holm", StringComparison.Ordinal));
    }

    [Fact]
    public void The_constraint_is_a_verdict_with_headroom_and_its_interval_and_the_limit_stands_beside()
    {
        var matrix = SampleMatrix.Of();
        var row = matrix.Groups[0].Rows[0];
        row = row with { Constraint = row.Constraint with { Verdict = "not power-bound", Headroom = new Estimate(1.9712, 1.8803, 2.0581, "nodes", 4), Limit = "memory bandwidth" } };
        var cells = MatrixTable.Of(matrix with { Groups = [matrix.Groups[0] with { Rows = [row] }] }).Groups[0].Rows[0].Cells;
        Assert.Contains("not power-bound, headroom 1.97 (1.88–2.06)", cells);
        Assert.Contains("memory bandwidth", cells);
        Assert.Equal("not determined: no power envelope was declared", Verdicts.Constraint(row.Constraint with { Verdict = "not determined", Headroom = null, Reason = "no power envelope was declared" }));
    }

    [Fact]
    public void Modelled_panels_print_no_published_figure_and_say_why_and_measured_ones_do_print_them()
    {
        var modelled = string.Join(' ', TerminalMatrix.Lines(SampleMatrix.Of(), 160));
        Assert.DoesNotContain(", published", modelled);
        Assert.Contains("would pass for a validation", modelled);
        var measured = string.Join(' ', TerminalMatrix.Lines(SampleMatrix.Of(Provenance.Measured), 160));
        Assert.Contains("published 3.50", measured);
        Assert.DoesNotContain("would pass for a validation", measured);
    }

    [Fact]
    public void A_narrow_terminal_drops_the_least_important_columns_and_keeps_cell_energy_and_ratio()
    {
        var table = MatrixTable.Of(SampleMatrix.Of());
        var widths = table.Columns.Select(_ => 10).ToArray();
        Assert.Equal(table.Columns.Length, table.Fitting(widths, 1000).Length);
        var kept = table.Fitting(widths, 30);
        Assert.Equal(["cell", "energy", "ratio"], kept.Select(i => table.Columns[i].Header));
        var wider = table.Fitting(widths, 80);
        Assert.All(Enumerable.Range(0, table.Columns.Length).Except(wider), dropped => Assert.All(wider, k => Assert.True(table.Columns[k].Priority <= table.Columns[dropped].Priority)));
    }

    [Fact]
    public void The_terminal_and_the_page_print_a_ratio_with_the_same_digits()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), []);
        var table = MatrixTable.Of(matrix);
        var pairwise = table.Columns.IndexOf(table.Columns.First(c => c.Unit == "pairwise"));
        var resolved = table.Groups[0].Rows.Where(r => !r.Baseline && r.Row.Ratio!.Resolved).ToArray();
        Assert.NotEmpty(resolved);
        Assert.All(resolved, row => Assert.Contains($"<span class=\"v\">{row.Cells[3]}</span><span class=\"i\">{row.Cells[pairwise]}</span>", page));
    }

    [Fact]
    public void Without_a_valid_trial_there_is_no_result_and_no_figure()
    {
        var lines = TerminalMatrix.Lines(SampleMatrix.Cancelled(), 120);
        Assert.StartsWith("NO RESULT", lines[0]);
        var text = string.Join('\n', lines);
        Assert.DoesNotContain("MEASURED", text);
        Assert.DoesNotContain("resolved", text);
        Assert.DoesNotContain("NaN", text);
    }

    [Fact]
    public void Wide_characters_count_as_two_columns()
    {
        Assert.Equal(4, TerminalMatrix.Width("日本"));
        Assert.Equal(2, TerminalMatrix.Width("e\u0301a"));
    }
}
