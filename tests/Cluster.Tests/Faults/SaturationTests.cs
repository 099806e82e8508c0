using System.Globalization;
using EnergyGrid.Cluster.Tests.Fixtures;
using EnergyGrid.Sdk;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>Nothing else runs beside it.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneDefinition;

/// <summary>A silo whose processors are the workload is slow, not dead. <c>ENERGYGRID_SATURATION=600</c> is the long form, in seconds.</summary>
[Collection("alone")]
public sealed class SaturationTests(ITestOutputHelper output)
{
    private const int UsualSeconds = 25;

    [Fact]
    public async Task No_living_silo_is_accused_while_all_processors_are_saturated()
    {
        var seconds = Environment.GetEnvironmentVariable("ENERGYGRID_SATURATION") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : UsualSeconds;
        await using var grid = await GridOfSilos.Start();
        await grid.KeepSweeping(2);
        var end = false;
        var burners = Enumerable.Range(0, 2 * Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref end)) Thread.SpinWait(1000);
        })
        { IsBackground = true }).ToArray();
        foreach (var burner in burners) burner.Start();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        Volatile.Write(ref end, true);
        foreach (var silo in grid.Silos)
        {
            Assert.True(silo.IsUp, silo.Log);
            SiloLine[] lines = [.. await silo.Client.Silos()];
            Assert.All(lines, l => Assert.True(l.Status == "active", $"{silo.Name} holds {l.Name} for {l.Status}\n{grid.Diary()}"));
        }
        await grid.Settle();
        new Figures(output).Say("all processors saturated twice over, no silo accused", seconds, "s");
    }
}
