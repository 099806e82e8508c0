using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.LlamaCpp.Gguf;

namespace EnergyGrid.Grid.Tests.Serving;

/// <summary>
/// A sweep of serving engines from plan to verified matrix, with a real llama-server of Debian's that the node starts, loads, holds against its own counters and stops: two weight formats, two loads, A/A
/// pairs. One engine is killed in the middle of a trial. Windows are short: marked, and no claim.
/// </summary>
[Collection("faults")]
public sealed class ServedSweepTests
{
    private static string Server { get; } = Path.Combine(PythonReader.Root, "artifacts", "llama-server", "llama-server");

    private const string Plan = """
        name: served
        operating_point:
          quality: {target: "not applicable: random weights", check: none needed}
          service: {milliseconds_per_token: 500, statistic: p99, first_token_milliseconds: 5000}
        workload_mix: 64 in, 24 out
        batching: continuous, as llama-server does it
        hardware: {description: the machine that runs the tests, model: any-cpu}
        boundary: gpu
        groups:
          - name: one at a time
            baseline: f16
            sweep: [{workload: serve, stack: llama-server, model: [f16, q8], engine: {threads: 1, parallel: 2, context: 2048}, load: {concurrency: 1}, prompts: {input_tokens: 64, output_tokens: 24}, generation: {ignore_eos: true}}]
          - name: two at a time
            operating_point: {service: {milliseconds_per_token: 500, statistic: p99, first_token_milliseconds: 0.001}}
            baseline: f16
            sweep: [{workload: serve, stack: llama-server, model: [f16, q8], engine: {threads: 1, parallel: 2, context: 2048}, load: {concurrency: 2}, prompts: {input_tokens: 64, output_tokens: 24}, generation: {ignore_eos: true}}]
        aa: all
        passes: {min: 2, max: 2, half_width: 0.5}
        trial: {warmup_s: {min: 1, max: 1.5}, window_s: 2, cooldown_s: 0}
        guards: {min_coverage: 0.8, max_clock_error_s: 60, max_client_ms: 2000}
        traces: all

        """;

