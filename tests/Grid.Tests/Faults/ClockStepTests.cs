using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary>The wall clock of a running silo is set, forward and back, by a library that stands between the process and its system: what it measures on this machine goes on.</summary>
[Collection("faults")]
public sealed class ClockStepTests
{
    private const string Library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

    [FakeTimeFact]
    public async Task A_clock_that_is_set_in_mid_run_costs_one_trial_each_time_which_says_so_and_the_site_has_its_power_again_within_seconds()
    {
        using var scratch = new Scratch();
        var (data, offset) = (Path.Combine(scratch.Path, "data"), Path.Combine(scratch.Path, "offset"));
        Set(offset, 0);
        // Only the wall clock is set: what has passed is not in anybody's hand.
        await using var silo = await SiloProcess.Start(data, ["--gpus", "none"], "exec \"$@\"", new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = Library,
            ["FAKETIME_TIMESTAMP_FILE"] = offset,
            ["FAKETIME_NO_CACHE"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["DONT_FAKE_MONOTONIC"] = "1",
        }, local: true);
        var plan = File.ReadAllText(Path.Combine(PythonReader.Root, "client", "plans", "minimal.yaml"));
        await silo.Submit(plan.Replace("{min: 3, max: 3}", "{min: 8, max: 8}", StringComparison.Ordinal), devices: 1);
        // Farther than a rack would follow one node, and back behind all that it had.
        foreach (var hours in new[] { 3, -1 })
        {
            var before = (await silo.Client.Sweep("s")).CommittedTrials;
            await silo.Until(s => s.CommittedTrials > before && s.Running.Any(r => r.Phase == TrialPhase.Measuring), "a window is open");
            Set(offset, 3600 * hours);
            await silo.Until(s => s.CommittedTrials >= before + 3, "it goes on");
            var now = TimeProvider.System.GetUtcNow().AddHours(hours).ToUnixTimeSeconds();
            var site = "";
            await SimulatedGrid.Until(async () => (await silo.Client.Sites()) is [var view, ..] && (site = $"{view}").Length > 0 && view.ItWatts > 0 && Math.Abs(view.Window - now) < 120, $"the site has the power of {hours} h from now", 40, () => $"{site}\n{silo.Log}");
        }

        var trials = await silo.Client.Trials("s");
        var stepped = trials.Where(t => t.Reasons.Any(r => r.Contains("wall clock was moved", StringComparison.Ordinal))).ToArray();
        Assert.Equal(2, stepped.Length);
        Assert.All(stepped, t => Assert.Equal(TrialOutcome.Invalid, t.Outcome));
        Assert.Contains(stepped[0].Reasons, r => r.Contains("forward by 10800", StringComparison.Ordinal) || r.Contains("forward by 10799.9", StringComparison.Ordinal));
        Assert.Contains(stepped[1].Reasons, r => r.Contains("back by 14400", StringComparison.Ordinal) || r.Contains("back by 14399.9", StringComparison.Ordinal));
        // A pass that lost a trial goes on: nothing was voided by a time that did not pass.
        Assert.Equal(0, (await silo.Client.Sweep("s")).VoidedPasses);
        Assert.Contains("the wall clock was moved back by", silo.Log);
    }

    private static void Set(string file, int seconds)
    {
        File.WriteAllText(file + ".next", seconds.ToString("+0;-0", CultureInfo.InvariantCulture) + "\n");
        File.Move(file + ".next", file, overwrite: true);
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class FakeTimeFactAttribute : FactAttribute
    {
        public FakeTimeFactAttribute() => Skip = File.Exists(Library) ? null : $"{Library} is not here (Debian: faketime)";
    }
}
