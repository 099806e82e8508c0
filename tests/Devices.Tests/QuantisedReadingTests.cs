using System.Globalization;
using EnergyGrid.Node;
using EnergyGrid.Workloads;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Devices.Tests;

/// <summary>What a trace prints with six decimals is what was computed with.</summary>
public sealed class QuantisedReadingTests
{
    [Fact]
    public void A_quantised_value_written_with_six_decimals_is_read_again_to_the_bit()
    {
        // Magnitudes from µJ to what a counter reaches in centuries, where a double no longer tells µJ apart.
        var values = Gen.Choose(-8, 13).SelectMany(power => Gen.Choose(0, int.MaxValue).Two().Select(parts => (parts.Item1 + parts.Item2 / 2147483648.0) / 2147483648.0 * Math.Pow(10, power)));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(20_000), Prop.ForAll(values.ToArbitrary(), value =>
        {
            var quantised = Of(value).Quantised().CounterJoules;
            return Same(quantised, Read(quantised)) && Same(quantised, Of(quantised).Quantised().CounterJoules) && Math.Abs(quantised - value) <= 0.5e-6 + Math.Max(0, 2 * (Math.BitIncrement(value) - value));
        }));
    }

    [Fact]
    public void Energy_and_both_powers_are_quantised_and_nothing_else()
    {
        var raw = new DeviceReading(17, 1 / 3.0, 200 / 3.0, 100 / 3.0, 40 / 3.0, 4000 / 3.0, 1 / 7.0, 1 / 9.0);
        Assert.Equal(raw with { CounterJoules = 0.333333, InstantWatts = 66.666667, AverageWatts = 33.333333 }, raw.Quantised());
        var absent = Of(double.NaN) with { InstantWatts = double.NaN };
        Assert.Equal(absent, absent.Quantised());
    }

    [Fact]
    public void Every_reading_that_a_node_records_is_quantised()
    {
        var lab = new Laboratory(41);
        var sampler = new DeviceSampler(lab.Gpus[0], lab.Time);
        var recording = sampler.Record();
        var watched = sampler.Watch();
        var raw = new List<DeviceReading>();
        lab.Time.Run(async () =>
        {
            var a = Laboratory.Resolve("A");
            await lab.Gpus[0].Load(a, Catalogue.Cost(a), 8, default);
            lab.Gpus[0].Start();
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            lab.Gpus[0].Drain(raw, []);
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            sampler.Pump(0);
        });
        // The device itself tells more digits than that.
        Assert.Contains(raw, r => !Same(r.InstantWatts, Read(r.InstantWatts)));
        Assert.True(recording.Readings.Length > 50);
        foreach (var reading in recording.Readings)
        {
            Assert.Equal(reading, reading.Quantised());
            Assert.True(Same(reading.CounterJoules, Read(reading.CounterJoules)) && Same(reading.InstantWatts, Read(reading.InstantWatts)) && Same(reading.AverageWatts, Read(reading.AverageWatts)));
            Assert.True(sampler.TryNext(watched, out var sample));
            Assert.Equal(reading.InstantWatts, sample.Watts);
        }
    }

    private static DeviceReading Of(double joules) => new(1, joules, 0, 0, 0, 0, 0, 0);

    private static double Read(double value) => double.Parse(value.ToString("F6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private static bool Same(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);
}
