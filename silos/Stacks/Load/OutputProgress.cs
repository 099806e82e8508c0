namespace EnergyGrid.Stacks;

/// <summary>
/// How much output there is so far: points of a sum that only rises, about a hundred a second, whoever adds to it. What nobody takes away is thinned out, so it never grows beyond a bound: every point
/// of a sum is as true without its neighbours.
/// </summary>
/// <param name="ticksPerPoint">Timestamps between two points.</param>
internal sealed class OutputProgress(long ticksPerPoint)
{
    private const int MostPoints = 1 << 16;

    private readonly Lock _lock = new();
    private List<(long Timestamp, double Tokens)> _points = [];
    private (long Timestamp, double Tokens) _now;
    private long _told = long.MinValue;

    /// <summary>Adds what came at a time.</summary>
    public void Add(long timestamp, int tokens)
    {
        lock (_lock)
        {
            // Streams are read side by side: one may tell a little later what came a little earlier.
            _now = (Math.Max(_now.Timestamp, timestamp), _now.Tokens + tokens);
            if (_told != long.MinValue && _now.Timestamp - _told < ticksPerPoint) return;
            _told = _now.Timestamp;
            if (_points.Count == MostPoints) _points = [.. _points.Where((_, i) => i % 2 == 1)];
            _points.Add(_now);
        }
    }

    /// <summary>Moves the points since the last time to a list, in order.</summary>
    public void Drain(List<(long Timestamp, double Tokens)> to)
    {
        lock (_lock)
        {
            if (_now.Timestamp > _told && _told != long.MinValue) _points.Add(_now);
            _told = Math.Max(_told, _now.Timestamp);
            to.AddRange(_points);
            _points.Clear();
        }
    }
}
