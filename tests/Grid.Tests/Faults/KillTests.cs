using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary>What a sweep owes to people after its process was killed, and after somebody or something damaged what it had written.</summary>
[Collection("faults")]
public sealed class KillTests
{
    private const int Passes = 6;
    private const int Trials = 4 * 2 * Passes; // A, C, F and the A/A twin; two device groups

    private static string Plan => SmallPlan.Of("killed", "A, C, F", min: Passes, max: Passes);

    [Fact]
    public async Task A_process_that_stood_still_in_the_middle_of_windows_leaves_none_that_is_longer_than_it_was_meant_to_be()
    {
        using var scratch = new Scratch();
        var files = new SweepFiles(scratch.Path);
        await using var silo = await SiloProcess.Start(scratch.Path, scale: 20);
        await silo.Submit(SmallPlan.Of("stopped", "A, C", min: 40, max: 40, more: "head: false\nlayers: [2, 28]"));
        for (var stops = 0; stops < 6; stops++)
        {
            await silo.Until(s => s.Running.Any(r => r.Phase == TrialPhase.Measuring), "a window is open");
            await silo.Signal("STOP");
            // Thirty seconds of the device's time: more than two windows.
            await Task.Delay(1500);
            await silo.Signal("CONT");
            await Task.Delay(1500);
        }
        await SimulatedGrid.Until(() => Task.FromResult(files.Count() >= 6), "trials are committed", 60, () => silo.Log);
        var trials = System.Text.Encoding.UTF8.GetString(files.WholeLines()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => System.Text.Json.Nodes.JsonNode.Parse(l)!["document"]!).ToArray();
        Assert.NotEmpty(trials);
        Assert.All(trials.Where(t => t["outcome"]!.GetValue<string>() == "valid").SelectMany(t => t["legs"]!.AsArray()), leg => Assert.InRange(leg!["windowSeconds"]!.GetValue<double>(), 11.9, 13.7));
        Assert.All(trials.Where(t => t["outcome"]!.GetValue<string>() != "valid"), t => Assert.NotEmpty(t["reasons"]!.AsArray()));
    }

    [Fact]
    public async Task A_real_device_that_stood_still_in_a_window_loses_that_trial_and_says_why_and_the_next_is_valid()
    {
        using var scratch = new Scratch();
        var files = new SweepFiles(scratch.Path);
        await using var silo = await SiloProcess.Start(scratch.Path, ["--gpus", "none"], "exec \"$@\"", new Dictionary<string, string>(), local: true);
        var plan = File.ReadAllText(Path.Combine(PythonReader.Root, "client", "plans", "minimal.yaml"));
        Assert.Contains("window_s: 1,", plan);
        await silo.Submit(plan.Replace("window_s: 1,", "window_s: 2,"), devices: 1);
        await silo.Until(s => s.Running.Any(r => r.Phase == TrialPhase.Measuring), "a window is open");
        await silo.Signal("STOP");
        await Task.Delay(5000);
        await silo.Signal("CONT");
        await SimulatedGrid.Until(() => Task.FromResult(files.Count() >= 3), "more trials are committed", 60, () => silo.Log);
        var trials = System.Text.Encoding.UTF8.GetString(files.WholeLines()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => System.Text.Json.Nodes.JsonNode.Parse(l)!["document"]!).ToArray();
        var stood = Assert.Single(trials, t => t["legs"]!.AsArray().Any(l => l!["windowSeconds"]!.GetValue<double>() > 5));
        Assert.Equal("invalid", stood["outcome"]!.GetValue<string>());
        Assert.Contains(stood["reasons"]!.AsArray(), r => r!.GetValue<string>().Contains("something held the node up", StringComparison.Ordinal));
        Assert.Contains(trials, t => t["outcome"]!.GetValue<string>() == "valid");
    }

