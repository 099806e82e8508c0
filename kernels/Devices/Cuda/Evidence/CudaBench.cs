using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Loads;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Evidence;

/// <summary>
/// A GPU as the evidence uses it: the committed kernels through the driver, the sensor thread that meters trials. A kernel that faults costs its unit and the
/// context, which the next call rebuilds.
/// </summary>
public sealed partial class CudaBench : IEvidenceBench
{
    private const double Nano = 1e-9;

    /// <summary>Events of a stretch of steps: beyond, one stands for several steps.</summary>
    private const int MostEvents = 4096;

    private readonly CudaBoard _board;
    private readonly NvmlSession? _nvml;
    private readonly NvmlDevice? _sensors;
    private readonly NodeClock _clock = new(TimeProvider.System);
    private readonly QualificationMemory? _memory;
    private readonly string? _memoryDirectory;
    private NvmlSensorOptions _metering = new();
    private PrimaryContext? _context;
    private CudaStream? _stream;
    private KernelLibrary? _library;
    private ResidentStep? _resident;

    private CudaBench(CudaBoard board, NvmlSession? nvml, NvmlDevice? sensors, string energy, string? memory)
    {
        (_board, _nvml, _sensors, _memoryDirectory, _memory) = (board, nvml, sensors, memory, memory is null ? null : new QualificationMemory(memory));
        Identity = new BenchIdentity(
            board.IsEmulated ? BenchKind.Emulated : BenchKind.Gpu, board.Uuid, HardwareName.Of(board.Name), board.Name, board.BusIndex, nvml?.DriverVersion is { Length: > 0 } driver ? driver : "unknown",
            string.Create(CultureInfo.InvariantCulture, $"{board.DriverVersion / 1000}.{board.DriverVersion % 1000 / 10}"), string.Create(CultureInfo.InvariantCulture, $"{board.ComputeMajor}.{board.ComputeMinor}"),
            board.Multiprocessors, board.MemoryBytes, board.CacheBytes, sensors?.PowerLimitWatts() ?? double.NaN, energy, HashOfKernels(board.Architecture));
        Kernels = [.. KernelLibrary.Names(board.Architecture)];
    }

    public BenchIdentity Identity { get; }

    public double Pace => 1;

    public ImmutableArray<string> Kernels { get; }

    /// <summary>Opens a device.</summary>
    /// <param name="which">Index (nvidia-smi's), UUID or MIG id; the first device that can be used if null.</param>
    /// <param name="memory">Where its qualification is kept, so that the sweep does not look at the sensors again; null for nowhere.</param>
    /// <exception cref="NoDeviceException">No driver, one that is too old, or no device: what to do about it.</exception>
    /// <exception cref="EvidenceRefusedException">There is no such device: which there are.</exception>
    public static CudaBench Open(string? which, string? memory = null)
    {
        CudaBoard board;
        try
        {
            var boards = GpuSurvey.Look().Boards;
            if (boards.Count == 0) throw new NoDeviceException("The NVIDIA driver shows no GPU here. In a container, start it with --gpus all; look at CUDA_VISIBLE_DEVICES.");
            board = which is not null ? CudaDriver.Find(which, boards)
                : boards.FirstOrDefault(b => b.Trouble is null) ?? throw new NoDeviceException($"No GPU can be used: {string.Join("; ", boards.Select(b => $"index {b.BusIndex}: {b.Trouble}"))}.");
        }
        catch (Exception e) when (e is DriverMissingException or DriverTooOldException or GpuRefusedException)
        {
            throw new NoDeviceException(e.Message);
        }
        catch (ArgumentException e)
        {
            throw new EvidenceRefusedException($"--device: {e.Message}");
        }
        NvmlSession? nvml = null;
        try
        {
            nvml = new NvmlSession();
            var sensors = nvml.Of(board.Uuid, board.PciBusId);
            return new CudaBench(board, nvml, sensors, double.IsNaN(sensors.EnergyJoules()) ? "nvml power, integrated" : "nvml energy counter", memory);
        }
        catch (Exception e) when (e is DriverMissingException or NvmlException or DeviceLostException or ArgumentException or UnauthorizedAccessException or EntryPointNotFoundException)
        {
            nvml?.Dispose();
            return new CudaBench(board, null, null, $"none: {e.Message}", memory);
        }
    }

    public string? Hindrance()
    {
        if (_sensors is null) return Identity.EnergySource;
        var found = new List<string>();
        try
        {
            if (_sensors.ComputeProcesses() is { } processes && processes.Count(p => p != Environment.ProcessId) is > 0 and var others) found.Add($"{others} other process(es) on the device");
            if (_sensors.EccEnabled() == false) found.Add("ECC is off");
            if (_sensors.MigEnabled() == true) found.Add("MIG is on");
        }
        catch (NvmlException e)
        {
            found.Add($"its state cannot be read ({e.Message})");
        }
        return found.Count == 0 ? null : string.Join(", ", found);
    }

