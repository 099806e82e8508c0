using System.Collections.Concurrent;
using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Devices.Tests.Workers;
using EnergyGrid.Devices.Workers;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests.Cuda;

/// <summary>A GPU whose work runs in a process of its own, on the emulated driver: a real process, killed in earnest.</summary>
[Collection("cuda")]
public sealed class WorkerTests : IDisposable
{
    private static readonly Configuration A = Catalogue.Resolve(new ConfigurationRequest(
        "A", Batch: 2, Context: 40, ModelWidth: 256, Heads: 2, FeedForwardWidth: 292, ShortLayers: 1, LongLayers: 2, Stack: "cuda", DataSeed: 5));

    private static readonly StepCost Cost = Catalogue.Cost(A);

    private readonly string _script = Path.GetTempFileName();
    private readonly string _hang = Path.Combine(Path.GetTempPath(), $"energygrid-hang-{Guid.NewGuid():N}");
    private readonly ConcurrentQueue<string> _log = new();
    private readonly List<StepMark> _marks = [];
    private readonly IDisposable _variable;

    public WorkerTests(EmulatedLibraries libraries)
    {
        _ = libraries;
        File.WriteAllText(_script, "power 0 120");
        _variable = EmulatedLibraries.Set("EMULATED_NVML_SCRIPT", _script);
        // Of a worker's environment, which .NET's copy makes.
        Environment.SetEnvironmentVariable("EMULATED_CUDA_HANG", _hang);
        Environment.SetEnvironmentVariable("ENERGYGRID_REDIS_FILE", "secret");
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("EMULATED_CUDA_HANG", null);
        Environment.SetEnvironmentVariable("ENERGYGRID_REDIS_FILE", null);
        _variable.Dispose();
        File.Delete(_script);
        File.Delete(_hang);
    }

    [Fact]
    public async Task Steps_in_a_process_of_their_own_are_marked_and_refused_as_they_are_in_this_one()
    {
        using var device = Open();
        var worker = Assert.Single(Workers());
        Assert.DoesNotContain("ENERGYGRID_REDIS", File.ReadAllText($"/proc/{worker}/environ"));
        using (var own = Open(static board => new ContextEngine(board, TimeProvider.System)))
        {
            var large = A with { ModelWidth = 65536, Heads = 512, KeyValueHeads = 512, FeedForwardWidth = 262144 };
            var refusal = own.Refusal(large, Catalogue.Cost(large), 8);
            Assert.NotNull(refusal);
            Assert.Equal(refusal, device.Refusal(large, Catalogue.Cost(large), 8));
        }

        Assert.Null(device.Refusal(A, Cost, 2));
        await device.Load(A, Cost, 2, CancellationToken.None);
        var before = TimeProvider.System.UtcNowNanoseconds();
        device.Start();
        var marks = await Marks(device, m => m.Count > 3 && m[^1].Steps >= 4);
        await device.Stop();
        device.Drain([], marks);
        var counted = marks[^1].Steps;
        Assert.Equal(marks.Select(m => m.TimeNanoseconds).Order(), marks.Select(m => m.TimeNanoseconds));
        Assert.Equal(marks.Select(m => m.Steps).Order(), marks.Select(m => m.Steps));
        Assert.Equal(0, marks[0].Steps);
        Assert.InRange(marks[0].TimeNanoseconds, before - 50_000_000, TimeProvider.System.UtcNowNanoseconds() + 50_000_000);
        Assert.All(marks, m => Assert.Equal(Math.Round(m.Steps), m.Steps));

        // What has stopped tells no more marks, and is not taken for a hang.
        await device.Load(A, Cost, 1, CancellationToken.None);
        marks.Clear();
        device.Drain([], marks);
        Assert.Empty(marks);
        device.Start();
        marks = await Marks(device, m => m.Count > 1 && m[^1].Steps > counted);
        Assert.Equal(counted, marks[0].Steps);
        await device.Stop();
        await device.Unload();
        Assert.Equal(worker, Assert.Single(Workers()));
        Assert.Equal(0, device.Condition().OtherProcesses);
        Assert.Null(device.Condition().Hindrance);
    }

