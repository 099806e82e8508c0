using System.Runtime.InteropServices;

namespace EnergyGrid.Devices;

/// <summary>What the kernel knows of its clock's error (<c>ntp_adjtime</c>), read and never set.</summary>
public static partial class KernelClock
{
    private const int TimexBytes = 512;
    private const int MaxErrorOffset = 24;
    private const int StatusOffset = 40;
    private const int Unsynchronised = 0x40;

    /// <summary>The most that the wall clock may be from UTC, s: 16 where nobody keeps it (the kernel counts no further); null where the system does not tell.</summary>
    public static double? MaxErrorSeconds() => Read() is { } told ? BitConverter.ToInt64(told, MaxErrorOffset) / 1e6 : null;

    /// <summary>Whether something (chrony, ntpd, systemd-timesyncd) keeps the clock; null where the system does not tell.</summary>
    public static bool? IsKept() => Read() is { } told ? (BitConverter.ToInt32(told, StatusOffset) & Unsynchronised) == 0 : null;

    private static byte[]? Read()
    {
        // The layout is that of 64-bit Linux: modes (and padding), offset, freq, maxerror, esterror, status, …
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess) return null;
        var timex = new byte[TimexBytes];
        return NtpAdjTime(timex) >= 0 ? timex : null;
    }

    [LibraryImport("libc", EntryPoint = "ntp_adjtime")]
    private static partial int NtpAdjTime(byte[] timex);
}
