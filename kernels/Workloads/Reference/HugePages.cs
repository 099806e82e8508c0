using System.Runtime.InteropServices;

namespace EnergyGrid.Workloads;

/// <summary>Asks Linux for huge pages. Elsewhere, and where the kernel has none to give, nothing changes but the speed.</summary>
internal static unsafe partial class HugePages
{
    // MADV_HUGEPAGE of <sys/mman.h>.
    private const int HugePageAdvice = 14;

    /// <param name="start">Aligned to 2 MiB.</param>
    /// <param name="bytes">Multiple of 2 MiB.</param>
    public static void Advise(void* start, nuint bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            // Refusal is no error: the memory works either way.
            _ = MemoryAdvise(start, bytes, HugePageAdvice);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* start, nuint bytes, int advice);
}
