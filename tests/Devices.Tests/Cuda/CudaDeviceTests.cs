using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Binding;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests.Cuda;

/// <summary>A GPU as a device of the grid, on the emulated driver and the scripted sensors: the unmodified path, with kernels that really run.</summary>
[Collection("cuda")]
public sealed class CudaDeviceTests : IDisposable
{
    private readonly string _script = Path.GetTempFileName();
    private readonly IDisposable _variable;

    public CudaDeviceTests(EmulatedLibraries libraries)
    {
        _ = libraries;
        _variable = EmulatedLibraries.Set("EMULATED_NVML_SCRIPT", _script);
    }

    public void Dispose()
    {
        _variable.Dispose();
        File.Delete(_script);
    }

    [Fact]
    public async Task Steps_run_until_they_are_stopped_and_are_marked_in_order_by_the_nodes_clock()
    {
        using var device = Open("power 0 120");
        var c = Tiny("A");
        var cost = Catalogue.Cost(c);
        Assert.Null(device.Refusal(c, cost, 2));
        await device.Load(c, cost, 2, CancellationToken.None);
        var before = TimeProvider.System.UtcNowNanoseconds();
        device.Start();
        var (readings, marks) = await DrainUntil(device, (_, m) => m.Count > 3 && m[^1].Steps >= 4);
        await device.Stop();
        device.Drain(readings, marks);
        var counted = marks[^1].Steps;
        Assert.True(counted >= 4);
        Assert.Equal(marks.Select(m => m.TimeNanoseconds).Order(), marks.Select(m => m.TimeNanoseconds));
        Assert.Equal(marks.Select(m => m.Steps).Order(), marks.Select(m => m.Steps));
        // The clocks are the same but for how far the wall clock was moved meanwhile.
        Assert.InRange(marks[0].TimeNanoseconds, before - 50_000_000, TimeProvider.System.UtcNowNanoseconds() + 50_000_000);
        Assert.All(marks, m => Assert.Equal(Math.Round(m.Steps), m.Steps));

        // Stopped is stopped; what is loaded can be started again, and a shorter one loaded in its place.
        await device.Load(c, cost, 1, CancellationToken.None);
        marks.Clear();
        device.Drain(readings, marks);
        Assert.Empty(marks);
        device.Start();
        (_, marks) = await DrainUntil(device, (_, m) => m.Count > 1 && m[^1].Steps > counted);
        await device.Stop();

        // So can the LM head.
        var head = c with { Vocabulary = 64 };
        Assert.Null(device.Refusal(head, cost, StepLayers.HeadAlone));
        Assert.Contains("names no vocabulary", device.Refusal(c with { Vocabulary = 0 }, cost, StepLayers.HeadAlone));
        await device.Load(head, cost, StepLayers.HeadAlone, CancellationToken.None);
        device.Drain(readings, marks);
        var already = marks[^1].Steps;
        marks.Clear();
        device.Start();
        (_, marks) = await DrainUntil(device, (_, m) => m.Count > 1 && m[^1].Steps > already);
        await device.Stop();
        await device.Unload();
    }

