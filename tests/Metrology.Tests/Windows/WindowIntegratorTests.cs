using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public sealed class WindowIntegratorTests
{
    private const long S = 1_000_000_000;
    private const long W0 = 1_700_000_000;
    private const long T0 = W0 * S;

    private static readonly SensorProfile Counter = new(SensorQuantity.Counter, 0.1, 60, 700);
    private static readonly SensorProfile Power = new(SensorQuantity.Power, 0.1, 60, 700);

    private static WindowIntegrator Integrator(SensorProfile sensor, int keep = 64, int readings = 0) => new("n1/gpu0", SourceKind.Gpu, sensor, keep, readings);

    private static void Near(double expected, double actual, double relative = 1e-9) =>
        Assert.True(Math.Abs(expected - actual) <= relative * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    /// <summary>What stands after all that was said: the highest revision of each window.</summary>
    private static SortedDictionary<long, WindowSum> Standing(WindowIntegrator integrator, SortedDictionary<long, WindowSum>? before = null)
    {
        var standing = before ?? [];
        while (integrator.TryTake(out WindowSum window))
        {
            if (standing.TryGetValue(window.Window, out var old)) Assert.Equal(old.Revision + 1, window.Revision);
            else Assert.Equal(0, window.Revision);
            Assert.InRange(window.CoveredSeconds, 0, 1);
            Assert.True(window.Joules >= 0);
            standing[window.Window] = window;
        }
        return standing;
    }

    [Fact]
    public void Windows_come_out_as_they_close_with_edges_at_the_exact_second()
    {
        var integrator = Integrator(Power);
        // A ramp of 100 W a second, read at uneven instants that never fall on a second.
        for (var t = 30_000_000L; t < 5 * S; t += 97_000_003) integrator.Push(T0 + t, 100.0 * t / S);
        var windows = Standing(integrator);
        Assert.Equal([W0, W0 + 1, W0 + 2, W0 + 3], windows.Keys);
        Near(50 * (1 - 0.03 * 0.03), windows[W0].Joules);
        Near(0.97, windows[W0].CoveredSeconds);
        for (var i = 1; i < 4; i++)
        {
            Near(50 * ((i + 1) * (i + 1) - i * i), windows[W0 + i].Joules);
            Assert.Equal(1, windows[W0 + i].CoveredSeconds);
            Near(100 * i, windows[W0 + i].MinWatts);
            Near(100 * (i + 1), windows[W0 + i].MaxWatts);
            Assert.Equal(0, windows[W0 + i].HighJoules);
        }
    }

    [Fact]
    public void A_power_gap_is_uncovered_in_every_window_it_touches_with_bounds_from_the_rated_limits()
    {
        var integrator = Integrator(Power);
        for (var i = 0; i <= 60; i++) if (i is <= 15 or >= 35) integrator.Push(T0 + i * S / 10, 400);
        var windows = Standing(integrator);
        Near(0.5, windows[W0 + 1].CoveredSeconds);
        Near(200, windows[W0 + 1].Joules);
        Near(30, windows[W0 + 1].LowJoules);
        Near(350, windows[W0 + 1].HighJoules);
        Assert.Equal(0, windows[W0 + 2].CoveredSeconds);
        Assert.True(double.IsNaN(windows[W0 + 2].MinWatts));
        Near(0.5, windows[W0 + 3].CoveredSeconds);
    }

    [Fact]
    public void A_bridged_counter_gap_comes_out_revised_covered_and_modelled()
    {
        var integrator = Integrator(Counter);
        for (var i = 0; i <= 15; i++) integrator.Push(T0 + i * S / 10, 40.0 * i);
        integrator.Advance(T0 + 4 * S);
        var windows = Standing(integrator);
        Assert.Equal([W0, W0 + 1, W0 + 2], windows.Keys);
        Near(0.5, windows[W0 + 1].CoveredSeconds);
        Assert.Equal(Provenance.Measured, windows[W0].Provenance);
        for (var i = 45; i <= 60; i++) integrator.Push(T0 + i * S / 10, 40.0 * i);
        windows = Standing(integrator, windows);
        for (var w = 0; w < 6; w++)
        {
            Near(400, windows[W0 + w].Joules);
            Assert.Equal(1, windows[W0 + w].CoveredSeconds);
            Assert.Equal(w is >= 1 and <= 4 ? Provenance.Modelled : Provenance.Measured, windows[W0 + w].Provenance);
            Assert.Equal(w is 1 or 2 ? 1 : 0, windows[W0 + w].Revision);
        }
    }

    [Fact]
    public void A_reset_starts_an_epoch_and_is_a_gap_never_negative_energy()
    {
        var integrator = Integrator(Counter);
        for (var i = 0; i <= 40; i++) integrator.Push(T0 + i * S / 10, i <= 14 ? 1e6 + 40.0 * i : 40.0 * i);
        var windows = Standing(integrator);
        Near(360, windows[W0 + 1].Joules);
        Near(0.9, windows[W0 + 1].CoveredSeconds);
        Assert.Equal([0, 1, 1, 1], windows.Values.Select(w => w.CounterEpoch));
        // The naive difference of the window's first and last reading is a million joules below zero.
        Assert.True(40.0 * 20 - (1e6 + 40.0 * 10) < 0);
    }

    [Fact]
    public void A_wrap_is_no_reset()
    {
        var sensor = Counter with { CounterModulusJoules = 1000 };
        var integrator = Integrator(sensor);
        for (var i = 0; i <= 100; i++) integrator.Push(T0 + i * S / 10, 40.0 * i % 1000);
        var windows = Standing(integrator);
        Assert.Equal(10, windows.Count);
        Assert.All(windows.Values, w => Near(400, w.Joules));
        Assert.All(windows.Values, w => Assert.Equal(0, w.CounterEpoch));
    }

    [Fact]
    public void Power_between_ticks_of_a_stepping_counter_is_the_power_not_the_step()
    {
        var integrator = Integrator(Counter with { NominalPeriodSeconds = 0.02 });
        for (var i = 0; i <= 200; i++) integrator.Push(T0 + i * S / 50, i / 5 * 50.0);
        var window = Standing(integrator)[W0 + 1];
        Near(500, window.MinWatts);
        Near(500, window.MaxWatts);
    }

    [Fact]
    public void Refused_duplicate_and_too_late_readings_are_counted()
    {
        var integrator = Integrator(Power with { ZeroIsMissing = true }, 8);
        integrator.Push(T0, 100);
        integrator.Push(T0 + S / 10, double.NaN);
        integrator.Push(T0 + S / 10, -1);
        integrator.Push(T0 + S / 10, 0);
        integrator.Push(-5, 100);
        integrator.Push(T0, 100);
        integrator.Push(T0 + 20 * S, 100);
        integrator.Push(T0 + 5 * S, 100);
        Assert.Equal((8, 4, 1, 1, 1), (integrator.Pushed, integrator.Refused, integrator.Duplicates, integrator.Late, integrator.DroppedLate));
        Assert.Throws<InvalidOperationException>(() => integrator.Push([new CounterReading(T0, 1)]));
        Assert.Throws<ArgumentException>(() => Integrator(Power with { NominalPeriodSeconds = double.NaN }));
        Assert.Throws<ArgumentException>(() => Integrator(Power with { RatedWatts = 10 }));
    }

    [Fact]
    public void Energy_is_conserved_when_readings_come_shuffled_twice_and_windows_were_taken_before()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), Gen.Elements(true, false).ToArbitrary(), (seed, isCounter) =>
        {
            var random = new Random(seed);
            var (counter, power) = EnergyTests.Walk(random, 150, 0.05);
            (long Time, double Value)[] readings = isCounter ? [.. counter.Select(r => (r.TimeNanoseconds, r.Joules))] : [.. power.Select(r => (r.TimeNanoseconds, r.Watts))];
            var sensor = isCounter ? Counter : Power;
            var (first, last) = (readings[0].Time / S, readings[^1].Time / S);
            var keep = (int)(last - first) + 8;
            var ordered = Integrator(sensor, keep, 1024);
            foreach (var (time, value) in readings) ordered.Push(time, value);
            var expected = Standing(ordered);
            var shuffled = Integrator(sensor, keep, 1024);
            (long Time, double Value)[] twice = [.. readings, .. readings.Where(_ => random.Next(3) == 0)];
            random.Shuffle(twice);
            var actual = new SortedDictionary<long, WindowSum>();
            foreach (var (time, value) in twice)
            {
                shuffled.Push(time, value);
                if (random.Next(10) == 0) actual = Standing(shuffled, actual);
            }
            actual = Standing(shuffled, actual);
            Assert.Equal(expected.Keys, actual.Keys);
            foreach (var (window, sum) in expected) Assert.Equal(sum with { Revision = 0 }, actual[window] with { Revision = 0 });
            // And both are what the batch says of the same seconds.
            var total = isCounter
                ? CounterEnergy.Between(counter, first * S, last * S, sensor)
                : PowerEnergy.Between(power, first * S, last * S, sensor);
            Near(total.Joules, actual.Values.Sum(w => w.Joules));
            Near(total.CoveredSeconds, actual.Values.Sum(w => w.CoveredSeconds));
            Near(total.HighGapJoules, actual.Values.Sum(w => w.HighJoules));
        }));
    }

    [Fact]
    public void A_gap_longer_than_the_history_loses_windows_and_counts_their_energy()
    {
        var integrator = Integrator(Counter, 8);
        integrator.Push(T0, 0);
        integrator.Push(T0 + S / 2, 200);
        integrator.Push(T0 + 100 * S, 40_000);
        integrator.Push(T0 + 101 * S, 40_400);
        var windows = Standing(integrator);
        Near(40_400, windows.Values.Sum(w => w.Joules) + integrator.LostJoules);
        Assert.True(integrator.LostWindows > 90);
        Assert.Equal(7, windows.Count);
    }

    [Fact]
    public void Nothing_is_allocated_per_reading()
    {
        var integrator = Integrator(Power);
        long sum = 0;
        for (var i = 0; i < 1000; i++) integrator.Push(T0 + i * S / 10, 400);
        while (integrator.TryTake(out WindowSum window)) sum += window.Samples;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 1000; i < 101_000; i++)
        {
            integrator.Push(T0 + i * S / 10, 400 + i % 7);
            if (i % 1000 == 0) integrator.Push(T0 + i * S / 10 - S / 20, 400);
            while (integrator.TryTake(out WindowSum window)) sum += window.Samples;
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(sum > 90_000);
        Assert.Equal(100, integrator.Late);
    }

    [Fact]
    public void A_window_bears_the_worst_clock_error_and_travels_with_its_names()
    {
        var integrator = Integrator(Power with { Provenance = Provenance.Modelled });
        integrator.ClockErrorSeconds = 0.004;
        for (var i = 0; i <= 10; i++) integrator.Push(T0 + i * S / 10, 400);
        integrator.ClockErrorSeconds = 0.001;
        Assert.True(integrator.TryTake(out PowerWindow? window));
        Assert.Equal(new PowerWindow("n1/gpu0", SourceKind.Gpu, W0, 0, window.Joules, 1, 0, 0, 400, 400, 10, 0, 0.004, Provenance.Modelled), window);
        Near(400, window.Joules);
        Assert.False(integrator.TryTake(out window));
    }
}
