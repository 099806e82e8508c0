using System.Collections.Concurrent;

namespace EnergyGrid.Silo;

/// <summary>
/// Reads shared by all who look: however many ask, a key is read at most once in <paramref name="freshness"/>, and not at all while nobody asks.
/// A failed read is not kept.
/// </summary>
internal sealed class Coalesced<TKey, TValue>(Func<TKey, Task<TValue>> read, TimeSpan freshness, TimeProvider time) where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Entry> _entries = [];

    public Task<TValue> Get(TKey key, CancellationToken stop = default)
    {
        var entry = _entries.GetOrAdd(key, _ => new Entry());
        lock (entry)
        {
            var fresh = entry.Task is { } known && (!known.IsCompleted || (known.IsCompletedSuccessfully && time.GetElapsedTime(entry.Started) < freshness));
            if (!fresh) (entry.Task, entry.Started) = (read(key), time.GetTimestamp());
            return entry.Task!.WaitAsync(stop);
        }
    }

    /// <summary>The next to ask reads anew.</summary>
    public void Forget(TKey key) => _entries.TryRemove(key, out _);

    private sealed class Entry
    {
        public Task<TValue>? Task;
        public long Started;
    }
}
