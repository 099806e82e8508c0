using EnergyGrid.Contracts;

namespace EnergyGrid.Node;

/// <summary>
/// The windows that were told of late, and to which activation: one that has begun anew is told them all again. Windows replace and never add, so saying them once too often is safe.
/// </summary>
internal sealed class ToldWindows(long seconds)
{
    private readonly Queue<IReadOnlyList<PowerWindow>> _told = new();
    private long _latest;
    private long _incarnation;

    /// <summary>Remembers what was taken, and forgets what is too old.</summary>
    public void Add(IReadOnlyList<PowerWindow> windows)
    {
        if (windows.Count == 0) return;
        _told.Enqueue(windows);
        foreach (var window in windows) _latest = Math.Max(_latest, window.Window);
        while (_told.Count > 1 && _told.Peek().All(w => w.Window <= _latest - seconds)) _told.Dequeue();
    }

    /// <summary>Whether an answer comes from an activation that has not been told what the last one was.</summary>
    public bool MustTellAgain(ReportAnswer answer) => _incarnation != 0 && answer.Incarnation != _incarnation;

    /// <summary>That activation knows everything now.</summary>
    public void Knows(ReportAnswer answer) => _incarnation = answer.Incarnation;

    /// <summary>What was told bears a clock that was set since.</summary>
    public void Forget()
    {
        _told.Clear();
        _latest = 0;
    }

    /// <summary>Everything remembered, in the order in which it was told.</summary>
    public IEnumerable<PowerWindow> All => _told.SelectMany(static t => t).Where(w => w.Window > _latest - seconds);
}