    [Fact]
    public async Task A_sweep_that_was_killed_twenty_times_commits_every_trial_once_and_ends_like_one_that_was_not()
    {
        using var scratch = new Scratch();
        var (killed, whole) = (new SweepFiles(Path.Combine(scratch.Path, "killed")), new SweepFiles(Path.Combine(scratch.Path, "whole")));
        var unkilled = RunWhole(Path.Combine(scratch.Path, "whole"));
        var data = Path.Combine(scratch.Path, "killed");
        var seen = new HashSet<TrialId>();
        var random = new Random(20);

        await using (var silo = await SiloProcess.Start(data))
        {
            await silo.Submit(Plan);
            await silo.Kill(); // 1: acknowledged, and nothing more
        }
        for (var kill = 2; kill <= 19; kill++)
        {
            await using var silo = await SiloProcess.Start(data);
            // Spread over the sweep's life by what is committed, and at any instant of a trial; soon after a start, the matrix is being published.
            var after = (kill - 2) * (Trials - 6) / 18;
            await SimulatedGrid.Until(() => Task.FromResult(killed.Count() >= after), $"{after} trials are committed", 60, () => silo.Log);
            await Task.Delay(random.Next(0, 250));
            seen.UnionWith(killed.Committed());
            await silo.Kill();
            Assert.Superset(seen, killed.Committed().ToHashSet());
            // What a killed process leaves is whole as far as it goes, to both verifiers; every third one is looked at.
            if (kill % 3 != 0 || !File.Exists(Path.Combine(killed.Directory, "manifest.json"))) continue;
            var (code, _, error) = await SiloProcess.Command("verify", killed.Directory);
            Assert.True(code == 0, error);
            var (other, said) = await PythonReader.Verify(killed.Directory);
            Assert.True(other == 0, said);
        }
        await using (var silo = await SiloProcess.Start(data))
        {
            await SimulatedGrid.Until(() => Task.FromResult(killed.Events().Contains("\"finished\"", StringComparison.Ordinal)), "the end is said", 60, () => silo.Log);
            seen.UnionWith(killed.Committed());
            await silo.Kill(); // 20: while the last matrix and its manifest are written
        }
        await using (var silo = await SiloProcess.Start(data))
        {
            var status = await silo.Until(s => s.HasEnded, "the sweep ends");
            Assert.Equal((SweepPhase.Finished, Trials, 0), (status.Phase, status.CommittedTrials, status.VoidedPasses));
        }
        await unkilled;

        var committed = killed.Committed();
        Assert.Equal(committed.Length, committed.Distinct().Count());
        Assert.Superset(seen, committed.ToHashSet());
        Assert.Equal(whole.Committed().Select(t => $"{t}").Order(), committed.Select(t => $"{t}").Order());
        Assert.Equal(Trials, committed.Length);
        Assert.All(committed.GroupBy(t => (t.Group, t.Block, t.Pass)), pass => Assert.Equal(4, pass.Count()));
        Assert.Single(killed.Events().Split('\n'), line => line.Contains("\"finished\"", StringComparison.Ordinal));
        Assert.Equal(Structure(whole.Matrix()), Structure(killed.Matrix()));
        Assert.Equal((0, ""), await Verify(killed.Directory));
        Assert.Equal((0, ""), await Verify(whole.Directory));
    }

    [Fact]
    public async Task A_torn_last_line_is_cut_off_and_its_trial_is_run_again_and_all_before_it_stays()
    {
        using var scratch = new Scratch();
        var files = new SweepFiles(scratch.Path);
        var random = new Random(3);
        var kept = Array.Empty<byte>();
        TrialId? torn = null;
        await using (var silo = await SiloProcess.Start(scratch.Path)) await silo.Submit(Plan);
        foreach (var after in new[] { 4, 12, 20 })
        {
            await using (var silo = await SiloProcess.Start(scratch.Path))
            {
                await SimulatedGrid.Until(() => Task.FromResult(files.Count() >= after), $"{after} trials are committed", 60, () => silo.Log);
                await silo.Kill();
            }
            var lines = files.WholeLines();
            Assert.True(lines.AsSpan().StartsWith(kept));
            if (torn is not null) Assert.Single(files.Committed(), t => t == torn);
            torn = files.Committed()[^1];
            var last = lines.AsSpan(0, lines.Length - 1).LastIndexOf((byte)'\n') + 1;
            kept = lines[..last];
            using var file = new FileStream(files.Trials, FileMode.Open, FileAccess.Write);
            file.SetLength(random.Next(last + 1, lines.Length)); // at least its first byte, at most all but its line break
        }
        await using (var silo = await SiloProcess.Start(scratch.Path))
            Assert.Equal(SweepPhase.Finished, (await silo.Until(s => s.HasEnded, "the sweep ends")).Phase);
        Assert.True(files.WholeLines().AsSpan().StartsWith(kept));
        Assert.Single(files.Committed(), t => t == torn);
        Assert.Equal(Trials, files.Committed().Distinct().Count());
        Assert.Equal(Trials, files.Committed().Length);
        Assert.Equal((0, ""), await Verify(files.Directory));
    }

