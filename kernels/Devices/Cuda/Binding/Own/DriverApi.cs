using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>
/// The driver's functions that we call, by their exported names. CUDA 12.0 is the oldest that has all of them. A missing library throws
/// <see cref="DriverMissingException"/> at the first call.
/// </summary>
internal static unsafe partial class DriverApi
{
    private const string Library = NativeLibraries.Cuda;

    static DriverApi() => NativeLibraries.Register();

    // The driver and its devices.
    [LibraryImport(Library)] public static partial CUResult cuInit(uint flags);
    [LibraryImport(Library)] public static partial CUResult cuDriverGetVersion(out int version);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGetCount(out int count);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGet(out CUdevice device, int ordinal);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGetName(byte* name, int length, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGetUuid_v2(byte* uuid, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGetAttribute(out int value, CUDeviceAttribute attribute, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDeviceTotalMem_v2(out nuint bytes, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDeviceGetPCIBusId(byte* id, int length, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuGetErrorName(CUResult error, out byte* text);
    [LibraryImport(Library)] public static partial CUResult cuGetErrorString(CUResult error, out byte* text);

    // Contexts.
    [LibraryImport(Library)] public static partial CUResult cuDevicePrimaryCtxRetain(out CUcontext context, CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDevicePrimaryCtxRelease_v2(CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuDevicePrimaryCtxReset_v2(CUdevice device);
    [LibraryImport(Library)] public static partial CUResult cuCtxSetCurrent(CUcontext context);
    [LibraryImport(Library)] public static partial CUResult cuCtxSynchronize();

    // Memory.
    [LibraryImport(Library)] public static partial CUResult cuMemGetInfo_v2(out nuint free, out nuint total);
    [LibraryImport(Library)] public static partial CUResult cuMemAlloc_v2(out CUdeviceptr at, nuint bytes);
    [LibraryImport(Library)] public static partial CUResult cuMemFree_v2(CUdeviceptr at);
    [LibraryImport(Library)] public static partial CUResult cuMemHostAlloc(out nint at, nuint bytes, uint flags);
    [LibraryImport(Library)] public static partial CUResult cuMemFreeHost(nint at);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyHtoD_v2(CUdeviceptr to, void* from, nuint bytes);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, nuint bytes);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, nuint bytes);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyHtoDAsync_v2(CUdeviceptr to, void* from, nuint bytes, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, nuint bytes, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, nuint bytes, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuMemsetD8_v2(CUdeviceptr at, byte value, nuint count);
    [LibraryImport(Library)] public static partial CUResult cuMemsetD32_v2(CUdeviceptr at, uint value, nuint count);
    [LibraryImport(Library)] public static partial CUResult cuMemsetD8Async(CUdeviceptr at, byte value, nuint count, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuMemsetD32Async(CUdeviceptr at, uint value, nuint count, CUstream stream);

    // Streams and events.
    [LibraryImport(Library)] public static partial CUResult cuStreamCreate(out CUstream stream, CUStreamFlags flags);
    [LibraryImport(Library)] public static partial CUResult cuStreamDestroy_v2(CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuStreamSynchronize(CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuStreamQuery(CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuStreamWaitEvent(CUstream stream, CUevent waited, uint flags);
    [LibraryImport(Library)] public static partial CUResult cuEventCreate(out CUevent made, CUEventFlags flags);
    [LibraryImport(Library)] public static partial CUResult cuEventDestroy_v2(CUevent gone);
    [LibraryImport(Library)] public static partial CUResult cuEventRecord(CUevent recorded, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuEventQuery(CUevent asked);
    [LibraryImport(Library)] public static partial CUResult cuEventSynchronize(CUevent waited);
    [LibraryImport(Library)] public static partial CUResult cuEventElapsedTime(out float milliseconds, CUevent start, CUevent end);

    // Modules and kernels.
    [LibraryImport(Library)] public static partial CUResult cuModuleLoadDataEx(out CUmodule module, byte* image, uint options, int* option, void** values);
    [LibraryImport(Library)] public static partial CUResult cuModuleUnload(CUmodule module);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial CUResult cuModuleGetFunction(out CUfunction function, CUmodule module, string name);
    [LibraryImport(Library)] public static partial CUResult cuFuncGetAttribute(out int value, CUFunctionAttribute attribute, CUfunction function);
    [LibraryImport(Library)] public static partial CUResult cuFuncSetAttribute(CUfunction function, CUFunctionAttribute attribute, int value);
    [LibraryImport(Library)] public static partial CUResult cuOccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, CUfunction function, int threads, nuint sharedBytes);
    [LibraryImport(Library)]
    public static partial CUResult cuLaunchKernel(
        CUfunction function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, CUstream stream, void** parameters, void** extra);
    [LibraryImport(Library)] public static partial CUResult cuLaunchKernelEx(LaunchConfiguration* configuration, CUfunction function, void** parameters, void** extra);

    // Graphs.
    [LibraryImport(Library)] public static partial CUResult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode);
    [LibraryImport(Library)] public static partial CUResult cuStreamEndCapture(CUstream stream, out CUgraph graph);
    [LibraryImport(Library)] public static partial CUResult cuGraphGetNodes(CUgraph graph, nint* nodes, ref nuint count);
    [LibraryImport(Library)] public static partial CUResult cuGraphInstantiateWithFlags(out CUgraphExec executable, CUgraph graph, CUgraphInstantiate_flags flags);
    [LibraryImport(Library)] public static partial CUResult cuGraphUpload(CUgraphExec executable, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuGraphLaunch(CUgraphExec executable, CUstream stream);
    [LibraryImport(Library)] public static partial CUResult cuGraphExecDestroy(CUgraphExec executable);
    [LibraryImport(Library)] public static partial CUResult cuGraphDestroy(CUgraph graph);

    /// <summary>Throws what a call returned, unless it is success.</summary>
    /// <exception cref="CudaException">The call failed.</exception>
    public static void Check(CUResult result)
    {
        if (result != CUResult.Success) throw new CudaException(result);
    }

    /// <summary>CUlaunchConfig of cuda.h: 56 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct LaunchConfiguration
    {
        public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
        public CUstream Stream;
        public LaunchAttribute* Attributes;
        public uint AttributeCount;
    }

    /// <summary>CUlaunchAttribute of cuda.h: an id, padding to 8 bytes, and a union of 64 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    public struct LaunchAttribute
    {
        /// <summary>CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION: the kernel may start before its predecessor in the stream has ended.</summary>
        public const int ProgrammaticStreamSerialization = 6;

        [FieldOffset(0)] public int Id;
        [FieldOffset(8)] public int Value;
    }
}
