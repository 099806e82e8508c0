using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Loads;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda;

/// <summary>How this machine's GPUs become devices of a grid.</summary>
/// <param name="Host">The node's name.</param>
/// <param name="Site">Where it stands.</param>
/// <param name="Rack">Where it stands.</param>
public sealed record LocalGpuOptions(string Host, string Site, string Rack)
{
    /// <summary>Index (nvidia-smi's), UUID or its beginning, or PCI bus id of those to open; null for all.</summary>
    public IReadOnlyList<string>? Which { get; init; }

    /// <summary>How long their sensors are looked at.</summary>
    public QualificationOptions Qualification { get; init; } = new();

    /// <summary>Stated bound of the clock's error against UTC, s.</summary>
    public double ClockErrorSeconds { get; init; } = 0.005;

    /// <summary>Told what goes on: qualification takes the better part of a minute.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>What runs a board's steps: a thread of this process, if nothing else is said.</summary>
    public Func<CudaBoard, TimeProvider, IStepEngine> Steps { get; init; } = static (board, time) => new ContextEngine(board, time);

    /// <summary>Where qualifications are kept from one start to the next, a file a device; null for nowhere: then each start looks for the better part of a minute.</summary>
    public string? Memory { get; init; }

    /// <summary>Whether sensors are qualified anew whatever is remembered.</summary>
    public bool Requalify { get; init; }

    /// <summary>What the sensors are exercised with, B: far more than the cache; less for an emulation.</summary>
    public long ExerciseBytes { get; init; } = 1L << 30;
}

/// <summary>A GPU of this machine cannot be a device of the grid: the message says why, and what would help.</summary>
public sealed class GpuRefusedException(string message, Exception inner) : Exception(message, inner);

/// <summary>This machine's GPUs, opened as devices: sensors qualified, ceilings measured, kernels loaded. What is wrong with one of them is that one's: the others are opened.</summary>
public static class LocalGpus
{
    /// <summary>The ceilings need no more than this on start, s each: the evidence measures them with care.</summary>
    private const double CeilingSeconds = 0.3;

    /// <summary>The first wait before a GPU that was refused is looked at again, and the longest.</summary>
    private static readonly TimeSpan FirstLookAgain = TimeSpan.FromMinutes(1), LastLookAgain = TimeSpan.FromMinutes(30);

    /// <summary>Those that are asked for, without opening any: this takes no longer than the driver's start. One that has <see cref="CudaBoard.Trouble"/> is among them.</summary>
    /// <exception cref="DriverMissingException">There is no driver.</exception>
    /// <exception cref="GpuRefusedException">The driver is too old, or one that was asked for is not there.</exception>
    public static IReadOnlyList<CudaBoard> Boards(LocalGpuOptions options) => Refusing(() =>
    {
        var boards = GpuSurvey.Look().Boards;
        return options.Which is { } which ? (IReadOnlyList<CudaBoard>)[.. which.Select(w => CudaDriver.Find(w, boards)).DistinctBy(b => b.Uuid)] : boards;
    });

    /// <summary>Opens one, which takes the better part of a minute, or some seconds where its qualification is remembered. It must be free.</summary>
    /// <exception cref="DriverMissingException">There is no NVML.</exception>
    /// <exception cref="GpuRefusedException">Whatever keeps this one from being a device.</exception>
    public static CudaDevice OpenOne(CudaBoard board, LocalGpuOptions options, TimeProvider time) => Refusing(() => Open(board, options, time));

    /// <summary>Opens them at the same time: each has sensors of its own. One that is refused is said and left out, unless it was asked for by name.</summary>
    /// <exception cref="DriverMissingException">There is no driver, or no NVML.</exception>
    /// <exception cref="GpuRefusedException">The driver is too old, or one that was asked for by name is not there or cannot be a device.</exception>
    public static IReadOnlyList<CudaDevice> Open(LocalGpuOptions options, TimeProvider time) => Refusing(() => OpenAll(options, time));

    /// <summary>Goes on with GPUs that were refused: each is tried again after a minute and then ever more seldom, one at a time, until it opens or the waiting ends.</summary>
    /// <param name="refused">Which.</param>
    /// <param name="open">Tries one; true if it opened.</param>
    /// <param name="time">Whose waits.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task LookAgain(IEnumerable<CudaBoard> refused, Func<CudaBoard, bool> open, TimeProvider time, CancellationToken stop)
    {
        var left = refused.ToList();
        for (var wait = FirstLookAgain; left.Count > 0 && !stop.IsCancellationRequested; wait = wait * 2 < LastLookAgain ? wait * 2 : LastLookAgain)
        {
            await Task.Delay(wait, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            for (var i = left.Count - 1; i >= 0 && !stop.IsCancellationRequested; i--)
            {
                var board = left[i];
                // A look takes up to a minute: on a thread of its own.
                if (await Task.Factory.StartNew(() => open(board), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false)) left.RemoveAt(i);
            }
        }
    }

    // Whatever goes wrong with a GPU, foreseen or not, is a reason not to offer it, and none to end the process that has others.
    private static T Refusing<T>(Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception e) when (e is DriverTooOldException or ArgumentException or CudaException or PtxRefusedException or KernelRefusedException or NvmlException or DeviceLostException or InvalidOperationException or UnauthorizedAccessException)
        {
            throw new GpuRefusedException(e.Message, e);
        }
        catch (Exception e) when (e is not (DriverMissingException or GpuRefusedException or OperationCanceledException or OutOfMemoryException))
        {
            throw new GpuRefusedException($"{e.GetType().Name}: {e.Message}", e);
        }
    }

