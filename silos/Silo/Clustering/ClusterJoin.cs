using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>What a silo leaves in Redis for those that come after it: field of its name in <c>CLUSTER/silos</c>.</summary>
/// <param name="Contract">See <see cref="ClusterContract"/>.</param>
/// <param name="Tls">Whether it speaks TLS to other silos.</param>
/// <param name="Address">Where it is reached.</param>
internal sealed record SiloEntry(string Contract, bool Tls, string Address);

/// <summary>
/// What must hold before a silo joins a cluster: Redis can be reached and keeps what it is given, the address is one that others reach, no living silo has this name, and those that live
/// speak as this one does. Everything is checked before Orleans starts, so that a refusal leaves nothing behind.
/// </summary>
internal sealed partial class ClusterJoin(ClusteringOptions options, RedisLink redis, TimeProvider time, ILogger<ClusterJoin> log) : IAsyncDisposable
{
    /// <summary>How long a start waits for the verdict on a silo of its name that does not answer.</summary>
    private static readonly TimeSpan VerdictPatience = TimeSpan.FromSeconds(30);

    // A start that dies leaves its claim for this long; one that lasts renews it.
    private static readonly TimeSpan ClaimLasts = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan GreetPatience = TimeSpan.FromSeconds(3);

    private readonly string _token = Guid.NewGuid().ToString("N");
    private ITimer? _renewal;

    /// <summary>The address at which others reach this silo, once <see cref="Prepare"/> has ended.</summary>
    public IPAddress Address { get; private set; } = IPAddress.Loopback;

    private int Port => options.SiloPort ?? Orleans.Configuration.EndpointOptions.DEFAULT_SILO_PORT;

    private RedisKey Claim => $"{options.Cluster}/start/{options.Host}";

    private RedisKey Silos => SilosOf(options.Cluster);

    /// <summary>Where the silos of a cluster say what they speak.</summary>
    internal static RedisKey SilosOf(string cluster) => $"{cluster}/silos";

