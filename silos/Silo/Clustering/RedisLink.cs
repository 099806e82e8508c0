using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>
/// The one connection of this process to Redis: membership, state, directory and results share it. A thousand silos with a connection for each of them would come near the
/// ten thousand that Redis takes by default.
/// </summary>
internal sealed class RedisLink(ConfigurationOptions options) : IAsyncDisposable
{
    private IConnectionMultiplexer? _connection;

    public IConnectionMultiplexer Connection => _connection ?? throw new InvalidOperationException("Redis has not been connected: SiloHost.StartAsync does it.");

    public bool IsOpen => _connection is not null;

    public ConfigurationOptions Options => options;

    /// <summary>Redis as people know it, without anything secret.</summary>
    public string Where { get; private set; } = Name(options.EndPoints[0]);

    /// <summary>Both ends of a connection to it.</summary>
    public string Host { get; private set; } = "";

    public (IPAddress Local, IPAddress Remote) Ends { get; private set; }

    /// <exception cref="SiloRefusedException">It cannot be reached, or does not let this process in.</exception>
    public async Task Open(CancellationToken stop)
    {
        await Reach(stop).ConfigureAwait(false);
        var open = IPAddress.IsLoopback(Ends.Remote);
        if (!open && (!options.Ssl || string.IsNullOrEmpty(options.Password)))
            throw SiloRefusedException.NotAble(
                $"Redis at {Where} is reached over a network {(options.Ssl ? "without a password" : "without TLS")}, and whoever reads or writes there steers the grid: "
                + "write HOST:PORT,ssl=true,user=…,password=… into a file for --redis-file, or let Redis listen on loopback alone.");
        try
        {
            _connection = await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(TimeSpan.FromSeconds(20), stop).ConfigureAwait(false);
            // The client goes on as the default user where a password is refused and that user needs none: ask again, where the answer is seen.
            if (!string.IsNullOrEmpty(options.Password)) await _connection.GetDatabase().ExecuteAsync("AUTH", string.IsNullOrEmpty(options.User) ? [options.Password] : [options.User, options.Password]).ConfigureAwait(false);
            await _connection.GetDatabase().PingAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw Refused(e);
        }
    }

    /// <summary>What an error of Redis means to a person.</summary>
    public SiloRefusedException Refused(Exception error)
    {
        var said = string.Join(" ", Chain(error).Select(e => e.Message));
        var user = string.IsNullOrEmpty(options.User) ? "the default user" : $"user '{options.User}'";
        return SiloRefusedException.NotAble(
            said.Contains("WRONGPASS", StringComparison.Ordinal) || said.Contains("AuthenticationFailure", StringComparison.Ordinal) && !said.Contains("NOAUTH", StringComparison.Ordinal)
                ? $"Redis at {Where} does not take the password of {user}: put the right one into the connection string ('user=…,password=…')."
            : said.Contains("without any password configured", StringComparison.Ordinal) ? $"Redis at {Where} has no password for the default user, and the connection string gives one: is it the right Redis?"
            : said.Contains("NOAUTH", StringComparison.Ordinal) ? $"Redis at {Where} wants a password: give 'password=…' in a file for --redis-file."
            : said.Contains("NOPERM", StringComparison.Ordinal) ? $"Redis at {Where} does not let {user} do what a grid must ({Brief(error, "NOPERM")}): {Rights("CLUSTER")} is the least, with the name of the cluster."
            : said.Contains("OOM", StringComparison.Ordinal) ? $"Redis at {Where} is full (used memory is at 'maxmemory'): give it more memory, or move old sweeps out."
            : said.Contains("MISCONF", StringComparison.Ordinal) ? $"Redis at {Where} takes no writes because it cannot write its own file: look at its disk and log."
            : said.Contains("READONLY", StringComparison.Ordinal) ? $"Redis at {Where} is a replica, which takes no writes: name its master."
            : said.Contains("LOADING", StringComparison.Ordinal) ? $"Redis at {Where} is still reading its file: try again when it has."
            : options.Ssl && Chain(error).OfType<System.Security.Authentication.AuthenticationException>().Any() ? $"TLS with Redis at {Where} failed: {Chain(error).OfType<System.Security.Authentication.AuthenticationException>().Last().Message.TrimEnd('.')}. Its certificate must name that host and come from an authority that this machine or --silo-ca trusts."
            : $"Redis at {Where} does not answer as one: {Brief(error, "")}. Is it a Redis, and does it {(options.Ssl ? "" : "not ")}want TLS (ssl={(options.Ssl ? "true" : "false")} in the connection string)?",
            error);
    }

    /// <summary>The least that an ACL user of a cluster needs.</summary>
    public static string Rights(string cluster) => $"'ACL SETUSER grid on >PASSWORD resetchannels ~{cluster}/* +@read +@write +@transaction +@scripting +@connection -@dangerous +info +config|get +time +acl|dryrun'";

    public ValueTask DisposeAsync() => _connection?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task Reach(CancellationToken stop)
    {
        Exception? last = null;
        foreach (var endpoint in options.EndPoints)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
            patience.CancelAfter(TimeSpan.FromSeconds(5));
            using var client = new TcpClient();
            try
            {
                if (endpoint is DnsEndPoint name) await client.ConnectAsync(name.Host, name.Port, patience.Token).ConfigureAwait(false);
                else await client.ConnectAsync((IPEndPoint)endpoint, patience.Token).ConfigureAwait(false);
                Where = Name(endpoint);
                Host = endpoint is DnsEndPoint { Host: var named } ? named : ((IPEndPoint)endpoint).Address.ToString();
                Ends = (Plain(client.Client.LocalEndPoint), Plain(client.Client.RemoteEndPoint));
                return;
            }
            catch (SocketException e)
            {
                last = e;
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                last = new TimeoutException("no answer within 5 s");
            }
        }
        throw SiloRefusedException.NotAble($"Redis at {string.Join(", ", options.EndPoints.Select(e => Name(e) + Resolved(e)))} cannot be reached ({last?.Message}): start it, or correct the connection string.", last);
    }

    // A name that leads to loopback is the usual reason.
    private static string Resolved(EndPoint endpoint)
    {
        if (endpoint is not DnsEndPoint name) return "";
        try { return $" ({string.Join(", ", Dns.GetHostAddresses(name.Host).Select(a => a.ToString()))})"; }
        catch (SocketException) { return " (a name that is not known here)"; }
    }

    private static IPAddress Plain(EndPoint? end) => ((IPEndPoint)end!).Address is var address && address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static string Name(EndPoint endpoint) => endpoint is DnsEndPoint name ? $"{name.Host}:{name.Port}" : endpoint.ToString()!;

    private static IEnumerable<Exception> Chain(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException) yield return e;
    }

    // The client's messages carry pages of diagnosis after the first sentence.
    private static string Brief(Exception error, string from)
    {
        var text = Chain(error).Select(e => e.Message).FirstOrDefault(m => m.Contains(from, StringComparison.Ordinal)) ?? error.Message;
        text = text[Math.Max(0, text.IndexOf(from, StringComparison.Ordinal))..].Split('\n')[0];
        return (text.Length > 160 ? text[..160] + "…" : text).TrimEnd('.');
    }
}
