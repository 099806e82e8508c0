using System.Runtime.InteropServices;

namespace EnergyGrid.Workloads;

/// <summary>Zeroed memory outside the garbage-collected heap, aligned to 4 KiB: weights and caches of many gigabytes.</summary>
internal sealed unsafe class AlignedBuffer<T> : IDisposable where T : unmanaged
{
    private T* _pointer;

    public AlignedBuffer(long length)
    {
        Length = length;
        var bytes = (nuint)Math.Max(1, length) * (nuint)sizeof(T);
        _pointer = (T*)NativeMemory.AlignedAlloc(bytes, 4096);
        NativeMemory.Clear(_pointer, bytes);
        GC.AddMemoryPressure((long)bytes);
    }

    ~AlignedBuffer() => Free();

    public long Length { get; }

    public long Bytes => Length * sizeof(T);

    public T* Pointer => _pointer is not null ? _pointer : throw new ObjectDisposedException(nameof(AlignedBuffer<T>));

    public Span<T> Slice(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + length, Length);
        return new Span<T>(Pointer + start, length);
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_pointer is not null)
        {
            NativeMemory.AlignedFree(_pointer);
            _pointer = null;
            GC.RemoveMemoryPressure((long)Math.Max(1, Length) * sizeof(T));
        }
    }
}
