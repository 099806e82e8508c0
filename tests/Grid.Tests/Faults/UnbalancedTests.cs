using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary>
/// What a lab's sweeps look like: trials that were lost here and there, passes that were voided, devices with unequal numbers of them. Two programs that
/// share no code come to the same matrix from the same files.
/// </summary>
[Collection("faults")]
public sealed class UnbalancedTests
{
    // A second group with an operating point of its own and an A/A pair of its own.
    private const string More = """
        groups:
          - name: dense
            baseline: A
            sweep:
              - {workload: [A, C, F], batch: 8, context: 4096}
          - name: wide
            baseline: A
            operating_point: {service: {milliseconds_per_token: 150, statistic: mean}}
            sweep:
              - {workload: [A, B, "F'"], batch: 24, context: 4096}
        aa: all
        pue: {source: site, category: 3}
        envelope: {watts: 2400, boundary: node, devices: 4}
        cost: {price_per_kwh: 0.08, currency: USD}
        traces: first-pass
        """;

    [Theory]
    [InlineData(1, 0.1)]
    [InlineData(3, 0.6)]
    public async Task Lost_trials_and_void_passes_come_to_the_same_matrix_by_both_programs(int seed, double lost)
    {
        string? broken = null;
        using var scratch = new Scratch();
        var site = new SimulatedSiteOptions { Racks = 1, NodesPerRack = 3, GpusPerNode = 2 };
        await using (var grid = await SimulatedGrid.Start(site, directory: scratch.Path,
            pace: new SweepPace { Tick = TimeSpan.FromMilliseconds(20), HostPatience = TimeSpan.FromSeconds(1) },
            agents: a => new FaultyAgents(a, (order, n) =>
            {
                if (n == 20) broken = order.Devices[0];
                if (order.Devices[0] == broken) throw new IOException("the device is gone");
            }, amend: r => Chance(seed, r.Trial) < lost ? r with { Outcome = TrialOutcome.Invalid, Reasons = [.. r.Reasons, "lost in this test"] } : r)))
        {
            await grid.Sweep("s").Submit(SmallPlan.Of(devices: 1, min: 3, max: 5, groups: More), "tests");
            var status = await grid.Ended("s", 180);
            Assert.True(status.Phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures, $"{status}");
            Assert.True(status.VoidedPasses > 0 && status.ValidTrials < status.CommittedTrials, $"{status}");
            var matrix = (await grid.Files.Matrix("s"))!;
            Assert.Contains(matrix.Groups.SelectMany(g => g.Rows), r => r.Ratio is not null);
        }
        await BothHold(Path.Combine(scratch.Path, "results", "s"));
    }

    // Passes are the units, and there are more of them than the first stage has.
    [Fact]
    public async Task A_second_stage_with_lost_trials_comes_to_the_same_matrix_by_both_programs()
    {
        using var scratch = new Scratch();
        await using (var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 }, directory: scratch.Path,
            agents: a => new FaultyAgents(a, static (_, _) => { }, amend: r => Chance(4, r.Trial) < 0.2 ? r with { Outcome = TrialOutcome.Invalid, Reasons = ["lost in this test", "and for another reason"] } : r)))
        {
            await grid.Sweep("s").Submit(SmallPlan.Of(devices: 1, min: 2, max: 11, halfWidth: "0.0001", groups: More), "tests");
            Assert.True((await grid.Ended("s", 180)).HasEnded);
            var matrix = (await grid.Files.Matrix("s"))!;
            Assert.Contains(matrix.Groups.SelectMany(g => g.Rows), r => r.Passes > 5);
        }
        await BothHold(Path.Combine(scratch.Path, "results", "s"));
    }

    private static async Task BothHold(string directory)
    {
        var ours = Verification.Of(directory, CancellationToken.None);
        Assert.True(ours.Holds, string.Join('\n', ours.Discrepancies));
        var (code, said) = await PythonReader.Verify(directory);
        Assert.True(code == 0, said);
    }

    // From 0 to 1, the same for a trial whatever the order in which they run.
    private static double Chance(int seed, TrialId trial) => BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{trial}"))) / (double)uint.MaxValue;
}
