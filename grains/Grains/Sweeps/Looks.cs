namespace EnergyGrid.Grains;

/// <summary>
/// The looks that an actor takes at its work: on its own clock and whenever somebody asks, never two at once, and once more after a look during which
/// another was asked for.
/// </summary>
/// <param name="actor">Whose looks they are.</param>
/// <param name="look">One look. It keeps its own exceptions.</param>
internal sealed class Looks(IGrainBase actor, Func<Task> look)
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private IGrainTimer? _timer;
    private bool _again;
    private int _waiting;

    /// <summary>Whether the actor looks at all: between <see cref="Begin"/> and <see cref="End"/>.</summary>
    public bool Going => _timer is not null;

    /// <summary>Looks every so often from now on, and keeps the actor alive for it. Nothing, where it does already.</summary>
    public void Begin(TimeSpan every, TimeSpan first) =>
        _timer ??= actor.RegisterGrainTimer(Soon, new GrainTimerCreationOptions(first, every) { KeepAlive = true, Interleave = true });

    /// <summary>No look follows the one that is being taken.</summary>
    public void End()
    {
        _timer?.Dispose();
        _timer = null;
    }

    /// <summary>Looks now; while a look is being taken, once more after it.</summary>
    public async Task Soon()
    {
        if (_one.CurrentCount == 0)
        {
            _again = true;
            return;
        }
        await Alone(async () =>
        {
            do
            {
                _again = false;
                await look();
            }
            while (_again && Going && _waiting == 0); // whoever waits comes first; the clock looks again
        });
    }

    /// <summary>Does something while no look is being taken.</summary>
    public async Task Alone(Func<Task> act)
    {
        _waiting++;
        try { await _one.WaitAsync(); }
        finally { _waiting--; }
        try
        {
            await act();
        }
        finally
        {
            _one.Release();
        }
    }
}
