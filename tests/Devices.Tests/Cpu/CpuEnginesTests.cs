using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

public sealed class CpuEnginesTests
{
    [Fact]
    public async Task What_one_stack_had_loaded_is_given_back_before_another_loads()
    {
        var told = new List<string>();
        using var engines = new CpuEngines([Stack("one"), Stack("other")], TimeProvider.System);
        var c = Catalogue.Resolve(new ConfigurationRequest("A", Batch: 1, Context: 8, ModelWidth: 128, FeedForwardWidth: 256, Vocabulary: 0));
        foreach (var stack in new[] { "one", "one", "other", "one" }) await engines.Load(new StepLoad(c with { Stack = stack }, 1, 0, 0), CancellationToken.None);
        // The same stack unloads by itself.
        Assert.Equal(["one makes", "one drops", "one makes", "one drops", "other makes", "other drops", "one makes"], told);

        CpuStack Stack(string name) => new(name, (_, _) => null, (_, _) => 0, time => new ThreadEngine(new Maker(name, told), time, name));
    }

    private sealed class Maker(string name, List<string> told) : IStepMaker
    {
        public void Open()
        {
        }

        public string? Refusal(Configuration configuration, int layers) => null;

        public ILoadedStep Make(StepLoad load, CancellationToken stop)
        {
            told.Add($"{name} makes");
            return new Step(() => told.Add($"{name} drops"));
        }

        public void Dispose()
        {
        }
    }

    private sealed class Step(Action dropped) : ILoadedStep
    {
        public void Run()
        {
        }

        public void Dispose() => dropped();
    }
}
