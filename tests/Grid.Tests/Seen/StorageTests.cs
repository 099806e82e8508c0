using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Seen;

/// <summary>A silo whose Redis, a real one, goes away and comes back.</summary>
[Collection("faults")]
public sealed class StorageTests
{
    [Fact]
    public async Task While_Redis_is_gone_power_goes_on_and_the_silo_is_alive_and_not_ready_and_says_what_waits()
    {
        using var scratch = new Scratch();
        var (port, own) = (FreePort(), FreePort());
        using var redis = new RedisServer(port, scratch.Path);
        await using var silo = await SiloProcess.Start(
            scratch.Path, ["--simulate", "1x1x2", "--gpus", "none", "--redis", $"127.0.0.1:{port}", "--silo-port", $"{own}", "--silo-address", "127.0.0.1"], "exec \"$@\"", new Dictionary<string, string>());
        using var http = new HttpClient { BaseAddress = silo.Client.Address };
        async Task<HttpStatusCode> Ask(string path)
        {
            using var answer = await http.GetAsync(path);
            return answer.StatusCode;
        }
        async Task<long> Window()
        {
            try { return (await silo.Client.Sites()).Select(s => s.Window).DefaultIfEmpty().Max(); }
            catch (GridProblemException) { return 0; }
        }
        await SimulatedGrid.Until(async () => await Ask("/readyz") == HttpStatusCode.OK && await Window() > 0, "the silo is ready and has a window");

        redis.Kill();
        await SimulatedGrid.Until(async () => (await silo.Client.Version()).Storage is { Answers: false }, "the silo knows that Redis is gone");
        var storage = (await silo.Client.Version()).Storage!;
        Assert.Equal("redis", storage.Kind);
        Assert.Contains("live power and running trials go on", storage.Says);
        // One that is gone is no replica.
        Assert.DoesNotContain("replica", storage.Says);
        var before = await Window();
        await SimulatedGrid.Until(async () => await Window() >= before + 8, "windows go on to close without Redis");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (await Ask("/livez"), await Ask("/readyz")));
        var status = await SiloProcess.Command("status", "--url", $"{silo.Client.Address}");
        Assert.Contains("storage   away since", status.Error);

        redis.Start();
        await SimulatedGrid.Until(async () => await Ask("/readyz") == HttpStatusCode.OK, "it is ready again");
        await SimulatedGrid.Until(() => Task.FromResult(silo.Log.Contains("is back after", StringComparison.Ordinal)), "the return of Redis is logged");
        Assert.DoesNotContain("   at ", silo.Log);

        // A Redis that answers and takes nothing keeps no promise either.
        foreach (var (refuse, allow, word) in new[] { ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica"), ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "full") })
        {
            redis.Say(refuse);
            await SimulatedGrid.Until(async () => await Ask("/readyz") == HttpStatusCode.ServiceUnavailable, $"it is not ready after {refuse}");
            Assert.Contains(word, (await silo.Client.Version()).Storage!.Says);
            redis.Say(allow);
            await SimulatedGrid.Until(async () => await Ask("/readyz") == HttpStatusCode.OK, $"it is ready after {allow}");
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Debian's <c>redis-server</c> with an append-only file.</summary>
    private sealed class RedisServer : IDisposable
    {
        private readonly int _port;
        private readonly string _directory;
        private Process? _process;

        public RedisServer(int port, string directory)
        {
            (_port, _directory) = (port, directory);
            Start();
        }

        public void Start() => _process = Process.Start(new ProcessStartInfo(
            "redis-server", ["--port", $"{_port}", "--bind", "127.0.0.1", "--dir", _directory, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"])
        { RedirectStandardOutput = true })!;

        public void Say(string command)
        {
            using var said = Process.Start("redis-cli", ["-p", $"{_port}", .. command.Split(' ')]);
            said.WaitForExit();
            Assert.Equal(0, said.ExitCode);
        }

        public void Kill()
        {
            _process?.Kill();
            _process?.WaitForExit();
            _process?.Dispose();
            _process = null;
        }

        public void Dispose() => Kill();
    }
}
