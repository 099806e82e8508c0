namespace EnergyGrid.Devices;

/// <summary>Readings are stamped in nanoseconds since the Unix epoch, UTC.</summary>
public static class UtcNanoseconds
{
    /// <summary>1e9.</summary>
    public const long PerSecond = 1_000_000_000;

    /// <summary>The instant as ns since the Unix epoch, to 100 ns.</summary>
    public static long Of(DateTimeOffset instant) => (instant.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) * 100;

    /// <summary>The provider's present instant, ns.</summary>
    public static long UtcNowNanoseconds(this TimeProvider time) => Of(time.GetUtcNow());

    /// <summary>The other way round, cut to 100 ns.</summary>
    public static DateTimeOffset ToInstant(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    /// <summary>Seconds as ns, to the nearest.</summary>
    public static long FromSeconds(double seconds) => (long)Math.Round(seconds * PerSecond);
}
