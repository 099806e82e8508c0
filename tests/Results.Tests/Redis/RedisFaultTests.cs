using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using StackExchange.Redis;

namespace EnergyGrid.Results.Tests;

/// <summary>A Redis that dies, is away, is full or holds something damaged.</summary>
public sealed class RedisFaultTests(RedisBed bed) : IAsyncLifetime, IClassFixture<RedisBed>
{
    private static readonly Fence Writer = new("sweep", 1);
    private static int _sweeps;
    private readonly string _sweep = $"f-{Interlocked.Increment(ref _sweeps)}";
    private string _root = "";

    public async Task InitializeAsync()
    {
        _root = $"{RedisBed.Prefix}:{{{_sweep}}}";
        await bed.Store.Create(_sweep, Samples.PlanText, Samples.Plan);
        await bed.Store.Register(_sweep, new(Fence.GroupActor(0), 1), "o");
        await bed.Store.Register(_sweep, new(Fence.GroupActor(1), 1), "o");
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task What_was_acknowledged_is_there_after_the_server_was_killed()
    {
        for (var n = 0; n < 5; n++)
        {
            Assert.Equal(CommitAnswer.Committed, await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, n)));
            var said = await bed.Store.Append(_sweep, Writer, $"e{n}", "trial", $"{n}");
            await bed.Server.Kill();
            await bed.Server.Run();
            await bed.Reopen();
            Assert.Equal(n + 1, (await bed.Store.Results(_sweep)).Length);
            Assert.Equal(said, (await bed.Files.Events(_sweep, 0))[^1]);
            Assert.Equal("o", await bed.Store.Take(_sweep, new(Fence.GroupActor(0), 1)));
        }
    }

    [Fact]
    public async Task A_connection_that_lasts_goes_on_by_itself_when_the_server_is_back()
    {
        await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0));
        await bed.Server.Kill();
        await bed.Server.Run(); // it knows none of the scripts any more
        CommitAnswer? answer = null;
        for (var waited = Stopwatch.StartNew(); answer is null && waited.Elapsed < TimeSpan.FromSeconds(30);)
        {
            try { answer = await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 1)); }
            catch (StorageTroubleException) { /* Not back yet: each try takes its own time. */ }
        }
        Assert.NotNull(answer);
        Assert.Equal(2, (await bed.Store.Results(_sweep)).Length);
    }

    [Fact]
    public async Task A_server_that_is_away_is_told_within_a_bounded_time_by_every_call()
    {
        await bed.Server.Kill();
        try
        {
            var calls = new Func<Task>[]
            {
                () => bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0)), () => bed.Store.Results(_sweep), () => bed.Store.Append(_sweep, Writer, "k", "trial", ""), () => bed.Store.Take(_sweep, Writer),
                () => bed.Store.Publish(_sweep, Writer, Samples.Record(SweepPhase.Finished)), () => bed.Files.Files(_sweep), () => bed.Files.Events(_sweep, 0), () => bed.Files.Open(_sweep, "matrix.json"),
                () => bed.Traces.Write(_sweep, Samples.Trial(_sweep, 0).Trial, TrialFileKind.Trace, Samples.Trace(5), default), () => bed.Store.Create(_sweep, Samples.PlanText, Samples.Plan), () => bed.Retention.Sweeps(),
            };
            var waited = Stopwatch.StartNew();
            var told = await Task.WhenAll(calls.Select(c => Assert.ThrowsAsync<StorageTroubleException>(c)));
            Assert.InRange(waited.Elapsed.TotalSeconds, 0, 10);
            Assert.All(told, t => Assert.Contains($"Redis at 127.0.0.1:{bed.Server.Port} does not answer", t.Message));
        }
        finally
        {
            await bed.Server.Run();
            await bed.Reopen();
        }
    }

    [Fact]
    public async Task A_full_server_is_told_as_full_and_leaves_nothing_half_written()
    {
        await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0));
        await bed.Store.Append(_sweep, Writer, "first", "trial", "");
        await bed.Store.Publish(_sweep, Writer, Samples.Record());
        var before = await Export.All(bed.Files, _sweep);
        var server = bed.Connection.GetServers()[0];
        await server.ConfigSetAsync("maxmemory", "1mb");
        try
        {
            var calls = new Func<Task>[]
            {
                () => bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 1)), () => bed.Store.Append(_sweep, Writer, "second", "trial", ""), () => bed.Store.Register(_sweep, new(Fence.GroupActor(0), 2), "p"),
                () => bed.Store.Publish(_sweep, Writer, Samples.Record(SweepPhase.Finished)), () => bed.Traces.Write(_sweep, Samples.Trial(_sweep, 1).Trial, TrialFileKind.Trace, Samples.Trace(500), default),
                () => bed.Store.Create("another", Samples.PlanText, Samples.Plan),
            };
            foreach (var call in calls) Assert.Contains("Redis is full", (await Assert.ThrowsAsync<StorageTroubleException>(call)).Message);
            // What is there can still be read.
            Assert.Equal(before, await Export.All(bed.Files, _sweep));
        }
        finally
        {
            await server.ConfigSetAsync("maxmemory", "0");
        }
        Assert.Equal(before, await Export.All(bed.Files, _sweep));
        Assert.Equal((1, 1, 0), (await bed.Database.HashLengthAsync(_root + ":index"), await bed.Database.HashLengthAsync(_root + ":keys"), await bed.Database.HashLengthAsync(_root + ":blocks")));
        Assert.Equal("o", await bed.Store.Take(_sweep, new(Fence.GroupActor(0), 1)));
        Assert.Equal(CommitAnswer.Committed, await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 1)));
        Assert.Equal(1, (await bed.Store.Append(_sweep, Writer, "second", "trial", "")).Sequence);
        await bed.Store.Publish(_sweep, Writer, Samples.Record(SweepPhase.Finished));
        Assert.Equal(SweepPhase.Finished, (await bed.Files.Manifest(_sweep))!.Phase);
    }

    [Fact]
    public async Task A_server_that_refuses_is_told_with_what_it_refuses_and_nothing_is_changed()
    {
        var server = bed.Connection.GetServers()[0];
        Task<string> Refusal() => Told(() => bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0)));
        try
        {
            await server.ExecuteAsync("ACL", "SETUSER", "default", "-@scripting");
            Assert.Contains("does not allow its user what results need", await Refusal());
            await server.ExecuteAsync("ACL", "SETUSER", "default", "+@all");
            await server.ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
            Assert.Contains("replica", await Refusal());
        }
        finally
        {
            await server.ExecuteAsync("ACL", "SETUSER", "default", "+@all");
            await server.ExecuteAsync("REPLICAOF", "NO", "ONE");
            await bed.Reopen();
        }
        Assert.Empty(await bed.Store.Results(_sweep));
        Assert.Equal(CommitAnswer.Committed, await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0)));
    }

    private static async Task<string> Told(Func<Task> call) => (await Assert.ThrowsAsync<StorageTroubleException>(call)).Message;

    [Fact]
    public async Task A_damaged_record_is_told_with_the_trial_that_it_is()
    {
        for (var n = 0; n < 3; n++) await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, n));
        var sound = (byte[])(await bed.Database.ListGetByIndexAsync(_root + ":trials", 1))!;
        var random = new Random(5);
        for (var i = 0; i < 200; i++)
        {
            var damaged = sound.ToArray();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            await bed.Database.ListSetByIndexAsync(_root + ":trials", 1, damaged);
            // One changed bit may be in the envelope's number, which nothing rests on.
            var trouble = await Record.ExceptionAsync(() => bed.Store.Results(_sweep));
            if (trouble is null)
            {
                Assert.Equal(Journals.Document(Samples.Trial(_sweep, 1)), Journals.Document((await bed.Store.Results(_sweep))[1]));
                continue;
            }
            Assert.IsType<StorageTroubleException>(trouble);
            Assert.Contains("trial 2", trouble.Message);
            Assert.Contains(Samples.Trial(_sweep, 1).Trial.ToString(), trouble.Message);
        }
        await bed.Database.ListSetByIndexAsync(_root + ":trials", 1, sound.AsMemory(0, sound.Length / 2));
        Assert.Contains("the record is damaged", (await Assert.ThrowsAsync<StorageTroubleException>(() => bed.Store.Results(_sweep))).Message);
        await bed.Database.ListSetByIndexAsync(_root + ":trials", 1, sound);
        Assert.Equal(3, (await bed.Store.Results(_sweep)).Length);
    }

    [Fact]
    public async Task A_sweep_whose_data_are_lost_is_told_as_lost_and_not_begun_anew()
    {
        await bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 0));
        await bed.Database.KeyDeleteAsync([_root, _root + ":trials", _root + ":index"]);
        foreach (var call in new Func<Task>[] { () => bed.Store.Commit(_sweep, "o", Samples.Trial(_sweep, 1)), () => bed.Store.Take(_sweep, Writer), () => bed.Store.Append(_sweep, Writer, "k", "trial", "") })
            Assert.Contains("lost its data", (await Assert.ThrowsAsync<StorageTroubleException>(call)).Message);
        Assert.False(await bed.Database.KeyExistsAsync(_root));
    }

    [Fact]
    public async Task Two_silos_serve_the_same_bytes_of_a_sweep_that_runs_and_of_one_that_has_ended()
    {
        for (var n = 0; n < 6; n++)
        {
            var trial = Samples.Trial(_sweep, n);
            var (name, sha256) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(100, n), default);
            await bed.Store.Commit(_sweep, "o", trial with { Trace = name, TraceSha256 = sha256 });
        }
        await bed.Store.Publish(_sweep, Writer, Samples.Record());
        var (other, connection) = await bed.Another();
        await using (connection)
        {
            Assert.Equal(await Export.All(bed.Files, _sweep), await Export.All(other, _sweep));
            // Documents of a sweep that runs are those of its last record, whatever has come since.
            var matrix = await Export.Read(bed.Files, _sweep, "matrix.json");
            await other.Commit(_sweep, "o", Samples.Trial(_sweep, 6));
            Assert.Equal(matrix, await Export.Read(bed.Files, _sweep, "matrix.json"));
            Assert.Equal(7, (await bed.Store.Results(_sweep)).Length);
            await other.Append(_sweep, Writer, "finished", "finished", "");
            await other.Publish(_sweep, Writer, Samples.Record(SweepPhase.Finished));
            Assert.Equal(await Export.All(bed.Files, _sweep), await Export.All(other, _sweep));
            using var export = await Export.Of(bed.Files, _sweep);
            Assert.Equal((0, ""), await export.Verify());
        }
    }

    [Fact]
    public async Task Every_key_of_a_sweep_lies_under_the_prefix_in_one_slot_and_none_expires()
    {
        var trial = Samples.Trial(_sweep, 0);
        var (name, sha256) = await bed.Traces.Write(_sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(100), default);
        await bed.Store.Commit(_sweep, "o", trial with { Trace = name, TraceSha256 = sha256 });
        await bed.Store.Append(_sweep, Writer, "k", "trial", "");
        await bed.Store.Publish(_sweep, Writer, Samples.Record(SweepPhase.Finished));
        var keys = new List<RedisKey>();
        await foreach (var key in bed.Connection.GetServers()[0].KeysAsync()) keys.Add(key);
        Assert.All(keys, k => Assert.StartsWith(RedisBed.Prefix + ":", (string)k!));
        var mine = keys.Where(k => ((string)k!).Contains(_sweep + "}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(9, mine.Length);
        Assert.Single(mine.Select(k => bed.Connection.HashSlot(k)).Distinct());
        foreach (var key in mine) Assert.Null(await bed.Database.KeyTimeToLiveAsync(key));
    }
}
