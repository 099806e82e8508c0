using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Results;

namespace EnergyGrid.Grid.Tests.Evidence;

/// <summary><c>gpu-evidence</c> as a process: killed between units and in the middle of its sweep, and what it refuses. The device is the simulated one.</summary>
public sealed class EvidenceCommandTests : IDisposable
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;
    private readonly DirectoryInfo _scratch = Directory.CreateTempSubdirectory("energygrid-evidence-");

    public void Dispose() => _scratch.Delete(recursive: true);

    private string Out => Path.Combine(_scratch.FullName, "out");

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Assembly, "gpu-evidence", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        // A machine with a GPU must not take part in this.
        start.Environment["ENERGYGRID_CUDA_LIBRARY"] = "/nonexistent/libcuda.so.1";
        return Process.Start(start)!;
    }

    private static async Task<(int Code, string Out, string Error)> Run(params string[] arguments)
    {
        using var process = Start(arguments);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    private static JsonElement Json(string path) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;

    [Fact]
    public async Task A_run_that_is_killed_between_units_goes_on_behind_the_last_one()
    {
        string[] command = ["--simulate", "--out", Out, "--only", "ceilings,bandwidth"];
        using (var first = Start(command))
        {
            for (string? line; (line = await first.StandardOutput.ReadLineAsync()) is not null && !line.StartsWith("bandwidth/C ", StringComparison.Ordinal);)
            {
            }
            first.Kill();
            await first.WaitForExitAsync();
        }
        var ceilings = File.ReadAllBytes(Path.Combine(Out, "ceilings.json"));
        var kept = Json(Path.Combine(Out, "bandwidth.json"));
        Assert.False(kept.GetProperty("finished").GetBoolean());
        var before = kept.GetProperty("units").EnumerateObject().ToDictionary(u => u.Name, u => u.Value.GetRawText());
        Assert.Contains("C", before.Keys);
        Assert.DoesNotContain("K", before.Keys);

        var (code, _, error) = await Run(command);
        Assert.True(code == 0, error);
        Assert.Equal(ceilings, File.ReadAllBytes(Path.Combine(Out, "ceilings.json")));
        var after = Json(Path.Combine(Out, "bandwidth.json"));
        Assert.True(after.GetProperty("finished").GetBoolean());
        foreach (var (unit, document) in before) Assert.Equal(document, after.GetProperty("units").GetProperty(unit).GetRawText());
        // The kill may have come between a unit's document and the line about it; none ran twice.
        var ran = Json(Path.Combine(Out, "state.json")).GetProperty("calls").EnumerateArray().SelectMany(c => c.GetProperty("units").EnumerateArray()).Select(u => u.GetString()).ToArray();
        Assert.Equal(ran.Length, ran.Distinct().Count());
        Assert.Contains("simulated: every figure is modelled", File.ReadAllText(Path.Combine(Out, "summary.md")));
    }

    [Fact]
    public async Task A_sweep_that_is_killed_goes_on_where_it_was_and_leaves_its_results_and_nothing_else()
    {
        var plan = Path.Combine(_scratch.FullName, "plan.yaml");
        await File.WriteAllTextAsync(plan, """
            name: short
            operating_point: {quality: {target: "not applicable: synthetic weights", check: none}, service: {milliseconds_per_token: 100, statistic: mean}}
            workload_mix: decode only
            batching: closed
            hardware: {description: one simulated device, model: H100-SXM-80GB, devices: 1}
            boundary: gpu
            stack: simulated
            groups:
              - {name: two, baseline: A, sweep: [{workload: [A, C], batch: 8, context: 4096}]}
            passes: {min: 5, max: 5}
            trial: {warmup_s: {min: 5, max: 30}, window_s: 60, cooldown_s: 10}
            traces: none
            """);
        string[] command = ["--simulate", "--out", Out, "--only", "sweep", "--sweep-plan", plan];
        var journal = Path.Combine(Out, ".grid", "results", "sweep", "trials.ndjson");
        int early;
        using (var first = Start(command))
        {
            await SimulatedGrid.Until(() => Task.FromResult(Trials(journal).Length >= 3), "three trials are committed", 60);
            first.Kill();
            await first.WaitForExitAsync();
            early = Trials(journal).Length;
        }
        Assert.InRange(early, 3, 14);
        var (code, _, error) = await Run(command);
        Assert.True(code == 0, error);
        var trials = Trials(Path.Combine(Out, "sweep", "trials.ndjson"));
        Assert.Equal(trials.Length, trials.Distinct().Count());
        Assert.True(trials.Length >= 15, $"{trials.Length} trials");
        Assert.False(Directory.Exists(Path.Combine(Out, ".grid")));
        Assert.Contains("A/A A (twin) / A", File.ReadAllText(Path.Combine(Out, "sweep.md")));

        var (verified, _, complaint) = await Verify(Path.Combine(Out, "sweep"));
        Assert.True(verified == 0, complaint);
    }

    [Fact]
    public async Task No_driver_is_3_and_says_what_is_missing()
    {
        var (code, output, error) = await Run("--out", Out);
        Assert.Equal((3, ""), (code, output));
        Assert.Contains("/nonexistent/libcuda.so.1", error);
        Assert.False(Directory.Exists(Out));
    }

    [Theory]
    [InlineData("--only ceiling", "there is no such section; there are ceilings, qualification, kernels, bandwidth, perturbation, pytorch, sweep")]
    [InlineData("--deadline 0", "--deadline 0")]
    [InlineData("--deadline NaN", "--deadline NaN")]
    [InlineData("--part 3", "--part 3: it is 1 or 2")]
    [InlineData("--part 1 --only kernels", "exclude each other")]
    [InlineData("--device 0", "exclude each other")]
    public async Task Wrong_usage_is_2_and_named(string arguments, string says)
    {
        var (code, output, error) = await Run(["--simulate", "--out", Out, .. arguments.Split(' '), "--json"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(says, error);
    }

    [Fact]
    public async Task Json_is_one_document_with_the_figures_and_the_banner()
    {
        var (code, output, error) = await Run("--simulate", "--out", Out, "--only", "ceilings", "--json");
        Assert.True(code == 0, error);
        var document = JsonDocument.Parse(output).RootElement;
        Assert.Equal(SummaryPage.SimulatedBanner, document.GetProperty("banner").GetString());
        Assert.False(document.GetProperty("finished").GetBoolean());
        Assert.InRange(document.GetProperty("sections")[0].GetProperty("figures").GetProperty("joules_per_bit").GetDouble(), 9e-12, 11e-12);
        Assert.Contains("ceilings/stream-1.00  done", error);
    }

    private static string[] Trials(string journal)
    {
        if (!File.Exists(journal)) return [];
        using var file = new FileStream(journal, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[file.Length];
        var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        var whole = bytes[..(bytes.AsSpan(0, read).LastIndexOf((byte)'\n') + 1)];
        return [.. JournalFile.Documents(whole, journal).Select(line => JsonSerializer.Deserialize<TrialResult>(line, DocumentJson.Compact)!.Trial.ToString())];
    }

    private static async Task<(int Code, string Out, string Error)> Verify(string directory)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", Assembly, "verify", directory]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error + await output);
    }
}