    /// <exception cref="SiloRefusedException">One of it does not hold.</exception>
    public async Task Prepare(IServiceProvider services, CancellationToken stop)
    {
        options.Tls?.LogTo(services.GetRequiredService<ILogger<SiloTls>>());
        await redis.Open(stop).ConfigureAwait(false);
        var local = OwnAddress.Local();
        Address = OwnAddress.Choose(options.SiloAddress, redis.Ends.Local, redis.Ends.Remote, redis.Host, local);
        if (!IPAddress.IsLoopback(Address) && options.Tls is null)
            throw new SiloRefusedException(
                $"Other silos would reach this one at {OwnAddress.Text(Address, Port)} over a network, and TLS between silos is missing: give --silo-certificate FILE, --silo-key FILE and --silo-ca FILE (PEM), "
                + "or keep all silos and Redis on loopback.");
        PortIsFree(Address, Port, "--silo-port");
        try
        {
            await Trust(stop).ConfigureAwait(false);
            await TakeClaim(stop).ConfigureAwait(false);
            await Meet(services.GetRequiredService<IMembershipTable>(), local, stop).ConfigureAwait(false);
            var entry = new SiloEntry(ClusterContract.Version, options.Tls is not null, OwnAddress.Text(Address, Port));
            await redis.Connection.GetDatabase().HashSetAsync(Silos, options.Host, JsonSerializer.Serialize(entry, StateJson.Options)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            throw redis.Refused(e);
        }
    }

    /// <summary>The silo is a member: others see its name in the table now.</summary>
    public async Task Joined()
    {
        if (_renewal is null) return;
        await _renewal.DisposeAsync().ConfigureAwait(false);
        _renewal = null;
        try { await redis.Connection.GetDatabase().LockReleaseAsync(Claim, _token).ConfigureAwait(false); }
        catch (Exception e) when (e is RedisException or TimeoutException) { /* it runs out by itself */ }
    }

    public async ValueTask DisposeAsync()
    {
        if (redis.IsOpen) await Joined().ConfigureAwait(false);
    }

    internal static void PortIsFree(IPAddress address, int port, string option)
    {
        if (port == 0) return;
        try
        {
            using var listener = new TcpListener(address, port) { ExclusiveAddressUse = true };
            listener.Start();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            throw new SiloRefusedException($"{OwnAddress.Text(address, port)} is taken by another process or not allowed to this user ({e.Message}): stop that process, or choose another port with {option}.", e);
        }
        catch (SocketException e)
        {
            throw new SiloRefusedException($"Nothing can listen at {OwnAddress.Text(address, port)} on this machine ({e.SocketErrorCode}): choose another address with {option}.", e);
        }
    }

    private async Task Trust(CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var server = redis.Connection.GetServers().FirstOrDefault(s => s.IsConnected) ?? redis.Connection.GetServers()[0];
        var verdict = RedisVerdict.Of(await RedisFacts.Read(server, time).ConfigureAwait(false), redis.Where, options.RedisMayForget);
        if (verdict.Refusal is { } refusal) throw SiloRefusedException.NotAble(refusal);
        foreach (var warning in verdict.Warnings) LogWarned(log, warning);
    }

    // One start of a name at a time, from before the table is read until the name stands in it. It is also the write, the transaction and the script that show what this user may do.
    private async Task TakeClaim(CancellationToken stop)
    {
        var database = redis.Connection.GetDatabase();
        var began = time.GetTimestamp();
        while (!await database.LockTakeAsync(Claim, _token, ClaimLasts).ConfigureAwait(false))
        {
            if (time.GetElapsedTime(began) > VerdictPatience) throw SiloRefusedException.NotAble($"A silo of cluster '{options.Cluster}' has been starting under the name '{options.Host}' for {VerdictPatience.TotalSeconds:0} s: choose another with --name, or wait until that start has ended.");
            await Task.Delay(Look, time, stop).ConfigureAwait(false);
        }
        await database.ScriptEvaluateAsync("return redis.call('GET', KEYS[1])", [Claim]).ConfigureAwait(false);
        await database.LockExtendAsync(Claim, _token, ClaimLasts).ConfigureAwait(false); // a transaction, as Orleans' membership uses them
        _renewal = time.CreateTimer(_ => database.LockExtendAsync(Claim, _token, ClaimLasts, CommandFlags.FireAndForget), null, ClaimLasts / 3, ClaimLasts / 3);
    }

    private async Task Meet(IMembershipTable table, IReadOnlyCollection<IPAddress> local, CancellationToken stop)
    {
        await table.InitializeMembershipTableAsync(tryInitTableVersion: true, stop).ConfigureAwait(false);
        await table.CleanupGone(time, address => OwnAddress.IsLocal(address, redis.Ends.Remote, local), Answers, log, stop).ConfigureAwait(false);
        await Predecessor(table, stop).ConfigureAwait(false);
        var entries = (await redis.Connection.GetDatabase().HashGetAllAsync(Silos).ConfigureAwait(false)).ToDictionary(e => e.Name.ToString(), e => Entry(e.Value));
        foreach (var member in (await table.ReadAllAsync(stop).ConfigureAwait(false)).Members.Select(m => m.Item1).Where(m => m.Status is SiloStatus.Active or SiloStatus.Joining))
        {
            if (member.SiloName == options.Host || time.GetUtcNow() - Utc(member.IAmAliveTime) > MembershipPace.Stale || entries.GetValueOrDefault(member.SiloName) is not { } entry) continue;
            if (IPAddress.IsLoopback(member.SiloAddress.Endpoint.Address) && !IPAddress.IsLoopback(redis.Ends.Remote))
                throw SiloRefusedException.NotAble(
                    $"Silo '{member.SiloName}' of cluster '{options.Cluster}' is at {member.SiloAddress.Endpoint}, loopback on the machine of Redis, where no other machine reaches it: start it again with --silo-address and a network address of that machine.");
            if (entry.Contract != ClusterContract.Version)
                throw SiloRefusedException.NotAble($"Silo '{member.SiloName}' of cluster '{options.Cluster}' speaks contract {entry.Contract} and this one {ClusterContract.Version}: stop all silos of the older release first, or start this one under another --cluster.");
            if (entry.Tls != options.Tls is not null)
                throw SiloRefusedException.NotAble(entry.Tls
                    ? $"Silo '{member.SiloName}' of cluster '{options.Cluster}' speaks TLS and this one was given no certificate: give --silo-certificate, --silo-key and --silo-ca."
                    : $"Silo '{member.SiloName}' of cluster '{options.Cluster}' speaks without TLS and this one was given a certificate: start all silos of a cluster with TLS, or none.");
            if (options.Tls is { } tls && await Distrust(tls, member.SiloAddress.Endpoint, stop).ConfigureAwait(false) is { } fault)
                throw SiloRefusedException.NotAble($"Silo '{member.SiloName}' at {member.SiloAddress.Endpoint} and this one do not trust each other: {fault}. All certificates of a cluster come from one authority (--silo-ca).");
        }
    }

    // A living silo of this name is left alone; for one that does not answer the verdict of the others is awaited, so that no device has two masters.
    private async Task Predecessor(IMembershipTable table, CancellationToken stop)
    {
        var began = time.GetTimestamp();
        var said = false;
        while (true)
        {
            var members = (await table.ReadAllAsync(stop).ConfigureAwait(false)).Members.Select(m => m.Item1).ToArray();
            var same = members.Where(m => m.SiloName == options.Host && m.Status is not (SiloStatus.Dead or SiloStatus.None or SiloStatus.Created)).MaxBy(m => m.SiloAddress.Generation);
            if (same is null) return;
            // At one's own address nobody can live: the port was free. Orleans declares it dead itself.
            if (same.SiloAddress.Endpoint.Equals(new IPEndPoint(Address, Port))) return;
            if (await Answers(same.SiloAddress.Endpoint, stop).ConfigureAwait(false))
            {
                // One that is on its way out answers a little longer.
                if (same.Status is SiloStatus.Active or SiloStatus.Joining)
                    throw SiloRefusedException.NotAble($"Cluster '{options.Cluster}' has a living silo named '{options.Host}' at {same.SiloAddress.Endpoint}: choose another name with --name, or stop that silo first.");
            }
            // Nobody is left to give a verdict.
            else if (!members.Any(m => m.Status == SiloStatus.Active && m.SiloName != options.Host && time.GetUtcNow() - Utc(m.IAmAliveTime) < MembershipPace.Stale)) return;
            if (time.GetElapsedTime(began) > VerdictPatience) return;
            if (!said) LogWaiting(log, options.Host, same.SiloAddress.Endpoint.ToString());
            said = true;
            await Task.Delay(Look, time, stop).ConfigureAwait(false);
        }
    }

    private static async Task<bool> Answers(IPEndPoint endpoint, CancellationToken stop)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(GreetPatience);
        try
        {
            using var client = new TcpClient(endpoint.AddressFamily);
            await client.ConnectAsync(endpoint, patience.Token).ConfigureAwait(false);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return false;
        }
    }

