using System.Collections.Immutable;
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
            Assert.All(lines, l => Assert.InRange(TerminalText.Width(l), 0, Math.Max(width, 40)));
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

        Assert.Contains(lines, l => l.StartsWith("† the cell", StringComparison.Ordinal));
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
        Assert.Contains("also different from A: parameters per layer −19 % (D, E, F); 52.2 B parameters, not 65 B (D, E, F)", text);
        Assert.Contains("also different from I0: parameters per layer +23 % (I); 52.2 B parameters, not 65 B (I)", text);
        Assert.Equal(4, text.Split("step time over its floor, as ratio to").Length - 1);
        Assert.Contains("own A/A pair", text);
        Assert.Contains("borrowed from batch 8", text);
        Assert.Contains("slope over L' 12–36", text);
        Assert.Contains("one L' = 8, intercept included", text);
    }

    [Fact]
    public void What_was_taken_of_the_sensors_is_said_once_where_it_is_the_same_and_by_group_where_it_is_not()
    {
        var matrix = SampleMatrix.Of();
        const string Common = "sensors: offset ±10 W, non-linearity ±7 W of 700 W, gain ±5.0 % (";
        Assert.Single(TerminalMatrix.Lines(matrix, 400), l => l.StartsWith(Common, StringComparison.Ordinal));
        var other = matrix with { Groups = matrix.Groups.SetItem(1, matrix.Groups[1] with { Sensor = matrix.Groups[1].Sensor with { OffsetWatts = 2.5 } }) };
        var lines = TerminalMatrix.Lines(other, 400);
        Assert.Equal(4, lines.Count(l => l.StartsWith(Common, StringComparison.Ordinal)));
        Assert.Single(lines, l => l.StartsWith("sensors: offset ±2.5 W,", StringComparison.Ordinal));
    }

    [Fact]
    public void Energies_that_nobody_bounds_have_no_type_B_instead_of_none_at_all()
    {
        var matrix = SampleMatrix.Of();
        var group = matrix.Groups[0] with { Sensor = new SensorLine(0, 0, double.NaN, 0, 0, 0, "no sensor: declared 20 W idle") };
        var table = MatrixTable.Of(matrix with { Groups = [group] });
        Assert.Equal("—", table.Groups[0].Rows[2].Cells[table.Columns.IndexOf(table.Columns.First(c => c.Header == "type B"))]);
        Assert.Contains("sensors: without any bound of what they may hide (no sensor: declared 20 W idle)", table.Notes);
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
        Assert.Equal(Close(NumberText.Interval(b.Ratio.Low, b.Ratio.High, decimals)), Cell("95 % interval", "pairwise", 2));
        Assert.Equal(Close(NumberText.Interval(b.SimultaneousLow, b.SimultaneousHigh, decimals)), Cell("95 % interval", "simultaneous", 2));
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
        row = row with { Constraint = row.Constraint with { Verdict = "not power-bound", Headroom = new Estimate(1.9712, 1.7903, 2.1581, "nodes", 4), Limit = "memory bandwidth" } };
        var cells = MatrixTable.Of(matrix with { Groups = [matrix.Groups[0] with { Rows = [row] }] }).Groups[0].Rows[0].Cells;
        Assert.Contains("no, 1.97 (1.79–2.16)", cells);
        Assert.Equal("memory bandwidth", Verdicts.CommonLimit(matrix with { Groups = [matrix.Groups[0] with { Rows = [row] }] }));
        Assert.StartsWith("open, 1.00 (", Verdicts.PowerBound(row.Constraint with { Headroom = new Estimate(1.001, 0.9, 1.12, "nodes", 4) }));
        Assert.StartsWith("not power-bound (open), headroom 1.00 (", Verdicts.Constraint(row.Constraint with { Headroom = new Estimate(1.001, 0.9, 1.12, "nodes", 4) }));
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
    public void Columns_go_least_useful_first_and_the_ratio_the_energy_and_its_interval_last()
    {
        var table = MatrixTable.Of(SampleMatrix.Of());
        var rows = table.Groups.SelectMany(g => g.Rows).ToArray();
        string[] Gone(int width) => [.. TextColumns.Of(table.Columns, [.. rows.Select(r => r.Cells)], [.. rows.Select(r => r.Mark)], width).Dropped.Select(c => (c.Header + " " + c.Unit).Trim())];
        Assert.Empty(Gone(400));
        var earlier = Array.Empty<string>();
        foreach (var width in Enumerable.Range(20, 381).Reverse())
        {
            var gone = Gone(width);
            // What went stays away as it gets narrower, and whatever is kept is at least as useful as what went.
            Assert.Subset(gone.ToHashSet(), earlier.ToHashSet());
            var priorities = table.Columns.ToLookup(c => gone.Contains((c.Header + " " + c.Unit).Trim()), c => c.Priority);
            Assert.True(!priorities[true].Any() || priorities[true].Min() >= priorities[false].Max(), $"{width}: {string.Join(", ", gone)}");
            earlier = gone;
        }

        Assert.DoesNotContain("95 % interval", Gone(44));
        Assert.DoesNotContain("95 % interval pairwise", Gone(60));
        Assert.DoesNotContain("energy is", Gone(80));
        Assert.DoesNotContain("s* ms/token", Gone(120));
        Assert.DoesNotContain("verdict", Gone(140));
    }

    [Fact]
    public void A_row_says_its_formats_its_service_target_its_provenance_and_what_it_may_claim()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var table = MatrixTable.Of(matrix);
        string Cell(int group, string label, string header) => table.Groups[group].Rows.Single(r => r.Row.Label == label).Cells[table.Columns.IndexOf(table.Columns.First(c => c.Header == header))];
        Assert.Equal(("INT4", "FP16", "FP16"), (Cell(0, "C", "weights"), Cell(0, "C", "KV"), Cell(0, "C", "act.")));
        Assert.Equal(("FP8", "FP32+FP16"), (Cell(4, "H", "KV"), Cell(3, "I", "KV")));
        Assert.Equal(("measured", "no valid trial"), (Cell(0, "C", "energy is"), Cell(4, "H long", "energy is")));
        Assert.Matches("^met [0-9.]+≤100$", Cell(0, "A", "s*"));
        Assert.Matches("^missed [0-9.]+>100$", Cell(1, "A", "s*"));
        Assert.Equal("not judged", Verdicts.Service(matrix.Groups[0].Rows[0] with { MeetsService = null }));
        Assert.Equal(("baseline", "A/A holds", "less energy", "outside s*"), (Cell(0, "A", "verdict"), Cell(0, "A twin", "verdict"), Cell(0, "C", "verdict"), Cell(1, "C", "verdict")));
        Assert.Equal(("absolute value", "no valid trial"), (Cell(4, "J", "verdict"), Cell(4, "H long", "verdict")));
        var modelled = MatrixTable.Of(SampleMatrix.Of());
        Assert.Equal("no claim", modelled.Groups[0].Rows[2].Cells[modelled.Columns.IndexOf(modelled.Columns.First(c => c.Header == "verdict"))]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_holds_for_every_cell_is_said_once_below_the_table(int width)
    {
        var matrix = SampleMatrix.Of();
        const string Reason = "no power envelope was declared";
        matrix = matrix with { Groups = [.. matrix.Groups.Select(g => g with { Rows = [.. g.Rows.Select(r => r with { Flags = [.. r.Flags, "warm-up not flat"], Constraint = r.Constraint with { Verdict = "not determined", Headroom = null, Reason = Reason } })] })] };
        var text = string.Join(' ', TerminalMatrix.Lines(matrix, width));
        Assert.Equal(1, text.Split(Reason).Length - 1);
        Assert.Contains($"constraint of every cell: not determined: {Reason}", text);
        Assert.Equal(1, text.Split("warm-up not flat").Length - 1);
        Assert.DoesNotContain(MatrixTable.Of(matrix).Columns, c => c.Header == "power-bound");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_flag_of_some_cells_is_named_with_them_below_its_group_at_every_width(int width)
    {
        var matrix = SampleMatrix.Of();
        var group = matrix.Groups[0];
        ImmutableArray<MatrixRow> rows = [.. group.Rows.Select(r => r with { Flags = r.Label is "C" or "E" ? ["negative intercept (3 of 4 trials)"] : [] })];
        var text = string.Join(' ', TerminalMatrix.Lines(matrix with { Groups = [group with { Rows = rows }] }, width));
        // Its letter explains nothing where no row bears it.
        var head = TerminalMatrix.Lines(matrix with { Groups = [group with { Rows = rows }] }, width).TakeWhile(l => !l.StartsWith('─'));
        Assert.Contains(head.Any(l => l.Contains("flags", StringComparison.Ordinal)) ? "flag a (C, E): negative intercept (3 of 4 trials)" : "flag of C, E: negative intercept (3 of 4 trials)", text);
        var table = MatrixTable.Of(matrix with { Groups = [group with { Rows = rows }] });
        var flags = table.Columns.IndexOf(table.Columns.First(c => c.Header == "flags"));
        Assert.Equal(["C", "E"], table.Groups[0].Rows.Where(r => r.Cells[flags] == "a").Select(r => r.Row.Label));
    }

    [Fact]
    public void A_flag_in_other_words_is_no_second_flag_and_the_shortest_window_is_said_once()
    {
        var matrix = SampleMatrix.Of();
        string[] common = ["linearity unchecked: one L' only", "linearity unchecked", "window of 2 s: below the 10 s that a published figure needs"];
        MatrixRow Flagged(MatrixRow r, int i) => r with { Flags = [.. common, .. i == 0 ? ["window of 2.0 s is below 10 s (3 of 5 trials)", "window of 2.1 s is below 10 s (2 of 5 trials)"] : new[] { "window of 1.9 s is below 10 s" }] };
        matrix = matrix with { Groups = [matrix.Groups[0] with { Rows = [.. matrix.Groups[0].Rows.Select(Flagged)] }] };
        Assert.Contains("flags of every cell: linearity unchecked: one L' only; shortest window 1.9 s: below the 10 s that a published figure needs", TerminalMatrix.Lines(matrix, 400));
        Assert.Equal("shortest window 2 s: below the 10 s that a published figure needs", Assert.Single(RowFlags.Said(["window of 2.0 s is below 10 s (3 of 5 trials)", "window of 2.1 s is below 10 s (2 of 5 trials)"])));
        // More words of fewer trials say less.
        Assert.Equal(2, RowFlags.Said(["linearity unchecked: one L' only (1 of 5 trials)", "linearity unchecked"]).Length);
    }

    [Fact]
    public void A_column_that_does_not_fit_is_not_taken_for_one_that_is_shown()
    {
        var text = string.Join(' ', TerminalMatrix.Lines(SampleMatrix.Of(), 80));
        Assert.Matches(@"columns do not fit in 80 \([^)]*simultaneous 95 % interval", text);
        Assert.DoesNotMatch(@"columns do not fit in 80 \(([^)]*, )?95 % interval", text);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_ratio_that_the_energies_beside_it_contradict_says_of_which_passes_it_is(int width)
    {
        var matrix = Noisy(34, 54, ratio: 0.94, both: 4);
        var text = string.Join(' ', TerminalMatrix.Lines(matrix, width));
        Assert.Contains("ratio of C from the 4 passes in which A is valid too; the energies are of all valid passes, 5 of C and 4 of A", text);
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), []);
        Assert.Contains("Ratio of C from the 4 passes in which A is valid too; the energies are of all valid passes, 5 of C and 4 of A.", page);
        // Within the digits that are printed nothing contradicts; of device means the number of passes is not in the matrix.
        Assert.DoesNotContain("is valid too", string.Join(' ', TerminalMatrix.Lines(Noisy(34, 54, ratio: 1.6, both: 4), width)));
        var nodes = Noisy(34, 54, ratio: 0.94, both: 4, scope: "nodes");
        Assert.Contains("ratio of C from the passes in which A is valid too", string.Join(' ', TerminalMatrix.Lines(nodes, width)));
    }

    // A and C, mJ per token and layer with two digits.
    private static Matrix Noisy(double a, double c, double ratio, int both, string scope = "this device")
    {
        var matrix = SampleMatrix.Of();
        var group = matrix.Groups[0];
        MatrixRow Row(string label) => group.Rows.Single(r => r.Label == label);
        Estimate Energy(double mJ) => new(mJ / 1000, mJ / 1000 * 0.8, mJ / 1000 * 1.2, scope, 5);
        return matrix with
        {
            Groups = [group with
            {
                Repeatability = null,
                Rows =
                [
                    Row("A") with { JoulesPerTokenLayer = Energy(a), Passes = 4 },
                    Row("C") with { JoulesPerTokenLayer = Energy(c), Passes = 5, Ratio = Row("C").Ratio! with { Ratio = new Estimate(ratio, 0.6 * ratio, 1.5 * ratio, scope, both) } },
                ],
            }],
        };
    }

    [Fact]
    public void Where_some_cells_are_measured_each_says_which_it_is_however_narrow_the_terminal_is()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured, (group, label) => label == "F" ? Provenance.Modelled : Provenance.Measured);
        Assert.Contains("energy is measured: A, A twin, B, C, D, E, D', E', F'; modelled: F", string.Join(' ', TerminalMatrix.Lines(matrix, 40)));
        Assert.DoesNotContain("energy is measured: A", string.Join(' ', TerminalMatrix.Lines(matrix, 120)));
    }

    [Fact]
    public void A_pipe_gets_every_column_and_a_row_a_line_with_tabs_and_sentences_behind_a_hash()
    {
        foreach (var matrix in new[] { SampleMatrix.Of(), SampleMatrix.Of(Provenance.Measured), SampleMatrix.Cancelled(), Hostile.Matrix() })
        {
            var lines = TerminalMatrix.Piped(matrix);
            Assert.StartsWith($"# {Standing.Of(matrix).Word}", lines[0]);
            var rows = lines.Where(l => !l.StartsWith('#')).Select(l => l.Split('\t')).ToArray();
            Assert.Equal(1 + matrix.Groups.Sum(g => g.Rows.Length), rows.Length);
            Assert.All(rows, r => Assert.Equal(1 + MatrixTable.Of(matrix).Columns.Length, r.Length));
            Assert.Equal(("group", "cell"), (rows[0][0], rows[0][1]));
            Assert.DoesNotContain(lines, l => l.Any(c => char.IsControl(c) && c != '\t'));
        }
    }

    [Fact]
    public void The_terminal_and_the_page_print_a_ratio_with_the_same_digits()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), []);
        var table = MatrixTable.Of(matrix);
        var (ratio, pairwise) = (table.Columns.IndexOf(table.Columns.First(c => c.Header == "ratio")), table.Columns.IndexOf(table.Columns.First(c => c.Unit == "pairwise")));
        var resolved = table.Groups[0].Rows.Where(r => !r.Baseline && r.Row.Ratio!.Resolved).ToArray();
        Assert.NotEmpty(resolved);
        Assert.All(resolved, row => Assert.Contains($"<span class=\"v\">{row.Cells[ratio]}</span><span class=\"i\">{row.Cells[pairwise]}</span>", page.Replace(" – ", "–", StringComparison.Ordinal)));
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
        Assert.Equal(4, TerminalText.Width("日本"));
        Assert.Equal(2, TerminalText.Width("e\u0301a"));
    }

    private static string Close(string interval) => interval.Replace(" – ", "–", StringComparison.Ordinal);
}
