namespace EnergyGrid.Stacks;

/// <summary>
/// Gives up what has brought nothing for so long. One timer for all of a request: it looks, when it comes, how long ago the last sign of life was, and waits for the rest. A sign of life costs one store;
/// setting a timer anew for every token would cost a lock that all requests share.
/// </summary>
internal sealed class Patience : IDisposable
{
    private readonly CancellationTokenSource _end;
    private readonly TimeProvider _time;
    private readonly TimeSpan _limit;
    private readonly ITimer _timer;
    private long _heard;

    /// <param name="limit">How long nothing may come.</param>
    /// <param name="time">By which clock.</param>
    /// <param name="stop">Gives it up at once.</param>
    public Patience(TimeSpan limit, TimeProvider time, CancellationToken stop)
    {
        (_limit, _time, _heard) = (limit, time, time.GetTimestamp());
        _end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _timer = time.CreateTimer(static p => ((Patience)p!).Look(), this, limit, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Of what is waited for.</summary>
    public CancellationToken Token => _end.Token;

    /// <summary>Something came.</summary>
    /// <param name="at">When.</param>
    public void Heard(long at) => Volatile.Write(ref _heard, at);

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _end.Dispose();
    }

    private void Look()
    {
        var left = _limit - _time.GetElapsedTime(Volatile.Read(ref _heard));
        try
        {
            if (left > TimeSpan.Zero) _timer.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            else _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended meanwhile.
        }
    }
}
