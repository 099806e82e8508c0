namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>Instants a fixed period apart, by a monotonic clock: what one wait is late, the next one is not. Those that were missed are left out.</summary>
internal sealed class Raster(TimeProvider time, double periodSeconds)
{
    private readonly long _start = time.GetTimestamp();
    private long _tick;

    /// <summary>Waits for the next instant.</summary>
    /// <returns>False if it was stopped before.</returns>
    public bool Next(ManualResetEventSlim stop)
    {
        var elapsed = time.GetElapsedTime(_start).TotalSeconds;
        _tick = Math.Max(_tick + 1, (long)Math.Floor(elapsed / periodSeconds));
        return Sleep(time, TimeSpan.FromSeconds(_tick * periodSeconds - elapsed), stop);
    }

    /// <summary>Waits. False if it was stopped before.</summary>
    public static bool Sleep(TimeProvider time, TimeSpan span, ManualResetEventSlim stop)
    {
        if (stop.IsSet) return false;
        if (span <= TimeSpan.Zero) return true;
        // Waits count whole milliseconds and cut fractions off: up, so that none ends early.
        if (ReferenceEquals(time, TimeProvider.System)) return !stop.Wait((int)Math.Ceiling(span.TotalMilliseconds));
        using var over = new ManualResetEventSlim();
        using var timer = time.CreateTimer(static state => ((ManualResetEventSlim)state!).Set(), over, span, Timeout.InfiniteTimeSpan);
        WaitHandle.WaitAny([over.WaitHandle, stop.WaitHandle]);
        return !stop.IsSet;
    }
}
