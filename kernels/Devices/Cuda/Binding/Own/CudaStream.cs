using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>A queue of work on a device.</summary>
public sealed class CudaStream : IDisposable
{
    private CUstream _stream;

    /// <summary>One that waits for the default stream.</summary>
    public CudaStream()
        : this(CUStreamFlags.None)
    {
    }

    public CudaStream(CUStreamFlags flags) => Check(cuStreamCreate(out _stream, flags));

    /// <summary>Its handle.</summary>
    public CUstream Stream => _stream;

    /// <summary>Waits until all in it has ended.</summary>
    public void Synchronize() => Check(cuStreamSynchronize(_stream));

    /// <summary>Whether all in it has ended.</summary>
    public bool Query()
    {
        var result = cuStreamQuery(_stream);
        if (result == CUResult.ErrorNotReady) return false;
        Check(result);
        return true;
    }

    /// <summary>What comes later waits for the event.</summary>
    public void WaitEvent(CUevent cuevent) => Check(cuStreamWaitEvent(_stream, cuevent, 0));

    public void Dispose()
    {
        if (_stream.Pointer == 0) return;
        _ = cuStreamDestroy_v2(_stream);
        _stream = default;
    }
}
