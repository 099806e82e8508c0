using System.ComponentModel;
using System.Diagnostics;

namespace EnergyGrid.Devices;

/// <summary>Processor time of this process and of those that work for it; never goes back, also when one of them ends. Not thread-safe.</summary>
internal sealed class ProcessorTime
{
    private readonly Dictionary<int, TimeSpan> _others = [];
    private TimeSpan _ended;

    /// <summary>All of it since this process began and since each other was first looked at.</summary>
    /// <param name="processes">Those that work for it now.</param>
    public TimeSpan Look(IEnumerable<int> processes)
    {
        var now = processes.Where(p => p != Environment.ProcessId).ToHashSet();
        foreach (var gone in _others.Keys.Where(p => !now.Contains(p)).ToArray())
        {
            _ended += _others[gone];
            _others.Remove(gone);
        }

        foreach (var process in now)
        {
            if (Of(process) is { } time) _others[process] = time;
        }

        return Environment.CpuUsage.TotalTime + _ended + _others.Values.Aggregate(TimeSpan.Zero, (a, b) => a + b);
    }

    private static TimeSpan? Of(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return process.TotalProcessorTime;
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // It has just ended: what it took since the last look is lost.
            return null;
        }
    }
}
