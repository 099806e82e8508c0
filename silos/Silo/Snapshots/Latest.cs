namespace EnergyGrid.Silo;

/// <summary>A value that changes, and a way to wait for the next change without polling. Readers that are slow miss values, never block the writer.</summary>
internal sealed class Latest<T>(T first)
{
    private readonly Lock _gate = new();
    private T _value = first;
    private long _version;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public T Value
    {
        get { lock (_gate) return _value; }
    }

    public void Set(T value)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _value = value;
            _version++;
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    /// <summary>The value once it is newer than <paramref name="seen"/>; begin with −1 to get the present one at once.</summary>
    public async Task<(T Value, long Version)> After(long seen, CancellationToken stop)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (_version > seen) return (_value, _version);
                changed = _changed.Task;
            }
            await changed.WaitAsync(stop);
        }
    }
}
