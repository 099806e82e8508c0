using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Node;

namespace EnergyGrid.Devices.Tests;

/// <summary>A device that is read once a second while nobody looks closely, and what its windows are worth then.</summary>
public sealed class AttentionTests
{
    private const long Second = UtcNanoseconds.PerSecond;
    private const long Epoch = 1_800_000_000 * Second;

    [Fact]
    public void A_device_is_attended_while_a_trial_holds_it_or_records_it_or_its_power_is_watched()
    {
        var device = new Seldom();
        var sampler = new DeviceSampler(device, TimeProvider.System);
        Assert.Equal([false], device.Attended);
        object trial = new(), other = new();
        Assert.True(sampler.TryHold(trial));
        Assert.False(sampler.TryHold(other));
        var recording = sampler.Record();
        var watched = sampler.Watch();
        sampler.LetGo(other);
        sampler.LetGo(trial);
        sampler.End(recording);
        Assert.Equal([false, true], device.Attended);
        sampler.Unwatch(watched);
        Assert.Equal([false, true, false], device.Attended);
        Assert.True(sampler.TryHold(other));
        Assert.Equal([false, true, false, true], device.Attended);
    }

    [Fact]
    public void Windows_of_what_is_read_once_a_second_are_whole_and_measured_and_a_silence_is_a_gap_as_soon_as_it_is_read_closely()
    {
        var device = new Seldom();
        var sampler = new DeviceSampler(device, TimeProvider.System);
        // At the second, as it would be: some milliseconds late.
        for (var s = 0; s <= 10; s++) device.Read(Epoch + s * Second + 3_000_000);
        var windows = Windows();
        Assert.Equal(9, windows.Count(w => w.CoveredSeconds > 0.999));
        Assert.All(windows, w => Assert.Equal(Provenance.Measured, w.Provenance));
        Assert.Equal(900, windows.Where(w => w.CoveredSeconds > 0.999).Sum(w => w.Joules), 1e-3);

        var trial = new object();
        sampler.TryHold(trial);
        for (var i = 1; i <= 40; i++) device.Read(Epoch + 10 * Second + i * Second / 10);
        windows = Windows();
        Assert.All(windows, w => Assert.Equal(Provenance.Measured, w.Provenance));
        // A second of silence now is one: across it, nobody knows which window the energy is of.
        for (var i = 52; i <= 70; i++) device.Read(Epoch + 10 * Second + i * Second / 10);
        Assert.Contains(Windows(), w => w.Provenance == Provenance.Modelled);

        List<PowerWindow> Windows()
        {
            sampler.Pump(0);
            var taken = new List<PowerWindow>();
            sampler.Take(taken, device.Now);
            return taken;
        }
    }

    /// <summary>100 W on a counter that steps ten times a second.</summary>
    private sealed class Seldom : IDevice
    {
        private readonly List<DeviceReading> _pending = [];

        public List<bool> Attended { get; } = [];

        public long Now { get; private set; }

        public DeviceInfo Info { get; } = new(
            "here", "GPU-1", "model", DeviceKind.Cuda, "local", "r1", 0, 80e9, 3e12, Provenance.Measured, 1e15, 700, 700, "driver", "counter", Provenance.Measured);

        public DeviceSensor Sensor { get; } = new(new SensorProfile(SensorQuantity.Counter, 0.1, 0, 700), 0.01, false);

        public double Attend(bool closely)
        {
            Attended.Add(closely);
            return closely ? 0 : 1;
        }

        public void Read(long at)
        {
            Now = at;
            _pending.Add(new DeviceReading(at, 100.0 * (at - Epoch) / Second, 100, 100, 40, 1500, 0, 0));
        }

        public DeviceCondition Condition() => default;

        public string? Refusal(Configuration configuration, StepCost cost, int layers) => null;

        public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => Task.CompletedTask;

        public void Start()
        {
        }

        public Task Stop() => Task.CompletedTask;

        public Task Unload() => Task.CompletedTask;

        public void Drain(List<DeviceReading> readings, List<StepMark> steps)
        {
            readings.AddRange(_pending);
            _pending.Clear();
        }

        public void Dispose()
        {
        }
    }
}
