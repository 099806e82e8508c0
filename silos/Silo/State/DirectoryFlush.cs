using System.ComponentModel;
using System.Runtime.InteropServices;

namespace EnergyGrid.Silo;

/// <summary>fsync(2) of a directory, which .NET does not offer: a rename is on the disk only once the directory is.</summary>
internal static partial class DirectoryFlush
{
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000;
    private const int InvalidArgument = 22;
    private const int Interrupted = 4;

    /// <exception cref="IOException">The directory cannot be opened or flushed.</exception>
    public static void Flush(string directory)
    {
        if (!OperatingSystem.IsLinux()) return; // elsewhere the rename itself is all there is
        var descriptor = Open(directory, ReadOnly | CloseOnExec);
        if (descriptor < 0) throw Error(directory, Marshal.GetLastPInvokeError());
        try
        {
            while (Sync(descriptor) != 0)
            {
                var error = Marshal.GetLastPInvokeError();
                if (error == InvalidArgument) return; // a file system whose directories need none
                if (error != Interrupted) throw Error(directory, error);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Error(string directory, int error) => new($"The directory '{directory}' could not be flushed: {new Win32Exception(error).Message}.");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
