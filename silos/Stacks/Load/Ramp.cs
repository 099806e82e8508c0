namespace EnergyGrid.Stacks;

/// <summary>
/// When the slots of a closed loop begin. Not all at once: answers of one length would then begin and end together for ever, prefill and decode taking turns for the whole engine, which no service with
/// that many users sees and no window averages out. Slot i of N begins when the first answer has i/N of its length, so that the ends lie evenly over the time of a request however fast the engine is;
/// at the latest after i/N of <see cref="Longest"/>, and at once if the first request fails.
/// </summary>
internal sealed class Ramp
{
    /// <summary>After which all slots have begun.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private readonly TaskCompletionSource[] _turns;
    private readonly Lock _lock = new();
    private int _begun = 1;
    private long _tokens;
    private long _asked = long.MaxValue;

    public Ramp(int slots)
    {
        _turns = new TaskCompletionSource[slots];
        for (var i = 0; i < slots; i++) _turns[i] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Comes when the slot may begin.</summary>
    public async Task Turn(int slot, TimeProvider time, CancellationToken stop)
    {
        if (slot > 0) await _turns[slot].Task.WaitAsync(Longest * slot / _turns.Length, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The first request is sent, and asks for so many tokens.</summary>
    public void Asked(int tokens)
    {
        lock (_lock) _asked = tokens;
    }

    /// <summary>It has so many more.</summary>
    public void Came(int tokens)
    {
        lock (_lock)
        {
            _tokens += tokens;
            Begin(_asked == long.MaxValue ? 0 : _tokens * _turns.Length / _asked);
        }
    }

    /// <summary>It is over, whatever came.</summary>
    public void Over()
    {
        lock (_lock) Begin(_turns.Length);
    }

    private void Begin(long upTo)
    {
        for (; _begun < _turns.Length && _begun <= upTo; _begun++) _turns[_begun].TrySetResult();
    }
}
