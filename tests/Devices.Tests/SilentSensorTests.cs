using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Node;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Devices.Tests;

/// <summary>An old value is not the present: a sensor that tells nothing has no power, is said, and takes its device out of what is offered until it tells again.</summary>
public sealed class SilentSensorTests
{
    [Fact]
    public void A_live_reading_expires_after_three_seconds_and_its_device_is_not_offered_after_ten()
    {
        var (lab, device, sampler) = Sampler();
        lab.Time.Run(async () =>
        {
            await Pump(5);
            Assert.True(sampler.Latest.Watts > 0);
            Assert.Null(sampler.Silence);
            device.Mute = "package-1 has stood still for 1 s.";
            await Pump(2);
            Assert.True(sampler.Latest.Watts > 0);
            await Pump(1);
            Assert.Equal(LatestReading.None(device.Info.Uuid), sampler.Latest);
            Assert.Equal("package-1 has stood still for 1 s", sampler.Silence);
            Assert.Null(sampler.Quarantine);
            await Pump(7);
            Assert.Equal("its sensor is silent: package-1 has stood still for 1 s", sampler.Quarantine);
            device.Mute = null;
            await Pump(1);
            Assert.Equal((null, null), (sampler.Silence, sampler.Quarantine));
            Assert.True(sampler.Latest.Watts > 0);
        });

        async Task Pump(int seconds)
        {
            for (var s = 0; s < seconds; s++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
                sampler.Pump(0);
            }
        }
    }

    [Fact]
    public void What_tells_no_energy_is_silent_though_it_tells_something()
    {
        var (lab, device, sampler) = Sampler();
        device.Deaf = true;
        lab.Time.Run(async () =>
        {
            for (var s = 0; s < 4; s++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
                sampler.Pump(0);
            }
        });
        Assert.Equal("nobody knows why", sampler.Silence);
        Assert.True(double.IsNaN(sampler.Latest.Watts));
    }

    [Fact]
    public void A_process_that_was_held_up_accuses_no_sensor()
    {
        var (lab, device, sampler) = Sampler();
        sampler.Pump(0);
        device.Mute = "it has only just begun";
        lab.Time.Run(async () =>
        {
            await Task.Delay(TimeSpan.FromHours(1), lab.Time);
            sampler.Pump(0);
        });
        Assert.Equal((null, null), (sampler.Silence, sampler.Quarantine));
    }

    [Fact]
    public void A_node_says_a_silence_once_takes_the_device_out_of_what_it_offers_and_takes_it_back_when_it_is_read()
    {
        var lab = new Laboratory(33, gpus: 2);
        var (first, second) = (new Mutable(lab.Gpus[0]), new Mutable(lab.Gpus[1]));
        using var node = new LocalNode("local", "here", "r1", [first, second], new NodeClock(TimeProvider.System));
        var said = new Said();
        var agent = new NodeAgent(node, lab.Time, log: said);
        var grid = new Grid();
        using var stop = new CancellationTokenSource();
        string[] Offered() => [.. grid.Announced[^1].Devices.Select(d => d.Uuid)];
        lab.Time.Run(async () =>
        {
            var serving = agent.Serve(grid.Factory, stop.Token);
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            first.Mute = "the counter says no number";
            await Task.Delay(TimeSpan.FromSeconds(6), lab.Time);
            Assert.True(double.IsNaN(agent.Latest(first.Info.Uuid).Watts));
            Assert.True(agent.Latest(second.Info.Uuid).Watts > 0);
            Assert.Equal([first.Info.Uuid, second.Info.Uuid], Offered());
            await Task.Delay(TimeSpan.FromSeconds(30), lab.Time);
            Assert.Equal([second.Info.Uuid], Offered());
            // Its meter stays: its silence must show in the coverage.
            Assert.Contains(grid.Announced[^1].Meters, m => m.Source == first.Info.Key && m.Accounting);
            Assert.Equal(
                [
                    $"local: device {first.Info.Uuid} is not read: the counter says no number. Its power is unknown until it is.",
                    $"local: device {first.Info.Uuid} is not offered any more: its sensor is silent: the counter says no number. It is looked at again.",
                ],
                said.Lines);
            first.Mute = null;
            await Task.Delay(TimeSpan.FromSeconds(5), lab.Time);
            Assert.Equal([first.Info.Uuid, second.Info.Uuid], Offered());
            Assert.True(agent.Latest(first.Info.Uuid).Watts > 0);
            Assert.Equal($"local: device {first.Info.Uuid} answers again and is offered again.", said.Lines[^1]);
            Assert.Equal(3, said.Lines.Count);
            stop.Cancel();
            await serving;
        });
    }

    private static (Laboratory Lab, Mutable Device, DeviceSampler Sampler) Sampler()
    {
        var lab = new Laboratory(34);
        var device = new Mutable(lab.Gpus[0]);
        return (lab, device, new DeviceSampler(device, lab.Time));
    }

    private sealed class Said : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add(formatter(state, exception));
    }

    /// <summary>A device whose sensor can fall silent, or tell all but its energy.</summary>
    private sealed class Mutable(IDevice inner) : IDevice
    {
        public DeviceInfo Info { get; } = inner.Info with { Host = "local" };
        public DeviceSensor Sensor => inner.Sensor;
        public string? Mute { get; set; }
        public bool Deaf { get; set; }
        public string? Silence => Mute;
        public DeviceCondition Condition() => inner.Condition();
        public string? Refusal(Configuration configuration, StepCost cost, int layers) => inner.Refusal(configuration, cost, layers);
        public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => inner.Load(configuration, cost, layers, stop);
        public void Start() => inner.Start();
        public Task Stop() => inner.Stop();
        public Task Unload() => inner.Unload();

        public void Drain(List<DeviceReading> readings, List<StepMark> steps)
        {
            var before = readings.Count;
            inner.Drain(readings, steps);
            if (Mute is not null) readings.RemoveRange(before, readings.Count - before);
            if (Deaf) for (var i = before; i < readings.Count; i++) readings[i] = readings[i] with { CounterJoules = double.NaN };
        }

        public void Dispose()
        {
        }
    }
}
