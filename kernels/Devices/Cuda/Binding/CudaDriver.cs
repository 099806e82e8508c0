using System.Text;

namespace EnergyGrid.Devices.Cuda;

/// <summary>The driver as the rest of the project sees it: the same over our binding and over ManagedCuda.</summary>
public static unsafe class CudaDriver
{
    /// <summary>1000 · major + 10 · minor of the oldest that translates PTX 8.0: CUDA 12.0.</summary>
    public const int OldestVersion = 12000;

    /// <summary>Starts the driver and says what it supports.</summary>
    /// <returns>1000 · major + 10 · minor.</returns>
    /// <exception cref="DriverMissingException">There is no driver: the message says what to install.</exception>
    /// <exception cref="DriverTooOldException">It cannot translate PTX 8.0.</exception>
    /// <exception cref="CudaException">It does not start.</exception>
    public static int Start()
    {
        var version = DriverSeam.Version();
        if (version < OldestVersion)
            throw new DriverTooOldException(
                $"The NVIDIA driver supports CUDA {version / 1000}.{version % 1000 / 10}; the kernels are PTX 8.0, which needs CUDA 12.0: install driver 525.60 or later.");
        var result = DriverSeam.Initialize();
        if (result is not (CUResult.Success or CUResult.ErrorNoDevice)) throw new CudaException(result);
        return version;
    }

    /// <summary>
    /// The GPUs that this process may use, in the driver's order; none where there is a driver and no GPU. One that does not say what it is is among them, with its
    /// <see cref="CudaBoard.Trouble"/>: it must not keep the others from being used.
    /// </summary>
    /// <exception cref="DriverMissingException">There is no driver.</exception>
    /// <exception cref="DriverTooOldException">It cannot translate PTX 8.0.</exception>
    public static IReadOnlyList<CudaBoard> Boards()
    {
        Start();
        if (DriverSeam.Initialize() == CUResult.ErrorNoDevice) return [];
        var boards = Enumerable.Range(0, DriverSeam.DeviceCount()).Select(Look).ToArray();
        // Of the boards that the process sees; whoever has NVML at hand knows the place among all.
        var order = boards.OrderBy(b => b.PciBusId, StringComparer.OrdinalIgnoreCase).ToList();
        return [.. boards.Select(b => b with { BusIndex = order.IndexOf(b) })];
    }

    /// <summary>What the driver says of one GPU.</summary>
    /// <param name="ordinal">Its place in the driver's order.</param>
    /// <exception cref="CudaException">It does not say.</exception>
    public static CudaBoard Describe(int ordinal)
    {
        var version = Start();
        int Ask(CUDeviceAttribute attribute) => DriverSeam.Attribute(ordinal, attribute);
        int Known(CUDeviceAttribute attribute) => DriverSeam.TryAttribute(ordinal, attribute, out var value) ? value : 0;
        return new CudaBoard(
            ordinal, CudaContext.GetDeviceName(ordinal), UuidText(DriverSeam.Uuid(ordinal)), DriverSeam.PciBusId(ordinal), DriverSeam.TotalBytes(ordinal),
            Ask(CUDeviceAttribute.ComputeCapabilityMajor), Ask(CUDeviceAttribute.ComputeCapabilityMinor), Ask(CUDeviceAttribute.MultiProcessorCount),
            Ask(CUDeviceAttribute.L2CacheSize), Ask(CUDeviceAttribute.MaxSharedMemoryPerBlockOptin), Known(CUDeviceAttribute.ClockRate) / 1000.0,
            Known(CUDeviceAttribute.MemoryClockRate) / 1000.0, Known(CUDeviceAttribute.GlobalMemoryBusWidth), version);
    }

    /// <summary>One GPU, by its index in the order of the bus, its UUID (or a beginning of it that fits one only) or its PCI bus id.</summary>
    /// <exception cref="ArgumentException">There is none, or several: the message names those that there are.</exception>
    public static CudaBoard Find(string which) => Find(which, Boards());

