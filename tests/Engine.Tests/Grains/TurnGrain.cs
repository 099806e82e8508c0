namespace EnergyGrid.Engine.Tests;

/// <summary>What a grain saw of its own turns.</summary>
/// <param name="Highest">The most requests, turns or ticks it ever saw inside at one time.</param>
/// <param name="Total">How many ended.</param>
[GenerateSerializer, Immutable, Alias("Test.Probe")]
public sealed record Probe([property: Id(0)] int Highest, [property: Id(1)] int Total);

[Alias("Test.ITurnGrain")]
public interface ITurnGrain : IGrainWithStringKey
{
    /// <summary>An ordinary request of that many turns.</summary>
    [Alias("Work")] Task Work(int turns);

    /// <summary>An ordinary request that ends when <see cref="Open"/> is called.</summary>
    [Alias("Wait")] Task Wait();
    [Alias("Open"), AlwaysInterleave] Task Open();

    /// <summary>Many turns, each of which would see another turn at the same time.</summary>
    [Alias("Churn"), AlwaysInterleave] Task Churn(int turns);

    /// <summary>True if another call of this came while the first was waiting.</summary>
    [Alias("Meet"), ReadOnly] Task<bool> Meet();

    /// <summary>The same without the attribute.</summary>
    [Alias("MeetAlone")] Task<bool> MeetAlone();

    [Alias("Look"), AlwaysInterleave] Task<Probe> Look();

    /// <summary>Ticks of the timer of a grain whose key begins with <c>tick</c>; answers when there were that many.</summary>
    [Alias("Ticks"), AlwaysInterleave] Task<Probe> Ticks(int atLeast);
}

public sealed class TurnGrain : Grain, ITurnGrain
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _met = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int AtLeast, TaskCompletionSource Reached)> _awaited = [];
    private int _now, _highest, _total, _inTurn, _meeting, _ticks, _inTick, _highestTick;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        if (key.StartsWith("gated", StringComparison.Ordinal)) await Lives.GateOf(key).Task;
        if (key.StartsWith("tick", StringComparison.Ordinal))
            this.RegisterGrainTimer(Tick, new GrainTimerCreationOptions(TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(2)));
    }

    public async Task Work(int turns)
    {
        _highest = Math.Max(_highest, ++_now);
        for (var i = 0; i < turns; i++) await Task.Yield();
        _total++;
        _now--;
    }

    public Task Wait() => _open.Task;

    public Task Open()
    {
        _open.TrySetResult();
        return Task.CompletedTask;
    }

    // Two turns at the same time would be seen here: nothing but the scheduler protects these fields.
    public async Task Churn(int turns)
    {
        for (var i = 0; i < turns; i++)
        {
            if (Interlocked.Exchange(ref _inTurn, 1) != 0) _highest = 99;
            Thread.SpinWait(2000); // long enough for a second thread to come by
            _total++;
            Volatile.Write(ref _inTurn, 0);
            await Task.Yield();
        }
    }

    public async Task<bool> Meet()
    {
        if (++_meeting == 2) _met.TrySetResult();
        try
        {
            await _met.Task.WaitAsync(TimeSpan.FromSeconds(5));
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async Task<bool> MeetAlone()
    {
        _meeting++;
        for (var i = 0; i < 100 && _meeting < 2; i++) await Task.Yield();
        var met = _meeting >= 2;
        _meeting--;
        return met;
    }

    public Task<Probe> Look() => Task.FromResult(new Probe(_highest, _total));

    public async Task<Probe> Ticks(int atLeast)
    {
        if (_ticks < atLeast)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((atLeast, reached));
            await reached.Task;
        }
        return new Probe(_highestTick, _ticks);
    }

    // Longer than its period: a timer that did not wait for the end of a tick would overlap.
    private async Task Tick(CancellationToken cancellationToken)
    {
        _highestTick = Math.Max(_highestTick, ++_inTick);
        await Task.Delay(6, cancellationToken);
        _inTick--;
        _ticks++;
        foreach (var (_, reached) in _awaited.Where(a => a.AtLeast <= _ticks)) reached.TrySetResult();
    }
}
