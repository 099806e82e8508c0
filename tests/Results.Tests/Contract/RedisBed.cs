using EnergyGrid.Grains;
using StackExchange.Redis;

namespace EnergyGrid.Results.Tests;

/// <summary>A server of its own, kept as a grid must keep it: every write on the disk before its answer.</summary>
public sealed class RedisBed : IStoreBed
{
    private IConnectionMultiplexer? _connection;
    private RedisResultStore? _store;

    public RedisServer Server { get; private set; } = null!;

    public IConnectionMultiplexer Connection => _connection!;

    public IDatabase Database => _connection!.GetDatabase();

    public IResultStore Store => _store!;

    public IResultFiles Files => _store!;

    public ITrialFiles Traces => _store!;

    public IResultRetention Retention => _store!;

    public const string Prefix = "test:results";

    /// <summary>Another silo's store over the same server.</summary>
    public async Task<(RedisResultStore Store, IConnectionMultiplexer Connection)> Another()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(Server.Options());
        return (new RedisResultStore(connection, Prefix, new StillClock()), connection);
    }

    public async Task Reopen()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        (_store, _connection) = await Another();
    }

    public async Task InitializeAsync()
    {
        Server = await RedisServer.Start();
        await Reopen();
    }

    public async Task DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        await Server.DisposeAsync();
    }
}
