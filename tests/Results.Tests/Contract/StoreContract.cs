using System.Collections.Immutable;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>What every result store owes, whatever it keeps things in: run once over files and once over a real Redis.</summary>
public abstract class StoreContract(IStoreBed bed)
{
    private static int _sweeps;
    private readonly string _sweep = $"s-{Interlocked.Increment(ref _sweeps)}";

    private IResultStore Store => bed.Store;

    private static Fence Sweep(long number = 1) => new("sweep", number);

    private static Fence Group(int group, long number = 1) => new(Fence.GroupActor(group), number);

    private Task Create() => Store.Create(_sweep, Samples.PlanText, Samples.Plan);

    private async Task Fill(int trials, int withTraces = 0)
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o0");
        await Store.Register(_sweep, Group(1), "o1");
        await Store.Append(_sweep, Sweep(), "submitted", "submitted", "by tests");
        for (var n = 0; n < trials; n++)
        {
            var trial = Samples.Trial(_sweep, n);
            if (n < withTraces)
            {
                var (name, sha256) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(300, n), default);
                trial = trial with { Trace = name, TraceSha256 = sha256 };
            }
            Assert.Equal(CommitAnswer.Committed, await Store.Commit(_sweep, $"o{trial.Trial.Block}", trial));
        }
    }

    [Fact]
    public async Task A_lower_number_is_refused_and_changes_nothing_an_equal_one_is_let_in_and_a_higher_one_takes_over()
    {
        await Create();
        Assert.Equal("", await Store.Take(_sweep, Group(0, 2)));
        await Store.Register(_sweep, Group(0, 2), "second");
        await Assert.ThrowsAsync<SupersededException>(() => Store.Take(_sweep, Group(0, 1)));
        await Assert.ThrowsAsync<SupersededException>(() => Store.Register(_sweep, Group(0, 1), "first"));
        Assert.Equal("second", await Store.Take(_sweep, Group(0, 2)));
        Assert.Equal("second", await Store.Take(_sweep, Group(0, 3)));
        await Assert.ThrowsAsync<SupersededException>(() => Store.Register(_sweep, Group(0, 2), "late"));
        Assert.Equal("second", await Store.Take(_sweep, Group(0, 3)));
        // Actors do not fence each other, and a number counts from the first call that names it.
        Assert.Equal("", await Store.Take(_sweep, Group(1, 1)));
        await Store.Append(_sweep, Sweep(5), "a", "paused", "");
        await Assert.ThrowsAsync<SupersededException>(() => Store.Append(_sweep, Sweep(4), "b", "paused", ""));
        await Assert.ThrowsAsync<SupersededException>(() => Store.Publish(_sweep, Sweep(4), Samples.Record()));
        var late = await Assert.ThrowsAsync<SupersededException>(() => Store.Publish(_sweep, Sweep(4), Samples.Record(SweepPhase.Finished)));
        Assert.Contains("number 5", late.Message);
        Assert.Single(await bed.Files.Events(_sweep, 0));
        Assert.DoesNotContain(await bed.Files.Files(_sweep), f => f.Name == "manifest.json");
    }

    [Fact]
    public async Task Only_the_registered_order_of_its_device_group_commits()
    {
        await Create();
        var trial = Samples.Trial(_sweep, 0);
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "o1", trial));
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "", trial));
        await Store.Register(_sweep, Group(1), "o1");
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "o1", trial));
        await Store.Register(_sweep, Group(0), "o1");
        await Store.Register(_sweep, Group(0), "");
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "o1", trial));
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "", trial));
        await Store.Register(_sweep, Group(0), "o2");
        Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "o1", trial));
        Assert.Empty(await Store.Results(_sweep));
        // An order that runs on under the next activation commits as if nothing had been.
        await Store.Take(_sweep, Group(0, 2));
        Assert.Equal(CommitAnswer.Committed, await Store.Commit(_sweep, "o2", trial));
        // What stands is told as standing, also to whoever has been withdrawn since.
        await Store.Register(_sweep, Group(0, 2), "");
        Assert.Equal(CommitAnswer.AlreadyThere, await Store.Commit(_sweep, "o2", trial with { Attempt = 7 }));
        Assert.Equal(trial.Attempt, Assert.Single(await Store.Results(_sweep)).Attempt);
    }

    [Fact]
    public async Task A_trial_that_many_commit_at_once_stands_once()
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o");
        var trial = Samples.Trial(_sweep, 0);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => Store.Commit(_sweep, "o", trial with { Attempt = i }))));
        Assert.Single(answers, CommitAnswer.Committed);
        Assert.Equal(39, answers.Count(a => a == CommitAnswer.AlreadyThere));
        var first = Assert.Single(await Store.Results(_sweep));
        await bed.Reopen();
        Assert.Equal(Journals.Document(first), Journals.Document(Assert.Single(await Store.Results(_sweep))));
    }

    [Fact]
    public async Task A_result_comes_back_as_it_was_with_every_digit_and_offset()
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o");
        var trial = Samples.Trial(_sweep, 0, outcome: TrialOutcome.Invalid) with { PowerLimitWatts = 0.1 + 0.2, IdleContextWatts = double.NaN, StartCelsius = double.Epsilon };
        await Store.Commit(_sweep, "o", trial);
        await bed.Reopen();
        // But for its place in the order of commits, which is the store's to say.
        Assert.Equal(Journals.Document(trial with { Sequence = 0 }), Journals.Document(Assert.Single(await Store.Results(_sweep))));
    }

    [Fact]
    public async Task A_big_sweep_keeps_its_order_and_is_read_in_parts()
    {
        const int Many = 2000;
        await Create();
        await Store.Register(_sweep, Group(0), "o0");
        await Store.Register(_sweep, Group(1), "o1");
        var answers = await Task.WhenAll(Enumerable.Range(0, Many).Select(n => Samples.Trial(_sweep, n)).Select(t => Store.Commit(_sweep, $"o{t.Trial.Block}", t)));
        Assert.All(answers, a => Assert.Equal(CommitAnswer.Committed, a));
        var all = (await Store.Results(_sweep)).Select(Journals.Document).ToArray();
        Assert.Equal(Many, all.Distinct().Count());
        foreach (var from in new[] { 1, 249, 250, 251, Many - 1, Many, Many + 5 })
            Assert.Equal(all.Skip(from), (await Store.Results(_sweep, from)).Select(Journals.Document));
        await bed.Reopen();
        Assert.Equal(all, (await Store.Results(_sweep)).Select(Journals.Document));
        Assert.Equal(all, JournalLine.Documents(await Export.Read(bed.Files, _sweep, "trials.ndjson"), "trials.ndjson"));
    }

    [Fact]
    public async Task An_event_of_one_key_is_one_event_and_sequences_are_dense_however_many_speak()
    {
        await Create();
        var said = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => Task.Run(() => Store.Append(_sweep, Sweep(), $"k{i % 100}", "trial", $"said by {i}"))));
        var events = (await bed.Files.Events(_sweep, 0)).ToArray();
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), events.Select(e => e.Sequence));
        // Whoever said it later was told what the first one said.
        Assert.All(said.GroupBy(e => e.Sequence), same => Assert.Equal(events[(int)same.Key], Assert.Single(same.Distinct())));
        Assert.Equal(events[97..], (await bed.Files.Events(_sweep, 97)).ToArray());
        Assert.Empty(await bed.Files.Events(_sweep, 100));
        await bed.Reopen();
        Assert.Equal(events, (await bed.Files.Events(_sweep, 0)).ToArray());
        Assert.Equal(events[3], await Store.Append(_sweep, Sweep(2), KeyOf(said, events[3]), "trial", "said after a restart"));
        Assert.Equal(100, (await Store.Append(_sweep, Sweep(2), "new", "trial", "")).Sequence);
    }

    private static string KeyOf(SweepEvent[] said, SweepEvent first) => $"k{Array.FindIndex(said, e => e.Sequence == first.Sequence) % 100}";

    [Fact]
    public async Task Nothing_is_added_after_the_end_and_the_same_calls_again_are_answered_as_before()
    {
        await Fill(6, withTraces: 1);
        var finished = await Store.Append(_sweep, Sweep(), "finished", "finished", "");
        var record = Samples.Record(SweepPhase.Finished);
        await Store.Publish(_sweep, Sweep(), record);
        var before = await Export.All(bed.Files, _sweep);
        for (var restarts = 0; restarts < 2; restarts++)
        {
            // Whoever was not told of the end finds out before ordering anything; taking back what was ordered is always allowed.
            await Assert.ThrowsAsync<RefusedException>(() => Store.Register(_sweep, Group(0, 2), "o9"));
            await Assert.ThrowsAsync<RefusedException>(() => Store.Register(_sweep, Group(1, 2), "o9"));
            await Store.Register(_sweep, Group(0, 2), "");
            Assert.Equal(CommitAnswer.Withdrawn, await Store.Commit(_sweep, "o9", Samples.Trial(_sweep, 7)));
            Assert.Equal(CommitAnswer.AlreadyThere, await Store.Commit(_sweep, "o9", Samples.Trial(_sweep, 0)));
            Assert.Equal(finished, await Store.Append(_sweep, Sweep(2), "finished", "finished", ""));
            await Assert.ThrowsAsync<RefusedException>(() => Store.Append(_sweep, Sweep(2), "more", "trial", ""));
            // A sweep that was killed while it ended, and ends again later: the first end stands.
            await Store.Publish(_sweep, Sweep(2), record with { AtUtc = record.AtUtc.AddHours(1), EndedUtc = record.AtUtc.AddHours(1) });
            var other = await Assert.ThrowsAsync<RefusedException>(() => Store.Publish(_sweep, Sweep(2), Samples.Record(SweepPhase.Cancelled)));
            Assert.Contains("Finished", other.Message);
            await Assert.ThrowsAsync<RefusedException>(() => Store.Publish(_sweep, Sweep(2), Samples.Record()));
            await Assert.ThrowsAsync<RefusedException>(() => bed.Traces.Write(_sweep, Samples.Trial(_sweep, 7).Trial, TrialFileKind.Trace, Samples.Trace(10), default));
            await Assert.ThrowsAsync<RefusedException>(Create);
            Assert.Equal(before, await Export.All(bed.Files, _sweep));
            await bed.Reopen();
        }
    }

    [Fact]
    public async Task Commits_that_race_with_the_end_are_in_it_or_refused_never_lost_in_between()
    {
        await Fill(2);
        var racing = Enumerable.Range(2, 40).Select(n => Task.Run(async () => (n, Answer: await Store.Commit(_sweep, $"o{Samples.Trial(_sweep, n).Trial.Block}", Samples.Trial(_sweep, n))))).ToArray();
        await Store.Publish(_sweep, Sweep(), Samples.Record(SweepPhase.Finished, passes: 20));
        var committed = 2 + (await Task.WhenAll(racing)).Count(r => r.Answer == CommitAnswer.Committed);
        Assert.Equal(committed, (await Store.Results(_sweep)).Length);
        using var export = await Export.Of(bed.Files, _sweep);
        Assert.Equal((0, ""), await export.Verify());
        Assert.Equal(committed, JournalLine.Documents(await File.ReadAllBytesAsync(Path.Combine(export.Path, "trials.ndjson")), "").Count());
    }

    [Fact]
    public async Task What_is_published_while_trials_are_committed_is_of_the_trials_that_its_manifest_knows()
    {
        await Fill(2);
        for (var round = 0; round < 6; round++)
        {
            var first = 2 + 20 * round;
            var racing = Enumerable.Range(first, 20).Select(n => Task.Run(() => Store.Commit(_sweep, $"o{Samples.Trial(_sweep, n).Trial.Block}", Samples.Trial(_sweep, n)))).ToArray();
            await Store.Publish(_sweep, Sweep(), Samples.Record(passes: 40));
            await Task.WhenAll(racing);
            using var export = await Export.Of(bed.Files, _sweep);
            Assert.Equal((0, ""), await export.Verify());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2000)]
    public async Task A_trace_comes_back_byte_for_byte(int rows)
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o");
        await Kept(Samples.Trace(rows), 0);
    }

    [Theory]
    [InlineData("seconds,device,watts,joules,phase\n0.000,GPU,-0.00,1.000,window\n")] // no integer is minus nought
    [InlineData("seconds,device,watts,joules,phase\n0.000,GPU,1.0,1.000,window\n0.1,GPU,1.0,1.000,window\n")]
    [InlineData("seconds,device,watts,joules,phase\r\n0.000,GPU,1.0,1.000,window\r\n")]
    [InlineData("seconds,device,watts,joules,phase\n0.000,GPU,1e9,99999999999999999999999,window")]
    [InlineData("seconds,device,watts,joules,phase\n-12.5,ümlaut,,-7,\n")]
    public async Task A_trace_of_another_form_comes_back_byte_for_byte_too(string csv)
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o");
        await Kept(Encoding.UTF8.GetBytes(csv), 0);
    }

    private async Task Kept(byte[] csv, int n)
    {
        var trial = Samples.Trial(_sweep, n);
        var (name, sha256) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, csv, default);
        await Store.Commit(_sweep, "o", trial with { Trace = name, TraceSha256 = sha256 });
        await bed.Reopen();
        Assert.Equal(csv, await Export.Read(bed.Files, _sweep, $"traces/{name}"));
        Assert.Equal(sha256, SweepFileName.Sha256(csv));
        // A superseded attempt that still writes does not touch what the trial was committed with.
        await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(7, seed: 9), default);
        Assert.Equal(csv, await Export.Read(bed.Files, _sweep, $"traces/{name}"));
    }

    [Fact]
    public async Task The_requests_of_a_served_trial_are_kept_with_it_listed_and_given_back_to_the_byte()
    {
        await Create();
        await Store.Register(_sweep, Group(0), "o");
        var trial = Samples.Trial(_sweep, 0);
        var requests = Encoding.UTF8.GetBytes("{\"id\":0}\n{\"id\":1}\n");
        var (trace, ofTrace) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(20), default);
        var (name, sha256) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Requests, requests, default);
        var served = trial with { Trace = trace, TraceSha256 = ofTrace, Served = Samples.Served(name, sha256) };
        Assert.Equal(CommitAnswer.Committed, await Store.Commit(_sweep, "o", served));
        await bed.Reopen();
        var kept = Assert.Single(await Store.Results(_sweep));
        Assert.Equal(Journals.Document(served with { Sequence = 0 }), Journals.Document(kept with { Sequence = 0 }));
        Assert.Equal(requests, await Export.Read(bed.Files, _sweep, $"requests/{name}"));
        Assert.Contains(await bed.Files.Files(_sweep), f => f.Name == $"requests/{name}" && f.Bytes == requests.Length);
        // A superseded attempt that still writes changes nothing.
        await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Requests, Encoding.UTF8.GetBytes("{}\n"), default);
        Assert.Equal(requests, await Export.Read(bed.Files, _sweep, $"requests/{name}"));
        await Store.Publish(_sweep, Sweep(), Samples.Record(SweepPhase.Finished));
        await bed.Reopen();
        Assert.Contains((await bed.Files.Manifest(_sweep))!.Files, f => f.Name == $"requests/{name}" && f.Sha256 == sha256);
        Assert.Equal(requests, await Export.Read(bed.Files, _sweep, $"requests/{name}"));
    }

    [Fact]
    public async Task What_is_exported_verifies_while_the_sweep_runs_and_when_it_has_ended()
    {
        await Fill(7, withTraces: 3);
        await Store.Publish(_sweep, Sweep(), Samples.Record());
        await Store.Commit(_sweep, "o1", Samples.Trial(_sweep, 9));
        await Store.Append(_sweep, Sweep(), "later", "trial", "after the publication");
        using (var running = await Export.Of(bed.Files, _sweep)) Assert.Equal((0, ""), await running.Verify());
        await Store.Append(_sweep, Sweep(), "finished", "finished", "");
        await Store.Publish(_sweep, Sweep(), Samples.Record(SweepPhase.Finished));
        await bed.Reopen();
        using var ended = await Export.Of(bed.Files, _sweep);
        Assert.Equal((0, ""), await ended.Verify());
        Assert.Equal(["cells.csv", "events.ndjson", "facility.csv", "manifest.json", "matrix.json", "plan.resolved.yaml", "plan.yaml", "report.html", "trials.ndjson"],
            (await bed.Files.Files(_sweep)).Select(f => f.Name).Where(n => !n.StartsWith("traces/", StringComparison.Ordinal)));
        var (matrix, manifest) = (await bed.Files.Matrix(_sweep), await bed.Files.Manifest(_sweep));
        Assert.Equal((Samples.Record().AtUtc, true), (matrix!.GeneratedUtc, matrix.Complete));
        Assert.Equal(("1.2.3", ".NET of the tests", SweepPhase.Finished), (manifest!.Version, manifest.Runtime, manifest.Phase));
        Assert.Equal("n1/GPU-1", Assert.Single(manifest.Passes[1].Devices));
        Assert.Equal(Samples.PlanText, Encoding.UTF8.GetString(await Export.Read(bed.Files, _sweep, "plan.yaml")));
    }

    [Fact]
    public async Task The_same_record_gives_the_same_documents_to_whoever_asks()
    {
        await Fill(8, withTraces: 2);
        await Store.Publish(_sweep, Sweep(), Samples.Record());
        var first = await Export.All(bed.Files, _sweep);
        await Store.Publish(_sweep, Sweep(), Samples.Record());
        await bed.Reopen();
        Assert.Equal(first, await Export.All(bed.Files, _sweep));
    }

    [Fact]
    public async Task A_plan_that_this_version_cannot_read_can_still_be_cancelled()
    {
        await Store.Create(_sweep, "from: the future\n", Samples.Plan with { Match = [], Groups = [Samples.Plan.Groups[0] with { Name = "no name of ours: \u0000" }] });
        await Store.Publish(_sweep, Sweep(), Samples.Record(SweepPhase.Cancelled));
        var manifest = await bed.Files.Manifest(_sweep);
        Assert.Equal(SweepPhase.Cancelled, manifest!.Phase);
        Assert.Contains("cannot read the plan", manifest.Disclosure.WorkloadMix);
        Assert.Null(await bed.Files.Matrix(_sweep));
    }

    [Fact]
    public async Task The_same_plan_again_changes_nothing_and_another_is_refused()
    {
        await Fill(1);
        await Create();
        await Assert.ThrowsAsync<RefusedException>(() => Store.Create(_sweep, Samples.PlanText + "\n# more\n", Samples.Plan));
        // As a release that takes another default would resolve it.
        var other = EnergyGrid.Plans.PlanFile.Load(Samples.PlanText.Replace("window_s: 12", "window_s: 30", StringComparison.Ordinal), "plan.yaml").Plan!;
        await Assert.ThrowsAsync<RefusedException>(() => Store.Create(_sweep, Samples.PlanText, other));
        Assert.Single(await Store.Results(_sweep));
        Assert.Equal(Samples.PlanText, Encoding.UTF8.GetString(await Export.Read(bed.Files, _sweep, "plan.yaml")));
    }

    [Theory]
    [InlineData("../s")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("{a}")]
    public async Task A_name_that_leads_out_is_refused(string name)
    {
        await Fill(1, withTraces: 1);
        await Assert.ThrowsAsync<ArgumentException>(() => Store.Create(name, Samples.PlanText, Samples.Plan));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.Commit(name, "o", Samples.Trial(_sweep, 3)));
        Assert.Empty(await bed.Files.Files(name));
        Assert.Null(await bed.Files.Open(name, "plan.yaml"));
        Assert.Empty(await bed.Files.Events(name, 0));
        foreach (var file in new[] { "../plan.yaml", "traces/../plan.yaml", "/etc/passwd", $"../{_sweep}/plan.yaml", "", "traces/", "nothing" }) Assert.Null(await bed.Files.Open(_sweep, file));
    }

    [Fact]
    public async Task Reading_what_is_not_there_answers_nothing_and_makes_nothing()
    {
        Assert.Empty(await Store.Results("nobody"));
        Assert.Empty(await bed.Files.Files("nobody"));
        Assert.Empty(await bed.Files.Events("nobody", 0));
        Assert.Null(await bed.Files.Matrix("nobody"));
        Assert.Null(await bed.Files.Manifest("nobody"));
        await Create();
        Assert.Null(await bed.Files.Matrix(_sweep));
        var sweeps = await bed.Retention.Sweeps();
        Assert.Contains(_sweep, sweeps);
        Assert.DoesNotContain("nobody", sweeps);
    }

    [Fact]
    public async Task An_ended_sweep_leaves_as_a_directory_and_comes_back_as_the_same_bytes()
    {
        await Fill(6, withTraces: 2);
        using (var running = await Export.Of(bed.Files, _sweep)) await Assert.ThrowsAsync<RefusedException>(() => bed.Retention.Adopt(running.Path));
        await Store.Publish(_sweep, Sweep(), Samples.Record());
        var unfinished = await Export.Read(bed.Files, _sweep, "manifest.json");
        await Assert.ThrowsAsync<RefusedException>(() => bed.Retention.Remove(_sweep, SweepFileName.Sha256(unfinished)));
        await Store.Append(_sweep, Sweep(), "finished", "finished", "");
        await Store.Publish(_sweep, Sweep(), Samples.Record(SweepPhase.Finished));
        var before = await Export.All(bed.Files, _sweep);
        using var export = await Export.Of(bed.Files, _sweep);
        Assert.Equal(_sweep, (await bed.Retention.Adopt(export.Path)).Sweep); // it is there: a no-op

        await Assert.ThrowsAsync<RefusedException>(() => bed.Retention.Remove(_sweep, SweepFileName.Sha256(unfinished)));
        Assert.Equal(before, await Export.All(bed.Files, _sweep));
        await bed.Retention.Remove(_sweep, SweepFileName.Sha256(before["manifest.json"]));
        await bed.Retention.Remove(_sweep, SweepFileName.Sha256(before["manifest.json"]));
        Assert.Empty(await bed.Files.Files(_sweep));
        Assert.Empty(await Store.Results(_sweep));
        Assert.DoesNotContain(_sweep, await bed.Retention.Sweeps());

        var changed = Path.Combine(export.Path, "trials.ndjson");
        var sound = await File.ReadAllBytesAsync(changed);
        await File.WriteAllBytesAsync(changed, [.. sound[..^9], .. "12345678\n"u8]);
        Assert.Contains("trials.ndjson", (await Assert.ThrowsAsync<RefusedException>(() => bed.Retention.Adopt(export.Path))).Message);
        await File.WriteAllBytesAsync(changed, sound);
        Assert.Empty(await bed.Files.Files(_sweep));

        await bed.Retention.Adopt(export.Path);
        await bed.Reopen();
        Assert.Equal(before, await Export.All(bed.Files, _sweep));
        Assert.Equal(6, (await Store.Results(_sweep)).Length);
        Assert.Equal(2, (await bed.Files.Events(_sweep, 0)).Length);
        await Assert.ThrowsAsync<RefusedException>(() => Store.Append(_sweep, Sweep(9), "more", "trial", ""));
        // Another sweep's content under this id is refused.
        var manifest = Path.Combine(export.Path, "manifest.json");
        await File.WriteAllBytesAsync(manifest, ManifestSeal.Put(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(before["manifest.json"])
            .Replace("\"submittedBy\": \"tests\"", "\"submittedBy\": \"others\"", StringComparison.Ordinal).Split(",\n  \"sha256\"")[^2] + "\n}")));
        await Assert.ThrowsAsync<RefusedException>(() => bed.Retention.Adopt(export.Path));
        Assert.Equal(before, await Export.All(bed.Files, _sweep));
    }
}
