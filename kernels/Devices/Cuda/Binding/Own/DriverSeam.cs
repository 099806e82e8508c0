using System.Text;
using EnergyGrid.Devices.Cuda.Binding;
using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda;

// What the two bindings do not share. Binding/Package has the same members for ManagedCuda.

/// <summary>Questions to the driver that need no context.</summary>
internal static unsafe partial class DriverSeam
{
    /// <summary>1000 · major + 10 · minor.</summary>
    /// <exception cref="DriverMissingException">There is no driver.</exception>
    public static int Version()
    {
        Check(cuDriverGetVersion(out var version));
        return version;
    }

    /// <summary>Starts the driver. No device is <see cref="CUResult.ErrorNoDevice"/>.</summary>
    public static CUResult Initialize() => cuInit(0);

    public static int DeviceCount()
    {
        Check(cuDeviceGetCount(out var count));
        return count;
    }

    /// <summary>The 16 bytes of its UUID, in the order in which they are written.</summary>
    public static byte[] Uuid(int device)
    {
        var bytes = new byte[16];
        fixed (byte* to = bytes) Check(cuDeviceGetUuid_v2(to, Handle(device)));
        return bytes;
    }

    /// <summary>domain:bus:device.function.</summary>
    public static string PciBusId(int device)
    {
        var text = stackalloc byte[32];
        Check(cuDeviceGetPCIBusId(text, 32, Handle(device)));
        return Encoding.ASCII.GetString(text, new ReadOnlySpan<byte>(text, 32).IndexOf((byte)0));
    }

    public static long TotalBytes(int device)
    {
        Check(cuDeviceTotalMem_v2(out var bytes, Handle(device)));
        return (long)bytes;
    }

    public static int Attribute(int device, CUDeviceAttribute attribute)
    {
        Check(cuDeviceGetAttribute(out var value, attribute, Handle(device)));
        return value;
    }

    public static bool TryAttribute(int device, CUDeviceAttribute attribute, out int value) =>
        cuDeviceGetAttribute(out value, attribute, Handle(device)) == CUResult.Success;

    /// <summary>Loads a PTX, which ends with a zero. The log is the compiler's, whatever the result.</summary>
    public static CUResult LoadModule(CudaContext context, byte[] image, out CUmodule module, out string log)
    {
        _ = context;
        const int LogBytes = 16 << 10;
        const int InfoLog = 3, InfoLogBytes = 4, ErrorLog = 5, ErrorLogBytes = 6;
        var (info, error) = (new byte[LogBytes], new byte[LogBytes]);
        fixed (byte* at = image, informed = info, failed = error)
        {
            var options = stackalloc int[] { ErrorLog, ErrorLogBytes, InfoLog, InfoLogBytes };
            var values = stackalloc void*[] { failed, (void*)LogBytes, informed, (void*)LogBytes };
            var result = cuModuleLoadDataEx(out module, at, 4, options, values);
            log = (Until0(error) + Environment.NewLine + Until0(info)).Trim();
            return result;
        }
    }

    /// <summary>Has a multiprocessor give as much of its memory to blocks, and as little to the first cache, as it can while the kernel runs.</summary>
    public static void PreferSharedMemory(CudaKernel kernel) => Check(cuFuncSetAttribute(kernel.CUFunction, CUFunctionAttribute.PreferredSharedMemoryCarveout, 100));

    /// <summary>Puts a kernel into a stream. The struct is copied before this returns.</summary>
    public static void Launch<T>(CudaKernel kernel, CudaStream stream, dim3 grid, uint threads, uint sharedBytes, in T arguments, bool programmatic)
        where T : unmanaged
    {
        fixed (T* at = &arguments)
        {
            void* parameter = at;
            if (!programmatic)
            {
                Check(cuLaunchKernel(kernel.CUFunction, grid.x, grid.y, grid.z, threads, 1, 1, sharedBytes, stream.Stream, &parameter, null));
                return;
            }
            var attribute = new LaunchAttribute { Id = LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
            var configuration = new LaunchConfiguration
            {
                GridX = grid.x,
                GridY = grid.y,
                GridZ = grid.z,
                BlockX = threads,
                BlockY = 1,
                BlockZ = 1,
                SharedBytes = sharedBytes,
                Stream = stream.Stream,
                Attributes = &attribute,
                AttributeCount = 1,
            };
            Check(cuLaunchKernelEx(&configuration, kernel.CUFunction, &parameter, null));
        }
    }

    public static void CopyToDevice(CUdeviceptr to, void* from, long bytes) => Check(cuMemcpyHtoD_v2(to, from, (nuint)bytes));

    public static void CopyToHost(void* to, CUdeviceptr from, long bytes) => Check(cuMemcpyDtoH_v2(to, from, (nuint)bytes));

    public static void CopyOnDevice(CUdeviceptr to, CUdeviceptr from, long bytes, CudaStream stream) =>
        Check(cuMemcpyDtoDAsync_v2(to, from, (nuint)bytes, stream.Stream));

    public static void Fill(CUdeviceptr at, byte value, long bytes, CudaStream stream) => Check(cuMemsetD8Async(at, value, (nuint)bytes, stream.Stream));

    public static void BeginCapture(CudaStream stream) => Check(cuStreamBeginCapture_v2(stream.Stream, CUstreamCaptureMode.Local));

    /// <summary>Ends a capture whose result nobody wants.</summary>
    public static void AbandonCapture(CudaStream stream)
    {
        if (cuStreamEndCapture(stream.Stream, out var graph) == CUResult.Success && graph.Pointer != 0) _ = cuGraphDestroy(graph);
    }

    public static RecordedGraph EndCapture(CudaStream stream)
    {
        Check(cuStreamEndCapture(stream.Stream, out var captured));
        using var graph = new CudaGraph(captured);
        return new RecordedGraph(graph.Instantiate(CUgraphInstantiate_flags.None), graph.NodeCount);
    }

    private static CUdevice Handle(int ordinal)
    {
        Check(cuDeviceGet(out var device, ordinal));
        return device;
    }

    private static string Until0(byte[] text) => Encoding.UTF8.GetString(text, 0, Math.Max(0, Array.IndexOf(text, (byte)0)));
}

/// <summary>What was captured from a stream, ready to be launched again and again.</summary>
public sealed class RecordedGraph : IDisposable
{
    private readonly CudaGraphExec _graph;

    internal RecordedGraph(CudaGraphExec graph, int nodes) => (_graph, Nodes) = (graph, nodes);

    /// <summary>Kernels, copies and fills in it.</summary>
    public int Nodes { get; }

    /// <summary>Brings it to the device beforehand.</summary>
    public void Upload(CudaStream stream) => _graph.Upload(stream);

    /// <summary>Puts all of it into a stream.</summary>
    public void Launch(CudaStream stream) => _graph.Launch(stream);

    public void Dispose() => _graph.Dispose();
}
