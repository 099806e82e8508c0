using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public sealed class EnergyTests
{
    private const long S = 1_000_000_000;
    private const long T0 = 1_700_000_000 * S;

    private static SensorProfile Counter(double period = 0.1, double modulus = double.NaN, double rated = 700) =>
        new(SensorQuantity.Counter, period, 60, rated, CounterModulusJoules: modulus);

    private static SensorProfile Power(double period = 0.1, bool zeroIsMissing = false) =>
        new(SensorQuantity.Power, period, 60, 700, ZeroIsMissing: zeroIsMissing);

    private static CounterReading[] SteadyCounter(int count, double watts, long step = S / 10) =>
        [.. Enumerable.Range(0, count).Select(i => new CounterReading(T0 + i * step, 1000 + i * watts * step / S))];

    private static PowerReading[] SteadyPower(int count, double watts, long step = S / 10) =>
        [.. Enumerable.Range(0, count).Select(i => new PowerReading(T0 + i * step, watts))];

    private static void Near(double expected, double actual, double relative = 1e-9) =>
        Assert.True(Math.Abs(expected - actual) <= relative * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    [Fact]
    public void Edges_are_interpolated_at_the_exact_bounds()
    {
        var energy = CounterEnergy.Between(SteadyCounter(101, 500), T0 + 1_234_567_891, T0 + 8_765_432_109, Counter());
        Near(500 * 7.530864218, energy.Joules);
        Near(1, energy.Coverage);
        // A ramp of 100 W/s from 0: the integral of 100 t, which reading-to-reading sums without edges would miss.
        var ramp = Enumerable.Range(0, 101).Select(i => new PowerReading(T0 + i * S / 10, 10.0 * i)).ToArray();
        Near(50 * (7.25 * 7.25 - 1.33 * 1.33), PowerEnergy.Between(ramp, T0 + 1_330_000_000, T0 + 7_250_000_000, Power()).Joules);
    }

    [Fact]
    public void A_power_gap_of_more_than_three_periods_is_uncovered_and_keeps_its_bounds_apart()
    {
        var readings = SteadyPower(101, 400).Where(r => r.TimeNanoseconds <= T0 + 3 * S || r.TimeNanoseconds >= T0 + 5 * S).ToArray();
        var energy = PowerEnergy.Between(readings, T0, T0 + 10 * S, Power());
        Near(400 * 8, energy.Joules);
        Near(8, energy.CoveredSeconds);
        Near(0.8, energy.Coverage);
        Near(60 * 2, energy.LowGapJoules);
        Near(700 * 2, energy.HighGapJoules);
        // The naive trapezoid across the gap states energy that nobody measured.
        var naive = readings.Zip(readings[1..], (a, b) => (a.Watts + b.Watts) / 2 * (b.TimeNanoseconds - a.TimeNanoseconds) / S).Sum();
        Near(4000, naive);
    }

    [Fact]
    public void Three_periods_are_no_gap_yet()
    {
        PowerReading[] readings = [new(T0, 400), new(T0 + 3 * S / 10, 400), new(T0 + 6 * S / 10 + 1, 400)];
        Near(0.3, PowerEnergy.Between(readings, T0, T0 + S, Power()).CoveredSeconds);
    }

    [Fact]
    public void A_counter_gap_within_one_epoch_is_covered_in_total_and_only_its_split_is_modelled()
    {
        CounterReading[] readings = [new(T0, 0), new(T0 + S / 10, 50), new(T0 + 60 * S, 30_000), new(T0 + 60 * S + S / 10, 30_050)];
        var whole = CounterEnergy.Between(readings, T0, T0 + 60 * S + S / 10, Counter());
        Near(30_050, whole.Joules);
        Near(1, whole.Coverage);
        Assert.Equal(Provenance.Measured, whole.Provenance);
        var split = CounterEnergy.Between(readings, T0, T0 + 30 * S, Counter());
        Near(30, split.CoveredSeconds);
        Assert.Equal(Provenance.Modelled, split.Provenance);
    }

    [Fact]
    public void A_wrap_is_taken_only_with_a_known_modulus_and_a_plausible_power()
    {
        // RAPL: 262,143.33 J, wrapped between two readings one second apart at 350 W.
        const double modulus = 262_143.328850;
        CounterReading[] wrapped = [new(T0, modulus - 100), new(T0 + S, 250)];
        var rapl = Counter(1, modulus, 350);
        Near(350, CounterEnergy.Between(wrapped, T0, T0 + S, rapl).Joules, 1e-7);
        Assert.Equal(0, CounterEnergy.Resets(wrapped, rapl));
        // Implied 600 W on a device rated 350 W (limit 525 W): a reset.
        CounterReading[] reset = [new(T0, modulus - 100), new(T0 + S, 500)];
        AssertUncovered(CounterEnergy.Between(reset, T0, T0 + S, rapl), 350);
        Assert.Equal(1, CounterEnergy.Resets(reset, rapl));
        // Unknown modulus: always a reset.
        AssertUncovered(CounterEnergy.Between(wrapped, T0, T0 + S, Counter(1, double.NaN, 350)), 350);
        // So long apart that it may have wrapped unseen (749 s at 350 W): the total is not known.
        CounterReading[] long_ = [new(T0, 100), new(T0 + 800 * S, 400)];
        Assert.Equal(0, CounterEnergy.Between(long_, T0, T0 + 800 * S, rapl).CoveredSeconds);
    }

    private static void AssertUncovered(Energy energy, double rated)
    {
        Assert.Equal(0, energy.Joules);
        Assert.Equal(0, energy.CoveredSeconds);
        Near(rated * energy.ExpectedSeconds, energy.HighGapJoules);
    }

    [Fact]
    public void Repeated_samples_are_kept_because_dropping_them_turns_a_step_into_a_ramp()
    {
        // 100 W until 5.0 s, then 600 W: the sensor repeats itself in between.
        var readings = Enumerable.Range(0, 101).Select(i => new PowerReading(T0 + i * S / 10, i <= 50 ? 100 : 600)).ToArray();
        var truth = 100 * 5.0 + 0.1 * 350 + 600 * 4.9;
        Near(truth, PowerEnergy.Between(readings, T0, T0 + 10 * S, Power()).Joules);
        var dropped = readings.Where((r, i) => i == 0 || i == 100 || r.Watts != readings[i - 1].Watts).ToArray();
        var naive = dropped.Zip(dropped[1..], (a, b) => (a.Watts + b.Watts) / 2 * (b.TimeNanoseconds - a.TimeNanoseconds) / S).Sum();
        Assert.True(Math.Abs(naive - truth) / truth > 0.3, $"dropping repeated samples gave {naive} J of {truth} J");
    }

    [Fact]
    public void A_large_reading_is_never_discarded()
    {
        var readings = SteadyPower(101, 10_200);
        Near(102_000, PowerEnergy.Between(readings, T0, T0 + 10 * S, Power()).Joules);
    }

    [Fact]
    public void Zero_watts_from_a_management_controller_is_missing_and_from_another_sensor_is_zero()
    {
        var readings = SteadyPower(101, 400).Select((r, i) => i is >= 20 and < 40 ? r with { Watts = 0 } : r).ToArray();
        var missing = PowerEnergy.Between(readings, T0, T0 + 10 * S, Power(zeroIsMissing: true));
        Near(10 - 2.1, missing.CoveredSeconds);
        Near(400 * 7.9, missing.Joules);
        Near(10, PowerEnergy.Between(readings, T0, T0 + 10 * S, Power()).CoveredSeconds);
    }

    [Fact]
    public void Values_that_are_no_readings_are_skipped_and_readings_out_of_order_are_refused_by_index()
    {
        PowerReading[] readings = [new(T0, 400), new(T0 + S / 10, double.NaN), new(T0 + S / 5, -3), new(T0 + 3 * S / 10, 400)];
        Near(120, PowerEnergy.Between(readings, T0, T0 + 3 * S / 10, Power()).Joules);
        PowerReading[] unordered = [new(T0, 400), new(T0 + S / 5, 400), new(T0 + S / 10, 400)];
        Assert.Contains("Reading 2", Assert.Throws<ArgumentException>(() => PowerEnergy.Between(unordered, T0, T0 + S, Power())).Message);
        Assert.Throws<ArgumentException>(() => CounterEnergy.Between([new(T0, 1), new(T0, 2)], T0, T0 + S, Counter()));
        Assert.Throws<ArgumentException>(() => PowerEnergy.Between(readings, T0 + S, T0 + S, Power()));
    }

    [Fact]
    public void Ordering_is_idempotent_and_the_larger_of_two_readings_of_one_instant_stands()
    {
        CounterReading[] readings = [new(T0 + 2, 3), new(T0, 1), new(T0 + 2, 4), new(T0 + 1, double.NaN), new(T0 + 2, 3), new(T0 + 1, 2)];
        var count = Readings.Order(readings.AsSpan());
        CounterReading[] expected = [new(T0, 1), new(T0 + 1, 2), new(T0 + 2, 4)];
        Assert.Equal(expected, readings[..count]);
        Assert.Equal(count, Readings.Order(readings.AsSpan(0, count)));
    }

    [Fact]
    public void Both_edges_count_four_percent_at_5_s_and_0_67_percent_at_30_s_unaligned()
    {
        var readings = SteadyCounter(4001, 500, S / 100);
        var sensor = Counter(0.01);
        double Share(double seconds, long offset)
        {
            var energy = CounterEnergy.Between(readings, T0 + offset, T0 + offset + (long)(seconds * S), sensor);
            return energy.EdgeUncertaintyJoules / energy.Joules;
        }
        Near(0.04, Share(5, 3_333_333));
        Near(0.2 / 30, Share(30, 3_333_333));
        // On ticks: poll interval and read latency only.
        Near(2 * 0.01 / 5, Share(5, S / 100));
        Near(2 * 0.012 / 5, CounterEnergy.Between(readings, T0 + S, T0 + 6 * S, sensor with { ReadLatencySeconds = 0.002 }).EdgeUncertaintyJoules / 2500);
    }

    [Fact]
    public void Edges_on_ticks_recover_a_stepping_counter_exactly_where_arbitrary_edges_do_not()
    {
        // 500 W through a counter that steps every 100 ms, polled every 10 ms.
        var readings = Enumerable.Range(0, 1001).Select(i => new CounterReading(T0 + i * S / 100, i / 10 * 50.0)).ToArray();
        var sensor = Counter(0.01);
        var edges = CounterEnergy.EdgesOnTicks(readings, sensor, T0 + 123_000_000, 5 * S)!.Value;
        Assert.Equal((T0 + 200_000_000, T0 + 5_200_000_000), edges);
        Near(2500, CounterEnergy.Between(readings, edges.From, edges.To, sensor).Joules);
        var off = CounterEnergy.Between(readings, T0 + 95_000_000, T0 + 5_005_000_000, sensor);
        Assert.True(Math.Abs(off.Joules - 500 * 4.91) > 10);
        Assert.True(Math.Abs(off.Joules - 500 * 4.91) <= off.EdgeUncertaintyJoules);
        Assert.Null(CounterEnergy.EdgesOnTicks(readings, sensor, T0 + 8 * S, 5 * S));
        var ticks = new long[readings.Length];
        Assert.Equal(100, CounterEnergy.Ticks(readings, sensor, ticks));
        Assert.Equal(T0 + S / 10, ticks[0]);
    }

    [Fact]
    public void The_counter_residual_is_relative_to_the_counter_and_says_nothing_of_uncovered_intervals()
    {
        var counter = CounterEnergy.Between(SteadyCounter(101, 500), T0, T0 + 10 * S, Counter());
        var integrated = PowerEnergy.Between(SteadyPower(101, 480), T0, T0 + 10 * S, Power());
        Near(0.04, CounterAgreement.Of(counter, integrated));
        Assert.True(CounterAgreement.IsFlagged(0.04));
        Assert.False(CounterAgreement.IsFlagged(-0.02));
        Assert.True(double.IsNaN(CounterAgreement.Of(counter, integrated with { CoveredSeconds = 9 })));
        Assert.Throws<ArgumentException>(() => CounterAgreement.Of(counter, integrated with { ExpectedSeconds = 9 }));
    }

    [Fact]
    public void A_clock_error_costs_the_step_of_power_at_each_edge() => Assert.Equal(2.5, EdgeUncertainty.ClockJoules(-500, 0.005));

    [Fact]
    public void A_group_s_energy_adds_and_its_coverage_is_the_least()
    {
        var a = new Energy(100, 10, 10, 0, 0, 1, "counter", Provenance.Measured);
        var b = new Energy(80, 8, 10, 12, 140, 2, "power", Provenance.Modelled);
        var sum = EnergySums.Over([a, b]);
        Assert.Equal(new Energy(180, 8, 10, 12, 140, 3, "mixed", Provenance.Modelled), sum);
        Assert.Throws<ArgumentException>(() => EnergySums.Over([a, b with { ExpectedSeconds = 11 }]));
        Assert.Throws<ArgumentException>(() => EnergySums.Over([]));
    }

    [Fact]
    public void Energy_is_conserved_under_any_split_of_the_interval()
    {
        var cuts = Gen.Choose(0, 1_000_000).ListOf(12).Select(l => l.ToArray());
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(cuts.ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (inner, seed) =>
        {
            var random = new Random(seed);
            var (counter, power) = Walk(random, 300, 0.08);
            long[] edges = [T0 + S, .. inner.Select(c => T0 + S + c * 20_000L).Order().Distinct().Where(t => t > T0 + S), T0 + 22 * S];
            var (joules, covered, watts, coveredPower) = (0.0, 0.0, 0.0, 0.0);
            for (var i = 1; i < edges.Length; i++)
            {
                var part = CounterEnergy.Between(counter, edges[i - 1], edges[i], Counter());
                var partPower = PowerEnergy.Between(power, edges[i - 1], edges[i], Power());
                joules += part.Joules;
                covered += part.CoveredSeconds;
                watts += partPower.Joules;
                coveredPower += partPower.CoveredSeconds;
                Assert.InRange(part.Coverage, 0, 1);
                Assert.InRange(partPower.Coverage, 0, 1);
                Assert.True(part.Joules >= 0);
            }
            var whole = CounterEnergy.Between(counter, edges[0], edges[^1], Counter());
            var wholePower = PowerEnergy.Between(power, edges[0], edges[^1], Power());
            Near(whole.Joules, joules);
            Near(whole.CoveredSeconds, covered);
            Near(wholePower.Joules, watts);
            Near(wholePower.CoveredSeconds, coveredPower);
        }));
    }

    /// <summary>Readings at uneven times, with gaps, and resets of the counter at the given rate.</summary>
    internal static (CounterReading[] Counter, PowerReading[] Power) Walk(Random random, int count, double gapRate, double resetRate = 0.01)
    {
        var counter = new CounterReading[count];
        var power = new PowerReading[count];
        var (time, joules) = (T0, 5000.0);
        for (var i = 0; i < count; i++)
        {
            var watts = 60 + 640 * random.NextDouble();
            counter[i] = new CounterReading(time, joules);
            power[i] = new PowerReading(time, watts);
            var step = random.NextDouble() < gapRate ? random.NextInt64(S / 3, 4 * S) : random.NextInt64(1, S / 6);
            time += step;
            joules = random.NextDouble() < resetRate ? 0 : joules + watts * step / S;
        }
        return (counter, power);
    }
}
