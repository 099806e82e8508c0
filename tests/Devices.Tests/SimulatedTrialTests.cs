using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

public sealed class SimulatedTrialTests
{
    private static readonly SimulatedDefects Steady = new() { PowerVariation = 0, SpeedVariation = 0, Sensor = SensorDesign.Straight };

    [Fact]
    public void A_trial_recovers_the_true_ratio_of_two_configurations_although_the_sensors_gain_is_off()
    {
        // The seed gives a gain that is off by more than 3 %.
        var lab = Enumerable.Range(1, 50).Select(s => new Laboratory((ulong)s, defects: Steady)).First(l => Math.Abs(l.Gpus[0].Truth.Curve.Gain - 1) > 0.03);
        var (a, d) = (Laboratory.Resolve("A"), Laboratory.Resolve("D"));
        var (first, second) = lab.Time.Run(async () => (await lab.Run(lab.Order(a)), await lab.Run(lab.Order(d))));

        Assert.Equal(TrialOutcome.Valid, first.Outcome);
        Assert.Equal(TrialOutcome.Valid, second.Outcome);
        var (joulesA, joulesD) = (Laboratory.TokenLayerJoules(first, 8), Laboratory.TokenLayerJoules(second, 8));
        var (trueA, trueD) = (Laboratory.Truth(lab.Gpus[0], a), Laboratory.Truth(lab.Gpus[0], d));
        Assert.True(Math.Abs(joulesA / trueA - 1) > 0.025, $"{joulesA} J is not off by the gain from {trueA} J");
        Assert.Equal(lab.Gpus[0].Truth.Curve.Gain, joulesA / trueA, 0.004);
        Assert.Equal(1, joulesD / joulesA / (trueD / trueA), 0.003);
        Assert.All(first.Legs, leg =>
        {
            Assert.Equal(1, leg.Gpu.Coverage, 1e-9);
            Assert.Equal(Provenance.Modelled, leg.Gpu.Provenance);
            Assert.InRange(leg.WindowSeconds, 30, 30.2);
            Assert.InRange(leg.CounterResidual, -0.01, 0.01);
            Assert.InRange(leg.Gpu.EdgeUncertaintyJoules, 1, 0.001 * leg.Gpu.Joules);
            Assert.Empty(leg.Flags);
        });
        Assert.InRange(first.IdleContextWatts, 95, 115);
        Assert.True(first.Legs[0].WarmupSeconds < 120, $"warm-up took {first.Legs[0].WarmupSeconds} s");
    }
}
