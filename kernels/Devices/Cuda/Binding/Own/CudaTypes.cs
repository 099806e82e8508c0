using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Binding;

// The names are ManagedCuda's, and the values the driver's (cuda.h), so that the same code compiles against either.

/// <summary>What a driver function returns.</summary>
public enum CUResult
{
    Success = 0,
    ErrorInvalidValue = 1,
    ErrorOutOfMemory = 2,
    ErrorNotInitialized = 3,
    ErrorDeviceUnavailable = 46,
    ErrorNoDevice = 100,
    ErrorInvalidDevice = 101,
    ErrorInvalidImage = 200,
    ErrorInvalidContext = 201,
    ErrorNoBinaryForGPU = 209,
    ErrorECCUncorrectable = 214,
    ErrorInvalidPtx = 218,
    JITCompilerNotFound = 221,
    UnsupportedPTXVersion = 222,
    ErrorInvalidHandle = 400,
    ErrorNotFound = 500,
    ErrorNotReady = 600,
    ErrorIllegalAddress = 700,
    ErrorLaunchOutOfResources = 701,
    ErrorLaunchTimeout = 702,
    ErrorContextIsDestroyed = 709,
    ErrorMisalignedAddress = 716,
    ErrorLaunchFailed = 719,
    ErrorNotPermitted = 800,
    ErrorNotSupported = 801,
    ErrorStreamCaptureUnsupported = 900,
    ErrorStreamCaptureInvalidated = 901,
    ErrorStreamCaptureImplicit = 906,
    ErrorUnknown = 999,
}

/// <summary>What may be asked of a device (those that we ask).</summary>
public enum CUDeviceAttribute
{
    MaxThreadsPerBlock = 1,
    MaxSharedMemoryPerBlock = 8,
    WarpSize = 10,
    ClockRate = 13,
    MultiProcessorCount = 16,
    ECCEnabled = 32,
    MemoryClockRate = 36,
    GlobalMemoryBusWidth = 37,
    L2CacheSize = 38,
    MaxThreadsPerMultiProcessor = 39,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    MaxRegistersPerMultiprocessor = 82,
    MaxSharedMemoryPerBlockOptin = 97,
}

/// <summary>What may be asked of a kernel, or set.</summary>
public enum CUFunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    ConstSizeBytes = 2,
    LocalSizeBytes = 3,
    NumRegs = 4,
    PTXVersion = 5,
    BinaryVersion = 6,
    MaxDynamicSharedSizeBytes = 8,
    PreferredSharedMemoryCarveout = 9,
}

/// <summary>How an event is made.</summary>
[Flags]
public enum CUEventFlags
{
    Default = 0,
    BlockingSync = 1,
    DisableTiming = 2,
}

/// <summary>How a stream is made.</summary>
[Flags]
public enum CUStreamFlags : uint
{
    None = 0,
    NonBlocking = 1,
}

/// <summary>How a capture treats other calls.</summary>
public enum CUstreamCaptureMode
{
    Global = 0,
    Local = 1,
    Relaxed = 2,
}

/// <summary>How a graph is made executable.</summary>
[Flags]
public enum CUgraphInstantiate_flags : ulong
{
    None = 0,
}

/// <summary>A device's ordinal.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUdevice
{
    public int Pointer;
}

/// <summary>An address on the device.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUdeviceptr(ulong pointer)
{
    public ulong Pointer = pointer;

    public static CUdeviceptr operator +(CUdeviceptr at, long bytes) => new(checked((ulong)((long)at.Pointer + bytes)));
}

/// <summary>A context.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUcontext
{
    public nint Pointer;
}

/// <summary>A loaded module.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUmodule
{
    public nint Pointer;
}

/// <summary>A kernel.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUfunction
{
    public nint Pointer;
}

/// <summary>A stream.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUstream
{
    public nint Pointer;
}

/// <summary>An event.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUevent
{
    public nint Pointer;
}

/// <summary>A graph as captured.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUgraph
{
    public nint Pointer;
}

/// <summary>An executable graph.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CUgraphExec
{
    public nint Pointer;
}

/// <summary>Numbers of blocks or threads.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct dim3(uint x, uint y = 1, uint z = 1)
{
    public uint x = x;
    public uint y = y;
    public uint z = z;

    public static implicit operator dim3(uint x) => new(x);

    public static implicit operator dim3(int x) => new(checked((uint)x));
}
