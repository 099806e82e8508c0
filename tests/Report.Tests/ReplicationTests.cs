using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Report.Tests;

/// <summary>What is said of passes that were not enough.</summary>
public sealed class ReplicationTests
{
    [Fact]
    public void A_noisy_machine_is_told_so_with_what_to_do_instead_of_a_number_that_nobody_runs()
    {
        var group = Noisy(deviation: 4.2, halfWidth: 0.01, firstStage: 5, stack: "reference");
        Assert.InRange(group.Replication.Required, 100_000, int.MaxValue);
        var text = Verdicts.Replication(group);
        Assert.StartsWith("5 passes ran, more than 100 needed: this machine is too noisy for ±1.0 %; quiet it (", text);
        Assert.Contains("or ask for a wider half_width: 5 passes of this scatter give ±", text);
        Assert.DoesNotContain(group.Replication.Required.ToString(System.Globalization.CultureInfo.InvariantCulture), text);
    }

    [Fact]
    public void A_number_of_passes_that_can_be_run_is_said_with_the_key_that_allows_them()
    {
        var text = Verdicts.Replication(Noisy(deviation: 0.15, halfWidth: 0.05, firstStage: 5, stack: "reference"));
        Assert.Equal("5 passes ran, 70 needed for ±5.0 %: stopped at max; allow more (passes: max) or ask for a wider half_width: 5 passes of this scatter give ±19 %", text);
    }

    [Theory]
    [InlineData(0.01, 0.3)]
    [InlineData(0.05, 0.18)]
    [InlineData(0.005, 0.02)]
    [InlineData(0.012, 0.2)]
    [InlineData(0.1, 3)]
    public void The_half_width_that_was_asked_for_follows_from_the_passes_that_it_needs(double halfWidth, double deviation)
    {
        var asked = Verdicts.AskedHalfWidth(Noisy(deviation, halfWidth, firstStage: 5, stack: "cuda"));
        Assert.NotNull(asked);
        Assert.InRange(asked.Value / halfWidth, 0.96, 1.04);
    }

    [Fact]
    public void Nothing_follows_from_a_few_passes_or_from_nodes()
    {
        var group = Noisy(0.2, 0.05, 5, "cuda");
        Assert.Null(Verdicts.AskedHalfWidth(group with { Replication = group.Replication with { Required = 7 } }));
        Assert.Null(Verdicts.AskedHalfWidth(group with { Replication = group.Replication with { Units = "nodes" } }));
    }

    [Fact]
    public void The_reason_names_the_scatter_and_the_load_if_somebody_looked_and_says_where_nobody_did()
    {
        var group = Noisy(4.2, 0.01, 5, "reference");
        Assert.Equal("scatter: energy varies by 11 % from pass to pass (standard deviation); what other processes took of the machine meanwhile is not known", Verdicts.Noise(group, null));
        Assert.EndsWith("; other processes took 37 % of this machine's processors meanwhile", Verdicts.Noise(group, 0.37));
        Assert.Equal("", Verdicts.Noise(group with { Replication = group.Replication with { Verdict = "reached" } }, 0.37));
        Assert.DoesNotContain("processes", Verdicts.Noise(Noisy(4.2, 0.01, 5, "simulated"), 0.37));
        Assert.Contains(TerminalMatrix.Lines(SampleMatrix.Of() with { Groups = [group] }, 400, 0.37), l => l.Contains("other processes took 37 %", StringComparison.Ordinal));
    }

    [Fact]
    public void Nodes_that_differ_are_not_helped_by_passes()
    {
        var group = SampleMatrix.Of().Groups[1];
        group = group with { Replication = new ReplicationOutcome("nodes", 8, 11, 8, "more devices needed") };
        Assert.Equal("8 nodes ran, 11 needed for the half-width that was asked for: more devices needed, more passes do not help; 1 pass voided", Verdicts.Replication(group));
        Assert.StartsWith("1 pass ran, ", Verdicts.Replication(group with { Replication = new ReplicationOutcome("passes", 1, 11, 1, "stopped at max") }));
        Assert.Equal("no interval: no cell has two usable passes", Verdicts.Replication(group with { VoidedPasses = 0, Replication = new ReplicationOutcome("none", 0, 0, 0, "no interval") }));
    }

    /// <summary>A group whose cells scatter as Stein's first stage saw it: the same deviation in each ratio.</summary>
    private static MatrixGroup Noisy(double deviation, double halfWidth, int firstStage, string stack)
    {
        var group = SampleMatrix.Of().Groups[0];
        ImmutableArray<MatrixRow> rows = [.. group.Rows.Select(r => r with
        {
            Configuration = r.Configuration with { Stack = stack },
            Spread = new Spread(0.11, null, null),
            Ratio = r.Ratio is { } ratio ? ratio with { Ratio = ratio.Ratio with { Units = firstStage }, Uncertainty = ratio.Uncertainty with { StandardError = deviation / Math.Sqrt(firstStage), DegreesOfFreedom = firstStage - 1 } } : null,
        })];
        return group with
        {
            Rows = rows,
            Replication = new ReplicationOutcome("passes", firstStage, SteinReplication.RequiredUnits(deviation, firstStage - 1, halfWidth), firstStage, "stopped at max"),
        };
    }
}
