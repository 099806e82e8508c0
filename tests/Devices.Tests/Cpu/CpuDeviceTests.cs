using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

public sealed class CpuDeviceTests
{
    private static Configuration Tiny(string code) => Catalogue.Resolve(new ConfigurationRequest(
        code, Batch: 2, Context: 64, ModelWidth: 128, Heads: 1, FeedForwardWidth: 256, ShortLayers: 1, LongLayers: 2, Stack: "reference"));

    [Fact]
    public async Task The_cpu_really_executes_a_tiny_configuration_and_says_what_is_modelled()
    {
        // One thread: on a busy machine two of them wait for each other at every product of a tiny step.
        using var node = new LocalNode("here", "local", "r1", [new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = "/nonexistent", Threads = 1 })], new NodeClock(TimeProvider.System));
        var agent = new NodeAgent(node, TimeProvider.System);
        var c = Tiny("A");
        var device = node.Devices[0].Info;
        var order = new TrialOrder(
            new TrialId("test", "g", "A", ConfigurationIdentity.Sha256(c), 0, 0), [device.Uuid], 1, 0, c, Catalogue.Cost(c), [1, 2],
            new TrialTiming(0.2, 0.4, 0.6, 0, null, null, 5), Laboratory.Guards with { MinCoverage = 0.9 }, KeepTrace: false);
        var (result, _) = await Undisturbed(agent, order);

        Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
        Assert.Equal(2, result.Legs.Length);
        Assert.All(result.Legs, leg =>
        {
            Assert.True(leg.Steps > 3, $"{leg.Steps} steps");
            Assert.Equal(2 * leg.Steps, leg.Tokens, 1e-9);
            Assert.InRange(leg.WindowSeconds, 0.55, 1.5);
            Assert.InRange(leg.Gpu.Joules / leg.WindowSeconds, 19.9, 120.1);
            Assert.Equal(Provenance.Modelled, leg.Gpu.Provenance);
            Assert.Contains(leg.Flags, f => f.StartsWith("window of", StringComparison.Ordinal));
            Assert.Null(leg.Node);
            // It cannot tell of slowdowns: unknown, not zero.
            Assert.True(double.IsNaN(leg.PowerCapFraction));
            Assert.True(double.IsNaN(leg.ThermalFraction));
            Assert.True(leg.P50StepSeconds > 0 && leg.P99StepSeconds >= leg.P50StepSeconds);
        });
        // The machine's, whoever keeps it busy: at least what the trial did.
        var use = node.Devices[0].Use;
        Assert.InRange(use.Utilisation, 0, 1);
        Assert.InRange(use.MemoryUsedBytes, 1e8, 1e13);
        Assert.True(double.IsNaN(result.IdleContextWatts));
        Assert.Equal("cpu", result.Model);
        Assert.Equal(Math.Floor(device.MemoryBytes), device.MemoryBytes); // bytes are whole
        Assert.Equal(Provenance.Modelled, device.EnergyProvenance);
        Assert.Contains("declared", device.EnergySource);
        Assert.Equal(Provenance.Measured, device.BandwidthProvenance);
        Assert.InRange(device.BandwidthBytesPerSecond, 1e8, 1e13);
        // Nothing but the device sees this node's energy: it accounts.
        Assert.Equal(new MeterInfo(device.Key, SourceKind.Cpu, true, device.RatedWatts), Assert.Single(agent.Inventory.Meters));
    }

    [Fact]
    public void What_the_cpu_cannot_run_is_refused_with_the_reason()
    {
        using var node = new LocalNode("here", "local", "r1", [new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { MemoryShare = 1e-6, PowercapRoot = "/nonexistent" })], new NodeClock(TimeProvider.System));
        var c = Tiny("A");
        Assert.Contains("may be used", node.Devices[0].Refusal(c, Catalogue.Cost(c), 2));
        Assert.Contains("'simulated' does not run here", node.Devices[0].Refusal(c with { Stack = "simulated" }, Catalogue.Cost(c), 2));
        Assert.Contains("names no vocabulary", node.Devices[0].Refusal(c with { Vocabulary = 0 }, Catalogue.Cost(c), 0));
        Assert.Contains("for the LM head", node.Devices[0].Refusal(c with { Vocabulary = 10_000_000 }, Catalogue.Cost(c), 0));
        Assert.Contains("'other'", node.Devices[0].Refusal(c with { Data = "other" }, Catalogue.Cost(c), 2));
        Assert.Contains("64 lower-case hex digits", node.Devices[0].Refusal(c with { Data = "safetensors:abc:*" }, Catalogue.Cost(c), 2));
        Assert.Contains("nobody said where", node.Devices[0].Refusal(c with { Data = $"safetensors:{new string('0', 64)}:*" }, Catalogue.Cost(c), 2));
    }

    // A neighbour on the machine may hold a process up for a second, and the trial is then rightly not valid: another try, as a sweep has it.
    private static async Task<TrialRun> Undisturbed(NodeAgent agent, TrialOrder order)
    {
        for (var tries = 1; ; tries++)
        {
            var run = await agent.Run(order, static _ => { }, default);
            if (tries == 5 || run.Result.Outcome == TrialOutcome.Valid || !run.Result.Reasons.All(r => r.Contains(" ended for ", StringComparison.Ordinal) || r.Contains("no reading of ", StringComparison.Ordinal) || r.Contains("held the node up", StringComparison.Ordinal)))
                return run;
        }
    }

    [Theory]
    [InlineData("A")]
    [InlineData("B")]
    [InlineData("C")]
    public async Task The_cpu_really_executes_the_lm_head_as_a_leg_of_its_own(string code)
    {
        using var node = new LocalNode("here", "local", "r1", [new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = "/nonexistent", Threads = 2 })], new NodeClock(TimeProvider.System));
        var agent = new NodeAgent(node, TimeProvider.System);
        var c = Tiny(code) with { Vocabulary = 1000 };
        var order = new TrialOrder(
            new TrialId("test", "g", code, ConfigurationIdentity.Sha256(c), 0, 0), [node.Devices[0].Info.Uuid], 1, 0, c, Catalogue.Cost(c), [1, 2, 0],
            new TrialTiming(0.2, 0.4, 0.6, 0, null, null, 5), Laboratory.Guards with { MinCoverage = 0.9 }, KeepTrace: false);
        var (result, _) = await Undisturbed(agent, order);

        Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
        Assert.Equal([1, 2, 0], result.Legs.Select(l => l.Layers));
        var head = result.Legs[2];
        Assert.True(head.Steps > 3 && head.WarmupSeconds > 0.2, $"{head.Steps} steps after {head.WarmupSeconds} s");
        Assert.Equal(2 * head.Steps, head.Tokens, 1e-9);
        Assert.InRange(head.WindowSeconds, 0.55, 1.5);
        Assert.DoesNotContain(result.Flags, f => f.StartsWith("linearity", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Weights_come_from_a_file_whose_hash_is_right_and_from_no_other()
    {
        var file = Path.GetTempFileName();
        try
        {
            var header = """{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}""";
            byte[] bytes = [.. BitConverter.GetBytes((long)header.Length), .. System.Text.Encoding.ASCII.GetBytes(header), .. new[] { 0.5f, -0.25f, 0.125f, 1, -1 }.SelectMany(BitConverter.GetBytes)];
            await File.WriteAllBytesAsync(file, bytes);
            using var device = new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = "/nonexistent", Threads = 1, WeightsPath = c => c.Workload == "A" ? file : null });
            var c = Tiny("A") with { Data = $"safetensors:{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))}:w" };
            Assert.Null(device.Refusal(c, Catalogue.Cost(c), 1));
            await device.Load(c, Catalogue.Cost(c), 1, default);
            await device.Load(c, Catalogue.Cost(c), 0, default);

            // What was written to since is looked at again.
            bytes[^1] ^= 0x80;
            await File.WriteAllBytesAsync(file, bytes);
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(1));
            Assert.Contains("has the SHA-256", (await Assert.ThrowsAsync<WeightsRefusedException>(() => device.Load(c, Catalogue.Cost(c), 1, default))).Message);
            File.Delete(file);
            Assert.Contains("is not there", device.Refusal(c, Catalogue.Cost(c), 1));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void What_is_known_of_a_processors_sensor_is_told_and_of_a_declared_model_nothing()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 60);
        using var metered = new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = machine.Root, MaxWatts = 95, Threads = 1 });
        using var modelled = new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = "/nonexistent", Threads = 1 });
        Assert.Null(modelled.Info.Qualification);
        var known = metered.Info.Qualification!;
        Assert.Equal((0.001, 95.0), (known.UpdatePeriodSeconds, known.RatedWatts));
        Assert.All(new[] { known.Alias, known.CounterResidual, known.OffsetWatts, known.NonLinearityWatts }, v => Assert.True(double.IsNaN(v)));
    }
}