    [SkippableServerFact]
    public async Task A_plan_of_two_formats_and_two_loads_is_launched_measured_reconciled_and_verified_though_one_engine_is_killed()
    {
        using var scratch = new Scratch();
        var stacks = Stacks(scratch.Path);
        await using var silo = await SiloProcess.Start(Path.Combine(scratch.Path, "data"), ["--gpus", "none", "--stacks", stacks], "exec \"$@\"", new Dictionary<string, string>(), local: true);
        await silo.Submit(Plan, devices: 1);
        await silo.Until(s => s.CommittedTrials >= 2 && s.Running.Any(r => r.Phase is TrialPhase.WarmingUp or TrialPhase.Measuring), "an engine is under load", 180);
        var engines = Engines(scratch.Path);
        Assert.NotEmpty(engines);
        foreach (var engine in engines) using (var process = Process.GetProcessById(engine)) process.Kill();
        var ended = await silo.Until(s => s.HasEnded, "all passes are run", 420);
        Assert.True(ended.Phase == SweepPhase.Finished, $"{ended}\n{silo.Log}");
        // Of every engine nothing is left.
        Assert.Empty(Engines(scratch.Path));

        var results = Path.Combine(scratch.Path, "data", "results", "s");
        var trials = File.ReadLines(Path.Combine(results, "trials.ndjson")).Select(l => JsonNode.Parse(l)!["document"]!).ToArray();
        Assert.Equal(12, trials.Length);
        var killed = Assert.Single(trials, t => t["outcome"]!.GetValue<string>() != "valid");
        Assert.Contains("the engine ended in the middle of the trial", killed["reasons"]![0]!.GetValue<string>(), StringComparison.Ordinal);
        foreach (var trial in trials.Where(t => t != killed))
        {
            var account = trial["served"]!["account"]!;
            // Token for token: the tolerance is for engines that round.
            Assert.Equal(account["engineTokens"]!.GetValue<double>(), account["outputTokens"]!.GetValue<double>());
            Assert.Equal("llamacpp:tokens_predicted_total", account["engineCounter"]!.GetValue<string>());
            Assert.Equal(0, account["failed"]!.GetValue<int>());
            Assert.InRange(trial["legs"]![0]!["tokens"]!.GetValue<double>(), 5, 100_000);
            Assert.True(File.Exists(Path.Combine(results, "requests", trial["served"]!["requests"]!.GetValue<string>())));
        }

        var matrix = JsonNode.Parse(File.ReadAllText(Path.Combine(results, "matrix.json")))!;
        Assert.Equal(4, matrix["format"]!.GetValue<int>());
        var rows = matrix["groups"]!.AsArray().SelectMany(g => g!["rows"]!.AsArray()).ToArray();
        Assert.All(rows, r => Assert.True(r!["serving"]!["joulesPerToken"]!["value"]!.GetValue<double>() > 0, r.ToJsonString()));
        Assert.All(rows, r => Assert.Equal("token", r!["tokenKind"]!.GetValue<string>()));
        foreach (var (group, met) in new[] { ("one at a time", true), ("two at a time", false) })
        {
            // s* is a percentile: held against what requests had, and the flag tells what that was.
            Assert.All(matrix["groups"]!.AsArray().Single(g => g!["name"]!.GetValue<string>() == group)!["rows"]!.AsArray(), r =>
            {
                Assert.Equal(met, r!["meetsService"]!.GetValue<bool>());
                var flags = r["flags"]!.AsArray().Select(f => f!.GetValue<string>()).ToArray();
                Assert.DoesNotContain(flags, f => f.Contains("not judged", StringComparison.Ordinal));
                Assert.Equal(!met, flags.Any(f => System.Text.RegularExpressions.Regex.IsMatch(f, @"^s\* is missed: [0-9.]+ ms a token \(p99\) and [0-9.E+]+ ms to the first, not 500 ms and 0.001 ms to the first$")));
            });
        }


        var ours = await SiloProcess.Command("verify", results);
        Assert.True(ours.Code == 0, ours.Error);
        var (other, found) = await PythonReader.Verify(results);
        Assert.True(other == 0, found);
        var said = await SiloProcess.Command("matrix", results);
        Assert.True(said.Code == 0, said.Error);
        Assert.Contains("J/token", said.Out, StringComparison.Ordinal);
        Assert.Equal(3, said.Out.Split('\n').Count(l => l.Contains("\tmissed by the first token, ", StringComparison.Ordinal)));

        // What is made up is found: a row of requests that is gone, and a token more.
        var requests = Directory.EnumerateFiles(Path.Combine(results, "requests")).First();
        var lines = File.ReadAllLines(requests);
        File.WriteAllLines(requests, lines[..^1]);
        Assert.NotEqual(0, (await SiloProcess.Command("verify", results)).Code);
    }

    // Those that have a model of this test on their command line, whatever the loader calls them.
    private static int[] Engines(string scratch) =>
    [
        .. Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var id) ? id : 0).Where(id =>
        {
            if (id == 0) return false;
            try { return File.ReadAllText($"/proc/{id}/cmdline") is var line && line.Contains(scratch, StringComparison.Ordinal) && line.Contains(".gguf", StringComparison.Ordinal); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }
        }),
    ];

    private static string Stacks(string scratch)
    {
        var text = new StringBuilder($"stacks:\n  - name: llama-server\n    recipe: llama.cpp\n    command: [{Server}]\n    models:\n");
        foreach (var (name, weights) in new[] { ("f16", "FP16"), ("q8", "Q8_0") })
        {
            var path = Path.Combine(scratch, $"{name}.gguf");
            new ServedModel(Weights: weights).Write(path);
            text.Append($"      - {{name: {name}, path: {path}, served_name: random, bytes_per_token: 1}}\n");
        }

        var file = Path.Combine(scratch, "stacks.yaml");
        File.WriteAllText(file, text.ToString());
        return file;
    }
}

/// <summary>A test that needs a real llama-server: skipped, and seen to be, where <c>tests/install-llama-server.sh</c> has left none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SkippableServerFactAttribute : FactAttribute
{
    public SkippableServerFactAttribute()
    {
        var program = Path.Combine(PythonReader.Root, "artifacts", "llama-server", "llama-server");
        if (!File.Exists(program)) Skip = $"no llama-server: tests/install-llama-server.sh {Path.GetDirectoryName(program)}";
    }
}
