using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>Device memory for <see cref="Size"/> elements. It is not zeroed.</summary>
/// <typeparam name="T">Of an element, as it lies in memory.</typeparam>
public sealed unsafe class CudaDeviceVariable<T> : IDisposable
    where T : unmanaged
{
    private CUdeviceptr _at;
    private readonly bool _owner;

    /// <param name="size">Elements.</param>
    /// <exception cref="CudaException">Out of memory.</exception>
    public CudaDeviceVariable(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        Size = size;
        _owner = true;
        Check(cuMemAlloc_v2(out _at, checked((nuint)(size * sizeof(T)))));
    }

    /// <summary>A view of memory that someone else owns.</summary>
    public CudaDeviceVariable(CUdeviceptr devPtr, long size) => (_at, Size) = (devPtr, size);

    /// <summary>Where it lies.</summary>
    public CUdeviceptr DevicePointer => _at;

    /// <summary>Elements.</summary>
    public long Size { get; }

    /// <summary>Bytes of an element.</summary>
    public long TypeSize => sizeof(T);

    /// <summary>Bytes.</summary>
    public long SizeInBytes => Size * sizeof(T);

    /// <summary>Whether disposing it gives the memory back.</summary>
    public bool IsOwner => _owner;

    /// <summary>Copies all of an array to its beginning.</summary>
    public void CopyToDevice(T[] source)
    {
        fixed (T* from = source) Check(cuMemcpyHtoD_v2(_at, from, (nuint)((long)source.Length * sizeof(T))));
    }

    /// <summary>Copies from other device memory, as much as this one holds.</summary>
    public void CopyToDevice(CudaDeviceVariable<T> source) => Check(cuMemcpyDtoD_v2(_at, source._at, (nuint)SizeInBytes));

    /// <summary>The same, in a stream.</summary>
    public void AsyncCopyToDevice(CudaDeviceVariable<T> source, CUstream stream) => Check(cuMemcpyDtoDAsync_v2(_at, source._at, (nuint)SizeInBytes, stream));

    /// <summary>Fills an array from its beginning.</summary>
    public void CopyToHost(T[] dest)
    {
        fixed (T* to = dest) Check(cuMemcpyDtoH_v2(to, _at, (nuint)((long)dest.Length * sizeof(T))));
    }

    /// <summary>Sets every byte.</summary>
    public void Memset(byte aValue) => Check(cuMemsetD8_v2(_at, aValue, (nuint)SizeInBytes));

    /// <summary>Sets every word of 4 bytes.</summary>
    public void Memset(uint aValue) => Check(cuMemsetD32_v2(_at, aValue, (nuint)(SizeInBytes / 4)));

    /// <summary>Sets every byte, in a stream.</summary>
    public void MemsetAsync(byte aValue, CUstream stream) => Check(cuMemsetD8Async(_at, aValue, (nuint)SizeInBytes, stream));

    /// <summary>Sets every word of 4 bytes, in a stream.</summary>
    public void MemsetAsync(uint aValue, CUstream stream) => Check(cuMemsetD32Async(_at, aValue, (nuint)(SizeInBytes / 4), stream));

    public void Dispose()
    {
        if (_at.Pointer == 0) return;
        if (_owner) _ = cuMemFree_v2(_at);
        _at = default;
    }
}
