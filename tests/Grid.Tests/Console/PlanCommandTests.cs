using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Metrology;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>What a newcomer asks of <c>plan</c>, and what a plan is said to take before it is sent.</summary>
public sealed class PlanCommandTests
{
    private static readonly string Assembly = typeof(GridCommand).Assembly.Location;

    [Fact]
    public async Task A_template_that_was_written_is_valid_and_is_never_written_over()
    {
        using var scratch = new Scratch();
        var (listed, names, _) = await Run("plan", "templates", "--json");
        Assert.Equal(0, listed);
        var listedNames = JsonDocument.Parse(names).RootElement.EnumerateArray().Select(t => t.GetProperty("name").GetString()!).ToArray();
        Assert.Equal(PlanTemplates.Names, listedNames);
        var path = Path.Combine(scratch.Path, "mine.yaml");
        var (code, said, error) = await Run("plan", "new", "--template", listedNames[0], "--out", path);
        Assert.True(code == 0, error);
        Assert.Contains("plan validate", said);
        Assert.Equal(PlanTemplates.Text(listedNames[0]), File.ReadAllText(path));
        Assert.Equal(0, (await Run("plan", "validate", path)).Code);
        var (again, _, refusal) = await Run("plan", "new", "--template", listedNames[0], "--out", path);
        Assert.Equal(2, again);
        Assert.Contains("is there already", refusal);
        var (unknown, nothing, which) = await Run("plan", "new", "--template", "no-such");
        Assert.Equal((2, ""), (unknown, nothing));
        Assert.Contains(listedNames[^1], which);
    }

    [Fact]
    public async Task Workloads_to_a_pipe_are_a_row_a_line_with_tabs()
    {
        var (code, output, _) = await Run("plan", "workloads");
        var rows = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')).ToArray();
        Assert.Equal((0, 18), (code, rows.Length));
        Assert.All(rows, r => Assert.Equal(rows[0].Length, r.Length));
        string Cell(string workload, string header) => rows.Single(r => r[0] == workload)[Array.IndexOf(rows[0], header)];
        Assert.Equal(("8192", "22016", "64", "80", "8", "4k"), (Cell("A", "d_model"), Cell("A", "d_ff"), Cell("A", "heads"), Cell("A", "layers"), Cell("A", "batch"), Cell("A", "context")));
        Assert.Equal(("INT4", "LLaMA 7B", "reference, simulated, cuda (sm_90)"), (Cell("K", "weights"), Cell("K", "body"), Cell("K", "stacks")));
        Assert.Equal(("G0", "4", "reference, simulated, cuda"), (Cell("G", "baseline"), Cell("G", "KV heads"), Cell("G", "stacks")));
        Assert.Equal(("FP8", "1M"), (Cell("H", "KV"), Cell("H", "context")));
    }

    [Fact]
    public void Time_runs_from_the_first_stage_to_the_most_passes_and_the_rest_is_said_to_be_unknown()
    {
        var plan = Plan("this-machine.yaml") with { Replication = new Replication(5, 20, 0.05), Timing = new TrialTiming(1, 3, 2, 0.5, null, null, 10) };
        var forecast = PlanForecast.Of(plan, [Line("n1", 0)]);
        // 7 cells, two depths each.
        Assert.Equal((5, 20, 5 * 7 * ((2 * 3) + 0.5), 20 * 7 * ((2 * 5) + 0.5)), (forecast.FirstPasses, forecast.MostPasses, forecast.LeastSeconds, forecast.MostSeconds));
        var text = string.Join('\n', forecast.Lines());
        Assert.Contains("at least 4 min for the first stage (5 passes of 7 trials, all device groups at once), 25 min if it takes 20 passes", text);
        Assert.Contains("come on top", text);
        Assert.Contains("devices   1 cpu in 1 device group, on n1 (1)", text);
        Assert.Contains("±5.0 % of a ratio (95 %) needs 5 passes if they scatter by at most 4.0 % (standard deviation), 20 passes if by at most 8.1 %; how much they scatter is not known", text);
        // What is said is what the second stage will do.
        Assert.Equal(20, SteinReplication.RequiredUnits(forecast.LargestScatter(20, 5) * (1 - 1e-9), 4, 0.05));
    }

