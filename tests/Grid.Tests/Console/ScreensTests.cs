using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>The commands that a lab keeps open, as processes whose output is piped: rows for programs, sentences for people on the other stream.</summary>
public sealed class ScreensTests : IAsyncLifetime
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;

    private FakeGrid _grid = null!;

    public async Task InitializeAsync() => _grid = await FakeGrid.Start();

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private Task<(int Code, string Out, string Error)> Ask(params string[] arguments) => Run(null, [.. arguments, "--url", _grid.Address.ToString()]);

    private static async Task<(int Code, string Out, string Error)> Run(string? input, string[] arguments, string? language = null)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Assembly, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        if (language is not null) start.Environment["LANG"] = start.Environment["LC_ALL"] = start.Environment["LANGUAGE"] = language;
        using var process = Process.Start(start)!;
        if (input is not null) await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    // A row of a piped list by the header's names.
    private static Dictionary<string, string>[] Table(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')).ToArray();
        return [.. lines.Skip(1).Select(row => lines[0].Zip(row).ToDictionary(p => p.First, p => p.Second))];
    }

    [Fact]
    public async Task Every_device_shows_power_temperature_and_clock_at_rest_in_one_row_each()
    {
        await using var grid = await FakeGrid.Start(before: g =>
            g.Nodes = [new(new("n1", "lab", "r1", [FakeGrid.Device, FakeGrid.Device with { Uuid = "gpu-1", Index = 1 }], []), true, DateTimeOffset.UnixEpoch)]);
        var (code, output, _) = await Run(null, ["devices", "--url", grid.Address.ToString()]);
        Assert.Equal(0, code);
        var rows = Table(output);
        Assert.Equal(["n1/gpu-0", "n1/gpu-1"], rows.Select(r => r["device"]));
        Assert.All(rows, r => Assert.Equal(("95 W", "700 W", "41 °C", "345 MHz", "37 %", "5 GB", "80 GB", "idle", "modelled"), (r["power"], r["limit"], r["temp"], r["clock"], r["util"], r["used"], r["memory"], r["doing"], r["energy is"])));
        Assert.Equal(1, grid.Calls["latest n1"]);
    }

    [Fact]
    public async Task A_device_is_found_by_its_index_and_by_the_beginning_of_its_uuid_here_and_over_http()
    {
        foreach (var name in new[] { "n1/0", "n1/gpu", "gpu-0" })
        {
            var (code, output, _) = await Ask("devices", name, "--json");
            Assert.Equal((0, "gpu-0"), (code, JsonDocument.Parse(output).RootElement.GetProperty("device").GetProperty("uuid").GetString()));
        }
        Assert.Equal(2, (await Ask("devices", "n1/7")).Code);
        using var client = _grid.Client();
        Assert.Equal(("n1/gpu-0", 95, 345), await client.Device("n1", "0") is var line ? (line.Device.Key, line.Watts, line.Megahertz) : default);
    }

    [Fact]
    public async Task The_list_of_sweeps_says_how_far_each_is_in_one_row_each()
    {
        _grid.Add("going");
        _grid.Add("held", SweepPhase.Paused).Reason = "by otto";
        var (code, output, _) = await Ask("status");
        Assert.Equal(0, code);
        var rows = Table(output).ToDictionary(r => r["sweep"]);
        Assert.Equal(("running", "4/10", "1", "12 s"), (rows["going"]["phase"], rows["going"]["trials"], rows["going"]["invalid"], rows["going"]["left"]));
        Assert.Equal(("paused", "by otto"), (rows["held"]["phase"], rows["held"]["waits for, or why"]));
        Assert.EndsWith(" d", rows["going"]["age"]);
        var json = JsonDocument.Parse((await Ask("status", "--json")).Out).RootElement;
        Assert.All(json.EnumerateArray(), s => Assert.Equal(10, s.GetProperty("status").GetProperty("plannedTrials").GetInt32()));
    }

    [Fact]
    public async Task A_sweep_that_only_waits_is_called_so_everywhere_and_tells_no_time()
    {
        _grid.Add("last").Waiting = "1 of 1 device group waits for devices, n1: busy/0 holds them for small/b0/p3";
        var row = Table((await Ask("status")).Out).Single();
        Assert.Equal(("waiting", "devices of sweep busy", "—"), (row["phase"], row["waits for, or why"], row["left"]));
        var one = (await Ask("status", "last")).Out;
        Assert.Matches("phase +waiting\n +waits for +devices of sweep busy\n", one);
        Assert.Matches("stage +1 of 2\n", one);
        using var client = _grid.Client();
        Assert.Equal("4/10 trials, 1 invalid, waiting: devices of sweep busy", EnergyGrid.Console.SweepBoard.Progress(await client.Sweep("last")));
        _grid.Sweeps["last"].Phase = SweepPhase.Paused;
        // A silo's picture of a sweep is half a second old.
        await SimulatedGrid.Until(async () => !(await Ask("status", "last")).Out.Contains("waits for", StringComparison.Ordinal), "a paused sweep waits for nothing", 10);
    }

    [Fact]
    public async Task Top_in_a_pipe_is_one_frame_of_rows()
    {
        _grid.Add("going");
        var (code, output, _) = await Ask("top");
        Assert.Equal(0, code);
        var lists = output.Split("\n\n");
        Assert.Equal(["lab"], Table(lists[0]).Select(r => r["site"]));
        Assert.Equal(["going"], Table(lists[1]).Select(r => r["sweep"]));
        Assert.Equal(["95 W"], Table(lists[2]).Select(r => r["power"]));
        Assert.DoesNotContain('\u001b', output);
        Assert.DoesNotContain('━', output);
    }

    [Fact]
    public async Task A_plan_from_standard_input_is_submitted_and_quiet_prints_the_id_alone()
    {
        const string Plan = "this-machine.yaml";
        var text = await File.ReadAllTextAsync(Path.Combine(Faults.PythonReader.Root, "client", "plans", Plan));
        var (code, output, error) = await Run(text, ["submit", "-", "--quiet", "--id", "from-a-pipe", "--url", _grid.Address.ToString()]);
        Assert.Equal((0, "from-a-pipe\n", ""), (code, output, error));
        Assert.Equal(text, _grid.Sweeps["from-a-pipe"].PlanText);
        var (wrong, _, fault) = await Run("name: [", ["plan", "validate", "-"]);
        Assert.Equal(2, wrong);
        Assert.StartsWith("<stdin>:", fault);
    }

    [Theory]
    [InlineData(SweepPhase.Finished, 0)]
    [InlineData(SweepPhase.FinishedWithFailures, 1)]
    [InlineData(SweepPhase.Cancelled, 130)]
    public async Task Waiting_and_following_end_with_the_sweeps_own_exit_code(SweepPhase phase, int wanted)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Faults.PythonReader.Root, "client", "plans", "this-machine.yaml"));
        _grid.Add("s", phase).PlanText = text;
        _grid.Results.Tell("s", "finished", "done");
        var (code, output, _) = await Run(text, ["submit", "-", "--wait", "--quiet", "--id", "s", "--url", _grid.Address.ToString()]);
        Assert.Equal((wanted, "s\n"), (code, output));
        Assert.Equal(wanted, (await Ask("status", "s", "--watch")).Code);
    }

    [Fact]
    public async Task Deleting_wants_an_ended_sweep_and_a_yes_and_names_the_manifest()
    {
        _grid.Add("live");
        Assert.Equal(2, (await Ask("sweep", "delete", "live", "--yes")).Code);
        _grid.Add("over", SweepPhase.Finished);
        _grid.Results.All[("over", "manifest.json")] = "{}"u8.ToArray();
        var sha256 = FakeGrid.Hash("{}");
        var (code, _, error) = await Ask("sweep", "delete", "over");
        Assert.Equal(2, code);
        Assert.Contains(sha256, error);
        Assert.Contains("--yes", error);
        var (other, _, why) = await Ask("sweep", "delete", "over", "--yes", "--manifest", FakeGrid.Hash("else"));
        Assert.Equal(2, other);
        Assert.Contains(sha256, why);
    }

    [Fact]
    public async Task Help_usage_and_version_speak_of_energygrid_in_english_whatever_the_language_is()
    {
        var (code, help, _) = await Run(null, ["submit", "--help"], "de_DE.UTF-8");
        Assert.Equal(0, code);
        Assert.Contains("Usage:", help);
        Assert.Contains("energygrid submit <plan> [options]", help);
        Assert.DoesNotContain("EnergyGrid.Console", help);
        var (wrong, _, error) = await Run(null, ["version", "--no-such-option"], "fr_FR.UTF-8");
        Assert.Equal(2, wrong);
        Assert.DoesNotContain("EnergyGrid.Console", error);
        Assert.Contains("there is no option", error);
        var version = await Run(null, ["--version"]);
        Assert.Equal((0, (await Run(null, ["version"])).Out), (version.Code, version.Out));
    }

    [Fact]
    public async Task A_shell_is_told_commands_and_what_the_grid_has_and_nothing_where_there_is_no_grid()
    {
        _grid.Add("sweep-one");
        async Task<string[]> Suggested(string line) => (await Run(null, [$"[suggest:{line.Length}]", line])).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("submit", await Suggested("sub"));
        Assert.Contains("--watch", await Suggested("submit --w"));
        Assert.Equal(["sweep-one"], await Suggested($"--url {_grid.Address} watch sweep"));
        Assert.Contains("n1", await Suggested($"--url {_grid.Address} devices forget n"));
        Assert.Empty(await Suggested("--url http://127.0.0.1:9 watch sweep"));
        foreach (var shell in new[] { "bash", "zsh", "fish" })
        {
            var (code, script, _) = await Run(null, ["completion", shell]);
            Assert.Equal(0, code);
            Assert.Contains("[suggest:", script);
        }
        Assert.Equal(2, (await Run(null, ["completion", "cmd"])).Code);
    }

    [Fact]
    public async Task In_bash_the_script_completes_what_is_typed()
    {
        _grid.Add("sweep-one");
        _grid.Add("sweep-two");
        var script = $$"""
            export ENERGYGRID_URL={{_grid.Address}}
            energygrid() { dotnet exec '{{Assembly}}' "$@"; }
            eval "$(energygrid completion bash)"
            COMP_LINE='energygrid watch sweep-t'
            COMP_POINT=${#COMP_LINE} COMP_WORDS=(energygrid watch sweep-t) COMP_CWORD=2
            _energygrid
            echo "${COMPREPLY[*]}"
            """;
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardOutput = true })!;
        var said = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Assert.Equal("sweep-two\n", said);
    }
}
