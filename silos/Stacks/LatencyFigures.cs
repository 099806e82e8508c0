using EnergyGrid.Contracts;
using HdrHistogram;

namespace EnergyGrid.Stacks;

/// <summary>Percentiles of many times, to three digits, from a microsecond to an hour. Not thread-safe.</summary>
public sealed class LatencyFigures
{
    private const long MostMicroseconds = 3_600_000_000;

    private double _sum;
    private double _most;
    private readonly LongHistogram _histogram = new(1, MostMicroseconds, 3);

    /// <summary>How many there are.</summary>
    public long Count => _histogram.TotalCount;

    /// <summary>Adds one, as often as is said.</summary>
    public void Add(TimeSpan time, long count = 1)
    {
        if (count <= 0) return;
        _sum += time.TotalMicroseconds * count;
        _most = Math.Max(_most, time.TotalMicroseconds);
        _histogram.RecordValueWithCount(Math.Clamp((long)Math.Round(time.TotalMicroseconds), 1, MostMicroseconds), count);
    }

    /// <summary>As results have them; the mean is that of the values as they were added.</summary>
    public LatencyLine Line() => Count == 0 ? LatencyLine.None : new(Count, _sum / Count / 1e3, Of(50), Of(90), Of(99), _most / 1e3);

    private double Of(double percent) => _histogram.GetValueAtPercentile(percent) / 1e3;

    /// <summary>Below which so many per cent lie; null where there are none.</summary>
    public TimeSpan? Percentile(double percent) => Count == 0 ? null : TimeSpan.FromMicroseconds(_histogram.GetValueAtPercentile(percent));
}