    public SensorFindings Qualify(CancellationToken stop) => Guarded(() =>
    {
        if (_sensors is null) throw new EvidenceFaultException($"No sensor: {Identity.EnergySource}");
        Abandon();
        var node = Node("");
        var found = SensorQualifier.Run(_sensors, TimeProvider.System, new FillExercise(_board, TimeProvider.System, node.ExerciseBytes), node.Qualification, stop);
        _metering = found.ToOptions();
        try
        {
            if (found.Metering != Metering.None) _memory?.Keep(QualificationKey.Of(_sensors, _nvml!.DriverVersion), found);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The sweep looks again then: it costs a minute, and nothing is wrong with what was found.
        }
        var properties = ImmutableArray.CreateBuilder<SensorProperty>();
        void Add(string name, double value, string unit, string note = "") => properties.Add(new(name, value, unit, note));
        Add("counter's update period", found.UpdatePeriodSeconds * 1e3, "ms", $"spread {Milliseconds(found.UpdateSpreadSeconds)}, {found.UpdateSteps.ToString(CultureInfo.InvariantCulture)} steps");
        Add("power's update period", found.PowerPeriodSeconds * 1e3, "ms");
        Add("median cost of a read", found.ReadMedianSeconds * 1e6, "µs", $"{found.Reads.ToString(CultureInfo.InvariantCulture)} reads");
        Add("99th percentile of it", found.ReadP99Seconds * 1e6, "µs");
        foreach (var check in found.Checks) Add($"counter against integrated power, {check.Load}", 100 * check.Residual, "%", string.Create(CultureInfo.InvariantCulture, $"over {check.Seconds:0.0} s at {check.MeanWatts:0} W"));
        Add("alias of the counter", 100 * found.CounterAlias, "%", "work in step with the sensor, over the phases");
        Add("alias of the power", 100 * found.PowerAlias, "%");
        Add("idle without a context", found.IdleWatts, "W");
        Add("idle with a context", found.IdleContextWatts, "W");
        if (double.IsFinite(found.ModuleWatts)) Add("module (the GPU is a part of it)", found.ModuleWatts, "W", "not what is metered");
        if (double.IsFinite(found.MemoryWatts)) Add("memory", found.MemoryWatts, "W");
        return new SensorFindings(properties.ToImmutable(), $"{found.EnergySource}. {found.Verdict}. Slowdown from {found.ThrottleSource}.");
    });

    public CeilingWindow RunCeiling(CeilingKernel kernel, double duty, double seconds, CancellationToken stop) => Guarded(() =>
    {
        Unload();
        var size = Identity.Kind == BenchKind.Emulated ? LoadSize.Emulation : seconds < 1 ? LoadSize.Device with { MostBytes = 1L << 30 } : LoadSize.Device;
        using var load = new CeilingLoad(kernel, Library, Stream, 1, size);
        // The sensor's step before and after the window, and clocks that have settled: a short window is no more than a look at what runs between others.
        var (warm, margin) = Identity.Kind == BenchKind.Emulated ? (0.02, 0.25) : (Math.Min(1, seconds), 0.3);
        load.Run(duty, warm, _clock, stop);
        using var meter = Meter();
        var began = _clock.NowNanoseconds;
        var bursts = load.Run(duty, seconds + 2 * margin, _clock, stop);
        var window = meter?.Window(began + (long)(margin / 2 / Nano), seconds) ?? new(began, began + (long)(seconds / Nano), double.NaN, double.NaN, double.NaN, double.NaN);
        var launches = bursts.Sum(b => b.Launches * b.Within(window.From, window.To));
        return new CeilingWindow(
            kernel, duty, window.Seconds, bursts.Sum(b => b.BusySeconds * b.Within(window.From, window.To)), launches * load.Bytes, launches * load.Flops,
            window.Joules, window.Celsius, window.Megahertz, window.PowerCapShare);
    });

    public string? Refusal(Configuration configuration, int layers) => Guarded(() =>
    {
        Unload();
        return StepPlan.Refusal(configuration, layers, Library.Device());
    });

    public void Load(Configuration configuration, int layers, CancellationToken stop) => Guarded(() =>
    {
        if (_resident is { } there && there.Plan.Configuration == configuration && there.Plan.Layers == layers) return true;
        Unload();
        stop.ThrowIfCancellationRequested();
        _resident = ResidentStep.Create(StepPlan.Create(configuration, layers, Library.Device()), Library, Stream);
        return true;
    });

