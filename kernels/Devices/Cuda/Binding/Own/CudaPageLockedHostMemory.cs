using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>Host memory that the device can reach by itself: copies to and from it need no staging and may run beside other work.</summary>
public sealed unsafe class CudaPageLockedHostMemory<T> : IDisposable
    where T : unmanaged
{
    private nint _at;

    /// <param name="size">Elements.</param>
    public CudaPageLockedHostMemory(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        Size = size;
        Check(cuMemHostAlloc(out _at, checked((nuint)(size * sizeof(T))), 0));
    }

    /// <summary>Where it lies.</summary>
    public nint PinnedHostPointer => _at;

    /// <summary>Elements.</summary>
    public long Size { get; }

    /// <summary>Bytes.</summary>
    public long SizeInBytes => Size * sizeof(T);

    /// <summary>Copies all of it to the device, in a stream. Its bytes must stay as they are until the stream has passed it.</summary>
    public void AsyncCopyToDevice(CUdeviceptr devicePtr, CUstream stream) => Check(cuMemcpyHtoDAsync_v2(devicePtr, (void*)_at, (nuint)SizeInBytes, stream));

    /// <summary>Fills all of it from the device, in a stream.</summary>
    public void AsyncCopyFromDevice(CUdeviceptr devicePtr, CUstream stream) => Check(cuMemcpyDtoHAsync_v2((void*)_at, devicePtr, (nuint)SizeInBytes, stream));

    public void Dispose()
    {
        if (_at == 0) return;
        _ = cuMemFreeHost(_at);
        _at = 0;
    }
}
