using HdrHistogram;

namespace EnergyGrid.Stacks;

/// <summary>Percentiles of many times, to three digits, from a microsecond to an hour. Not thread-safe.</summary>
public sealed class LatencyFigures
{
    private const long MostMicroseconds = 3_600_000_000;

    private readonly LongHistogram _histogram = new(1, MostMicroseconds, 3);

    /// <summary>How many there are.</summary>
    public long Count => _histogram.TotalCount;

    /// <summary>Adds one, as often as is said.</summary>
    public void Add(TimeSpan time, long count = 1)
    {
        if (count > 0) _histogram.RecordValueWithCount(Math.Clamp((long)Math.Round(time.TotalMicroseconds), 1, MostMicroseconds), count);
    }

    /// <summary>Below which so many per cent lie; null where there are none.</summary>
    public TimeSpan? Percentile(double percent) => Count == 0 ? null : TimeSpan.FromMicroseconds(_histogram.GetValueAtPercentile(percent));
}