    [Fact]
    public void It_says_what_it_is_and_that_an_emulated_board_measures_nothing()
    {
        using var device = Open("power 0 120\nlimit 650 200 700");
        Assert.Equal((DeviceKind.Cuda, 650.0, 700.0, Provenance.Modelled, Provenance.Modelled), (device.Info.Kind, device.Info.PowerLimitWatts, device.Info.RatedWatts, device.Info.EnergyProvenance, device.Info.BandwidthProvenance));
        Assert.Contains("emulated", device.Info.Model, StringComparison.OrdinalIgnoreCase);
        Assert.True(device.Info.BandwidthBytesPerSecond > 0 && device.Info.PeakFlopsPerSecond > 0);
        Assert.Equal(700, device.Info.Qualification!.RatedWatts);
        Assert.True(double.IsNaN(device.Info.Qualification.OffsetWatts));
        // Which of its sensors it is metered by depends on how well a busy machine kept time for half a second.
        Assert.StartsWith("NVML ", device.Info.EnergySource);
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_by_how_much_and_the_layers_that_fit()
    {
        using var memory = EmulatedLibraries.Set("EMULATED_CUDA_MEMORY", "64M");
        using var device = Open("power 0 120");
        var c = Tiny("A") with { ModelWidth = 1024, Heads = 8, FeedForwardWidth = 2816 };
        var refusal = device.Refusal(c, Catalogue.Cost(c), 8);
        Assert.Matches("[0-9.]+ [MG]B", refusal);
        Assert.Matches("[0-9]+ (layer|fit)", refusal);
        Assert.Contains("does not run here", device.Refusal(c with { Stack = "reference" }, Catalogue.Cost(c), 1));
    }

    [Fact]
    public async Task A_kernel_that_faults_is_a_hindrance_with_the_drivers_error_and_the_context_is_set_up_anew()
    {
        using var device = Open("power 0 120");
        var c = Tiny("A");
        var cost = Catalogue.Cost(c);
        await device.Load(c, cost, 1, CancellationToken.None);
        using (EmulatedLibraries.Set("EMULATED_CUDA_FAIL", "3:700"))
        {
            device.Start();
            await Until(() => device.Condition().Hindrance is not null, "the fault shows");
        }

        Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS", device.Condition().Hindrance);
        Assert.Contains("A at 1 layers", device.Condition().Hindrance);
        Assert.Null(device.Quarantine);
        await device.Stop();
        await device.Unload();
        Assert.Null(device.Condition().Hindrance);

        await device.Load(c, cost, 1, CancellationToken.None);
        var (readings, marks) = (new List<DeviceReading>(), new List<StepMark>());
        device.Drain(readings, marks);
        device.Start();
        (_, marks) = await DrainUntil(device, (_, m) => m.Count > 2);
        await device.Stop();
        Assert.True(marks[^1].Steps > marks[0].Steps);
    }

    [Fact]
    public async Task A_fault_that_outlives_its_context_quarantines_the_device()
    {
        var sticky = EmulatedLibraries.Set("EMULATED_CUDA_STICKY", "process");
        var device = Open("power 0 120");
        try
        {
            var c = Tiny("A");
            await device.Load(c, Catalogue.Cost(c), 1, CancellationToken.None);
            using var fail = EmulatedLibraries.Set("EMULATED_CUDA_FAIL", "2:719");
            device.Start();
            await Until(() => device.Quarantine is not null, "the device is quarantined");
            Assert.Contains("cannot be set up anew", device.Quarantine);
            Assert.Throws<DeviceLostException>(() => device.Condition());
            await Assert.ThrowsAsync<DeviceLostException>(() => device.Load(c, Catalogue.Cost(c), 1, CancellationToken.None));
            await device.Stop();
            await device.Unload();
        }
        finally
        {
            device.Dispose();
            // A new process, for the tests that follow.
            sticky.Dispose();
            PrimaryContext.Reset(0);
        }
    }

    [Fact]
    public async Task A_board_that_falls_off_the_bus_is_lost_and_quarantined_and_can_still_be_let_go()
    {
        using var device = Open("power 0 120\nlost 15");
        var c = Tiny("A");
        await device.Load(c, Catalogue.Cost(c), 1, CancellationToken.None);
        device.Start();
        DeviceLostException? lost = null;
        await Until(
            () =>
            {
                try
                {
                    device.Condition();
                    return false;
                }
                catch (DeviceLostException e)
                {
                    lost = e;
                    return true;
                }
            },
            "it is lost");
        Assert.Contains(device.Info.Uuid, lost!.Message);
        Assert.Contains("quarantined", device.Quarantine);
        Assert.Throws<DeviceLostException>(() => device.Refusal(c, Catalogue.Cost(c), 1));
        await device.Stop();
        await device.Unload();
    }

    [Theory]
    [InlineData("7", "No GPU '7': there is index 0 (GPU-")]
    [InlineData("GPU-ffffffff", "there is index 0 (GPU-")]
    [InlineData("MIG-1234", "MIG")]
    public void A_board_that_is_not_there_is_refused_by_its_name(string which, string said)
    {
        var refused = Assert.Throws<GpuRefusedException>(() => LocalGpus.Open(Options() with { Which = [which] }, TimeProvider.System));
        Assert.Contains(said, refused.Message);
    }

    private static LocalGpuOptions Options() => new("here", "local", "r1") { Qualification = new QualificationOptions { WindowSeconds = 0.6, SettleSeconds = 0.1, AliasSeconds = 0.3, AliasPhases = 2 } };

    private static Configuration Tiny(string code) => Catalogue.Resolve(new ConfigurationRequest(
        code, Batch: 2, Context: 40, ModelWidth: 256, Heads: 2, FeedForwardWidth: 292, ShortLayers: 1, LongLayers: 2, Stack: "cuda", DataSeed: 5));

    private static async Task<(List<DeviceReading> Readings, List<StepMark> Marks)> DrainUntil(CudaDevice device, Func<List<DeviceReading>, List<StepMark>, bool> enough)
    {
        var (readings, marks) = (new List<DeviceReading>(), new List<StepMark>());
        await Until(
            () =>
            {
                device.Drain(readings, marks);
                return enough(readings, marks);
            },
            $"enough was drained; hindrance {device.Condition().Hindrance}");
        return (readings, marks);
    }

    private static async Task Until(Func<bool> holds, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(60), $"within 60 s: {what}");
            await Task.Delay(20);
        }
    }

    private CudaDevice Open(string script)
    {
        File.WriteAllText(_script, script);
        return Assert.Single(LocalGpus.Open(Options(), TimeProvider.System));
    }
}