    [Fact]
    public async Task A_damaged_line_pauses_the_sweep_with_file_and_line_until_it_is_mended()
    {
        using var scratch = new Scratch();
        var files = new SweepFiles(scratch.Path);
        await using (var silo = await SiloProcess.Start(scratch.Path))
        {
            await silo.Submit(Plan);
            await SimulatedGrid.Until(() => Task.FromResult(files.Count() >= 6 && File.Exists(Path.Combine(files.Directory, "manifest.json"))), "six trials and a manifest are there", 60, () => silo.Log);
            await silo.Kill();
        }
        var lines = files.WholeLines();
        var at = lines.AsSpan().IndexOf((byte)'\n') + 200; // inside the document of line 2
        Flip(files.Trials, at);
        await using (var silo = await SiloProcess.Start(scratch.Path))
        {
            var status = await silo.Until(s => s.Phase == SweepPhase.Paused, "the sweep is paused");
            Assert.Contains("trials.ndjson:2: the line is damaged", status.Reason);
            Assert.Empty(status.Running);
            var (code, error) = await Verify(files.Directory);
            Assert.Equal(1, code);
            Assert.Contains("trials.ndjson:2: the line is damaged", error);
            var refused = await SiloProcess.Command("resume", "s", "--url", $"{silo.Client.Address}");
            Assert.NotEqual(0, refused.Code);
            Assert.Contains("trials.ndjson:2: the line is damaged", refused.Error);
            Assert.Equal(lines.Length, files.WholeLines().Length); // nothing was run meanwhile

            Flip(files.Trials, at);
            Assert.Equal(0, (await SiloProcess.Command("resume", "s", "--url", $"{silo.Client.Address}")).Code);
            Assert.Equal(SweepPhase.Finished, (await silo.Until(s => s.HasEnded, "the sweep ends")).Phase);
        }
        Assert.True(files.WholeLines().AsSpan().StartsWith(lines));
        Assert.Equal(Trials, files.Committed().Distinct().Count());
        Assert.Equal((0, ""), await Verify(files.Directory));
    }

    private static async Task RunWhole(string data)
    {
        await using var silo = await SiloProcess.Start(data);
        await silo.Submit(Plan);
        await silo.Until(s => s.HasEnded, "the unkilled sweep ends", 80);
    }

    private static async Task<(int Code, string Error)> Verify(string directory)
    {
        var (code, _, error) = await SiloProcess.Command("verify", directory);
        return (code, error);
    }

    private static void Flip(string path, int at)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var old = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(old ^ 1));
    }

    // All that does not hang on sensor noise and on when a trial ran.
    private static string Structure(Matrix matrix) => string.Join('\n',
        matrix.Groups.SelectMany(g => g.Rows.Select(r => $"{g.Name} {g.Baseline} {r.Label} {r.ConfigurationSha256} passes {r.Passes} devices {r.Devices} ratio {r.Ratio is not null} {r.Provenance} void {g.VoidedPasses} aa {g.Repeatability is not null}"))
            .Append($"{matrix.PlanSha256} {matrix.Complete} {matrix.Provenance}"));
}
