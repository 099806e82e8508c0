using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>What a sweep owes to people, whatever died while it ran.</summary>
internal static class Laws
{
    /// <summary>Waits for the end of a sweep and checks everything that must be true then. All silos are up.</summary>
    /// <param name="grid">The grid.</param>
    /// <param name="sweep">The sweep.</param>
    /// <param name="passes">What its plan asked for.</param>
    /// <param name="seconds">How long its end may take.</param>
    public static async Task Hold(GridOfSilos grid, string sweep, int passes, int seconds = 120)
    {
        var status = await grid.Ended(sweep, seconds);
        Assert.True(status.Phase == SweepPhase.Finished, $"{status}\n{grid.Diary()}");
        var book = grid.Ledger[sweep];
        book.IsClosed = true;
        var runs = Runs.Of(grid.Silos).Where(r => r.Trial.Sweep == sweep).ToImmutableArray();
        var expected = await Undisturbed.Structure(grid.Devices, passes);

        var answers = new List<(string Silo, ImmutableArray<TrialResult> Trials, ImmutableArray<SweepEvent> Events)>();
        foreach (var silo in grid.Silos)
        {
            var trials = await silo.Client.Trials(sweep);
            book.Saw(silo.Name, trials);
            var events = new List<SweepEvent>();
            await foreach (var news in silo.Client.Watch(sweep))
            {
                if (news.Event is not { } said) continue;
                events.Add(said);
                book.Heard(silo.Name, said);
            }
            answers.Add((silo.Name, trials, [.. events]));
            // The list is for people: it follows the sweep, and is half a second old.
            await Patience.Until(async () => (await silo.Client.Sweeps()).Any(s => s.Id == sweep && s.Ended), $"{silo.Name} lists {sweep} as ended", 10);
            var (answered, matrix) = (await silo.Client.Sweep(sweep), await silo.Client.Matrix(sweep));
            Assert.Equal((SweepPhase.Finished, trials.Length), (answered.Phase, answered.CommittedTrials));
            var structure = Undisturbed.Structure(matrix);
            Assert.True(expected == structure, $"{silo.Name} has another matrix.\nexpected {expected}\nhas      {structure}\n{answered}\n{string.Join('\n', events)}\n{grid.Diary()}");
        }

        Same(answers.Select(a => (a.Silo, JsonSerializer.Serialize(a.Trials, DocumentJson.Compact))), "trials");
        Same(answers.Select(a => (a.Silo, JsonSerializer.Serialize(a.Events, DocumentJson.Compact))), "events");
        var committed = answers[0].Trials;
        Empty(book.Complaints, "contradictions");
        Assert.Equal(committed.Length, committed.Select(t => t.Trial).Distinct().Count());
        // What was ever seen is there: had it been lost, the answers above would have been short of it.
        Assert.Equal(committed.Length, book.Trials);
        Assert.Equal(Enumerable.Range(0, answers[0].Events.Length).Select(i => (long)i), answers[0].Events.Select(e => e.Sequence));
        Assert.Single(answers[0].Events, e => e.Kind == "finished");
        Empty(Devices(runs), "device");
        Empty(Committed(committed, runs, book), "trial");
        await Export(grid, sweep, committed);
    }

    /// <summary>No device ran two trials at once, whatever was committed of them.</summary>
    public static IEnumerable<string> Devices(ImmutableArray<DeviceRun> runs)
    {
        foreach (var device in runs.SelectMany(r => r.Devices.Select(d => (Device: $"{r.Host}/{d}", Run: r))).GroupBy(d => d.Device, d => d.Run))
        {
            DeviceRun? before = null;
            foreach (var run in device.OrderBy(r => r.StartedUtc))
            {
                if (before is not null && (before.EndedUtc is not { } end || end > run.StartedUtc))
                    yield return $"{device.Key} began {run.Trial} at {run.StartedUtc:HH:mm:ss.fff} while {before.Trial} of {before.StartedUtc:HH:mm:ss.fff} ran until {before.EndedUtc:HH:mm:ss.fff}";
                before = run;
            }
        }
    }

