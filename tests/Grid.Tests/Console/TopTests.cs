using System.Collections.Immutable;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>The live screen as a function of what is known, and of the keys.</summary>
public sealed class TopTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
    private static readonly GridPicture Grid = Picture(16, 8);

    [Fact]
    public void At_every_width_no_line_is_longer_than_the_terminal_and_there_are_as_many_as_it_has()
    {
        for (var width = 40; width <= 200; width++)
            foreach (var height in (int[])[1, 5, 24, 60])
            {
                var frame = TopPage.Draw(new(Grid, Now), new(), width, height);
                Assert.Equal(height, frame.Lines.Length);
                Assert.All(frame.Lines, line => Assert.InRange(TerminalText.Width(line.Text), 0, width));
            }
    }

    [Fact]
    public void Power_and_temperature_of_devices_are_there_at_forty_columns_and_everything_is_at_two_hundred()
    {
        var narrow = Text(TopPage.Draw(new(Grid, Now), new(), 40, 60));
        Assert.Contains("512 W", narrow);
        Assert.Contains("61 °C", narrow);
        var wide = Text(TopPage.Draw(new(Grid, Now), new(), 200, 60));
        foreach (var text in new[] { "512 W", "700 W", "61 °C", "1755 MHz", "measuring 45 %", "small.A pass 3", "sweep-a", "modelled", "80 GB", "H100-SXM-80GB", "P_IT 82.0 kW modelled", "ipue 1.21", "3/12", "7 min" }) Assert.Contains(text, wide);
    }

    [Fact]
    public void Every_device_can_be_scrolled_to_and_the_list_ends_at_its_end()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var (view, frame) = (new TopView(), TopPage.Draw(new(Grid, Now), new(), 120, 24));
        Assert.True(frame.Rows > frame.Room);
        for (var page = 0; page * frame.Room <= frame.Rows; page++)
        {
            frame = TopPage.Draw(new(Grid, Now), view, 120, 24);
            foreach (var line in frame.Lines) seen.Add(line.Text.TrimEnd());
            view = view.After(Key(ConsoleKey.PageDown), frame.Room)!;
        }
        Assert.All(Grid.Devices, d => Assert.Contains(seen, line => line.Contains(d.Device.Uuid[..8], StringComparison.Ordinal)));
        var end = TopPage.Draw(new(Grid, Now), new TopView(Offset: 100_000), 120, 24);
        Assert.Equal(frame.Room, end.Room);
        Assert.Contains($"of {end.Rows}", end.Lines[^1].Text);
    }

    [Fact]
    public void Sorted_by_power_the_strongest_is_first_and_one_without_a_reading_last()
    {
        var rows = Rows(TopPage.Draw(new(Grid, Now), new(TopSort.Power), 120, TopPage.Endless));
        Assert.Contains("512 W", rows[0]);
        Assert.Contains(Say.Absent, rows[^1]);
    }

    [Fact]
    public void One_node_one_sweep_and_a_text_leave_only_their_devices()
    {
        Assert.Equal(8, TopPage.Devices(Grid, new(Node: "n03")).Count());
        Assert.Single(TopPage.Devices(Grid, new(Sweep: "sweep-a")));
        Assert.Single(TopPage.Devices(Grid, new(Filter: "measuring")));
        Assert.Empty(TopPage.Devices(Grid, new(Filter: "no such text")));
    }

    [Fact]
    public void A_question_mark_explains_every_key_and_nothing_that_matches_is_said()
    {
        var help = new TopView().After(Key('?'), 10)!;
        var text = Text(TopPage.Draw(new(Grid, Now), help, 80, 40));
        foreach (var word in new[] { "Ctrl-C", "order by host", "Space", "Ctrl-Z" }) Assert.Contains(word, text);
        Assert.DoesNotContain("512 W", text);
        Assert.Equal(new TopView(), help.After(Key('h'), 10));
        Assert.Contains("no device matches", Text(TopPage.Draw(new(Grid, Now), new(Filter: "no such text"), 80, 40)));
    }

    [Fact]
    public void Keys_sort_scroll_choose_and_quit_and_what_is_typed_is_no_command()
    {
        var view = new TopView();
        Assert.Null(view.After(Key('q'), 10));
        Assert.Equal([TopSort.Power, TopSort.Temperature, TopSort.Name, TopSort.Host], Turns(view, 's', 4).Select(v => v.Sort));
        Assert.Equal((1, 11, 10, 0), (Press(view, Key(ConsoleKey.DownArrow)).Offset, Press(view, Key(ConsoleKey.DownArrow), Key(ConsoleKey.PageDown)).Offset,
            Press(view, Key(ConsoleKey.DownArrow), Key(ConsoleKey.PageDown), Key(ConsoleKey.UpArrow)).Offset, Press(view, Key(ConsoleKey.UpArrow)).Offset));
        var typing = Press(view, Key('/'), Key('q'), Key('s'), Key('x'), Key(ConsoleKey.Backspace));
        Assert.Equal((TopPrompt.Filter, "qs", TopSort.Host), (typing.Prompt, typing.Typed, typing.Sort));
        Assert.Equal("qs", typing.Effective.Filter);
        Assert.Equal((TopPrompt.None, "qs"), Press(typing, Key(ConsoleKey.Enter)) is var kept ? (kept.Prompt, kept.Filter) : default);
        Assert.Equal("", Press(typing, Key(ConsoleKey.Escape)).Filter);
        Assert.Equal("n1", Press(view, Key('n'), Key('n'), Key('1'), Key(ConsoleKey.Enter)).Node);
        Assert.Equal("a", Press(view, Key('w'), Key('a'), Key(ConsoleKey.Enter)).Sweep);
        Assert.Equal(new TopView(), Press(new(Filter: "x", Node: "y", Sweep: "z"), Key(ConsoleKey.Escape)));
    }

    [Fact]
    public void A_grid_that_is_silent_is_said_to_be_and_what_was_seen_stays_as_the_past()
    {
        var text = Text(TopPage.Draw(new(Grid, Now.AddSeconds(42), "The grid at http://127.0.0.1:7070/ is unreachable: refused"), new(), 120, 40));
        Assert.Contains("no answer for 42 s, this is what was seen before: The grid at http://127.0.0.1:7070/ is unreachable", text);
        Assert.Contains("512 W", text);
        Assert.Contains("unreachable", Text(TopPage.Draw(new(null, Now, "unreachable"), new(), 80, 24)));
    }

    [Fact]
    public void A_host_that_is_down_shows_no_figure_of_the_past()
    {
        var down = Grid with
        {
            Nodes = [.. Grid.Nodes.Select(n => n.Host == "n00" ? n with { Up = false, SinceUtc = Now.AddMinutes(-5) } : n)],
            Devices = [.. Grid.Devices.Select(d => d.Device.Host == "n00" ? d with { Up = false, Watts = null, Celsius = null, Trial = null, Sweep = null } : d)],
        };
        var text = Text(TopPage.Draw(new(down, Now), new(), 120, 60));
        Assert.Contains("n00  DOWN for 5 min", text);
        Assert.Contains("devices 120 up, 8 down", text);
        Assert.Contains("nodes 15 up, 1 down", text);
    }

    [Fact]
    public void A_name_cannot_command_the_terminal()
    {
        var evil = Grid with
        {
            Devices = [Grid.Devices[0] with { Device = Grid.Devices[0].Device with { Host = "n\u001b[2J00", Model = "a\u0007b\u202ec" }, Sweep = "s\u009b2J", Trial = "x\r\ny" }],
            Sweeps = [Grid.Sweeps[0] with { Id = "s\u001b]0;t\u0007", Reason = "r\u001b[2J", Waiting = "w\n" }],
            Sites = [FakeGrid.View with { Site = "l\u001b[31mab" }],
            Storage = "gone\u001b[0m",
        };
        foreach (var view in new[] { new TopView(), new TopView(TopSort.Power, Filter: "n\u001b") with { Filter = "" }, new TopView(Prompt: TopPrompt.Filter, Typed: "\u001b[2J") })
            Assert.All(TopPage.Draw(new(evil, Now, "so\u001b[2J"), view, 200, 60).Lines, line => Assert.DoesNotContain(line.Text, c => char.IsControl(c) || c == '\u202e'));
    }

    [Fact]
    public void Without_colours_nothing_is_painted_in_one_and_with_them_the_text_is_the_same()
    {
        var lines = TopPage.Draw(new(Grid, Now), new(), 120, 60).Lines;
        Assert.All(lines, line => Assert.DoesNotMatch("\u001b\\[3[0-9]m", line.Painted(colours: false)));
        Assert.Contains(lines, line => line.Painted(colours: true).Contains("\u001b[32m", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.Equal(line.Text, System.Text.RegularExpressions.Regex.Replace(line.Painted(colours: true), "\u001b\\[[0-9]*m", "")));
    }

    [Theory]
    [InlineData("2 of 8 device groups wait for devices, gpu-1: other/3 holds them for small/b3/p0", "devices of sweep other (2 of 8 device groups)")]
    [InlineData("2 of 8 device groups wait for devices, gpu-1: other/3 is first in line", "devices of sweep other, which is first in line (2 of 8 device groups)")]
    [InlineData("1 of 1 device group waits for devices, vm: other/0 holds them for batch 8/b0/p0; 1 of 1 device group is away, no answer", "devices of sweep other; 1 of 1 device group is away, no answer")]
    [InlineData("1 of 1 device group waits for devices, vm: other/0 is first in line: it held them for batch 8/b0/p0 when 'vm' was started anew", "devices of sweep other, which is first in line")]
    [InlineData("1 of 8 device groups are away, no answer", "1 of 8 device groups are away, no answer")]
    public void A_sweep_says_who_holds_what_it_waits_for(string waiting, string says) => Assert.Equal(says, SweepText.Waits(Grid.Sweeps[0] with { Waiting = waiting }));

    [Theory]
    [InlineData("small.A.b3.p12.0a1b2c3d", "small.A pass 12")]
    [InlineData("group.with.dots.A'.b0.p0.ffffffff", "group.with.dots.A' pass 0")]
    [InlineData("something else", "something else")]
    public void A_trial_is_said_by_its_cell_and_pass(string trial, string says) => Assert.Equal(says, SweepText.Cell(trial));

    private static string Text(TopFrame frame) => string.Join('\n', frame.Lines.Select(l => l.Text));

    private static string[] Rows(TopFrame frame) => [.. frame.Lines.Skip(frame.Lines.Length - frame.Rows).Select(l => l.Text)];

    [Fact]
    public void A_sites_power_is_unknown_where_nothing_was_read_and_a_bound_where_only_a_part_was()
    {
        string Site(double watts, double coverage, Provenance? provenance)
        {
            var picture = Picture(1, 1);
            return Text(TopPage.Draw(new(picture with { Sites = [picture.Sites[0] with { ItWatts = watts, Coverage = coverage, Provenance = provenance }] }, Now), new(), 160, 40));
        }
        Assert.Contains("P_IT not read yet", Site(double.NaN, 0, null));
        Assert.Contains("P_IT unknown", Site(double.NaN, 0, Provenance.Measured));
        Assert.Contains("P_IT ≥ 81 W measured", Site(81, 0.8, Provenance.Measured));
        Assert.Contains("P_IT 81 W measured", Site(81, 1, Provenance.Measured));
    }

    private static ConsoleKeyInfo Key(ConsoleKey key) => new('\0', key, false, false, false);

    private static ConsoleKeyInfo Key(char letter) => new(letter, char.IsAsciiLetter(letter) ? Enum.Parse<ConsoleKey>(letter.ToString(), ignoreCase: true) : default, false, false, false);

    private static TopView Press(TopView view, params ConsoleKeyInfo[] keys) => keys.Aggregate(view, (v, key) => v.After(key, 10)!);

    private static IEnumerable<TopView> Turns(TopView view, char letter, int times)
    {
        for (var i = 0; i < times; i++) yield return view = view.After(Key(letter), 10)!;
    }

    private static GridPicture Picture(int nodes, int devices)
    {
        var lines = Enumerable.Range(0, nodes).SelectMany(n => Enumerable.Range(0, devices).Select(i => new DeviceLine(
            FakeGrid.Device with { Host = $"n{n:00}", Index = i, Uuid = $"GPU-{n:x2}{i:x2}beef-1111-2222-3333-444444444444" }, n == 1 && i == 1 ? null : 70 + n, 30 + i, TrialPhase.Idle, null, null, Megahertz: 345))).ToImmutableArray();
        lines = lines.SetItem(0, lines[0] with { Watts = 512, Celsius = 61, Megahertz = 1755, Phase = TrialPhase.Measuring, Sweep = "sweep-a", Trial = "small.A.b0.p3.0a1b2c3d", Fraction = 0.45 });
        var ratio = new FacilityRatio("ipue", 1.21, null, null, 3, 0, 10, 12, 10, 1, 1, [], [], Provenance.Modelled, "");
        return new(new("http://127.0.0.1:7070"), Now, [FakeGrid.View with { ItWatts = 82_000, Ipue = ratio, FacilityWatts = 99_000 }],
            [.. Enumerable.Range(0, nodes).Select(n => new NodeLine($"n{n:00}", "lab", "r1", true, Now.AddHours(-1), devices))], lines,
            [new("sweep-a", "small", SweepPhase.Running, "", 12, 3, 3, 0, 0, 1, 400, [], Now.AddMinutes(-3), null)], "");
    }
}