    // A silo that ends in the middle of a greeting looks like one that refuses it: only what is found again and again counts.
    private async Task<string?> Distrust(SiloTls tls, IPEndPoint silo, CancellationToken stop)
    {
        string? fault = null;
        for (var look = 0; look < 3; look++)
        {
            if (look > 0) await Task.Delay(Look, time, stop).ConfigureAwait(false);
            fault = await Greeting(tls, silo, stop).ConfigureAwait(false);
            if (fault is null) return null;
        }
        return fault;
    }

    private static async Task<string?> Greeting(SiloTls tls, IPEndPoint silo, CancellationToken stop)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(GreetPatience);
        try
        {
            return await tls.Greet(silo, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            return null; // it does not answer now: Orleans tries again, and drops it when it is dead
        }
    }

    private static SiloEntry? Entry(RedisValue text)
    {
        try { return JsonSerializer.Deserialize<SiloEntry>((string)text!, StateJson.Options); }
        catch (JsonException) { return null; }
    }

    private static DateTimeOffset Utc(DateTime time) => new(DateTime.SpecifyKind(time, DateTimeKind.Utc));

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    private static partial void LogWarned(ILogger log, string warning);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A silo named '{Name}' at {Address} does not answer and is not yet declared dead by the others: waiting for their verdict.")]
    private static partial void LogWaiting(ILogger log, string name, string address);
}

/// <summary>What can be said of the table's members before one is a member.</summary>
internal static partial class MembershipVerdicts
{
    /// <summary>
    /// Declares those dead that were processes of this machine and no longer listen: a refused connection to an address of one's own is no matter of the network. So silos that were
    /// killed together on one machine start again at once. Of other machines' silos nothing is said here; the members' votes decide.
    /// </summary>
    public static async Task CleanupGone(
        this IMembershipTable table, TimeProvider time, Func<IPAddress, bool> isLocal, Func<IPEndPoint, CancellationToken, Task<bool>> answers, ILogger log, CancellationToken stop)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var rows = await table.ReadAllAsync(stop).ConfigureAwait(false);
            var gone = default(Tuple<MembershipEntry, string>);
            foreach (var row in rows.Members)
            {
                if (row.Item1.Status is not (SiloStatus.Active or SiloStatus.Joining or SiloStatus.ShuttingDown or SiloStatus.Stopping)) continue;
                // A silo that is starting writes its row before it listens.
                if (row.Item1.Status == SiloStatus.Joining && time.GetUtcNow() - new DateTimeOffset(DateTime.SpecifyKind(row.Item1.StartTime, DateTimeKind.Utc)) < MembershipPace.Stale) continue;
                if (!isLocal(row.Item1.SiloAddress.Endpoint.Address) || await answers(row.Item1.SiloAddress.Endpoint, stop).ConfigureAwait(false)) continue;
                gone = row;
                break;
            }
            if (gone is null) return;
            var entry = gone.Item1;
            entry.Status = SiloStatus.Dead;
            if (await table.UpdateRowAsync(entry, gone.Item2, rows.Version.Next(), stop).ConfigureAwait(false)) LogGone(log, entry.SiloName, entry.SiloAddress.Endpoint.ToString());
            // Somebody else wrote: read again.
            else await Task.Delay(TimeSpan.FromMilliseconds(100 * (attempt + 1)), time, stop).ConfigureAwait(false);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Silo '{Name}' at {Address} of this machine no longer listens: it is dead.")]
    private static partial void LogGone(ILogger log, string name, string address);
}
