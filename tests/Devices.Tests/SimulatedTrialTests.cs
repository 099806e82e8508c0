using EnergyGrid.Contracts;
using EnergyGrid.Grains;
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

    [Fact]
    public void The_progress_of_a_trial_is_of_all_its_legs_and_never_falls()
    {
        var lab = new Laboratory(defects: Steady);
        var told = new List<TrialProgress>();
        lab.Time.Run(() => lab.Agent.Run(lab.Order(Laboratory.Resolve("A")), told.Add, CancellationToken.None));
        Assert.Equal(told.Select(t => t.Fraction).Order(), told.Select(t => t.Fraction));
        Assert.All(told, t => Assert.InRange(t.Fraction, 0, 1));
        // 20 + 30 s a leg and 10 s of rest: two windows, and the second begins where more than half is done.
        var windows = told.Where((t, i) => t.Phase == TrialPhase.Measuring && told[i - 1].Phase != TrialPhase.Measuring).Select(t => t.Fraction).ToArray();
        Assert.Equal(2, windows.Length);
        Assert.InRange(windows[0], 0.15, 0.3);
        Assert.InRange(windows[1], 0.6, 0.7);
        Assert.Equal(1, told[^1].Fraction);
    }
}
