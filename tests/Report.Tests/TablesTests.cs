using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class TablesTests
{
    [Fact]
    public void The_csv_has_a_line_per_cell_and_as_many_fields_in_each_as_in_the_header()
    {
        var matrix = Hostile.Matrix();
        var records = Read(CellsCsv.Write(matrix));
        Assert.Equal(matrix.Groups.Sum(g => g.Rows.Length) + 1, records.Count);
        Assert.All(records, r => Assert.Equal(records[0].Count, r.Count));
        Assert.Equal(records[0].Count, records[0].Distinct().Count());
    }

    [Fact]
    public void The_csv_keeps_full_precision_and_leaves_absent_figures_empty()
    {
        var matrix = SampleMatrix.Of();
        var records = Read(CellsCsv.Write(matrix));
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        int energy = records[0].IndexOf("joules_per_token_layer"), ratio = records[0].IndexOf("ratio"), utilization = records[0].IndexOf("utilization"), provenance = records[0].IndexOf("provenance");
        for (var i = 0; i < rows.Length; i++)
        {
            Assert.Equal(NumberText.Exact(rows[i].JoulesPerTokenLayer.Value), records[i + 1][energy]);
            Assert.Equal(NumberText.Exact(rows[i].Ratio?.Ratio.Value), records[i + 1][ratio]);
            Assert.Equal("", records[i + 1][utilization]);
            Assert.Equal("modelled", records[i + 1][provenance]);
        }
    }

    [Fact]
    public void The_columns_of_the_csv_do_not_depend_on_what_a_sweep_found()
    {
        var matrix = SampleMatrix.Of();
        var bare = matrix with { Groups = [matrix.Groups[4] with { Rows = [matrix.Groups[4].Rows[1]] }] };
        Assert.Equal(CellsCsv.Write(matrix).Split('\n')[0], CellsCsv.Write(bare).Split('\n')[0]);
    }

    [Theory]
    [InlineData("=HYPERLINK(\"x\")")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@x")]
    public void A_label_is_never_a_spreadsheet_formula(string label)
    {
        var matrix = SampleMatrix.Of();
        var group = matrix.Groups[4];
        var records = Read(CellsCsv.Write(matrix with { Groups = [group with { Rows = [group.Rows[0] with { Label = label }] }] }));
        Assert.Equal("'" + label, records[1][records[0].IndexOf("label")]);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(140)]
    [InlineData(240)]
    public void Lines_for_a_terminal_fit_its_width_and_say_first_how_the_numbers_came_about(int width)
    {
        foreach (var matrix in new[] { SampleMatrix.Of(), Hostile.Matrix() })
        {
            var lines = TerminalMatrix.Lines(matrix, width);
            Assert.StartsWith("MODELLED", lines[0]);
            Assert.All(lines, l => Assert.InRange(TerminalMatrix.Width(l), 0, width));
            Assert.DoesNotContain(lines, l => l.Any(char.IsControl));
        }
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
        var matrix = SampleMatrix.Of();
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), []);
        var table = MatrixTable.Of(matrix);
        foreach (var row in table.Groups[0].Rows.Where(r => !r.Baseline && r.Row.Ratio!.Resolved))
        {
            Assert.Contains($"<span class=\"v\">{row.Cells[4]}</span><span class=\"i\">{row.Cells[5]}</span>", page);
        }
    }

    [Fact]
    public void Wide_characters_count_as_two_columns()
    {
        Assert.Equal(4, TerminalMatrix.Width("日本"));
        Assert.Equal(2, TerminalMatrix.Width("e\u0301a"));
    }

    [Fact]
    public void A_trace_is_read_with_its_gaps_and_a_torn_last_line_is_left_out()
    {
        var trace = PowerTrace.Parse("t", "seconds,device,watts,joules,phase\r\n0,GPU-1,400.5,,warm-up\n0.1,GPU-1,NaN,12.5,window\n0.2,GPU-1,4");
        Assert.Equal(2, trace.Points.Length);
        Assert.Equal(400.5, trace.Points[0].Watts);
        Assert.True(double.IsNaN(trace.Points[0].Joules));
        Assert.True(double.IsNaN(trace.Points[1].Watts));
        Assert.Equal("window", trace.Points[1].Phase);
    }

    [Theory]
    [InlineData("time,watts\n1,2\n", "line 1")]
    [InlineData("seconds,device,watts,joules,phase\n1,d,2,3,p\nx,d,2,3,p\n", "line 3")]
    [InlineData("seconds,device,watts,joules,phase\n1,d,2,3\n2,d,2,3,p\n", "line 2")]
    public void A_bad_trace_is_refused_with_its_line(string csv, string line) =>
        Assert.Contains(line, Assert.Throws<FormatException>(() => PowerTrace.Parse("t", csv)).Message);

    [Fact]
    public void Power_comes_from_the_energy_counter_where_power_was_not_read()
    {
        var trace = new PowerTrace("t", [new(0, "a", double.NaN, 10, "w"), new(1, "a", double.NaN, 310, "w"), new(2, "a", double.NaN, 5, "w"), new(3, "a", double.NaN, 205, "w")]);
        Assert.Equal([300.0, 200.0], TracePlot.Watts(trace).Select(p => p.Watts));
    }

    [Fact]
    public void The_front_holds_exactly_the_points_that_no_other_dominates()
    {
        ParetoPoint[] points = [new("", "slow", 1, 1, false), new("", "fast", 10, 5, false), new("", "middle", 5, 2, false), new("", "dominated", 4, 3, false), new("", "same", 5, 2, false)];
        Assert.Equal(["slow", "middle", "same", "fast"], ParetoPlot.Front(points).Select(p => p.Label));
    }

    /// <summary>RFC 4180, read apart from the writer.</summary>
    private static List<List<string>> Read(string csv)
    {
        var records = new List<List<string>>();
        var record = new List<string>();
        var field = new System.Text.StringBuilder();
        var quoted = false;
        for (var i = 0; i < csv.Length; i++)
        {
            var c = csv[i];
            if (quoted && c == '"' && i + 1 < csv.Length && csv[i + 1] == '"')
            {
                field.Append('"');
                i++;
            }
            else if (c == '"')
            {
                quoted = !quoted;
            }
            else if (!quoted && c is ',' or '\n' && !quoted)
            {
                record.Add(field.ToString());
                field.Clear();
                if (c == '\n')
                {
                    records.Add(record);
                    record = [];
                }
            }
            else
            {
                field.Append(c);
            }
        }

        Assert.False(quoted);
        Assert.Empty(record);
        return records;
    }
}