    [Fact]
    public void Without_a_grid_devices_are_unknown_and_a_plan_that_it_would_refuse_says_why()
    {
        var plan = Plan("table3.yaml");
        var alone = string.Join('\n', PlanForecast.Of(plan, "no grid answers at http://127.0.0.1:9/").Lines());
        Assert.Contains("devices   at most 64 devices of H100-SXM-80GB, whole nodes; which ones is not known: no grid answers at http://127.0.0.1:9/", alone);
        // Devices whose time is simulated end by the wall's.
        var fast = PlanForecast.Of(Plan("this-machine.yaml"), [Line("n1", 0) with { Device = Line("n1", 0).Device with { TimeScale = 20 } }]);
        Assert.Contains("runs 20.0 times as fast", string.Join('\n', fast.Lines()));
        Assert.DoesNotContain("times as fast", alone);
        var refused = PlanForecast.Of(plan, [Line("n1", 0), Line("n2", 0) with { Up = false }]);
        Assert.Null(refused.Groups);
        Assert.Contains("no device 'H100-SXM-80GB'", refused.Unknown);
    }

    [Fact]
    public void The_devices_of_a_forecast_are_those_that_the_sweep_would_take_and_say_who_holds_them()
    {
        var plan = Plan("table3.yaml") with { Hardware = new HardwareRequirement("H100-SXM-80GB", null, 4), Fill = Fill.Device };
        DeviceLine[] devices =
        [
            .. from host in new[] { "n1", "n2" } from i in Enumerable.Range(0, 4) select Gpu(host, i) with { Sweep = host == "n1" && i == 0 ? "other" : null },
            Gpu("n3", 0) with { Up = false },
        ];
        var forecast = PlanForecast.Of(plan, devices);
        Assert.Equal(["n1/gpu-0", "n2/gpu-0", "n1/gpu-1", "n2/gpu-1"], forecast.Groups!.Value.SelectMany(g => g).Select(d => d.Key));
        var text = string.Join('\n', forecast.Lines());
        Assert.Contains("devices   4 simulated H100-SXM-80GB in 4 device groups, on n1 (2), n2 (2)", text);
        Assert.Contains("1 of them is held by other", text);
        Assert.Contains("rests on 2 nodes", text);
    }

    [Fact]
    public async Task A_dry_run_says_what_it_takes_with_a_grid_and_without_one()
    {
        using var scratch = new Scratch();
        await using var grid = await FakeGrid.Start();
        var path = Path.Combine(scratch.Path, "p.yaml");
        File.WriteAllText(path, PlanTemplates.Text("quick-look"));
        var (code, with, error) = await Run("submit", path, "--dry-run", "--url", grid.Address.ToString());
        Assert.True(code == 0, error);
        Assert.Contains("time      at least", with);
        Assert.Empty(grid.Sweeps);
        var (without, said, _) = await Run("submit", path, "--dry-run", "--url", "http://127.0.0.1:9");
        Assert.Equal(0, without);
        Assert.Contains("no grid answers at http://127.0.0.1:9/", said);
        Assert.Contains("devices   ", (await Run("plan", "expand", path)).Out);
    }

    private static ResolvedPlan Plan(string name)
    {
        using var stream = typeof(GridCommand).Assembly.GetManifestResourceStream($"plans/{name}")!;
        using var reader = new StreamReader(stream);
        var verdict = new PlanDesk().Check(reader.ReadToEnd(), name, null);
        return verdict.Plan ?? throw new InvalidOperationException(string.Join('\n', verdict.Faults));
    }

    private static DeviceLine Line(string host, int index) => new(
        new DeviceInfo(host, $"cpu-{index}", "cpu", DeviceKind.Cpu, "lab", "r1", index, 8e9, 1e10, Provenance.Measured, 1e11, 120, 120, "test", "declared", Provenance.Modelled), null, null, TrialPhase.Idle, null, null);

    private static DeviceLine Gpu(string host, int index) => new(
        new DeviceInfo(host, $"gpu-{index}", "H100-SXM-80GB", DeviceKind.Simulated, "lab", "r1", index, 80e9, 3.35e12, Provenance.Declared, 989e12, 700, 700, "test", "model", Provenance.Modelled), null, null, TrialPhase.Idle, null, null);

    private static async Task<(int Code, string Out, string Error)> Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Assembly, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("COLUMNS");
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
