using System.Text;

namespace EnergyGrid.Devices.Cuda.Nvml;

/// <summary>NVML, started. Every device of one process may share it.</summary>
public sealed unsafe class NvmlSession : IDisposable
{
    private bool _disposed;

    /// <exception cref="DriverMissingException">The library is not there: the message says what to install.</exception>
    /// <exception cref="NvmlException">It does not start.</exception>
    public NvmlSession()
    {
        var result = NvmlApi.nvmlInit_v2();
        if (result != NvmlReturn.Success) throw new NvmlException("nvmlInit", result);
        DriverVersion = Text(NvmlApi.nvmlSystemGetDriverVersion(Buffer(out var driver), BufferBytes), driver);
        NvmlVersion = Text(NvmlApi.nvmlSystemGetNVMLVersion(Buffer(out var nvml), BufferBytes), nvml);
        GC.KeepAlive(driver);
        GC.KeepAlive(nvml);
    }

    internal const uint BufferBytes = 256;

    /// <summary>550.54.15; empty if it is not said.</summary>
    public string DriverVersion { get; }

    /// <summary>12.550.54.15; empty if it is not said.</summary>
    public string NvmlVersion { get; }

    /// <summary>How many GPUs there are, also those that this process may not use.</summary>
    public int Count
    {
        get
        {
            var result = NvmlApi.nvmlDeviceGetCount_v2(out var count);
            if (result != NvmlReturn.Success) throw new NvmlException("nvmlDeviceGetCount", result);
            return (int)count;
        }
    }

    /// <summary>By its position in NVML's order, which is the bus's and not the CUDA driver's. Like the others, it throws what keeps this one device from answering.</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    /// <exception cref="DeviceLostException">It is lost.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not ask about it.</exception>
    /// <exception cref="NvmlException">Any other code.</exception>
    public NvmlDevice ByIndex(int index) => Open(NvmlApi.nvmlDeviceGetHandleByIndex_v2((uint)index, out var handle), handle, $"index {index}");

    /// <summary>By GPU-….</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public NvmlDevice ByUuid(string uuid) => Open(NvmlApi.nvmlDeviceGetHandleByUUID(uuid, out var handle), handle, uuid);

    /// <summary>By domain:bus:device.function.</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public NvmlDevice ByPciBusId(string bus) => Open(NvmlApi.nvmlDeviceGetHandleByPciBusId_v2(bus, out var handle), handle, bus);

    /// <summary>The device of that UUID, and that of the bus where NVML does not know the UUID (a virtual machine).</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public NvmlDevice Of(string uuid, string bus)
    {
        try
        {
            return ByUuid(uuid);
        }
        catch (ArgumentException)
        {
            return ByPciBusId(bus);
        }
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _ = NvmlApi.nvmlShutdown();
    }

    internal static byte* Buffer(out byte[] buffer)
    {
        // Pinned for good: these are a few short texts in a process's life.
        buffer = GC.AllocateArray<byte>((int)BufferBytes, pinned: true);
        return (byte*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(buffer, 0);
    }

    internal static string Text(NvmlReturn result, byte[] buffer) =>
        result == NvmlReturn.Success ? Encoding.UTF8.GetString(buffer, 0, Math.Max(0, Array.IndexOf(buffer, (byte)0))) : "";

    private static NvmlDevice Open(NvmlReturn result, nint handle, string which) => result switch
    {
        NvmlReturn.Success => new NvmlDevice(handle, which),
        NvmlReturn.NotFound or NvmlReturn.InvalidArgument => throw new ArgumentException($"NVML knows no GPU {which}."),
        NvmlReturn.GpuIsLost or NvmlReturn.GpuNotFound or NvmlReturn.ResetRequired => throw new DeviceLostException($"GPU {which} does not answer: {result}."),
        NvmlReturn.NoPermission => throw new UnauthorizedAccessException($"No permission to ask NVML about GPU {which}: in a container the device must be passed in."),
        _ => throw new NvmlException("nvmlDeviceGetHandle", result, $"GPU {which}"),
    };
}
