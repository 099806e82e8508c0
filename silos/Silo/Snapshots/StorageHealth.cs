using EnergyGrid.Contracts;
using EnergyGrid.Results;
using EnergyGrid.Sdk;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>Whether what keeps the grid's state answers this silo: known without asking, so that looking at it never waits.</summary>
public interface IStorageHealth
{
    StorageInfo Now { get; }
}

/// <summary>
/// Looks at the storage beside all requests: a small key in Redis every two seconds, or a small file in the data directory every ten. What it finds is for people and for probes; whoever
/// writes state finds out by writing.
/// </summary>
internal sealed partial class StorageHealth(SiloOptions options, IServiceProvider services, TimeProvider time, ILogger<StorageHealth> log) : BackgroundService, IStorageHealth
{
    public static readonly TimeSpan RedisPeriod = TimeSpan.FromSeconds(2), FilesPeriod = TimeSpan.FromSeconds(10), Patience = TimeSpan.FromSeconds(1.5);

    /// <summary>What a person needs to know while it is away.</summary>
    public const string GoesOn = "sampling, live power and running trials go on; commits, new sweeps and what must move to another silo wait";

    private volatile StorageInfo _now = new(options.Redis is null ? "files" : "redis", true, time.GetUtcNow(), options.Redis is null ? "the data directory can be written" : "Redis answers");

    public StorageInfo Now => _now;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Redis is null ? FilesPeriod : RedisPeriod, time);
        do
        {
            string? trouble;
            try
            {
                trouble = options.Redis is null ? Probe(options.DataDirectory) : await Write(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            Note(trouble);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private void Note(string? trouble)
    {
        var before = _now;
        if (before.Answers == (trouble is null)) return;
        var now = time.GetUtcNow();
        var name = before.Kind == "redis" ? "Redis" : $"the data directory {options.DataDirectory}";
        _now = trouble is null
            ? before with { Answers = true, SinceUtc = now, Says = $"{name} {(before.Kind == "redis" ? "answers" : "can be written")}" }
            : before with { Answers = false, SinceUtc = now, Says = $"{name} {(before.Kind == "redis" ? "keeps nothing" : "cannot be written")}: {trouble}; {GoesOn}" };
        if (trouble is null) Back(log, name, (now - before.SinceUtc).TotalSeconds);
        else Away(log, name, trouble, GoesOn);
    }

    // Why it cannot be written, or null.
    private static string? Probe(string directory)
    {
        var file = Path.Combine(directory, ".probe");
        try
        {
            Directory.CreateDirectory(directory);
            File.WriteAllBytes(file, new byte[4096]);
            File.Delete(file);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return FileFault.Words(e);
        }
    }

    // A Redis that answers and takes nothing (full, a replica, another password) keeps no promise.
    private async Task<string?> Write(CancellationToken stop)
    {
        var redis = services.GetRequiredService<IConnectionMultiplexer>();
        try
        {
            await redis.GetDatabase().StringSetAsync($"{options.Cluster}/health/{options.Name}", "1", TimeSpan.FromMinutes(1)).WaitAsync(Patience, time, stop);
            return null;
        }
        catch (TimeoutException)
        {
            return $"no answer within {Patience.TotalSeconds:0.#} s";
        }
        catch (RedisException e)
        {
            return RedisTrouble.Words(e, redis);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Storage} is away: {Reason}. Meanwhile {GoesOn}.")]
    private static partial void Away(ILogger log, string storage, string reason, string goesOn);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Storage} is back after {Seconds:0} s.")]
    private static partial void Back(ILogger log, string storage, double seconds);
}
