using System.Collections.Immutable;

namespace EnergyGrid.Results;

/// <summary>Documents of sweeps that go on, rendered once for each record however many ask at the same time.</summary>
internal sealed class RenderedSweeps
{
    private const int Most = 16;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string Version, Task<ImmutableArray<RenderedFile>> Files, long Used)> _latest = new(StringComparer.Ordinal);
    private long _clock;

    public Task<ImmutableArray<RenderedFile>> Get(string sweep, string version, Func<Task<ImmutableArray<RenderedFile>>> render, CancellationToken stop)
    {
        lock (_gate)
        {
            // What failed is tried again; what another caller is about to have is waited for.
            if (!_latest.TryGetValue(sweep, out var entry) || entry.Version != version || entry.Files is { IsFaulted: true } or { IsCanceled: true })
            {
                if (_latest.Count >= Most && !_latest.ContainsKey(sweep)) _latest.Remove(_latest.MinBy(e => e.Value.Used).Key);
                entry = (version, render(), 0);
            }
            _latest[sweep] = entry with { Used = ++_clock };
            return entry.Files.WaitAsync(stop);
        }
    }
}
