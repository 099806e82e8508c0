using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Node;

namespace EnergyGrid.Devices.Tests;

/// <summary>Nobody knows what happened while nothing was told: neither a counter that bridges it nor steps that are counted again say so.</summary>
public sealed class SilenceTests
{
    private static readonly Configuration A = Laboratory.Resolve("A");

    [Theory]
    [InlineData("readings", "no reading of ")]
    [InlineData("steps", "no step of ")]
    public void A_device_that_tells_nothing_for_two_seconds_of_a_window_invalidates(string what, string reason)
    {
        var result = Run(what, 2);
        Assert.Equal(TrialOutcome.Invalid, result.Outcome);
        Assert.Contains(result.Reasons, r => r.Contains(reason, StringComparison.Ordinal) && r.Contains($"at L'={result.Legs[0].Layers}", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Reasons, r => r.Contains($"at L'={result.Legs[1].Layers}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("readings")]
    [InlineData("steps")]
    public void A_tenth_of_a_second_is_no_silence(string what) => Assert.Equal(TrialOutcome.Valid, Run(what, 0.1).Outcome);

    [Fact]
    public void A_node_meter_that_is_silent_takes_the_nodes_energy_with_it_and_nothing_else()
    {
        var result = Run("meter", 8);
        Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
        Assert.Null(result.Legs[0].Node);
        Assert.Contains(result.Legs[0].Flags, f => f.StartsWith("the node's meter was silent for ", StringComparison.Ordinal));
        Assert.NotNull(result.Legs[1].Node);
    }

    private static TrialResult Run(string what, double seconds)
    {
        // When the window is, a trial that nothing disturbs tells.
        var undisturbed = new Laboratory(61);
        var window = undisturbed.RunAlone(undisturbed.Order(A)).Legs[0];
        Assert.Equal(TrialOutcome.Valid, undisturbed.RunAlone(undisturbed.Order(A, pass: 2)).Outcome);
        var from = UtcNanoseconds.Of(window.StartedUtc) + 10 * UtcNanoseconds.PerSecond;
        var lab = new Laboratory(61);
        var agent = new NodeAgent(new MutedNode(lab.Node, what, from, from + UtcNanoseconds.FromSeconds(seconds)), lab.Time);
        return lab.Time.Run(() => agent.Run(lab.Order(A), static _ => { }, default)).Result;
    }

    private sealed class MutedNode(INode node, string what, long from, long to) : INode
    {
        public string Host => node.Host;

        public string Site => node.Site;

        public string Rack => node.Rack;

        public IReadOnlyList<IDevice> Devices { get; } = [.. node.Devices.Select(d => new MutedDevice(d, what, from, to))];

        public IReadOnlyList<IMeter> Meters { get; } = [.. node.Meters.Select(m => new MutedMeter(m, what, from, to))];

        public double ClockErrorSeconds => node.ClockErrorSeconds;
    }

    private sealed class MutedMeter(IMeter meter, string what, long from, long to) : IMeter
    {
        public MeterInfo Info => meter.Info;

        public Metrology.SensorProfile Profile => meter.Profile;

        public void Drain(List<MeterReading> readings)
        {
            meter.Drain(readings);
            if (what == "meter") readings.RemoveAll(r => from <= r.TimeNanoseconds && r.TimeNanoseconds <= to);
        }
    }

    private sealed class MutedDevice(IDevice device, string what, long from, long to) : IDevice
    {
        public DeviceInfo Info => device.Info;

        public DeviceSensor Sensor => device.Sensor;

        public DeviceCondition Condition() => device.Condition();

        public string? Refusal(Configuration configuration, StepCost cost, int layers) => device.Refusal(configuration, cost, layers);

        public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => device.Load(configuration, cost, layers, stop);

        public void Start() => device.Start();

        public Task Stop() => device.Stop();

        public Task Unload() => device.Unload();

        public void Drain(List<DeviceReading> readings, List<StepMark> steps)
        {
            device.Drain(readings, steps);
            if (what == "readings") readings.RemoveAll(r => from <= r.TimeNanoseconds && r.TimeNanoseconds <= to);
            if (what == "steps") steps.RemoveAll(s => from <= s.TimeNanoseconds && s.TimeNanoseconds <= to);
        }

        public void Dispose()
        {
        }
    }
}
