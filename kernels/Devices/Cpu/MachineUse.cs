using System.Globalization;

namespace EnergyGrid.Devices;

/// <summary>What all processes together take of this machine's processors and memory, as Linux tells it.</summary>
public static class MachineUse
{
    /// <summary>USER_HZ, in which <c>/proc/stat</c> counts: 100 on every platform that .NET runs on.</summary>
    public const double TicksPerSecond = 100;

    /// <summary>Ticks of all processors since the machine started: those in which they worked, time that the hypervisor took included, and all; null where it is not known.</summary>
    public static (double Busy, double All)? Ticks()
    {
        try
        {
            // cpu  user nice system idle iowait irq softirq steal; what follows is counted in user already.
            var ticks = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray();
            return ticks.Length < 5 ? null : (ticks.Sum() - ticks[3] - ticks[4], ticks.Sum());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Memory that cannot be had without taking it from somebody, B; NaN where it is not known.</summary>
    public static double MemoryUsedBytes()
    {
        try
        {
            var kib = File.ReadLines("/proc/meminfo").Take(8).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(w => w.Length > 1).ToDictionary(w => w[0], w => double.Parse(w[1], CultureInfo.InvariantCulture));
            return (kib["MemTotal:"] - kib["MemAvailable:"]) * 1024;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or KeyNotFoundException)
        {
            return double.NaN;
        }
    }
}
