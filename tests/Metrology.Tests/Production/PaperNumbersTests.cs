using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology.Tests;

/// <summary>The worked numbers of arXiv 2605.11733, to the printed digits.</summary>
public class PaperNumbersTests
{
    // App. B as printed. c_tok = 4e11 is 2N for N = 2e11: not a 65B model (2 · 65e9 = 1.3e11). The inputs stay as printed.
    private const double JoulesPerToken = 3.5;
    private const double FlopsPerToken = 4e11;
    private const double Watts = 700;
    private const double PeakFlopsPerSecond = 1e15;

    [Fact]
    public void App_B_rho_star_is_8_75_picojoules_per_flop()
    {
        Assert.Equal(8.75e-12, ConstraintBoundary.RhoStar(JoulesPerToken, FlopsPerToken), 1e-24);
    }

    [Fact]
    public void App_B_rho_under_peak_is_0_7_picojoules_per_flop_and_power_is_scarce()
    {
        var rho = ConstraintBoundary.Rho(Watts, PeakFlopsPerSecond);
        Assert.Equal(0.7e-12, rho, 1e-24);
        Assert.Equal(Scarcity.Power, ConstraintBoundary.Compare(rho, ConstraintBoundary.RhoStar(JoulesPerToken, FlopsPerToken)));
    }

    /// <summary>The paper's text says compute is scarce here; by its own (3) power is, throughout.</summary>
    [Theory]
    [InlineData(5, 3.5e-12)]
    [InlineData(10, 7e-12)]
    public void App_B_realized_throughput_5_to_10_times_lower_leaves_power_scarce(double lower, double expected)
    {
        var rho = ConstraintBoundary.Rho(Watts, PeakFlopsPerSecond / lower);
        Assert.Equal(expected, rho, 1e-24);
        Assert.Equal(Scarcity.Power, ConstraintBoundary.Compare(rho, ConstraintBoundary.RhoStar(JoulesPerToken, FlopsPerToken)));
    }

    [Fact]
    public void App_E_MHA_moves_33_6_MB_a_layer_and_step_and_bandwidth_allows_1e5_steps()
    {
        var bytes = KeyValueTraffic.MultiHeadBytes(1024, 64, 128, 2);
        Assert.Equal(33_554_432, bytes);
        Assert.Equal("33.6", (bytes / 1e6).ToString("0.0", System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(1.0e5, KeyValueTraffic.StepsPerSecond(3.35e12, bytes), 0.005e5);
    }

    [Fact]
    public void App_E_MLA_moves_16_times_less_by_the_papers_count_and_28_4_times_by_ours()
    {
        Assert.Equal(16, KeyValueTraffic.PaperSaving(64, 128, 512));
        var ours = KeyValueTraffic.MultiHeadBytes(1024, 64, 128, 2) / KeyValueTraffic.LatentBytes(1024, 512, 64, 2);
        Assert.Equal(2.0 * 8192 / 576, ours, 1e-12);
        Assert.Equal("28.4", ours.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Section_2_halving_e_tok_doubles_the_power_side_ceiling_at_the_same_cap()
    {
        var before = ProductionFunction.Ceilings(1e15, 4e11, 700, 3.5);
        var after = ProductionFunction.Ceilings(1e15, 4e11, 700, 3.5 * 0.5);
        Assert.Equal(2 * before.Power, after.Power);
        Assert.Equal(before.Compute, after.Compute);
        Assert.Equal(200, before.Power, 1e-9);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void App_E_a_100_MW_site_produces_2_to_3_times_the_tokens_an_hour_when_the_batch_grows_2_to_3_times_at_the_same_power(double growth)
    {
        var budget = PowerBudget.Of(new Envelope(100e6, Boundary.Node, 100_000));
        // The same power carries a batch that is larger by the factor: joules per step stay, joules per token fall.
        double TokensPerHour(double joulesPerToken) =>
            3600 * ProductionFunction.TokensPerSecond(ProductionFunction.Ceilings(1e20, 4e11, budget.ItWatts, joulesPerToken), 1);
        Assert.Equal(growth, TokensPerHour(3.5 / growth) / TokensPerHour(3.5), 1e-12);
    }

    [Theory]
    [InlineData(1.2, "-66")] // A to C
    [InlineData(1.6, "-54")] // A to D
    public void Table_3_savings_against_A(double joulesPerToken, string percent)
    {
        var system = Phi.System(3.5, joulesPerToken, 65e9, 65e9);
        Assert.Equal(percent, (100 * (1 / system.Value!.Value - 1)).ToString("0", System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Table_3_F_takes_about_a_tenth_of_A()
    {
        Assert.Equal(10, Phi.System(3.5, 0.35, 65e9, 65e9).Value!.Value, 1e-9);
    }

    [Theory]
    [InlineData(1.56)]
    [InlineData(1.08)]
    public void P_IT_is_the_facility_envelope_over_PUE_and_the_envelope_itself_elsewhere(double pue)
    {
        Assert.Equal(100e6 / pue, PowerBudget.Of(new Envelope(100e6, Boundary.Facility, 1000), pue).ItWatts);
        Assert.Equal(Boundary.Node, PowerBudget.Of(new Envelope(100e6, Boundary.Facility, 1000), pue).Boundary);
        Assert.Equal(100e6, PowerBudget.Of(new Envelope(100e6, Boundary.Node, 1000), pue).ItWatts);
    }
}