    /// <summary>The same among boards that were looked at before.</summary>
    /// <exception cref="ArgumentException">There is none, or several: the message names those that there are.</exception>
    public static CudaBoard Find(string which, IReadOnlyList<CudaBoard> boards)
    {
        var there = boards.Count == 0 ? "there is no GPU" : "there is " + string.Join(", ", boards.OrderBy(b => b.BusIndex).Select(b => $"index {b.BusIndex} ({b.Uuid}{(b.Trouble is null ? "" : ", which cannot be used")})"));
        if (which.StartsWith("MIG-", StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"'{which}' is a part of a GPU in MIG mode, whose power has no sensor of its own; {there}.");
        var fits = int.TryParse(which, out var index)
            ? boards.Where(b => b.BusIndex == index)
            : boards.Where(b => b.Uuid.StartsWith(which, StringComparison.OrdinalIgnoreCase) || b.PciBusId.Equals(which, StringComparison.OrdinalIgnoreCase));
        return fits.ToArray() switch
        {
            [{ Trouble: { } trouble }] => throw new ArgumentException($"GPU '{which}' cannot be used: {trouble}; {there}."),
            [var one] => one,
            [] => throw new ArgumentException($"No GPU '{which}': {there}."),
            _ => throw new ArgumentException($"'{which}' fits several GPUs: {there}."),
        };
    }

    /// <summary>Opens a board's primary context and makes it this thread's.</summary>
    /// <exception cref="CudaException">The driver refuses.</exception>
    public static PrimaryContext Open(int board)
    {
        Start();
        var context = new PrimaryContext(board);
        context.SetCurrent();
        return context;
    }

    /// <summary>Has the driver translate a PTX for the context's device.</summary>
    /// <param name="context">This thread's.</param>
    /// <param name="ptx">Its text.</param>
    /// <param name="name">What the message calls it.</param>
    /// <exception cref="PtxRefusedException">The driver refuses it: the message has its log.</exception>
    public static CUmodule LoadPtx(this CudaContext context, ReadOnlySpan<byte> ptx, string name)
    {
        var image = new byte[ptx.Length + 1];
        ptx.CopyTo(image);
        var result = DriverSeam.LoadModule(context, image, out var module, out var log);
        return result switch
        {
            CUResult.Success => module,
            CUResult.ErrorInvalidPtx or CUResult.ErrorInvalidImage or CUResult.UnsupportedPTXVersion or CUResult.ErrorNoBinaryForGPU or CUResult.JITCompilerNotFound =>
                throw new PtxRefusedException(name, new CudaException(result).CudaInternalErrorName, log),
            _ => throw new CudaException(result),
        };
    }

    /// <summary>A kernel of a module, with as much dynamic shared memory as its launches will ask for.</summary>
    public static CudaKernel Kernel(this CudaContext context, CUmodule module, string name, int sharedBytes)
    {
        var kernel = new CudaKernel(name, module);
        if (sharedBytes > 0) kernel.MaxDynamicSharedSizeBytes = sharedBytes;
        return kernel;
    }

    /// <summary>Puts a kernel into a stream.</summary>
    /// <param name="kernel">It takes one struct.</param>
    /// <param name="stream">Which.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block, bytes.</param>
    /// <param name="arguments">Copied before this returns.</param>
    /// <param name="programmatic">Whether it may start before the kernel ahead of it has ended: it then waits by itself.</param>
    public static void Launch<T>(this CudaKernel kernel, CudaStream stream, dim3 grid, uint threads, uint sharedBytes, in T arguments, bool programmatic = false)
        where T : unmanaged => DriverSeam.Launch(kernel, stream, grid, threads, sharedBytes, arguments, programmatic);

    /// <summary>Copies to device memory.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="from">What.</param>
    /// <param name="at">From which element of <paramref name="memory"/> on.</param>
    public static void Write<T>(this CudaDeviceVariable<T> memory, ReadOnlySpan<T> from, long at = 0)
        where T : unmanaged
    {
        Inside(memory, at, from.Length);
        fixed (T* start = from) DriverSeam.CopyToDevice(At(memory, at), start, (long)from.Length * sizeof(T));
    }

    /// <summary>Copies from device memory; waits until it has.</summary>
    public static void Read<T>(this CudaDeviceVariable<T> memory, Span<T> to, long at = 0)
        where T : unmanaged
    {
        Inside(memory, at, to.Length);
        fixed (T* start = to) DriverSeam.CopyToHost(start, At(memory, at), (long)to.Length * sizeof(T));
    }

    /// <summary>All of it.</summary>
    public static T[] Read<T>(this CudaDeviceVariable<T> memory)
        where T : unmanaged
    {
        var all = new T[(long)memory.Size];
        memory.Read(all);
        return all;
    }

    /// <summary>The address of an element.</summary>
    public static ulong Address<T>(this CudaDeviceVariable<T> memory, long at = 0)
        where T : unmanaged => (ulong)memory.DevicePointer.Pointer + (ulong)(at * sizeof(T));

    /// <summary>Zeroes memory in a stream; may be captured.</summary>
    public static void Clear<T>(this CudaStream stream, CudaDeviceVariable<T> memory)
        where T : unmanaged => DriverSeam.Fill(memory.DevicePointer, 0, memory.SizeInBytes, stream);

    /// <summary>Copies on the device, in a stream; may be captured.</summary>
    public static void Copy<T>(this CudaStream stream, CudaDeviceVariable<T> to, CudaDeviceVariable<T> from)
        where T : unmanaged => DriverSeam.CopyOnDevice(to.DevicePointer, from.DevicePointer, Math.Min((long)to.SizeInBytes, (long)from.SizeInBytes), stream);

    /// <summary>
    /// Captures what <paramref name="work"/> puts into a stream (not the default one) as one graph. In between nothing may be allocated, synchronised or copied
    /// outside the stream.
    /// </summary>
    public static RecordedGraph Record(this CudaStream stream, Action work)
    {
        DriverSeam.BeginCapture(stream);
        try
        {
            work();
        }
        catch
        {
            DriverSeam.AbandonCapture(stream);
            throw;
        }
        return DriverSeam.EndCapture(stream);
    }

    /// <summary>GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, as NVML writes it.</summary>
    internal static string UuidText(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder("GPU-");
        for (var i = 0; i < bytes.Length; i++)
        {
            if (i is 4 or 6 or 8 or 10) text.Append('-');
            text.Append(bytes[i].ToString("x2"));
        }
        return text.ToString();
    }

    private static CudaBoard Look(int ordinal)
    {
        try
        {
            return Describe(ordinal);
        }
        catch (CudaException error)
        {
            // Whatever it does say helps to know which one it is.
            return new CudaBoard(ordinal, Said(() => CudaContext.GetDeviceName(ordinal), "unknown GPU"), Said(() => UuidText(DriverSeam.Uuid(ordinal)), $"GPU-unknown-{ordinal}"),
                Said(() => DriverSeam.PciBusId(ordinal), ""), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            { Trouble = error.Message };
        }

        static string Said(Func<string> ask, string otherwise)
        {
            try
            {
                return ask();
            }
            catch (CudaException)
            {
                return otherwise;
            }
        }
    }

    private static CUdeviceptr At<T>(CudaDeviceVariable<T> memory, long element)
        where T : unmanaged => memory.DevicePointer + element * sizeof(T);

    private static void Inside<T>(CudaDeviceVariable<T> memory, long at, long count)
        where T : unmanaged
    {
        if (at < 0 || at + count > (long)memory.Size)
            throw new ArgumentOutOfRangeException(nameof(at), at, $"{count} elements from {at} are not within {(long)memory.Size}.");
    }
}

/// <summary>A GPU as the driver describes it.</summary>
/// <param name="Index">Its ordinal among those that the process may use, which CUDA_DEVICE_ORDER and CUDA_VISIBLE_DEVICES decide: for the driver alone, people know its <see cref="BusIndex"/>.</param>
/// <param name="Name">As sold.</param>
/// <param name="Uuid">GPU-….</param>
/// <param name="PciBusId">domain:bus:device.function.</param>
/// <param name="MemoryBytes">All of its memory.</param>
/// <param name="ComputeMajor">Of its compute capability.</param>
/// <param name="ComputeMinor">Of its compute capability.</param>
/// <param name="Multiprocessors">How many.</param>
/// <param name="CacheBytes">L2.</param>
/// <param name="SharedBytesPerBlock">The most dynamic shared memory of a block.</param>
/// <param name="ClockMegahertz">Highest, MHz; 0 if the driver does not say, as for the next two.</param>
/// <param name="MemoryClockMegahertz">Highest, MHz.</param>
/// <param name="MemoryBusBits">Width of its memory bus.</param>
/// <param name="DriverVersion">What the driver supports: 1000 · major + 10 · minor of CUDA.</param>
public sealed record CudaBoard(
    int Index, string Name, string Uuid, string PciBusId, long MemoryBytes, int ComputeMajor, int ComputeMinor, int Multiprocessors,
    long CacheBytes, int SharedBytesPerBlock, double ClockMegahertz, double MemoryClockMegahertz, int MemoryBusBits, int DriverVersion)
{
    /// <summary>Its index as nvidia-smi has it: its place in the order of the bus.</summary>
    public int BusIndex { get; init; } = Index;

    /// <summary>Why it does not say what it is, in words; null where it does.</summary>
    public string? Trouble { get; init; }

    /// <summary>The kernels' PTX that suits it: sm_90 or sm_80.</summary>
    public string Architecture => ComputeMajor >= 9 ? "sm_90" : "sm_80";

    /// <summary>Double data rate × width, bytes/s: what the datasheet says, not what is reached.</summary>
    public double DatasheetBytesPerSecond => 2 * MemoryClockMegahertz * 1e6 * MemoryBusBits / 8;

    /// <summary>Whether it is the host in disguise: nothing that it does is measured.</summary>
    public bool IsEmulated => Name.Contains("emulated", StringComparison.OrdinalIgnoreCase);
}
