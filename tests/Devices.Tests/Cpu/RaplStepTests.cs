using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Tests;

/// <summary>Which steps of a counter are energy. The counters stand still here unless a test moves them, and time is what the test says.</summary>
public sealed class RaplStepTests : IDisposable
{
    private static readonly SensorProfile Profile = new(SensorQuantity.Counter, 0.1, 0, 120);

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("rapl-");
    private readonly List<CounterReading> _readings = [];
    private RaplCounter? _counter;
    private long _now = 1_800_000_000_000_000_000;
    private double _silentFor;

    public void Dispose() => _root.Delete(recursive: true);

    [Theory]
    [InlineData(5e9)]
    [InlineData(-5e8)]
    [InlineData(205e6)]
    public void A_step_that_no_socket_draws_is_no_energy_in_either_direction_and_begins_the_counter_anew(double jump)
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        Zone("intel-rapl:0:0", "dram", 1e9);
        Open();
        var joules = 1e9;
        for (var i = 0; i < 100; i++)
        {
            joules += 5e6 + (i % 40 == 20 ? jump : 0);
            Set("intel-rapl:0", joules);
            Set("intel-rapl:0:0", 1e9 + i * 5e5 + 5e5);
            var fault = Look();
            Assert.Equal(i % 40 == 20, fault?.Contains("package-0 went from ", StringComparison.Ordinal) == true);
        }
        Assert.Equal(2, CounterEnergy.Resets(_readings.ToArray(), Profile));
        var energy = CounterEnergy.Between(_readings.ToArray(), _readings[0].TimeNanoseconds, _readings[^1].TimeNanoseconds, Profile);
        // 55 W wherever it is told: what was made up is nowhere, and the breaks are uncovered.
        Assert.Equal(55, energy.Joules / energy.CoveredSeconds, 1e-6);
        Assert.InRange(energy.Coverage, 0.95, 0.97);
    }

    [Fact]
    public void What_a_socket_is_made_for_bounds_its_steps()
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        foreach (var (file, text) in new[] { ("constraint_0_max_power_uw", "120000000"), ("constraint_1_power_limit_uw", "180000000"), ("constraint_2_max_power_uw", "garbage") }) Write("intel-rapl:0", file, text);
        Assert.Equal(540, RaplZone.All(_root.FullName)[0].MostWatts);
        Open();
        Set("intel-rapl:0", 1e9 + 53e6);
        Assert.Null(Look());
        Set("intel-rapl:0", 1e9 + 53e6 + 55e6);
        Assert.Contains("which is no energy that it can have drawn", Look());
        // A power that it was set to says nothing of what it cannot draw.
        File.Delete(Path.Combine(_root.FullName, "intel-rapl:0", "constraint_0_max_power_uw"));
        Assert.Equal(RaplCounter.MostPackageWatts, RaplZone.All(_root.FullName)[0].MostWatts);
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-5")]
    [InlineData("1e9")]
    [InlineData("")]
    [InlineData("18446744073709551616")]
    public void A_text_that_is_no_number_is_a_gap_and_loses_nothing(string text)
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        Open();
        for (var i = 1; i <= 20; i++)
        {
            if (i is >= 8 and <= 10) Write("intel-rapl:0", "energy_uj", text);
            else Set("intel-rapl:0", 1e9 + i * 5e6);
            Assert.Equal(i is >= 8 and <= 10, Look() is not null);
        }
        Assert.Equal(0, CounterEnergy.Resets(_readings.ToArray(), Profile));
        Assert.Equal(19 * 5.0, _readings[^1].Joules - _readings[0].Joules, 1e-6);
    }

    [Fact]
    public void While_one_socket_does_not_move_there_is_no_reading_and_a_short_wait_loses_nothing()
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        Zone("intel-rapl:1", "package-1", 1e9);
        Open();
        for (var i = 1; i <= 20; i++)
        {
            Set("intel-rapl:0", 1e9 + i * 5e6);
            if (i is < 8 or > 12) Set("intel-rapl:1", 1e9 + i * 5e6);
            Assert.Equal(i is < 8 or > 12 ? null : "package-1 has not moved since the last look.", Look());
        }
        Assert.Equal(0, CounterEnergy.Resets(_readings.ToArray(), Profile));
        Assert.Equal(190, _readings[^1].Joules - _readings[0].Joules, 1e-6);
    }

    [Fact]
    public void A_socket_that_stood_still_for_long_begins_anew_with_what_it_has_then()
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        Zone("intel-rapl:1", "package-1", 1e9);
        Open();
        for (var i = 1; i <= 60; i++)
        {
            Set("intel-rapl:0", 1e9 + i * 5e6);
            Set("intel-rapl:1", 1e9 + (i < 20 ? i : i < 40 ? 20 : i - 20) * 5e6);
            var fault = Look();
            if (i == 35) Assert.Equal("package-1 has stood still for 1 s.", fault);
        }
        Assert.Equal(1, CounterEnergy.Resets(_readings.ToArray(), Profile));
        var energy = CounterEnergy.Between(_readings.ToArray(), _readings[0].TimeNanoseconds, _readings[^1].TimeNanoseconds, Profile);
        Assert.Equal(100, energy.Joules / energy.CoveredSeconds, 1e-6);
        // The power of the second in which one stood still is nowhere.
        Assert.All(_readings.Zip(_readings.Skip(1)), p => Assert.True(p.Second.Joules < p.First.Joules || Math.Abs((p.Second.Joules - p.First.Joules) / (p.Second.TimeNanoseconds - p.First.TimeNanoseconds) * 1e9 - 100) < 1e-6));
    }

    [Fact]
    public void After_so_long_a_silence_that_it_may_have_wrapped_unseen_the_counter_begins_anew()
    {
        Zone("intel-rapl:0", "package-0", 1e9);
        Open();
        Set("intel-rapl:0", 1e9 + 5e6);
        Assert.Null(Look());
        File.Delete(Path.Combine(_root.FullName, "intel-rapl:0", "energy_uj"));
        for (var i = 0; i < 20; i++) Assert.NotNull(Look(10));
        Set("intel-rapl:0", 1e9 + 10e9);
        Assert.Contains("went from", Look(10));
        Set("intel-rapl:0", 1e9 + 10e9 + 5e6);
        Assert.Null(Look());
        Assert.Equal(1, CounterEnergy.Resets(_readings.ToArray(), Profile));
    }

    private void Open() => _counter = new RaplCounter(RaplZone.All(_root.FullName), "rapl");

    private string? Look(double seconds = 0.1)
    {
        _now += (long)(1e9 * seconds);
        _silentFor += seconds;
        try
        {
            var joules = DeviceJoules();
            _readings.Add(new CounterReading(_now, joules));
            return null;
        }
        catch (Exception error) when (error is IOException or FormatException)
        {
            return error.Message;
        }
    }

    // As the device does: by the time since the last look that saw something.
    private double DeviceJoules()
    {
        var seen = _counter!.Look();
        var seconds = _silentFor;
        _silentFor = 0;
        return _counter.Joules(seen, seconds);
    }

    private void Zone(string zone, string name, double microjoules)
    {
        _root.CreateSubdirectory(zone);
        Write(zone, "name", name);
        Write(zone, "max_energy_range_uj", "262143328850");
        Set(zone, microjoules);
    }

    private void Set(string zone, double microjoules) => Write(zone, "energy_uj", microjoules.ToString("F0", CultureInfo.InvariantCulture));

    private void Write(string zone, string file, string text) => File.WriteAllText(Path.Combine(_root.FullName, zone, file), text + "\n");
}
