using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Tests.Cuda;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Results;

namespace EnergyGrid.Grid.Tests.Cuda;

/// <summary>GPU work runs in processes of the silo's, one for each GPU: what becomes of one costs the trial on it, and no other device, no silo and no sweep.</summary>
[Collection("cuda")]
public sealed class GpuWorkerTests(EmulatedLibraries libraries)
{
    private const int Kill = 9;

    [Fact]
    public async Task A_kernel_that_never_returns_and_a_worker_that_is_killed_cost_one_trial_each()
    {
        using var scratch = new Scratch();
        var hang = Path.Combine(scratch.Path, "hang");
        await using var silo = await EmulatedSilo.Up(libraries, scratch.Path, "devices 2\npower 0 140", ["--gpus", "all", "--qualify", "0.5"], hang);
        var devices = await EmulatedSilo.Devices(silo, 2);
        var before = Workers(silo.Id);
        Assert.Equal(2, before.Length);
        await silo.Client.Submit(EmulatedSilo.Plan(devices[0].Model, 2, passes: 3), "s");
        var files = new SweepFiles(scratch.Path);
        await silo.Until(_ => Trials(files).Length > 0, "a trial is kept", 120);

        await File.WriteAllTextAsync(hang, "1 graph");
        await silo.Until(_ => Failures(files).Any(), "the hang ends a trial", 120);
        var stuck = Assert.Single(Failures(files));
        Assert.Equal(devices.Single(d => d.Index == 1).Uuid, Assert.Single(stuck.Devices));
        Assert.Contains("a kernel did not return within", Assert.Single(stuck.Reasons));
        Assert.False(File.Exists(hang));
        // The other GPU's worker never noticed.
        Assert.Single(before.Intersect(Workers(silo.Id)));

        // Between two trials nothing is lost with a worker: until one is.
        var killed = DateTime.MinValue;
        await silo.Until(
            _ =>
            {
                if (Failures(files).Length == 1 && DateTime.UtcNow - killed > TimeSpan.FromSeconds(3) && Workers(silo.Id) is [var worker, ..])
                {
                    killed = DateTime.UtcNow;
                    using var process = System.Diagnostics.Process.GetProcessById(worker);
                    process.Kill();
                }
                return Failures(files).Length == 2;
            },
            "a killed worker ends a trial", 120);
        Assert.Contains($"was ended by signal {Kill}", Failures(files)[1].Reasons[0]);

        var status = await silo.Until(s => s.HasEnded || s.Phase == SweepPhase.Paused, "the sweep ends", 240);
        Assert.True(status.Phase == SweepPhase.Finished, $"{status.Phase}: {status.Reason}\n{files.Events()}\n{silo.Log}");
        Assert.DoesNotContain("outcome unknown", files.Events());
        Assert.Equal(2, Failures(files).Length);
        // The other GPU went on beside the kernel that hung, and this one after it.
        Assert.All(devices, d => Assert.Contains(Trials(files), t => t.Outcome == TrialOutcome.Valid && t.Devices.Contains(d.Uuid) && t.EndedUtc > stuck.StartedUtc));
        var verified = await SiloProcess.Command("verify", files.Directory);
        Assert.True(verified.Code == 0, verified.Out + verified.Error);
    }

    [Fact]
    public async Task No_worker_survives_its_silo_not_even_one_whose_kernel_never_returns()
    {
        using var scratch = new Scratch();
        var hang = Path.Combine(scratch.Path, "hang");
        await using var silo = await EmulatedSilo.Up(libraries, scratch.Path, "devices 2\npower 0 140", ["--gpus", "all", "--qualify", "0.5"], hang);
        var devices = await EmulatedSilo.Devices(silo, 2);
        await File.WriteAllTextAsync(hang, "1");
        await silo.Client.Submit(EmulatedSilo.Plan(devices[0].Model, 2), "s");
        await SimulatedGrid.Until(() => Task.FromResult(!File.Exists(hang)), "a kernel hangs", 60);
        var workers = Workers(silo.Id);
        Assert.Equal(2, workers.Length);
        await silo.Kill();
        await SimulatedGrid.Until(() => Task.FromResult(!workers.Any(IsAlive)), "its workers are gone", 10);
    }

    private static TrialResult[] Trials(SweepFiles files) => [.. JournalFile.Documents(files.WholeLines(), files.Trials).Select(line => JsonSerializer.Deserialize<TrialResult>(line, DocumentJson.Compact)!)];

    private static TrialResult[] Failures(SweepFiles files) => [.. Trials(files).Where(t => t.Outcome == TrialOutcome.Failed)];

    /// <summary>The workers that a silo has started.</summary>
    private static int[] Workers(int silo) =>
        [.. Directory.GetDirectories("/proc").Select(d => Path.GetFileName(d)).Where(n => n.All(char.IsAsciiDigit)).Select(int.Parse).Where(p => Stat(p) is [not "Z", var parent, ..] && parent == $"{silo}" && IsWorker(p))];

    private static bool IsAlive(int process) => Stat(process) is [not "Z", ..] && IsWorker(process);

    private static bool IsWorker(int process) => Read($"/proc/{process}/cmdline").Contains("step-worker", StringComparison.Ordinal);

    /// <summary>State, parent and more of a process; nothing where there is none.</summary>
    private static string[] Stat(int process) => Read($"/proc/{process}/stat") is { Length: > 0 } stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : [];

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
