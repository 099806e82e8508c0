namespace EnergyGrid.Report.Tests;

public sealed class ParetoTests
{
    [Fact]
    public void The_front_holds_exactly_the_points_that_no_other_dominates()
    {
        ParetoPoint[] points = [new("", "slow", 1, 1, false), new("", "fast", 10, 5, false), new("", "middle", 5, 2, false), new("", "dominated", 4, 3, false), new("", "same", 5, 2, false)];
        Assert.Equal(["slow", "middle", "same", "fast"], ParetoPlot.Front(points).Select(p => p.Label));
    }
}
