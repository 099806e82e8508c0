using System.Runtime;

namespace EnergyGrid.Stacks;

/// <summary>
/// Holds this process's garbage collector off while something is measured, and begins anew each time that its memory is used up: a collection stops all streams at once, and what comes meanwhile is
/// stamped too late. One at a time in a process; further ones do nothing.
/// </summary>
public sealed class CollectorRest : IDisposable
{
    private static readonly Lock Only = new();
    private static CollectorRest? _current;

    private readonly long _bytes;

    private CollectorRest(long bytes) => _bytes = bytes;

    /// <summary>Collects once, and begins.</summary>
    /// <param name="bytes">Memory that may be allocated until the next collection; where the machine has it not, nothing is held off.</param>
    public static CollectorRest Begin(long bytes)
    {
        var rest = new CollectorRest(bytes);
        lock (Only)
        {
            if (_current is null) (_current = rest).Start();
        }

        return rest;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (Only)
        {
            if (_current != this) return;
            _current = null;
            End();
        }
    }

    private void Start()
    {
        try
        {
            // A little before it is used up: the next one begins by a collection of its own.
            if (GC.TryStartNoGCRegion(_bytes)) GC.RegisterNoGCRegionCallback(_bytes / 10 * 9, Renew);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or InvalidOperationException)
        {
            // More than the heap can have, or used up already by somebody who allocates that fast: it collects as ever.
        }
    }

    private void Renew()
    {
        lock (Only)
        {
            if (_current != this) return;
            End();
            Start();
        }
    }

    private static void End()
    {
        try
        {
            if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion) GC.EndNoGCRegion();
        }
        catch (InvalidOperationException)
        {
            // Something else made it collect.
        }
    }
}
