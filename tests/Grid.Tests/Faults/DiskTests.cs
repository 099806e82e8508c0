using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary>A disk that takes nothing more, for real: the process's writes fail in the kernel.</summary>
[Collection("faults")]
public sealed class DiskTests
{
    private const int Passes = 4;
    private const int Trials = 4 * 2 * Passes;

    private static string Plan => SmallPlan.Of("disk", "A, C, F", min: Passes, max: Passes);

    [Fact]
    public async Task When_no_file_may_grow_the_sweep_pauses_with_the_reason_and_a_resumed_one_loses_nothing()
    {
        // RLIMIT_FSIZE needs no privilege: every write to a file, journals and grain state alike, fails with EFBIG while it is 0.
        // The signal that comes with it is ignored, as it is for a daemon that wants the error.
        using var scratch = new Scratch();
        await using var silo = await SiloProcess.Start(scratch.Path, before: "trap '' XFSZ; exec \"$@\"");
        await FillAndFree(silo, new SweepFiles(scratch.Path), () => FileSizeLimit.Set(silo.Id, 0), () => FileSizeLimit.Set(silo.Id, ulong.MaxValue));
    }

    [Fact]
    public async Task When_the_file_system_is_full_the_sweep_pauses_with_the_reason_and_a_resumed_one_loses_nothing()
    {
        using var scratch = new Scratch();
        if (!await SmallFileSystem.IsPermitted())
        {
            // No user namespaces here: the nearest that needs no privilege is a file size limit, half way through a line of the journal.
            await using var limited = await SiloProcess.Start(scratch.Path, before: "trap '' XFSZ; exec \"$@\"");
            await FillAndFree(limited, new SweepFiles(scratch.Path), () => FileSizeLimit.Set(limited.Id, 10_000), () => FileSizeLimit.Set(limited.Id, ulong.MaxValue));
            return;
        }
        await using var silo = await SiloProcess.Start(scratch.Path, before: SmallFileSystem.Mount(scratch.Path));
        // The mount is in the silo's own namespace; this is the way in from outside.
        var inside = $"/proc/{silo.Id}/root{scratch.Path}";
        await FillAndFree(silo, new SweepFiles(inside), () => SmallFileSystem.Fill(inside), () => SmallFileSystem.Free(inside), "No space left on device");
    }

    [Fact]
    public async Task A_device_whose_lease_cannot_be_kept_pauses_the_sweep_with_the_reason_and_it_goes_on_when_resumed()
    {
        using var scratch = new Scratch();
        // Where the node's record should go lies a file: its writes fail, those of the sweep and its results do not.
        var obstacle = Path.Combine(scratch.Path, "state", "node");
        Directory.CreateDirectory(Path.GetDirectoryName(obstacle)!);
        File.WriteAllText(obstacle, "");
        await using var grid = await SimulatedGrid.Start(directory: scratch.Path);
        var sweep = grid.Sweep("s");
        await sweep.Submit(Plan, "tests");
        SweepStatus? status = null;
        await SimulatedGrid.Until(async () => (status = await sweep.Status()).Phase == SweepPhase.Paused, "the sweep pauses", now: () => $"{status}");
        Assert.Contains(obstacle, status!.Reason);
        Assert.Equal(0, status.CommittedTrials);
        File.Delete(obstacle);
        await sweep.Resume();
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        var results = await grid.Store.Results("s");
        Assert.Equal(Trials, results.Select(r => r.Trial).Distinct().Count());
        Assert.Equal(Trials, results.Length);
    }

    private static async Task FillAndFree(SiloProcess silo, SweepFiles files, Action fill, Action free, string reason = "")
    {
        await silo.Submit(Plan);
        await SimulatedGrid.Until(() => Task.FromResult(files.Count() >= 4), "four trials are committed", 60, () => silo.Log);
        fill();
        var status = await silo.Until(s => s.Phase == SweepPhase.Paused, "the sweep pauses");
        Assert.Contains("could not be written", status.Reason);
        Assert.Contains(reason, status.Reason);
        await silo.Until(s => s.Running.All(r => r.Phase == TrialPhase.Keeping), "what ran waits to be kept");
        var committed = files.Committed();
        Assert.Equal(committed.Length, (await silo.Client.Trials("s")).Length);
        // Still full: resuming is refused or pauses again, and nothing is lost by trying.
        try { await silo.Client.Resume("s"); }
        catch (EnergyGrid.Sdk.GridProblemException e) { Assert.Equal(503, (int)e.Status); }
        await silo.Until(s => s.Phase == SweepPhase.Paused, "the sweep pauses again");
        // No part of a line stays: the journal ends where the last committed line ends.
        Assert.Equal(files.WholeLines().Length, new FileInfo(files.Trials).Length);
        Assert.Superset(committed.ToHashSet(), files.Committed().ToHashSet());
        // It pauses; it does not try as fast as it can. Each look may say once that a disk is full.
        Assert.InRange(silo.Log.Split('\n').Count(l => l.Contains("pauses", StringComparison.Ordinal)), 1, 5);

        free();
        var resumed = await SiloProcess.Command("resume", "s", "--url", $"{silo.Client.Address}");
        Assert.True(resumed.Code == 0, resumed.Error);
        Assert.Equal(SweepPhase.Finished, (await silo.Until(s => s.HasEnded, "the sweep ends")).Phase);
        var all = files.Committed();
        Assert.Equal(Trials, all.Length);
        Assert.Equal(Trials, all.Distinct().Count());
        Assert.Equal(committed, all[..committed.Length]);
        var verified = await SiloProcess.Command("verify", files.Directory);
        Assert.Equal((0, ""), (verified.Code, verified.Error));
    }

    /// <summary>A tmpfs of a few megabytes that only the process sees, through a user namespace.</summary>
    private static class SmallFileSystem
    {
        public static string Mount(string directory) => $"exec unshare --user --map-root-user --mount bash -c 'mount -t tmpfs -o size=6m grid \"{directory}\" && exec \"$@\"' bash \"$@\"";

        public static async Task<bool> IsPermitted()
        {
            using var scratch = new Scratch();
            try
            {
                using var attempt = Process.Start(new ProcessStartInfo("bash", ["-c", Mount(scratch.Path), "bash", "true"]) { RedirectStandardError = true })!;
                await attempt.StandardError.ReadToEndAsync();
                await attempt.WaitForExitAsync();
                return attempt.ExitCode == 0;
            }
            catch (Win32Exception)
            {
                return false;
            }
        }

        public static void Fill(string directory)
        {
            var zeros = new byte[4096];
            using var file = new FileStream(Path.Combine(directory, "filler"), FileMode.Create, FileAccess.Write, FileShare.None, 1);
            try
            {
                while (true) file.Write(zeros);
            }
            catch (IOException) { /* Now it is full. */ }
        }

        public static void Free(string directory) => File.Delete(Path.Combine(directory, "filler"));
    }

    /// <summary>prlimit(2) on a child: the largest size to which it may make a file grow, bytes. The soft limit alone, so it can be raised again.</summary>
    private static class FileSizeLimit
    {
        private const int FileSize = 1; // RLIMIT_FSIZE

        public static void Set(int process, ulong bytes)
        {
            var limit = new Limit { Soft = bytes, Hard = ulong.MaxValue };
            if (Change(process, FileSize, ref limit, 0) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
        private static extern int Change(int process, int resource, ref Limit limit, nint old);

        [StructLayout(LayoutKind.Sequential)]
        private struct Limit
        {
            public ulong Soft;
            public ulong Hard;
        }
    }
}
