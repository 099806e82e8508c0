using EnergyGrid.Contracts;
using HdrHistogram;

namespace EnergyGrid.Stacks;

/// <summary>Percentiles of many times, to three digits, from a microsecond to an hour. Not thread-safe.</summary>
public sealed class LatencyFigures
{
    private const long MostMicroseconds = 3_600_000_000;

    private readonly LongHistogram _histogram = new(1, MostMicroseconds, 3);
    private double _sum;
    private TimeSpan _most;

    /// <summary>How many there are.</summary>
    public long Count => _histogram.TotalCount;

    /// <summary>Of all of them, from their whole values; null where there are none.</summary>
    public TimeSpan? Mean => Count == 0 ? null : TimeSpan.FromMicroseconds(_sum / Count);

    /// <summary>The largest; null where there are none.</summary>
    public TimeSpan? Most => Count == 0 ? null : _most;

    /// <summary>As results have them, ms.</summary>
    public LatencyLine Line() => Count == 0
        ? LatencyLine.None
        : new(Count, Mean!.Value.TotalMilliseconds, Percentile(50)!.Value.TotalMilliseconds, Percentile(90)!.Value.TotalMilliseconds, Percentile(99)!.Value.TotalMilliseconds, Most!.Value.TotalMilliseconds);

    /// <summary>Adds one, as often as is said.</summary>
    public void Add(TimeSpan time, long count = 1)
    {
        if (count <= 0) return;
        _histogram.RecordValueWithCount(Math.Clamp((long)Math.Round(time.TotalMicroseconds), 1, MostMicroseconds), count);
        _sum += time.TotalMicroseconds * count;
        if (time > _most || Count == count) _most = time;
    }

    /// <summary>The least of them that at least so many per cent lie at or below, to three digits; null where there are none.</summary>
    public TimeSpan? Percentile(double percent)
    {
        if (Count == 0) return null;
        // The histogram rounds a rank to the nearest, which may be one too few.
        var rank = Math.Clamp(Math.Ceiling(percent / 100 * Count - 1e-9), 1, Count);
        var value = TimeSpan.FromMicroseconds(_histogram.GetValueAtPercentile(100 * rank / Count));
        return value < _most ? value : _most;
    }
}
