using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Nvml;

/// <summary>What an NVML function returns (nvmlReturn_t). A library may return numbers that have no name here.</summary>
public enum NvmlReturn
{
    Success = 0,
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    Timeout = 10,
    IrqIssue = 11,
    LibraryNotFound = 12,
    FunctionNotFound = 13,
    CorruptedInforom = 14,
    GpuIsLost = 15,
    ResetRequired = 16,
    OperatingSystem = 17,
    VersionMismatch = 18,
    InUse = 19,
    Memory = 20,
    NoData = 21,
    ArgumentVersionMismatch = 25,
    Deprecated = 26,
    NotReady = 27,
    GpuNotFound = 28,
    InvalidState = 29,
    Unknown = 999,
}

/// <summary>NVML's functions that we call, by their exported names. What an older library lacks throws <see cref="EntryPointNotFoundException"/>.</summary>
internal static unsafe partial class NvmlApi
{
    private const string Library = NativeLibraries.Nvml;

    static NvmlApi() => NativeLibraries.Register();

    [LibraryImport(Library)] public static partial NvmlReturn nvmlInit_v2();
    [LibraryImport(Library)] public static partial NvmlReturn nvmlShutdown();
    [LibraryImport(Library)] public static partial NvmlReturn nvmlSystemGetDriverVersion(byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlSystemGetNVMLVersion(byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetCount_v2(out uint count);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetHandleByIndex_v2(uint index, out nint device);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial NvmlReturn nvmlDeviceGetHandleByUUID(string uuid, out nint device);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial NvmlReturn nvmlDeviceGetHandleByPciBusId_v2(string bus, out nint device);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetName(nint device, byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetUUID(nint device, byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetSerial(nint device, byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetVbiosVersion(nint device, byte* text, uint length);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetPciInfo_v3(nint device, PciInfo* info);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetTotalEnergyConsumption(nint device, out ulong millijoules);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetPowerUsage(nint device, out uint milliwatts);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetEnforcedPowerLimit(nint device, out uint milliwatts);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetFieldValues(nint device, int count, FieldValue* values);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetClockInfo(nint device, int kind, out uint megahertz);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetMaxClockInfo(nint device, int kind, out uint megahertz);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetTemperature(nint device, int sensor, out uint celsius);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetUtilizationRates(nint device, out Utilization rates);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetMemoryInfo(nint device, out Memory memory);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetEccMode(nint device, out int current, out int pending);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetTotalEccErrors(nint device, int kind, int counter, out ulong count);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetMigMode(nint device, out uint current, out uint pending);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetComputeRunningProcesses_v3(nint device, ref uint count, ProcessInfo* infos);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlDeviceGetCurrentClocksThrottleReasons(nint device, out ulong reasons);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlGpmQueryDeviceSupport(nint device, GpmSupport* support);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlGpmSampleAlloc(out nint sample);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlGpmSampleFree(nint sample);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlGpmSampleGet(nint device, nint sample);
    [LibraryImport(Library)] public static partial NvmlReturn nvmlGpmMetricsGet(GpmMetrics* metrics);

    /// <summary>nvmlFieldValue_t: 40 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FieldValue
    {
        public uint Field;
        public uint Scope;
        public long TimestampMicroseconds;
        public long LatencyMicroseconds;
        public uint Type;
        public NvmlReturn Result;
        public ulong Bits;

        /// <summary>The value whatever its type: double, unsigned int, unsigned long, unsigned long long, signed long long, signed int, unsigned short.</summary>
        public readonly double Value => Type switch
        {
            0 => BitConverter.UInt64BitsToDouble(Bits),
            1 => (uint)Bits,
            2 or 3 => Bits,
            4 => (long)Bits,
            5 => (int)Bits,
            6 => (ushort)Bits,
            _ => double.NaN,
        };
    }

    /// <summary>nvmlPciInfo_t: 68 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PciInfo
    {
        public fixed byte BusIdLegacy[16];
        public uint Domain, Bus, Device, DeviceId, SubsystemId;
        public fixed byte BusId[32];
    }

    /// <summary>nvmlProcessInfo_t of version 2 and 3: 24 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ProcessInfo
    {
        public uint Pid;
        public ulong UsedBytes;
        public uint GpuInstance, ComputeInstance;
    }

    /// <summary>nvmlUtilization_t, percent: time in which a kernel ran, time in which memory was read or written.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Utilization
    {
        public uint Gpu, Memory;
    }

    /// <summary>nvmlMemory_t, B: what the driver keeps for itself counts as used.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Memory
    {
        public ulong Total, Free, Used;
    }

    /// <summary>nvmlGpmSupport_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct GpmSupport
    {
        public uint Version;
        public uint Supported;
    }

    /// <summary>nvmlGpmMetric_t: 40 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct GpmMetric
    {
        public uint Id;
        public NvmlReturn Result;
        public double Value;
        public nint ShortName, LongName, Unit;
    }

    /// <summary>The head of nvmlGpmMetricsGet_t; room for the metrics follows. NVML writes no further than <see cref="Count"/> of them.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct GpmMetrics
    {
        public uint Version;
        public uint Count;
        public nint First, Second;
    }
}
