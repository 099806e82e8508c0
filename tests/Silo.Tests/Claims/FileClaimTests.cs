namespace EnergyGrid.Silo.Tests;

public sealed class FileClaimTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Path_ => Path.Combine(_directory.Path, "in-use");

    public void Dispose() => _directory.Dispose();

    private Task<(FileClaim? Claim, ProcessMark? Holder)> Take() => FileClaim.Take(Path_, shared: false, TimeProvider.System, CancellationToken.None);

    // As a process would have left it on a machine whose file locks are void.
    private void Leave(ProcessMark mark) => File.WriteAllBytes(Path_ + ".process", mark.ToBytes());

    [Fact]
    public async Task Two_in_one_process_do_not_both_get_it_and_it_comes_back()
    {
        var (claim, _) = await Take();
        Assert.NotNull(claim);
        Assert.Equal((null, Environment.ProcessId), ((await Take()).Claim, (await Take()).Holder!.Pid));
        claim.Dispose();
        (claim, _) = await Take();
        Assert.NotNull(claim);
        claim.Dispose();
        Assert.False(File.Exists(Path_ + ".process"));
    }

    [Fact]
    public async Task A_living_process_holds_it_though_its_lock_is_void()
    {
        using var other = System.Diagnostics.Process.Start("sleep", "30")!;
        try
        {
            Leave(ProcessMark.Own() with { Pid = other.Id, Start = null });
            var (claim, holder) = await Take();
            Assert.Equal((null, other.Id), (claim, holder?.Pid));
        }
        finally
        {
            other.Kill();
            await other.WaitForExitAsync();
        }
        using var after = (await Take()).Claim; // it is dead
        Assert.NotNull(after);
    }

    [Theory]
    [InlineData("another start")]
    [InlineData("another boot")]
    [InlineData("no mark")]
    public async Task A_mark_of_the_dead_holds_nothing(string kind)
    {
        if (kind == "no mark") await File.WriteAllTextAsync(Path_ + ".process", "{");
        else Leave(ProcessMark.Own() is var own && kind == "another start" ? own with { Start = 1 } : own with { Boot = "before" });
        using var claim = (await Take()).Claim;
        Assert.NotNull(claim);
    }

    [Fact]
    public async Task The_mark_of_another_machine_is_judged_by_its_beat()
    {
        var far = ProcessMark.Own() with { Machine = "elsewhere", Host = "elsewhere" };
        Leave(far);
        var taking = Take();
        while (!taking.IsCompleted)
        {
            Leave(far with { Beat = Guid.NewGuid().ToString("N") });
            await Task.WhenAny(taking, Task.Delay(200));
        }
        Assert.Equal((null, "elsewhere"), ((await taking).Claim, (await taking).Holder?.Host));
    }
}