    /// <summary>What is committed really ran; and no trial ran again once it had a result, unless its process died before that was kept.</summary>
    public static IEnumerable<string> Committed(ImmutableArray<TrialResult> committed, ImmutableArray<DeviceRun> runs, Book book)
    {
        foreach (var result in committed)
        {
            var own = runs.Where(r => r.Trial == result.Trial).ToArray();
            var kept = own.Where(r => (r.Host, r.Attempt, r.Epoch) == (result.Host, result.Attempt, result.Epoch) && r.Devices.SequenceEqual(result.Devices)).ToArray();
            if (kept.Length != 1) yield return $"{result.Trial}, attempt {result.Attempt} on {result.Host}, was run {kept.Length} times";
            else if (kept[0].Outcome is { } outcome && !outcome.Equals($"{result.Outcome}", StringComparison.OrdinalIgnoreCase)) yield return $"{result.Trial} is committed as {result.Outcome} and ended as {outcome}";
            if (book.SeenAt(result.Trial) is { } seen && own.FirstOrDefault(r => r.StartedUtc > seen) is { } late) yield return $"{result.Trial} was shown as committed at {seen:HH:mm:ss.fff} and began again at {late.StartedUtc:HH:mm:ss.fff}";
        }
        foreach (var trial in runs.GroupBy(r => r.Trial))
        {
            DeviceRun? before = null;
            foreach (var run in trial)
            {
                if (before is { Outcome: "valid" or "invalid" or "failed" } && !(before.Life.EndedUtc <= run.StartedUtc))
                    yield return $"{run.Trial} began again at {run.StartedUtc:HH:mm:ss.fff}, and its run of {before.StartedUtc:HH:mm:ss.fff} had ended as {before.Outcome} in a process that lived on";
                before = run;
            }
        }
    }

    private static async Task Export(GridOfSilos grid, string sweep, ImmutableArray<TrialResult> committed)
    {
        using var scratch = new Scratch();
        var exports = new List<(string Silo, string Files)>();
        foreach (var silo in grid.Silos)
        {
            var directory = scratch[silo.Name];
            var export = await silo.Console("export", sweep, "--out", directory);
            Assert.True(export.Code == 0, $"export from {silo.Name}: {export.Error}");
            var verify = await ConsoleProcess.Run([], "verify", directory);
            Assert.True((verify.Code, verify.Error) == (0, ""), $"verify of {silo.Name}'s export: exit {verify.Code}\n{verify.Error}");
            var files = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
            exports.Add((silo.Name, string.Join('\n', files.Select(f => $"{Path.GetRelativePath(directory, f)} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f)))}"))));
            // A trace that a result names is there, whichever host wrote it.
            Assert.All(committed.Where(t => t.Trace.Length > 0), t => Assert.True(File.Exists(Path.Combine(directory, "traces", t.Trace)), $"{silo.Name} has no trace {t.Trace}"));
        }
        Same(exports, "export");
    }

    private static void Same(IEnumerable<(string Silo, string Text)> answers, string what)
    {
        var all = answers.ToArray();
        foreach (var other in all[1..])
            if (other.Text != all[0].Text) Assert.Fail($"{what}: {all[0].Silo} and {other.Silo} do not answer the same.\n{FirstDifference(all[0].Text, other.Text)}");
    }

    private static string FirstDifference(string a, string b)
    {
        var at = a.Zip(b).TakeWhile(p => p.First == p.Second).Count();
        string Around(string text) => text[Math.Max(0, at - 100)..Math.Min(text.Length, at + 200)];
        return $"…{Around(a)}\n…{Around(b)}";
    }

    private static void Empty(IEnumerable<string> complaints, string what)
    {
        var all = complaints.ToArray();
        if (all.Length > 0) Assert.Fail($"{all.Length} {what}:\n{string.Join('\n', all.Take(20))}");
    }
}
