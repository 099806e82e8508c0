using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.LlamaCpp;

/// <summary>A file that lies in memory and is gone with the last who has it open, however that one ends.</summary>
internal static partial class MemoryFile
{
    /// <summary>Makes one.</summary>
    /// <param name="name">For who looks at the process.</param>
    /// <exception cref="IOException">The system gives none.</exception>
    public static SafeFileHandle Create(string name)
    {
        var descriptor = memfd_create(name, 0);
        if (descriptor < 0) throw new IOException($"No file in memory can be made (errno {Marshal.GetLastPInvokeError()}).");
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Where a library of this process finds it by name.</summary>
    public static string PathOf(SafeFileHandle file) => $"/proc/self/fd/{file.DangerousGetHandle()}";

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);
}
