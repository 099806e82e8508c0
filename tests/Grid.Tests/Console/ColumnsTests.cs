using EnergyGrid.Console;
using EnergyGrid.Report;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>Lists as lines: for a terminal of any width, and for a program.</summary>
public sealed class ColumnsTests
{
    private const string Id = "table3-20261130-075004-fd10";

    private static readonly Column[] Sweep = [new("sweep"), new("phase", Rank: 1), new("plan", Rank: 3, Least: 8), new("why", Rank: 2, Least: 10), new("age", Right: true, Rank: 4)];

    private static readonly string[][] Rows = [[Id, "running", "a plan with a long name", "devices of sweep table3-20261130-075004-aa11", "3 min"], ["x", "paused", "p", "", "12 s"]];

    [Fact]
    public void At_every_width_a_line_fits_and_an_id_is_whole()
    {
        for (var width = 40; width <= 200; width++)
        {
            var lines = Columns.Aligned(Sweep, Rows, width).ToArray();
            Assert.Equal(3, lines.Length);
            Assert.All(lines, line => Assert.InRange(TerminalText.Width(line), 1, width));
            Assert.StartsWith(Id, lines[1]);
        }
    }

    [Fact]
    public void What_does_not_fit_is_left_out_by_rank_and_comes_back_with_the_width()
    {
        Assert.Equal($"{"sweep".PadRight(Id.Length)}  phase", Columns.Aligned(Sweep, Rows, 40).First());
        Assert.EndsWith("devices of …", Columns.Aligned(Sweep, Rows, 50).ElementAt(1));
        var all = Columns.Aligned(Sweep, Rows, 200).ToArray();
        Assert.All(Rows[0], text => Assert.Contains(text, all[1]));
    }

    [Fact]
    public void For_a_program_every_row_is_one_line_of_whole_texts_with_tabs_between()
    {
        var lines = Columns.Piped(Sweep, Rows).ToArray();
        Assert.Equal("sweep\tphase\tplan\twhy\tage", lines[0]);
        Assert.Equal(Rows[0], lines[1].Split('\t'));
        Assert.Equal("x\tpaused\tp\t\t12 s", lines[2]);
    }

    [Theory]
    [InlineData("abcdef", 4, "abc…")]
    [InlineData("abc", 4, "abc")]
    [InlineData("東京大学", 5, "東京…")]
    [InlineData("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301")]
    [InlineData("x", 0, "")]
    public void A_text_is_cut_by_the_cells_that_it_takes(string text, int width, string cut)
    {
        Assert.Equal(cut, TerminalText.Cut(text, width));
        Assert.InRange(TerminalText.Width(cut), 0, width);
    }
}
