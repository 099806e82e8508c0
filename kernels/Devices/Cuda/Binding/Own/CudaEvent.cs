using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>A mark in a stream; unless it is made otherwise, with the time at which the device passed it.</summary>
public sealed class CudaEvent : IDisposable
{
    private CUevent _event;

    public CudaEvent()
        : this(CUEventFlags.Default)
    {
    }

    public CudaEvent(CUEventFlags flags) => Check(cuEventCreate(out _event, flags));

    /// <summary>Its handle.</summary>
    public CUevent Event => _event;

    /// <summary>Puts it into the default stream.</summary>
    public void Record() => Record(default);

    /// <summary>Puts it into a stream.</summary>
    public void Record(CUstream stream) => Check(cuEventRecord(_event, stream));

    /// <summary>Waits until the device has passed it.</summary>
    public void Synchronize() => Check(cuEventSynchronize(_event));

    /// <summary>Whether the device has passed it.</summary>
    public bool Query()
    {
        var result = cuEventQuery(_event);
        if (result == CUResult.ErrorNotReady) return false;
        Check(result);
        return true;
    }

    /// <summary>Milliseconds from one to the other, to about half a microsecond.</summary>
    public static float ElapsedTime(CudaEvent eventStart, CudaEvent eventEnd)
    {
        Check(cuEventElapsedTime(out var milliseconds, eventStart._event, eventEnd._event));
        return milliseconds;
    }

    public void Dispose()
    {
        if (_event.Pointer == 0) return;
        _ = cuEventDestroy_v2(_event);
        _event = default;
    }
}
