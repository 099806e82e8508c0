using System.Globalization;

namespace EnergyGrid.Devices;

/// <summary>What all processes together take of this machine's processors and memory, as Linux tells it.</summary>
public static class MachineUse
{
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

    /// <summary>Ticks of this process, of those that it has started and of those of them that have ended; null where it is not known.</summary>
    public static double? OwnTicks()
    {
        if (Fields("self") is not { } self) return null;
        // Of those that still run: one by one. Numbers behind the name: state, parent, …, 11 to 14: user, system, and both of children that were waited for.
        var children = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _)).Select(n => Fields(n!))
            .Where(f => f is not null && f[1] == Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        return Ticks(self) + children.Sum(f => Ticks(f!));

        static double Ticks(string[] fields) => fields[11..15].Sum(t => double.Parse(t, CultureInfo.InvariantCulture));

        static string[]? Fields(string process)
        {
            try
            {
                var stat = File.ReadAllText($"/proc/{process}/stat");
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                return fields.Length > 15 ? fields : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has ended.
                return null;
            }
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
