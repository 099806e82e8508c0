using System.Diagnostics;
using EnergyGrid.Grid.Tests.Api;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>Displays that redraw themselves, in a terminal that <c>script</c> makes.</summary>
public sealed class LiveDisplayTests : IAsyncLifetime
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;

    private FakeGrid _grid = null!;

    public async Task InitializeAsync() => _grid = await FakeGrid.Start();

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private Process InTerminal(string arguments)
    {
        var start = new ProcessStartInfo("script", ["-qfec", $"stty cols 100 rows 30; exec dotnet exec '{Assembly}' {arguments} --url {_grid.Address}", "/dev/null"]) { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true };
        start.Environment["TERM"] = "xterm-256color";
        return Process.Start(start)!;
    }

    [Fact]
    public async Task A_bar_never_goes_above_its_first_line()
    {
        _grid.Add("sweep-one");
        using var process = InTerminal("watch sweep-one");
        var output = process.StandardOutput.ReadToEndAsync();
        await Task.Delay(TimeSpan.FromSeconds(3));
        process.Kill(entireProcessTree: true);
        var bytes = await output;
        Assert.Contains("sweep-one", bytes);
        // Up by nothing is up by one.
        Assert.DoesNotContain("\e[0A", bytes);
        Assert.Contains("\e[1A", bytes);
    }

    [Fact]
    public async Task Top_stops_on_Ctrl_Z_with_the_terminal_given_back_and_takes_it_again()
    {
        using var process = InTerminal("top");
        var seen = new System.Text.StringBuilder();
        var reading = Task.Run(async () =>
        {
            var buffer = new char[4096];
            while (await process.StandardOutput.ReadAsync(buffer) is > 0 and var count)
                lock (seen) seen.Append(buffer, 0, count);
        });
        string Seen() { lock (seen) return seen.ToString(); }
        try
        {
            await Until(() => Seen().Contains("n1", StringComparison.Ordinal));
            var top = Top();
            Signal("TSTP", top);
            await Until(() => State(top) == 'T');
            Assert.EndsWith("\e[?1049l", Seen());
            var before = Seen().Length;
            // script stops with what it runs, as a shell's job does.
            Signal("CONT", process.Id);
            Signal("CONT", top);
            await Until(() => Seen()[before..].Contains("\e[?1049h", StringComparison.Ordinal) && Seen()[before..].Contains("n1", StringComparison.Ordinal));
            await process.StandardInput.WriteAsync("q");
            await process.StandardInput.FlushAsync();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            await reading;
        }
    }

    // The process behind the terminal: script starts it, so it is no child of the test's.
    private int Top() => Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _)).Select(n => int.Parse(n!, System.Globalization.CultureInfo.InvariantCulture))
        .Single(p => Line(p) is var line && line.StartsWith("dotnet\0", StringComparison.Ordinal) && line.Contains($"\0top\0--url\0{_grid.Address}", StringComparison.Ordinal));

    private static void Signal(string name, int process)
    {
        using var kill = Process.Start("kill", [$"-{name}", process.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private static string Line(int process)
    {
        try { return File.ReadAllText($"/proc/{process}/cmdline"); }
        catch (IOException) { return ""; }
    }

    private static char State(int process) => File.ReadAllText($"/proc/{process}/stat") is var stat ? stat[stat.LastIndexOf(')') + 2] : ' ';

    private static async Task Until(Func<bool> condition)
    {
        for (var i = 0; i < 600; i++)
        {
            if (condition()) return;
            await Task.Delay(50);
        }
        Assert.True(condition());
    }
}
