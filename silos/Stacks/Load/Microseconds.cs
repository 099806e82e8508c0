namespace EnergyGrid.Stacks;

/// <summary>Monotonic timestamps as whole microseconds, which is what files have.</summary>
public static class Microseconds
{
    /// <summary>What makes a timestamp the number of whole microseconds since an origin, the part of one dropped: order is kept.</summary>
    public static Func<long, long> Since(long origin, TimeProvider time)
    {
        var frequency = time.TimestampFrequency;
        return timestamp => (long)Int128.Clamp(Floor((Int128)(timestamp - origin) * 1_000_000, frequency), long.MinValue, long.MaxValue);
    }

    private static Int128 Floor(Int128 of, long by) => of >= 0 ? of / by : -((-of + by - 1) / by);
}