    private static IReadOnlyList<CudaDevice> OpenAll(LocalGpuOptions options, TimeProvider time)
    {
        var boards = Boards(options);
        var opening = boards.Select(b => Task.Factory.StartNew(() => OpenOne(b, options, time), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        try
        {
            Task.WaitAll(opening);
        }
        catch (AggregateException errors) when (options.Which is not null)
        {
            foreach (var opened in opening.Where(t => t.IsCompletedSuccessfully)) opened.Result.Dispose();
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(errors.InnerExceptions[0]);
        }
        catch (AggregateException)
        {
            foreach (var (board, refused) in boards.Zip(opening).Where(o => o.Second.IsFaulted)) options.Say($"gpu {board.BusIndex} ({board.Uuid}) is left out: {refused.Exception!.InnerExceptions[0].Message}");
        }

        return [.. opening.Where(t => t.IsCompletedSuccessfully).Select(t => t.Result)];
    }

    /// <summary>Opens one. It must be free.</summary>
    public static CudaDevice Open(CudaBoard board, LocalGpuOptions options, TimeProvider time)
    {
        // NVML counts its users: each device is one, and gives it back when it is disposed.
        var nvml = new NvmlSession();
        try
        {
            return Open(board, nvml, options, time);
        }
        catch
        {
            nvml.Dispose();
            throw;
        }
    }

    private static CudaDevice Open(CudaBoard board, NvmlSession nvml, LocalGpuOptions options, TimeProvider time)
    {
        // One that did not say what it is may say it now.
        if (board.Trouble is not null) board = CudaDriver.Describe(board.Index) with { BusIndex = board.BusIndex };
        var sensors = nvml.Of(board.Uuid, board.PciBusId);
        if (!sensors.CanBeMetered()) throw new InvalidOperationException($"{board.Uuid}: {GpuSurvey.Unmetered}");
        options.Say($"gpu {board.BusIndex}: {board.Name}, {board.Uuid}: looking at its sensors");
        var qualification = SensorQualifier.Recall(
            sensors, nvml.DriverVersion, options.Memory is { } directory ? new QualificationMemory(directory) : null, options.Requalify, time, new FillExercise(board, time, options.ExerciseBytes),
            options.Qualification, line => options.Say($"gpu {board.BusIndex}: {line}"));
        options.Say($"gpu {board.BusIndex}: {qualification.EnergySource}");
        var (bandwidth, peak) = Ceilings(board, time);
        var clock = time as NodeClock ?? new NodeClock(time);
        var meter = new BoardSensor(sensors, clock, qualification, new BoardSensorOptions { ClockErrorSeconds = options.ClockErrorSeconds });
        try
        {
            var info = new DeviceInfo(
                options.Host, board.Uuid, HardwareName.Of(board.Name), DeviceKind.Cuda, options.Site, options.Rack, board.BusIndex, board.MemoryBytes,
                bandwidth, board.IsEmulated ? Provenance.Modelled : Provenance.Measured, peak, meter.RatedWatts, meter.PowerLimitWatts,
                string.Create(CultureInfo.InvariantCulture, $"NVIDIA {nvml.DriverVersion}, CUDA {board.DriverVersion / 1000}.{board.DriverVersion % 1000 / 10}"),
                meter.EnergySource, meter.EnergyProvenance, qualification.ToSensorQualification(meter.RatedWatts));
            return new CudaDevice(options.Steps(board, clock.Time), meter, nvml, info, clock);
        }
        catch
        {
            meter.Dispose();
            throw;
        }
    }

    /// <summary>What the memory streams, B/s, and what the matrix units do in FP16, FLOP/s, on this board now.</summary>
    private static (double BytesPerSecond, double FlopsPerSecond) Ceilings(CudaBoard board, TimeProvider time)
    {
        var size = board.IsEmulated ? LoadSize.Emulation : LoadSize.Device;
        var clock = new NodeClock(time);
        using var context = CudaDriver.Open(board.Index);
        using var library = new KernelLibrary(context, board);
        using var stream = new CudaStream(CUStreamFlags.NonBlocking);
        return (Rate(CeilingKernel.Stream, load => load.Bytes), Rate(CeilingKernel.Matrix, load => load.Flops));

        double Rate(CeilingKernel kernel, Func<CeilingLoad, double> amount)
        {
            using var load = new CeilingLoad(kernel, library, stream, 1, size);
            var bursts = load.Run(1, CeilingSeconds, clock, CancellationToken.None);
            return amount(load) * bursts.Sum(b => b.Launches) / bursts.Sum(b => b.BusySeconds);
        }
    }
}
