using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Evidence;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda;

/// <summary>How this machine's GPUs become devices of a grid.</summary>
/// <param name="Host">The node's name.</param>
/// <param name="Site">Where it stands.</param>
/// <param name="Rack">Where it stands.</param>
public sealed record LocalGpuOptions(string Host, string Site, string Rack)
{
    /// <summary>Index, UUID or its beginning, or PCI bus id of those to open; null for all.</summary>
    public IReadOnlyList<string>? Which { get; init; }

    /// <summary>How long their sensors are looked at.</summary>
    public QualificationOptions Qualification { get; init; } = new();

    /// <summary>Stated bound of the clock's error against UTC, s.</summary>
    public double ClockErrorSeconds { get; init; } = 0.005;

    /// <summary>Told what goes on: qualification takes the better part of a minute.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>What runs a board's steps: a thread of this process, if nothing else is said.</summary>
    public Func<CudaBoard, TimeProvider, IStepEngine> Steps { get; init; } = static (board, time) => new ContextEngine(board, time);

    /// <summary>Given each qualification, to be kept with the results.</summary>
    public Action<BoardQualification> Keep { get; init; } = static _ => { };
}

/// <summary>A GPU of this machine cannot be a device of the grid: the message says why, and what would help.</summary>
public sealed class GpuRefusedException(string message, Exception inner) : Exception(message, inner);

/// <summary>This machine's GPUs, opened as devices: sensors qualified, ceilings measured, kernels loaded.</summary>
public static class LocalGpus
{
    /// <summary>The ceilings need no more than this on start, s each: the evidence measures them with care.</summary>
    private const double CeilingSeconds = 0.3;

    /// <summary>Those that are asked for, without opening any: this takes no longer than the driver's start.</summary>
    /// <exception cref="DriverMissingException">There is no driver.</exception>
    /// <exception cref="GpuRefusedException">The driver is too old, or one that was asked for is not there.</exception>
    public static IReadOnlyList<CudaBoard> Boards(LocalGpuOptions options) =>
        Refusing(() => options.Which is { } which ? (IReadOnlyList<CudaBoard>)[.. which.Select(CudaDriver.Find).DistinctBy(b => b.Uuid)] : CudaDriver.Boards());

    /// <summary>Opens one, which takes the better part of a minute. It must be free.</summary>
    /// <exception cref="DriverMissingException">There is no NVML.</exception>
    /// <exception cref="GpuRefusedException">The driver refuses a kernel, or it cannot be metered.</exception>
    public static CudaDevice OpenOne(CudaBoard board, LocalGpuOptions options, TimeProvider time) => Refusing(() => Open(board, options, time));

    /// <summary>Opens them at the same time: each has sensors of its own.</summary>
    /// <exception cref="DriverMissingException">There is no driver, or no NVML.</exception>
    /// <exception cref="GpuRefusedException">The driver or a board is too old, one that was asked for is not there, the driver refuses a kernel, a board cannot be metered.</exception>
    public static IReadOnlyList<CudaDevice> Open(LocalGpuOptions options, TimeProvider time) => Refusing(() => OpenAll(options, time));

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
    }

    private static IReadOnlyList<CudaDevice> OpenAll(LocalGpuOptions options, TimeProvider time)
    {
        var boards = Boards(options);
        var opening = boards.Select(b => Task.Factory.StartNew(() => Open(b, options, time), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        try
        {
            Task.WaitAll(opening);
        }
        catch (AggregateException errors)
        {
            foreach (var opened in opening.Where(t => t.IsCompletedSuccessfully)) opened.Result.Dispose();
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(errors.InnerExceptions[0]);
        }

        return [.. opening.Select(t => t.Result)];
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
        var sensors = nvml.Of(board);
        options.Say($"gpu {board.Index}: {board.Name}, {board.Uuid}: looking at its sensors");
        var qualification = SensorQualifier.Run(sensors, time, new FillExercise(board, time), options.Qualification);
        options.Say($"gpu {board.Index}: {qualification.EnergySource}");
        options.Keep(qualification);
        var (bandwidth, peak) = Ceilings(board, time);
        var clock = time as NodeClock ?? new NodeClock(time);
        var meter = new BoardSensor(sensors, clock, qualification, new BoardSensorOptions { ClockErrorSeconds = options.ClockErrorSeconds });
        try
        {
            var info = new DeviceInfo(
                options.Host, board.Uuid, HardwareName.Of(board.Name), DeviceKind.Cuda, options.Site, options.Rack, board.Index, board.MemoryBytes,
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
