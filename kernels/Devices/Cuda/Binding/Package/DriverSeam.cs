using Native = ManagedCuda.DriverAPINativeMethods;

namespace EnergyGrid.Devices.Cuda;

// What the two bindings do not share. Binding/Own has the same members over our binding; only one of the two folders is compiled.

/// <summary>Questions to the driver that need no context.</summary>
internal static unsafe class DriverSeam
{
    /// <summary>1000 · major + 10 · minor.</summary>
    /// <exception cref="DriverMissingException">There is no driver.</exception>
    public static int Version()
    {
        try
        {
            var version = 0;
            Check(Native.cuDriverGetVersion(ref version));
            return version;
        }
        catch (Exception error) when (error is DllNotFoundException or TypeInitializationException { InnerException: DllNotFoundException })
        {
            throw new DriverMissingException(NativeLibraries.Missing(NativeLibraries.Cuda, null) + " ManagedCuda looks for libcuda.so or nvcuda.dll only.", error);
        }
    }

    /// <summary>Starts the driver. No device is <see cref="CUResult.ErrorNoDevice"/>.</summary>
    public static CUResult Initialize() => Native.cuInit(CUInitializationFlags.None);

    public static int DeviceCount()
    {
        var count = 0;
        Check(Native.DeviceManagement.cuDeviceGetCount(ref count));
        return count;
    }

    /// <summary>The 16 bytes of its UUID, in the order in which they are written.</summary>
    public static byte[] Uuid(int device)
    {
        var uuid = new CUuuid();
        Check(Native.DeviceManagement.cuDeviceGetUuid_v2(ref uuid, Handle(device)));
        return uuid.bytes;
    }

    /// <summary>domain:bus:device.function.</summary>
    public static string PciBusId(int device)
    {
        var text = new byte[32];
        Check(Native.DeviceManagement.cuDeviceGetPCIBusId(text, text.Length, Handle(device)));
        return Until0(text);
    }

    public static long TotalBytes(int device)
    {
        SizeT bytes = 0;
        Check(Native.DeviceManagement.cuDeviceTotalMem_v2(ref bytes, Handle(device)));
        return bytes;
    }

    public static int Attribute(int device, CUDeviceAttribute attribute)
    {
        var value = 0;
        Check(Native.DeviceManagement.cuDeviceGetAttribute(ref value, attribute, Handle(device)));
        return value;
    }

    public static bool TryAttribute(int device, CUDeviceAttribute attribute, out int value)
    {
        value = 0;
        return Native.DeviceManagement.cuDeviceGetAttribute(ref value, attribute, Handle(device)) == CUResult.Success;
    }

    /// <summary>Loads a PTX, which ends with a zero. The log is the compiler's, whatever the result.</summary>
    public static CUResult LoadModule(CudaContext context, byte[] image, out CUmodule module, out string log)
    {
        const int LogBytes = 16 << 10;
        var (error, info) = (new byte[LogBytes], new byte[LogBytes]);
        CUJITOption[] options = [CUJITOption.ErrorLogBuffer, CUJITOption.ErrorLogBufferSizeBytes, CUJITOption.InfoLogBuffer, CUJITOption.InfoLogBufferSizeBytes];
        object[] values = [error, (uint)LogBytes, info, (uint)LogBytes];
        var result = CUResult.Success;
        try
        {
            module = context.LoadModulePTX(image, options, values);
        }
        catch (CudaException refused)
        {
            (module, result) = (default, refused.CudaError);
        }
        log = (Until0(error) + Environment.NewLine + Until0(info)).Trim();
        return result;
    }

    /// <summary>Has a multiprocessor give as much of its memory to blocks, and as little to the first cache, as it can while the kernel runs.</summary>
    public static void PreferSharedMemory(CudaKernel kernel) => Check(Native.FunctionManagement.cuFuncSetAttribute(kernel.CUFunction, CUFunctionAttribute.PreferredSharedMemoryCarveout, 100));

