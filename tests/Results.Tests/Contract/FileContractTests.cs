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
}
