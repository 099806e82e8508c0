using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>energygrid sweep archive</c> and <c>adopt</c> against a grid that runs.</summary>
[Collection("faults")]
public sealed class ArchiveTests
{
    [Fact]
    public async Task A_sweep_that_has_ended_leaves_the_grid_as_a_sound_directory_and_comes_back_and_one_that_runs_does_not()
    {
        using var scratch = new Scratch();
        var data = Path.Combine(scratch.Path, "data");
        var archive = Path.Combine(scratch.Path, "archive");
        await using (var silo = await SiloProcess.Start(data, scale: 100))
        {
            var url = $"{silo.Client.Address}";
            await silo.Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2, more: "traces: first-pass"));
            var early = await SiloProcess.Command("sweep", "archive", "s", "--to", archive, "--url", url);
            Assert.Equal(2, early.Code);
            Assert.Contains("has not ended", early.Error);
            Assert.False(Directory.Exists(archive));
            await silo.Until(s => s.HasEnded, "the sweep ends");
            var before = await silo.Client.Trials("s");

            var archived = await SiloProcess.Command("sweep", "archive", "s", "--to", archive, "--url", url);
            Assert.Equal((0, ""), (archived.Code, archived.Error));
            Assert.Equal(0, (await SiloProcess.Command("verify", archive)).Code);
            Assert.Equal(404, (int)(await Assert.ThrowsAsync<GridProblemException>(() => silo.Client.Sweep("s"))).Status);
            Assert.False(Directory.Exists(new SweepFiles(data).Directory));

            for (var again = 0; again < 2; again++) // the same again changes nothing
            {
                var adopted = await SiloProcess.Command("sweep", "adopt", archive, "--url", url);
                Assert.Equal((0, ""), (adopted.Code, adopted.Error));
            }
            Assert.Equal(before.Length, (await silo.Client.Trials("s")).Length);
        }
        // In another grid, which never ran it, and after its restart.
        var elsewhere = Path.Combine(scratch.Path, "elsewhere");
        await using (var silo = await SiloProcess.Start(elsewhere))
        {
            var adopted = await SiloProcess.Command("sweep", "adopt", archive, "--url", $"{silo.Client.Address}");
            Assert.Equal((0, ""), (adopted.Code, adopted.Error));
        }
        await using (var silo = await SiloProcess.Start(elsewhere))
        {
            var status = await silo.Client.Sweep("s");
            Assert.Equal((SweepPhase.Finished, (await silo.Client.Trials("s")).Length), (status.Phase, status.CommittedTrials));
            Assert.Equal(await File.ReadAllTextAsync(Path.Combine(archive, "report.html")), await silo.Client.Report("s"));
            // A damaged directory is not taken in.
            await File.AppendAllTextAsync(Path.Combine(archive, "cells.csv"), "x");
            var damaged = await SiloProcess.Command("sweep", "adopt", archive, "--url", $"{silo.Client.Address}");
            Assert.Equal(1, damaged.Code);
            Assert.Contains("cells.csv", damaged.Error);
        }
    }
}
