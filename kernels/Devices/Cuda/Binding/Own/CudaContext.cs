using System.Text;
using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>A context of a device: current on one thread at a time, by <see cref="SetCurrent"/>.</summary>
public abstract class CudaContext : IDisposable
{
    private protected CUcontext _context;
    private protected CUdevice _device;

    private protected CudaContext(int deviceId) => DeviceId = deviceId;

    /// <summary>The context's handle.</summary>
    public CUcontext Context => _context;

    /// <summary>The device's handle.</summary>
    public CUdevice Device => _device;

    /// <summary>The device's ordinal.</summary>
    public int DeviceId { get; }

    /// <summary>What the driver supports: 12.4.</summary>
    public static Version GetDriverVersion()
    {
        Check(cuDriverGetVersion(out var version));
        return new Version(version / 1000, version % 1000 / 10);
    }

    /// <summary>How many devices there are.</summary>
    public static int GetDeviceCount()
    {
        Check(cuInit(0));
        Check(cuDeviceGetCount(out var count));
        return count;
    }

    /// <summary>A device's name.</summary>
    public static unsafe string GetDeviceName(int deviceID)
    {
        Check(cuInit(0));
        Check(cuDeviceGet(out var device, deviceID));
        var name = stackalloc byte[256];
        Check(cuDeviceGetName(name, 256, device));
        return Encoding.UTF8.GetString(name, new ReadOnlySpan<byte>(name, 256).IndexOf((byte)0));
    }

    /// <summary>Makes it this thread's context.</summary>
    public void SetCurrent() => Check(cuCtxSetCurrent(_context));

    /// <summary>Waits until everything in it has ended; throws what a kernel did wrong.</summary>
    public void Synchronize() => Check(cuCtxSynchronize());

    /// <summary>Gives a module back.</summary>
    public void UnloadModule(CUmodule aModule) => Check(cuModuleUnload(aModule));

    /// <summary>The device's memory, bytes.</summary>
    public long GetTotalDeviceMemorySize()
    {
        Check(cuMemGetInfo_v2(out _, out var total));
        return (long)total;
    }

    /// <summary>What is free of it now, bytes: other processes' use counts.</summary>
    public long GetFreeDeviceMemorySize()
    {
        Check(cuMemGetInfo_v2(out var free, out _));
        return (long)free;
    }

    public abstract void Dispose();
}

/// <summary>A device's primary context, which all of a process share.</summary>
public sealed class PrimaryContext : CudaContext
{
    private bool _disposed;

    /// <summary>Retains it; it is current nowhere yet.</summary>
    public PrimaryContext(int deviceId)
        : base(deviceId)
    {
        Check(cuInit(0));
        Check(cuDeviceGet(out _device, deviceId));
        Check(cuDevicePrimaryCtxRetain(out _context, _device));
    }

    /// <summary>Destroys everything in it, for everyone: what cures a context after a kernel's fault. Retain it anew afterwards.</summary>
    public static void Reset(int deviceID)
    {
        Check(cuDeviceGet(out var device, deviceID));
        Check(cuDevicePrimaryCtxReset_v2(device));
    }

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        // What fails here has failed before, and was said then.
        _ = cuDevicePrimaryCtxRelease_v2(_device);
    }
}
