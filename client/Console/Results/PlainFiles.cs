using System.Runtime.InteropServices;

namespace EnergyGrid.Console;

/// <summary>What kind of thing a name of the file system is.</summary>
internal static partial class PlainFiles
{
    private const int NoFollow = 0x100;
    private const uint Mode = 0x2;
    private const int Here = -100;

    /// <summary>Why a name is not to be read: a link leads elsewhere, and a pipe or a device may never end. Null for a file or directory.</summary>
    public static string? Refusal(string path)
    {
        if (new FileInfo(path) is { LinkTarget: not null }) return "it is a link";
        if (!OperatingSystem.IsLinux()) return null;
        var told = new byte[256];
        if (StatX(Here, path, NoFollow, Mode, told) != 0) return null; // whoever reads it finds out
        return (BitConverter.ToUInt16(told, 28) & 0xF000) switch
        {
            0x8000 or 0x4000 => null,
            0x1000 => "it is a pipe",
            0xC000 => "it is a socket",
            _ => "it is a device",
        };
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, byte[] told);
}
