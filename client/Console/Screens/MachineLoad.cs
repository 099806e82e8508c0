using System.Diagnostics;
using System.Globalization;

namespace EnergyGrid.Console;

/// <summary>What other processes take of this machine's processors while this one measures. Known where <c>/proc/stat</c> is.</summary>
internal sealed class MachineLoad
{
    private const string Source = "/proc/stat";

    // USER_HZ, in which the file counts: 100 on every platform that .NET runs on.
    private const double TicksPerSecond = 100;

    private readonly (double Busy, double All, double Own)? _from = Read();

    /// <summary>Share of all processors since this was made, time that the hypervisor took included, 0 to 1; null where it is not known.</summary>
    public double? OthersShare => _from is { } from && Read() is { } now && now.All > from.All
        ? Math.Clamp((now.Busy - from.Busy - (now.Own - from.Own)) / (now.All - from.All), 0, 1)
        : null;

    private static (double Busy, double All, double Own)? Read()
    {
        try
        {
            using var process = Process.GetCurrentProcess();
            // cpu  user nice system idle iowait irq softirq steal; what follows is counted in user already.
            var ticks = File.ReadLines(Source).First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray();
            return ticks.Length < 5 ? null : (ticks.Sum() - ticks[3] - ticks[4], ticks.Sum(), process.TotalProcessorTime.TotalSeconds * TicksPerSecond);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }
}
