using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Devices.Tests;

/// <summary>What must not pass as a valid trial.</summary>
public sealed class GuardTests
{
    private static readonly Configuration A = Laboratory.Resolve("A");

    [Fact]
    public void A_trial_at_the_power_limit_is_valid_and_flagged_with_its_share()
    {
        var free = new Laboratory(3);
        var capped = new Laboratory(3, defects: new() { PowerLimitWatts = 300 });
        var (without, with) = (free.RunAlone(free.Order(A)), capped.RunAlone(capped.Order(A)));
        Assert.Equal(TrialOutcome.Valid, with.Outcome);
        Assert.All(with.Legs, leg =>
        {
            Assert.Equal(1, leg.PowerCapFraction, 0.01);
            Assert.Contains(leg.Flags, f => f.StartsWith("power cap", StringComparison.Ordinal));
            Assert.Equal(capped.Gpus[0].Truth.Curve.Reads(300), leg.Gpu.Joules / leg.WindowSeconds, 1.0);
        });
        Assert.True(with.Legs[0].Tokens < 0.9 * without.Legs[0].Tokens);
        Assert.All(without.Legs, leg => Assert.Equal(0, leg.PowerCapFraction));
        Assert.Equal(300, with.PowerLimitWatts);
    }

    [Fact]
    public void Thermal_slowdown_invalidates()
    {
        var lab = new Laboratory(4, profile: SimulatedProfile.H100 with { CoolantCelsius = 70 });
        var result = lab.RunAlone(lab.Order(A));
        Assert.Equal(TrialOutcome.Invalid, result.Outcome);
        Assert.Contains(result.Reasons, r => r.StartsWith("thermal slowdown", StringComparison.Ordinal));
        Assert.Equal(2, result.Legs.Length);
    }

    [Fact]
    public void A_counter_that_begins_anew_within_the_window_invalidates_and_lowers_coverage()
    {
        var undisturbed = new Laboratory(5);
        var leg = undisturbed.RunAlone(undisturbed.Order(A)).Legs[0];
        var at = (leg.StartedUtc - Laboratory.Start).TotalSeconds + 10;
        var lab = new Laboratory(5, defects: new() { CounterResetAfterSeconds = at });
        var result = lab.RunAlone(lab.Order(A));
        Assert.Equal(TrialOutcome.Invalid, result.Outcome);
        Assert.Contains(result.Reasons, r => r.Contains("began anew", StringComparison.Ordinal));
        Assert.InRange(result.Legs[0].Gpu.Coverage, 0.9, 0.999);
        Assert.True(result.Legs[0].Gpu.HighGapJoules > 0);
        Assert.Equal(1, result.Legs[1].Gpu.Coverage, 1e-9);
    }

    [Fact]
    public void A_precondition_that_stays_unmet_fails_with_the_reason_after_the_time_limit()
    {
        var lab = new Laboratory(6, defects: new() { OtherProcesses = 2 });
        var result = lab.RunAlone(lab.Order(A));
        Assert.Equal(TrialOutcome.Failed, result.Outcome);
        Assert.Contains("within 60 s: 2 other process(es)", Assert.Single(result.Reasons));
        Assert.InRange((result.EndedUtc - result.StartedUtc).TotalSeconds, 60, 62);
        Assert.Empty(result.Legs);
    }

    [Fact]
    public void A_hot_device_is_waited_for_until_it_is_within_the_band()
    {
        var lab = new Laboratory(7);
        lab.Gpus[0].Disturb(celsius: 80);
        var result = lab.RunAlone(lab.Order(A, timing: Laboratory.Timing with { StartTemperatureLowCelsius = 25, StartTemperatureHighCelsius = 45 }));
        Assert.Equal(TrialOutcome.Valid, result.Outcome);
        Assert.InRange(result.StartCelsius, 40, 45);
    }

    [Fact]
    public void A_changed_power_limit_and_a_foreign_process_invalidate()
    {
        var lab = new Laboratory(8);
        var result = lab.Time.Run(async () =>
        {
            var running = lab.Run(lab.Order(A));
            await Task.Delay(TimeSpan.FromSeconds(40), lab.Time);
            lab.Gpus[0].Disturb(powerLimitWatts: 650, otherProcesses: 1);
            return await running;
        });
        Assert.Equal(TrialOutcome.Invalid, result.Outcome);
        Assert.Contains(result.Reasons, r => r.Contains("from 700 W to 650 W", StringComparison.Ordinal));
        Assert.Contains(result.Reasons, r => r.Contains("1 other process(es) came onto", StringComparison.Ordinal));
    }

    [Fact]
    public void Cancellation_ends_the_trial_and_leaves_the_device_idle_and_free()
    {
        var lab = new Laboratory(9);
        using var stop = new CancellationTokenSource();
        var phases = new List<TrialPhase>();
        var (result, after) = lab.Time.Run(async () =>
        {
            var running = lab.Agent.Run(lab.Order(A), p => phases.Add(p.Phase), stop.Token);
            await Task.Delay(TimeSpan.FromSeconds(30), lab.Time);
            stop.Cancel();
            var (result, _) = await running;
            return (result, await lab.Run(lab.Order(A, pass: 1)));
        });
        Assert.Equal(TrialOutcome.Cancelled, result.Outcome);
        Assert.InRange((result.EndedUtc - result.StartedUtc).TotalSeconds, 30, 31.1);
        Assert.Contains(TrialPhase.WarmingUp, phases);
        Assert.Equal(TrialPhase.Ended, phases[^1]);
        Assert.Equal(TrialOutcome.Valid, after.Outcome);
    }

    [Fact]
    public void Two_trials_never_share_a_device()
    {
        var lab = new Laboratory(10);
        var (first, second) = lab.Time.Run(async () =>
        {
            var one = lab.Run(lab.Order(A));
            var two = lab.Run(lab.Order(A, pass: 1));
            return (await one, await two);
        });
        Assert.Equal(TrialOutcome.Valid, first.Outcome);
        Assert.Equal(TrialOutcome.Failed, second.Outcome);
        Assert.Contains("another trial holds", second.Reasons[0]);
    }

    [Fact]
    public void What_does_not_fit_says_how_many_devices_it_needs()
    {
        var lab = new Laboratory(11);
        var result = lab.RunAlone(lab.Order(A) with { LayerLegs = [80] });
        Assert.Equal(TrialOutcome.Failed, result.Outcome);
        Assert.Contains("needs 3 devices", result.Reasons[0]);
        Assert.Contains("has no device", lab.RunAlone(lab.Order(A) with { Devices = ["GPU-none"] }).Reasons[0]);
    }

    [Fact]
    public void A_foreign_process_and_a_changed_limit_that_are_gone_before_the_end_invalidate_too()
    {
        var lab = new Laboratory(12);
        var result = lab.Time.Run(async () =>
        {
            var running = lab.Run(lab.Order(A));
            await Task.Delay(TimeSpan.FromSeconds(40), lab.Time);
            lab.Gpus[0].Disturb(powerLimitWatts: 650, otherProcesses: 1);
            await Task.Delay(TimeSpan.FromSeconds(5), lab.Time);
            lab.Gpus[0].Disturb(powerLimitWatts: 700, otherProcesses: 0);
            return await running;
        });
        Assert.Equal(TrialOutcome.Invalid, result.Outcome);
        Assert.Contains(result.Reasons, r => r.Contains("from 700 W to 650 W", StringComparison.Ordinal));
        Assert.Contains(result.Reasons, r => r.Contains("other process(es) came onto", StringComparison.Ordinal));
    }
}