    public StepStretch RunSteps(double seconds, bool metered, CancellationToken stop) => Guarded(() =>
    {
        var step = _resident ?? throw new EvidenceFaultException("Nothing is loaded.");
        var once = Math.Max(1e-7, Timed(step, 2) / 2);
        var steps = Math.Max(3, (long)(seconds / once));
        var stride = (int)((steps + MostEvents - 1) / MostEvents);
        steps = (steps + stride - 1) / stride * stride;
        using var meter = metered ? Meter() : null;
        var began = _clock.NowNanoseconds;
        var marks = new List<CudaEvent>();
        try
        {
            Mark();
            for (long i = 1; i <= steps; i++)
            {
                step.Enqueue(Stream);
                if (i % stride == 0) Mark();
                // A stop takes hold within what is under way; the driver itself holds back a host that is too far ahead.
                if (stop.IsCancellationRequested) break;
            }
            marks[^1].Synchronize();
            Stream.Synchronize();
            stop.ThrowIfCancellationRequested();
            var times = marks.Zip(marks.Skip(1), (a, b) => CudaEvent.ElapsedTime(a, b) / 1e3 / stride).Order().ToArray();
            var total = CudaEvent.ElapsedTime(marks[0], marks[^1]) / 1e3;
            var window = meter?.Window(began, Math.Max(0.01, (_clock.NowNanoseconds - began) * Nano - 0.25));
            return new StepStretch(
                step.Plan.Layers, steps, total, times[times.Length / 2], times[^1], window is { Joules: > 0 } ? window.Joules / window.Seconds : double.NaN,
                window?.Celsius ?? double.NaN, window?.Megahertz ?? double.NaN, window?.PowerCapShare ?? double.NaN);
        }
        finally
        {
            foreach (var mark in marks) mark.Dispose();
        }

        void Mark()
        {
            var mark = new CudaEvent(CUEventFlags.Default);
            marks.Add(mark);
            mark.Record(Stream.Stream);
        }
    });

    public void Release() => Abandon();

    public (INode Node, TimeProvider Time) OpenNode(string host)
    {
        var options = Node(host);
        var clock = new NodeClock(TimeProvider.System);
        return (new LocalNode(host, options.Site, options.Rack, [LocalGpus.Open(_board, options, clock)], clock), clock);
    }

    public void Dispose()
    {
        Abandon();
        _nvml?.Dispose();
    }

    // How its sensors are looked at, in the section and for the sweep alike: the one is the other's memory.
    private LocalGpuOptions Node(string host)
    {
        var options = new LocalGpuOptions(host, LocalNode.DefaultSite, LocalNode.DefaultRack) { Memory = _memoryDirectory };
        return Identity.Kind != BenchKind.Emulated ? options
            : options with { ExerciseBytes = 1 << 20, Qualification = new QualificationOptions { WindowSeconds = 1.2, SettleSeconds = 0.05, AliasSeconds = 0.3, AliasPhases = 2 } };
    }

    private PrimaryContext Context
    {
        get
        {
            _context ??= CudaDriver.Open(_board.Index);
            return _context;
        }
    }

    private CudaStream Stream => _stream ??= OnContext(static () => new CudaStream(CUStreamFlags.NonBlocking));

    private KernelLibrary Library => _library ??= new KernelLibrary(Context, _board);

    private MeterRecording? Meter() => _sensors is null ? null : new MeterRecording(_sensors, _clock, _metering, 2 * (double.IsFinite(Identity.PowerLimitWatts) ? Identity.PowerLimitWatts : 1000));

    private T OnContext<T>(Func<T> make)
    {
        _ = Context;
        return make();
    }

    // Sections continue on whatever thread a wait ends on, and a context belongs to a thread.
    private T Guarded<T>(Func<T> work)
    {
        try
        {
            _context?.SetCurrent();
            return work();
        }
        catch (CudaException e)
        {
            Abandon();
            throw new EvidenceFaultException(e.Message, e);
        }
        catch (Exception e) when (e is PtxRefusedException or KernelRefusedException or NvmlException)
        {
            throw new EvidenceFaultException(e.Message, e);
        }
    }

    private double Timed(ResidentStep step, int count)
    {
        using var begin = new CudaEvent(CUEventFlags.Default);
        using var end = new CudaEvent(CUEventFlags.Default);
        begin.Record(Stream.Stream);
        for (var i = 0; i < count; i++) step.Enqueue(Stream);
        end.Record(Stream.Stream);
        end.Synchronize();
        return CudaEvent.ElapsedTime(begin, end) / 1e3;
    }

    private void Unload()
    {
        _resident?.Dispose();
        _resident = null;
    }

    /// <summary>Gives everything back, also where a fault has made every call fail.</summary>
    private void Abandon()
    {
        if (_context is null) return;
        Quietly(_context.SetCurrent);
        Quietly(Unload);
        Quietly(() => _library?.Dispose());
        Quietly(() => _stream?.Dispose());
        Quietly(_context.Dispose);
        Quietly(() => PrimaryContext.Reset(_board.Index));
        (_resident, _library, _stream, _context) = (null, null, null, null);
    }

    private static void Quietly(Action giveBack)
    {
        try
        {
            giveBack();
        }
        catch (CudaException)
        {
            // The context is lost already; what it held goes with it.
        }
    }

    private static string HashOfKernels(string architecture)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in KernelLibrary.Names(architecture))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name));
            hash.AppendData(KernelLibrary.Ptx(architecture, name));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string Milliseconds(double seconds) => double.IsFinite(seconds) ? string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.00} ms") : "unknown";
}
