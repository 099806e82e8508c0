using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>
/// Looks every few seconds whether Redis answers and still knows this silo. An outage is said once when it begins and once when it ends. A Redis that answers and knows nothing of this silo has
/// lost what it kept: the silo ends with that sentence, because going on would mean to begin all sweeps anew in silence.
/// </summary>
internal sealed partial class MembershipGuard(ClusteringOptions options, RedisLink redis, IFatalErrorHandler end, TimeProvider time, ILogger<MembershipGuard> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Look, time);
        long? away = null;
        var unknown = 0;
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                var known = await redis.Connection.GetDatabase().HashExistsAsync(ClusterJoin.SilosOf(options.Cluster), options.Host).ConfigureAwait(false);
                if (away is { } since) LogBack(log, redis.Where, time.GetElapsedTime(since).TotalSeconds);
                away = null;
                unknown = known ? 0 : unknown + 1;
                // Twice: a look may fall into somebody's cleaning up by hand.
                if (unknown == 2) (end as SiloEnd)?.Now($"Redis at {redis.Where} answers and no longer knows cluster '{options.Cluster}': its data are gone. Nothing is begun anew in silence: restore Redis' file, or start the silos again to begin with what is there.");
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                if (away is null) LogAway(log, redis.Where);
                away ??= time.GetTimestamp();
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {Where} does not answer: live power and running trials go on, nothing is committed and no grain is activated anew until it is back.")]
    private static partial void LogAway(ILogger log, string where);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {Where} answers again after {Seconds:0} s.")]
    private static partial void LogBack(ILogger log, string where, double seconds);
}
