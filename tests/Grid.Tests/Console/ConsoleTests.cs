using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>The command as a process: exit codes, and what stands on which stream.</summary>
public sealed class ConsoleTests
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;

    private static async Task<(int Code, string Out, string Error)> Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", Assembly, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    [Theory]
    [InlineData("nonsense 2>/dev/full", 2, "")]
    [InlineData("status --url nowhere 2>&-", 2, "")]
    [InlineData("version >/dev/full", 1, "standard output cannot be written")]
    [InlineData("plan validate /dev/zero", 2, "at most 1 MiB")]
    [InlineData("status --token-file /dev/zero", 2, "longer than 1 MiB")]
    [InlineData("status --token-file /", 2, "it is a directory")]
    [InlineData("status --ca /dev/zero", 2, "longer than 1 MiB")]
    [InlineData("status --url http://anna:secret@127.0.0.1:9", 2, "--token-file")]
    [InlineData("plan new --template quick-look --out /proc/plan.yaml", 2, "/proc/plan.yaml cannot be written: there is no such")]
    [InlineData("up --redis '' --data ./none", 2, "--redis is empty")]
    public async Task A_shell_s_oddities_end_in_a_sentence_and_the_right_exit_code(string line, int code, string sentence)
    {
        var start = new System.Diagnostics.ProcessStartInfo("sh", ["-c", $"exec dotnet exec '{typeof(EnergyGrid.Console.GridCommand).Assembly.Location}' {line}"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using var process = System.Diagnostics.Process.Start(start)!;
        var (error, output) = (process.StandardError.ReadToEndAsync(), process.StandardOutput.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(process.ExitCode == code && (await error).Contains(sentence, StringComparison.Ordinal), $"exit {process.ExitCode}: {await error}{await output}");
        Assert.DoesNotContain("   at ", await error);
    }

    [Fact]
    public async Task Wrong_usage_is_2_and_leaves_standard_output_empty()
    {
        var (code, output, error) = await Run("submit", "--no-such-option");
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("--no-such-option", error);
    }

    [Fact]
    public async Task An_unreachable_grid_is_3_and_named()
    {
        var (code, output, error) = await Run("status", "--url", "http://127.0.0.1:9", "--json");
        Assert.Equal((3, ""), (code, output));
        Assert.Contains("http://127.0.0.1:9", error);
    }

    [Fact]
    public async Task Version_as_json_is_one_document_and_nothing_else()
    {
        var (code, output, error) = await Run("version", "--json");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal("EnergyGrid", JsonDocument.Parse(output).RootElement.GetProperty("product").GetString());
    }

    [Fact]
    public async Task Redirected_output_has_no_escape_sequence()
    {
        await using var grid = await FakeGrid.Start();
        var (code, output, _) = await Run("devices", "--url", grid.Address.ToString());
        Assert.Equal(0, code);
        Assert.Contains("n1/gpu-0", output);
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public async Task A_plan_that_is_a_directory_or_absent_is_2_like_a_compiler_says_it()
    {
        var (code, output, error) = await Run("plan", "validate", Path.GetTempPath());
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith($"{Path.GetTempPath()}: it is a directory; right:", error);
        Assert.Equal(2, (await Run("submit", "/no/such/plan.yaml", "--dry-run")).Code);
    }

    [Theory]
    [InlineData(SweepPhase.Finished, 0)]
    [InlineData(SweepPhase.FinishedWithFailures, 1)]
    [InlineData(SweepPhase.Cancelled, 130)]
    public async Task Watching_to_the_end_says_how_it_ended_and_json_stays_pure(SweepPhase phase, int wanted)
    {
        await using var grid = await FakeGrid.Start();
        grid.Add("s", phase);
        grid.Results.Tell("s", "finished", "done");
        var (code, output, _) = await Run("watch", "s", "--json", "--url", grid.Address.ToString());
        Assert.Equal(wanted, code);
        Assert.All(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Equal("s", JsonDocument.Parse(line).RootElement.GetProperty("sweep").GetString()));
    }

    [Fact]
    public async Task An_unknown_sweep_is_2_and_a_viewer_is_told_so()
    {
        await using var grid = await FakeGrid.Start(withTokens: true);
        var (code, _, error) = await Run("status", "none", "--url", grid.Address.ToString());
        Assert.Equal(2, code);
        Assert.Contains("token", error);
    }

    [Fact]
    public async Task Verifying_what_is_no_result_is_2() => Assert.Equal(2, (await Run("verify", Path.GetTempPath())).Code);
}
