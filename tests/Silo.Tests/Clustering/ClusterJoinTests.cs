using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo.Tests;

/// <summary>What a silo checks before it joins a cluster, against a real Redis. Silos of this process, which is enough: nothing here depends on a process' death.</summary>
public sealed class ClusterJoinTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private readonly List<WebApplication> _silos = [];
    private readonly List<RedisServer> _redis = [];
    private int _next;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        // Before their Redis: without it they would not end in order.
        var ended = await Task.WhenAll(_silos.Select(SiloHost.EndAsync));
        foreach (var redis in _redis) await redis.DisposeAsync();
        _directory.Dispose();
        Assert.All(ended, Assert.True);
    }

    private async Task<RedisServer> Redis(params string[] arguments)
    {
        var redis = await RedisServer.Start(arguments);
        _redis.Add(redis);
        return redis;
    }

    private SiloOptions Options(string redis, string name) => new()
    {
        Name = name,
        DataDirectory = Path.Combine(_directory.Path, $"{++_next}"),
        Url = "http://127.0.0.1:0",
        LocalCpu = false,
        Redis = redis,
        SiloPort = RedisServer.Free(),
        LogLevel = LogLevel.None,
    };

    private async Task<WebApplication> Start(SiloOptions options)
    {
        var silo = SiloHost.Build(options);
        try
        {
            await SiloHost.StartAsync(silo);
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
        _silos.Add(silo);
        return silo;
    }

    private async Task<string> Refusal(SiloOptions options, bool unable = true)
    {
        var refused = await Assert.ThrowsAsync<SiloRefusedException>(() => Start(options));
        Assert.Equal(unable, refused.Unable);
        Assert.DoesNotContain('\n', refused.Message);
        return refused.Message;
    }

    private async Task End(WebApplication silo)
    {
        _silos.Remove(silo);
        Assert.True(await SiloHost.EndAsync(silo));
    }

    // What the silos of a cluster believe of each other.
    private static int Active(WebApplication silo) => silo.Services.GetRequiredService<IClusterMembershipService>().CurrentSnapshot.Members.Values.Count(m => m.Status == SiloStatus.Active);

    private static IDatabase Database(WebApplication silo) => silo.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

    [RedisFact]
    public async Task A_cluster_takes_in_silos_of_other_names_that_speak_alike_and_refuses_the_rest()
    {
        var redis = await Redis();
        var first = await Start(Options(redis.Where, "a"));
        var second = await Start(Options(redis.Where, "b"));
        Assert.Equal((2, IPAddress.Loopback), (Active(second), second.Services.GetRequiredService<ClusterJoin>().Address));

        Assert.Contains("has a living silo named 'a' at 127.0.0.1:", await Refusal(Options(redis.Where, "a")));
        Assert.Contains("is taken by another process", await Refusal(Options(redis.Where, "c") with { SiloPort = first.Services.GetRequiredService<ClusteringOptions>().SiloPort }, unable: false));
        Assert.Contains("no address of this machine", await Refusal(Options(redis.Where, "c") with { SiloAddress = IPAddress.Parse("198.51.100.7") }, unable: false));
        var entry = await Database(first).HashGetAsync(ClusterJoin.SilosOf("energygrid"), "b");
        await Database(first).HashSetAsync(ClusterJoin.SilosOf("energygrid"), "b", ((string)entry!).Replace(ClusterContract.Version, "0.7", StringComparison.Ordinal));
        Assert.Contains("Silo 'b' of cluster 'energygrid' speaks contract 0.7", await Refusal(Options(redis.Where, "c")));
        await Database(first).HashSetAsync(ClusterJoin.SilosOf("energygrid"), "b", entry);
        var (certificate, key) = new Authority(_directory.Path, "ours").Issue("c");
        var authority = Path.Combine(_directory.Path, "ours.pem");
        Assert.Contains("speaks without TLS", await Refusal(Options(redis.Where, "c") with { SiloCertificateFile = certificate, SiloKeyFile = key, SiloAuthorityFile = authority }));

        // Nothing of the refused ones is left: neither a member nor a claim on a name.
        Assert.Equal(2, Active(first));
        Assert.False(await Database(first).KeyExistsAsync("energygrid/start/c"));
        await End(first);
        await Start(Options(redis.Where, "a")); // the name is free once its silo has taken leave
    }

    [RedisFact]
    public async Task Two_grids_share_one_Redis_without_meeting()
    {
        var redis = await Redis();
        var one = await Start(Options(redis.Where, "a") with { Cluster = "one" });
        var two = await Start(Options(redis.Where, "a") with { Cluster = "two" });
        Assert.Equal((1, 1), (Active(one), Active(two)));
        var keys = Database(one).Multiplexer.GetServers()[0].Keys(pattern: "*").Select(k => k.ToString()).ToArray();
        Assert.All(keys, k => Assert.True(k.StartsWith("one/", StringComparison.Ordinal) || k.StartsWith("two/", StringComparison.Ordinal), k));
        Assert.Contains("one/members/one", keys);
        Assert.Contains("two/members/two", keys);
    }

    [RedisFact]
    public async Task Silos_with_certificates_of_one_authority_form_a_cluster_and_no_other_gets_in()
    {
        var redis = await Redis();
        var (ours, others) = (new Authority(_directory.Path, "ours"), new Authority(_directory.Path, "others"));
        var first = await Start(With(Options(redis.Where, "a"), ours));
        await Start(With(Options(redis.Where, "b"), ours)); // a silo that joins has been answered by all members, each over a connection of its own
        Assert.Equal(2, Active(first));
        Assert.Contains("do not trust each other: its certificate 'a', issued by 'ours', does not come from the authority", await Refusal(With(Options(redis.Where, "c"), others)));
        Assert.Contains("speaks TLS and this one was given no certificate", await Refusal(Options(redis.Where, "c")));
        Assert.Equal(2, Active(first));

        static SiloOptions With(SiloOptions options, Authority authority)
        {
            var (certificate, key) = authority.Issue(options.Name);
            return options with { SiloCertificateFile = certificate, SiloKeyFile = key, SiloAuthorityFile = authority.File };
        }
    }

    [RedisFact]
    public async Task A_cluster_lives_on_IPv6()
    {
        var redis = await Redis("--bind", "::1");
        var where = redis.Where.Replace("127.0.0.1", "[::1]", StringComparison.Ordinal);
        var first = await Start(Options(where, "a"));
        await Start(Options(where, "b"));
        Assert.Equal((2, IPAddress.IPv6Loopback), (Active(first), first.Services.GetRequiredService<ClusterJoin>().Address));
    }

    [RedisFact]
    public async Task An_ACL_user_with_the_least_rights_is_enough_and_one_with_less_is_told_so()
    {
        var redis = await Redis();
        using var admin = await ConnectionMultiplexer.ConnectAsync($"{redis.Where},allowAdmin=true");
        await Acl(admin, RedisLink.Rights("energygrid").Trim('\'').Replace("PASSWORD", "secret", StringComparison.Ordinal));
        var silo = await Start(Options($"{redis.Where},user=grid,password=secret", "a"));
        Assert.Equal(1, Active(silo));

        Assert.Contains("does not take the password of user 'grid'", await Refusal(Options($"{redis.Where},user=grid,password=wrong", "b")));
        Assert.Contains("does not let user 'grid' do", await Refusal(Options($"{redis.Where},user=grid,password=secret", "b") with { Cluster = "other" }));
        await Acl(admin, "ACL SETUSER reader on >secret ~energygrid/* +@read +@connection +info");
        Assert.Contains("does not let user 'reader' do", await Refusal(Options($"{redis.Where},user=reader,password=secret", "b")));

        static async Task Acl(ConnectionMultiplexer admin, string command)
        {
            var words = command.Split(' ');
            await admin.GetServers()[0].ExecuteAsync(words[0], words[1..]);
        }
    }

    [RedisFact]
    public async Task A_Redis_that_is_away_closed_full_forgetful_or_a_replica_is_refused()
    {
        Assert.Contains("cannot be reached", await Refusal(Options($"127.0.0.1:{RedisServer.Free()}", "a")));

        var redis = await Redis("--requirepass", "secret", "--maxmemory", "3mb");
        Assert.Contains("wants a password", await Refusal(Options(redis.Where, "a")));
        Assert.Contains("does not take the password of the default user", await Refusal(Options($"{redis.Where},password=wrong", "a")));
        using var admin = await ConnectionMultiplexer.ConnectAsync($"{redis.Where},password=secret,allowAdmin=true");
        var server = admin.GetServers()[0];
        await server.ConfigSetAsync("maxmemory-policy", "allkeys-lru");
        Assert.Contains("drops keys when its memory is full (maxmemory-policy allkeys-lru)", await Refusal(Options($"{redis.Where},password=secret", "a")));
        await server.ConfigSetAsync("maxmemory-policy", "noeviction");
        await server.ConfigSetAsync("maxmemory", "1");
        Assert.Contains("is full", await Refusal(Options($"{redis.Where},password=secret", "a")));
        await server.ConfigSetAsync("maxmemory", "0");
        await server.ConfigSetAsync("appendonly", "no");
        Assert.Contains("keeps no append-only file", await Refusal(Options($"{redis.Where},password=secret", "a")));
        await Start(Options($"{redis.Where},password=secret", "a") with { RedisMayForget = true });

        var replica = await Redis("--replicaof", "127.0.0.1", "1");
        Assert.Contains("is a replica", await Refusal(Options(replica.Where, "b")));
    }

    [RedisFact]
    public async Task Redis_behind_TLS_is_trusted_by_the_authority_of_the_silos()
    {
        var (ours, others) = (new Authority(_directory.Path, "ours"), new Authority(_directory.Path, "others"));
        var (certificate, key) = ours.Issue("redis");
        var port = RedisServer.Free();
        var redis = await Redis("--tls-port", $"{port}", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", ours.File, "--tls-auth-clients", "no");
        var (silo, siloKey) = ours.Issue("a");
        var right = Options($"127.0.0.1:{port},ssl=true", "a") with { SiloCertificateFile = silo, SiloKeyFile = siloKey, SiloAuthorityFile = ours.File };
        Assert.Equal(1, Active(await Start(right)));
        Assert.Contains("TLS with Redis at", await Refusal(Options($"127.0.0.1:{port},ssl=true", "b")));
        Assert.Contains("does it want TLS", (await Refusal(Options($"127.0.0.1:{port},connectTimeout=1500", "b"))).Replace("not want", "want", StringComparison.Ordinal));
        var (strange, strangeKey) = others.Issue("b");
        Assert.Contains("TLS with Redis at", await Refusal(Options($"127.0.0.1:{port},ssl=true", "b") with { SiloCertificateFile = strange, SiloKeyFile = strangeKey, SiloAuthorityFile = others.File }));
    }

    [Theory]
    [InlineData("a/b", "cluster")]
    [InlineData("", "cluster")]
    [InlineData(".hidden", "cluster")]
    [InlineData("a b", "silo")]
    [InlineData("a~b", "silo")]
    [InlineData("r/1", "rack")]
    [InlineData("s 1", "site")]
    public void Names_that_are_not_plain_are_refused(string name, string what)
    {
        var options = Options("127.0.0.1:1", "a");
        options = what switch { "cluster" => options with { Cluster = name }, "silo" => options with { Name = name }, "rack" => options with { Rack = name }, _ => options with { Site = name } };
        Assert.Contains($"is no name of a {what}", Assert.Throws<SiloRefusedException>(() => SiloHost.Build(options)).Message);
    }
}