    /// <summary>Puts a kernel into a stream. The struct is copied before this returns.</summary>
    public static void Launch<T>(CudaKernel kernel, CudaStream stream, dim3 grid, uint threads, uint sharedBytes, in T arguments, bool programmatic)
        where T : unmanaged
    {
        fixed (T* at = &arguments)
        {
            IntPtr[] parameters = [(nint)at];
            if (!programmatic)
            {
                Check(Native.Launch.cuLaunchKernel(kernel.CUFunction, grid.x, grid.y, grid.z, threads, 1, 1, sharedBytes, stream.Stream, parameters, null));
                return;
            }
            // The package keeps the union's members to itself: the int at its beginning is the one that this attribute means.
            var allowed = new CUlaunchAttributeValue();
            System.Runtime.CompilerServices.Unsafe.As<CUlaunchAttributeValue, int>(ref allowed) = 1;
            var configuration = new CUlaunchConfig
            {
                gridDimX = grid.x, gridDimY = grid.y, gridDimZ = grid.z, blockDimX = threads, blockDimY = 1, blockDimZ = 1,
                sharedMemBytes = sharedBytes, hStream = stream.Stream,
                attrs = [new CUlaunchAttribute { id = CUlaunchAttributeID.ProgrammaticStreamSerialization, value = allowed }],
            };
            Check(Native.Launch.cuLaunchKernelEx(ref configuration, kernel.CUFunction, parameters, null));
        }
    }

    public static void CopyToDevice(CUdeviceptr to, void* from, long bytes) => Check(Native.SynchronousMemcpy_v2.cuMemcpyHtoD_v2(to, (nint)from, bytes));

    public static void CopyToHost(void* to, CUdeviceptr from, long bytes) => Check(Native.SynchronousMemcpy_v2.cuMemcpyDtoH_v2((nint)to, from, bytes));

    public static void CopyOnDevice(CUdeviceptr to, CUdeviceptr from, long bytes, CudaStream stream) =>
        Check(Native.AsynchronousMemcpy_v2.cuMemcpyDtoDAsync_v2(to, from, bytes, stream.Stream));

    public static void Fill(CUdeviceptr at, byte value, long bytes, CudaStream stream) => Check(Native.MemsetAsync.cuMemsetD8Async(at, value, bytes, stream.Stream));

    public static void BeginCapture(CudaStream stream) => Check(Native.Streams.cuStreamBeginCapture(stream.Stream, CUstreamCaptureMode.Local));

    /// <summary>Ends a capture whose result nobody wants.</summary>
    public static void AbandonCapture(CudaStream stream)
    {
        var graph = new CUgraph();
        if (Native.Streams.cuStreamEndCapture(stream.Stream, ref graph) == CUResult.Success && graph.Pointer != 0) _ = Native.GraphManagment.cuGraphDestroy(graph);
    }

    public static RecordedGraph EndCapture(CudaStream stream)
    {
        var graph = new CUgraph();
        Check(Native.Streams.cuStreamEndCapture(stream.Stream, ref graph));
        try
        {
            var executable = new CUgraphExec();
            Check(Native.GraphManagment.cuGraphInstantiate(ref executable, graph, CUgraphInstantiate_flags.None));
            SizeT nodes = 0;
            Check(Native.GraphManagment.cuGraphGetNodes(graph, null, ref nodes));
            return new RecordedGraph(executable, nodes);
        }
        finally
        {
            _ = Native.GraphManagment.cuGraphDestroy(graph);
        }
    }

    internal static void Check(CUResult result)
    {
        if (result != CUResult.Success) throw new CudaException(result);
    }

    private static string Until0(byte[] text) => System.Text.Encoding.UTF8.GetString(text, 0, Math.Max(0, Array.IndexOf(text, (byte)0)));

    private static CUdevice Handle(int ordinal)
    {
        var device = new CUdevice();
        Check(Native.DeviceManagement.cuDeviceGet(ref device, ordinal));
        return device;
    }
}

/// <summary>What was captured from a stream, ready to be launched again and again.</summary>
public sealed class RecordedGraph : IDisposable
{
    private CUgraphExec _graph;

    internal RecordedGraph(CUgraphExec graph, int nodes) => (_graph, Nodes) = (graph, nodes);

    /// <summary>Kernels, copies and fills in it.</summary>
    public int Nodes { get; }

    /// <summary>Brings it to the device beforehand.</summary>
    public void Upload(CudaStream stream) => DriverSeam.Check(Native.GraphManagment.cuGraphUpload(_graph, stream.Stream));

    /// <summary>Puts all of it into a stream.</summary>
    public void Launch(CudaStream stream) => DriverSeam.Check(Native.GraphManagment.cuGraphLaunch(_graph, stream.Stream));

    public void Dispose()
    {
        if (_graph.Pointer == 0) return;
        _ = Native.GraphManagment.cuGraphExecDestroy(_graph);
        _graph = default;
    }
}