    [Fact]
    public async Task A_kernel_that_never_returns_costs_its_worker_and_the_device_works_again()
    {
        using var device = Open();
        var worker = await Run(device);
        File.WriteAllText(_hang, "0");
        await Until(() => device.Condition().Hindrance is not null, "the hang shows");
        Assert.Matches("^a kernel did not return within [0-9.]+ s while it ran A at 1 layers; the process that ran it was ended$", device.Condition().Hindrance);
        Assert.Null(device.Quarantine);
        var steps = (await Marks(device, static _ => true)).Concat(_marks).Max(m => m.Steps);

        // Stopping and unloading what is gone is no failure, and clears the fault.
        await device.Stop();
        await device.Unload();
        Assert.Null(device.Condition().Hindrance);
        Assert.DoesNotContain(worker, Workers());
        Assert.NotEqual(worker, await Run(device));
        // They are counted on from where the last worker was.
        Assert.True(_marks[^1].Steps > steps);
        await device.Stop();
        await device.Unload();
        Assert.Contains(_log, l => l.Contains("did not return", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_load_that_hangs_fails_with_the_reason()
    {
        using var device = Open(o => o with { CallSeconds = 6 });
        File.WriteAllText(_hang, "0");
        var failed = await Assert.ThrowsAnyAsync<InvalidOperationException>(() => device.Load(A, Cost, 1, CancellationToken.None));
        Assert.Matches("^the driver did not return within [0-9.]+ s while it loaded A at 1 layers; the process that ran it was ended$", failed.Message);
        await device.Unload();
        await Run(device);
        await device.Stop();
    }

    [Fact]
    public async Task A_worker_that_is_killed_costs_what_ran_on_it_and_says_by_which_signal()
    {
        using var device = Open();
        var worker = await Run(device);
        using (var process = Process.GetProcessById(worker)) process.Kill();
        await Until(() => device.Condition().Hindrance is not null, "its end shows");
        Assert.Equal("the process that ran it was ended by signal 9 (SIGKILL: by hand, or because memory ran out) while it ran A at 1 layers", device.Condition().Hindrance);
        await device.Stop();
        await device.Unload();
        await Run(device);
        await device.Stop();
        await device.Unload();
    }

    [Fact]
    public async Task A_fault_that_outlives_its_context_does_not_outlive_its_process()
    {
        Environment.SetEnvironmentVariable("EMULATED_CUDA_STICKY", "process");
        Environment.SetEnvironmentVariable("EMULATED_CUDA_FAIL", "200:719");
        try
        {
            using var device = Open();
            await device.Load(A, Cost, 1, CancellationToken.None);
            device.Start();
            await Until(() => device.Condition().Hindrance is not null, "the fault shows");
            Assert.Contains("cannot be set up anew", device.Condition().Hindrance);
            Assert.EndsWith("; the process that ran it was ended", device.Condition().Hindrance);
            Assert.Null(device.Quarantine);
            await device.Stop();
            await device.Unload();
            Environment.SetEnvironmentVariable("EMULATED_CUDA_FAIL", null);
            await Run(device);
            await device.Stop();
        }
        finally
        {
            Environment.SetEnvironmentVariable("EMULATED_CUDA_STICKY", null);
            Environment.SetEnvironmentVariable("EMULATED_CUDA_FAIL", null);
        }
    }

    [Fact]
    public async Task Workers_that_hang_in_a_row_quarantine_the_device_until_it_is_looked_at_again()
    {
        using var device = Open(o => o with { MostInRow = 2 });
        for (var i = 1; i <= 2; i++)
        {
            await Run(device);
            File.WriteAllText(_hang, "0 graph always");
            await Until(() => (i == 1 ? Hindrance(device) : device.Quarantine) is not null, "it hangs");
            File.Delete(_hang);
            await device.Stop();
            await device.Unload();
        }

        Assert.Contains("2 processes for its GPU work ended in a row; the last time, a kernel did not return within", device.Quarantine);
        Assert.Throws<DeviceLostException>(() => device.Condition());
        Assert.Throws<DeviceLostException>(() => device.Refusal(A, Cost, 1));
        Assert.True(await device.Revive());
        Assert.Null(device.Quarantine);
        await Run(device);
        await device.Stop();
        await device.Unload();
    }

    [Fact]
    public async Task A_device_that_nobody_looks_at_is_read_once_a_second_and_gives_its_worker_back_until_it_is_needed()
    {
        using var device = Open(o => o with { IdleSeconds = 0.5 });
        device.Attend(true);
        var worker = await Run(device);
        await device.Stop();
        await device.Unload();
        // Watched for longer than an idle while: it is kept.
        var readings = new List<DeviceReading>();
        await Until(() => { device.Drain(readings, []); return Span(readings) > 1; }, "a second of readings");
        Assert.True(readings.Count > 5, $"{readings.Count} readings in {Span(readings)} s");
        Assert.Equal(worker, Assert.Single(Workers()));

        Assert.Equal(1, device.Attend(false));
        await Until(() => Workers().Length == 0, "the worker is given back");
        readings.Clear();
        await Until(() => { device.Drain(readings, []); return readings.Count >= 4; }, "some readings");
        // Where the rate changed there may be one of before. At the second, so that windows of a second are whole.
        Assert.All(readings.Skip(1).Zip(readings.Skip(2)), p => Assert.InRange((p.Second.TimeNanoseconds - p.First.TimeNanoseconds) / 1e9, 0.5, 2.5));
        Assert.Equal(0, device.Condition().OtherProcesses);
        Assert.Null(device.Quarantine);

        device.Attend(true);
        Assert.NotEqual(worker, await Run(device));
        await device.Stop();
    }

    [Fact]
    public async Task A_worker_that_cannot_work_says_what_it_said()
    {
        var ended = await Refused("bash", "-c", "printf 'no \\033[2Jway\\n' >&2; exit 3");
        Assert.Equal("the process that ran it ended by itself with exit code 3 while it opened the board; it said last: no ?[2Jway", ended.Message);
        Assert.Contains("gpu 0: no ?[2Jway", _log);
        var absent = await Refused("/nonexistent/worker");
        Assert.Contains("cannot be started", absent.Message);
        var garbled = await Refused("bash", "-c", "echo this is no frame; exec sleep 60");
        Assert.Contains("said what nobody understands", garbled.Message);

        async Task<InvalidOperationException> Refused(string program, params string[] arguments)
        {
            using var engine = new WorkerEngine(BoardWorker.Target(CudaDriver.Boards()[0]), TimeProvider.System, new WorkerOptions(new WorkerCommand(program, arguments)) { Log = _log.Enqueue });
            return await Assert.ThrowsAnyAsync<InvalidOperationException>(engine.Open);
        }
    }

    private static double Span(List<DeviceReading> readings) => readings.Count == 0 ? 0 : (readings[^1].TimeNanoseconds - readings[0].TimeNanoseconds) / 1e9;

    // A device that was quarantined meanwhile has no condition.
    private static string? Hindrance(CudaDevice device) => device.Quarantine ?? device.Condition().Hindrance;

    /// <summary>Loads one layer and lets it run; the process that runs it.</summary>
    private async Task<int> Run(CudaDevice device)
    {
        await device.Load(A, Cost, 1, CancellationToken.None);
        device.Drain([], []);
        device.Start();
        await Marks(device, m => m.Count > 1);
        return Assert.Single(Workers());
    }

    private async Task<List<StepMark>> Marks(CudaDevice device, Func<List<StepMark>, bool> enough)
    {
        var marks = new List<StepMark>();
        await Until(() => { device.Drain([], marks); return enough(marks); }, "enough steps ended");
        _marks.AddRange(marks);
        return marks;
    }

    /// <summary>Processes of this one that are workers and have not ended.</summary>
    private static int[] Workers() => [.. Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => n!.All(char.IsAsciiDigit)).Select(n => int.Parse(n!)).Where(IsWorker)];

    private static bool IsWorker(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] != "Z" && fields[1] == $"{Environment.ProcessId}" && File.ReadAllText($"/proc/{process}/cmdline").Contains("step-worker", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
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

    private CudaDevice Open(Func<WorkerOptions, WorkerOptions>? change = null)
    {
        var workers = new WorkerOptions(WorkerProgram.Command) { HangSeconds = 1.5, Log = _log.Enqueue };
        if (change is not null) workers = change(workers);
        return Open(board => new WorkerEngine(BoardWorker.Target(board), TimeProvider.System, workers));
    }

    // As LocalGpus does it, but for the look at the sensors, which takes long.
    private static CudaDevice Open(Func<CudaBoard, IStepEngine> engine)
    {
        var board = CudaDriver.Boards()[0];
        var nvml = new NvmlSession();
        var clock = new NodeClock(TimeProvider.System);
        var qualification = new BoardQualification { Uuid = board.Uuid, At = clock.GetUtcNow(), Metering = Metering.Counter, Verdict = "as scripted", UpdatePeriodSeconds = 0.1, PollSeconds = 0.01 };
        var sensor = new BoardSensor(nvml.Of(board.Uuid, board.PciBusId), clock, qualification);
        var info = new DeviceInfo(
            "here", board.Uuid, "emulated", DeviceKind.Cuda, "local", "r1", 0, board.MemoryBytes, 1e9, Provenance.Modelled, 1e9, sensor.RatedWatts, sensor.PowerLimitWatts, "emulated", sensor.EnergySource,
            sensor.EnergyProvenance);
        return new CudaDevice(engine(board), sensor, nvml, info, clock);
    }
}
