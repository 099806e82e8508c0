using System.Runtime.InteropServices;

namespace EnergyGrid.Workloads;

/// <summary>Zeroed memory outside the garbage-collected heap: weights and caches of many gigabytes. Aligned to 4 KiB, large ones to 2 MiB and, on Linux, in huge pages where there are any.</summary>
internal sealed unsafe class AlignedBuffer<T> : IDisposable where T : unmanaged
{
    private const nuint HugePage = 2 << 20;

    private T* _pointer;

    public AlignedBuffer(long length)
    {
        Length = length;
        var bytes = (nuint)Math.Max(1, length) * (nuint)sizeof(T);
        var isLarge = bytes >= 4 * HugePage;
        _pointer = (T*)NativeMemory.AlignedAlloc(bytes, isLarge ? HugePage : 4096);
        if (isLarge)
        {
            // A processor stops looking ahead at the end of a page, and gigabytes of small pages miss the TLB all the time.
            HugePages.Advise(_pointer, bytes / HugePage * HugePage);
        }

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
