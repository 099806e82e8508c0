using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>The contract over directories, and what only they can be: put together by hand.</summary>
public sealed class FileContractTests(FileBed bed) : StoreContract(bed), IClassFixture<FileBed>
{
    [Fact]
    public async Task A_directory_with_trials_of_another_plan_is_a_conflict_whatever_its_text_says()
    {
        const string Sweep = "foreign";
        await bed.Store.Create(Sweep, Samples.PlanText, Samples.Plan);
        await bed.Store.Register(Sweep, new Fence(Fence.GroupActor(0), 1), "o");
        await bed.Store.Commit(Sweep, "o", Samples.Trial(Sweep, 0) with { PlanSha256 = new string('a', 64) });
        await bed.Reopen();
        Assert.Contains("trials of another plan", (await Assert.ThrowsAsync<RefusedException>(() => bed.Store.Create(Sweep, Samples.PlanText, Samples.Plan))).Message);
        Assert.Single(await bed.Store.Results(Sweep));
    }

    [Fact]
    public async Task Once_disposed_a_store_writes_nothing_more_and_the_next_process_has_the_root_for_itself()
    {
        const string Sweep = "handed-over";
        for (var round = 0; round < 20; round++)
        {
            await bed.Store.Create(Sweep, Samples.PlanText, Samples.Plan);
            var before = bed.Store.Publish(Sweep, new Fence("sweep", 2 * round), Samples.Record(passes: 40));
            await bed.Reopen();
            // What had begun is on disk, whenever whoever asked for it hears of that.
            var left = Files();
            await before;
            Assert.Equal(left, Files());
            await bed.Store.Publish(Sweep, new Fence("sweep", 2 * round + 1), Samples.Record(passes: 40));
        }
    }

    private string[] Files() => [.. new DirectoryInfo(bed.Root).EnumerateFiles("*", SearchOption.AllDirectories)
        .Select(f => $"{f.FullName} {f.Length} {f.LastWriteTimeUtc:O}").Order(StringComparer.Ordinal)];

    [Fact]
    public async Task A_disposed_store_says_so()
    {
        await using var store = new FileResultStore(Path.Combine(bed.Root, "disposed"), TimeProvider.System);
        await store.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.Create("s", Samples.PlanText, Samples.Plan));
        Assert.False(Directory.Exists(store.Root));
    }
}
