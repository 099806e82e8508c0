using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>What the two stores owe each other.</summary>
public sealed class BothStoresTests(FileBed files, RedisBed redis) : IClassFixture<FileBed>, IClassFixture<RedisBed>
{
    [Fact]
    public async Task The_same_calls_leave_the_same_directory_byte_for_byte()
    {
        var made = new List<SortedDictionary<string, byte[]>>();
        foreach (var bed in new IStoreBed[] { files, redis })
        {
            await bed.Store.Create("s", Samples.PlanText, Samples.Plan);
            await bed.Store.Register("s", new(Fence.GroupActor(0), 1), "o");
            await bed.Store.Register("s", new(Fence.GroupActor(1), 1), "o");
            await bed.Store.Append("s", new("sweep", 1), "submitted", "submitted", "two lines\nof text");
            for (var n = 0; n < 9; n++)
            {
                var trial = Samples.Trial("s", n);
                var (name, sha256) = await bed.Traces.Write("s", trial.Trial, TrialFileKind.Trace, Samples.Trace(200, n), default);
                await bed.Store.Commit("s", "o", trial with { Trace = name, TraceSha256 = sha256 });
            }
            await bed.Store.Publish("s", new("sweep", 1), Samples.Record());
            made.Add(await Export.All(bed.Files, "s"));
            await bed.Store.Append("s", new("sweep", 1), "finished", "finished", "");
            await bed.Store.Publish("s", new("sweep", 1), Samples.Record(SweepPhase.Finished));
            made.Add(await Export.All(bed.Files, "s"));
        }
        Assert.Equal(made[0], made[2]);
        Assert.Equal(made[1], made[3]);
        Assert.Equal(18, made[1].Count);
    }

    [Fact]
    public async Task What_one_has_archived_the_other_adopts_as_the_same_bytes()
    {
        foreach (var (from, to, sweep) in new (IStoreBed, IStoreBed, string)[] { (files, redis, "moved-in"), (redis, files, "moved-out") })
        {
            await from.Store.Create(sweep, Samples.PlanText, Samples.Plan);
            await from.Store.Register(sweep, new(Fence.GroupActor(0), 1), "o");
            var trial = Samples.Trial(sweep, 0);
            var (name, sha256) = await from.Traces.Write(sweep, trial.Trial, TrialFileKind.Trace, Samples.Trace(50), default);
            await from.Store.Commit(sweep, "o", trial with { Trace = name, TraceSha256 = sha256 });
            await from.Store.Publish(sweep, new("sweep", 1), Samples.Record(SweepPhase.FinishedWithFailures));
            using var export = await Export.Of(from.Files, sweep);
            await to.Retention.Adopt(export.Path);
            Assert.Equal(await Export.All(from.Files, sweep), await Export.All(to.Files, sweep));
        }
    }
}
