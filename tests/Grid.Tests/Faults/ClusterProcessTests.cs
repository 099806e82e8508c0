using System.Diagnostics;
using System.Net;
using EnergyGrid.Sdk;
using EnergyGrid.Silo.Tests;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>energygrid up</c> as a process: how it starts, what it says, how it ends.</summary>
public sealed class ClusterProcessTests
{
    private static readonly Dictionary<string, string> None = [];

    private static Task<SiloProcess> Up(string data, RedisServer redis, params string[] more) =>
        SiloProcess.Start(data, ["--redis", redis.Where, "--silo-port", $"{RedisServer.Free()}", "--gpus", "none", "--simulate", "1x1x2", .. more], "exec \"$@\"", None);

    private static Task<(int Code, string Out, string Error)> Refused(string data, params string[] more) =>
        SiloProcess.Command(["up", "--bind", "http://127.0.0.1:0", "--data", data, "--name", "other", "--no-local", "--gpus", "none", .. more]);

    [RedisFact]
    public async Task A_killed_silo_starts_again_at_once_under_its_name_on_another_port_and_says_nothing_needless()
    {
        using var scratch = new Scratch();
        await using var redis = await RedisServer.Start();
        await using (var first = await Up(Path.Combine(scratch.Path, "a"), redis))
        {
            await first.Kill();
            Assert.Equal("", first.Log.Trim());
        }
        var clock = Stopwatch.StartNew();
        await using var again = await Up(Path.Combine(scratch.Path, "a"), redis);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
    }

    [RedisFact]
    public async Task SIGTERM_ends_a_silo_though_Redis_is_gone_and_a_second_one_ends_it_at_once()
    {
        using var scratch = new Scratch();
        await using var redis = await RedisServer.Start();
        await using var patient = await Up(Path.Combine(scratch.Path, "a"), redis);
        await using var other = await Up(Path.Combine(scratch.Path, "b"), redis, "--cluster", "other");
        await redis.Kill();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(patient.Signal("TERM"), other.Signal("TERM"));
        // The second signal must find the first one taken: it is repeated until the process has gone.
        var gone = other.Ended(10);
        while (!gone.IsCompleted)
        {
            await other.Signal("TERM");
            await Task.WhenAny(gone, Task.Delay(100));
        }
        Assert.Equal(128 + 15, await gone);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
        Assert.Equal(0, await patient.Ended(12));
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 10);
    }

    [RedisFact]
    public async Task A_Redis_that_has_forgotten_the_grid_is_told_and_ends_the_silo()
    {
        using var scratch = new Scratch();
        await using var redis = await RedisServer.Start();
        await using var silo = await Up(Path.Combine(scratch.Path, "a"), redis);
        await redis.Kill();
        Directory.Delete(redis.DataDirectory, recursive: true);
        Directory.CreateDirectory(redis.DataDirectory);
        await redis.Run();
        Assert.Equal(3, await silo.Ended(40));
        Assert.Contains("its data are gone", silo.Log);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public async Task A_second_process_on_one_data_directory_is_refused_with_and_without_file_locks(string lockingDisabled)
    {
        using var scratch = new Scratch();
        var environment = new Dictionary<string, string> { ["DOTNET_SYSTEM_IO_DISABLEFILELOCKING"] = lockingDisabled };
        await using var first = await SiloProcess.Start(scratch.Path, ["--simulate", "1x1x2", "--gpus", "none"], "exec \"$@\"", environment);
        using var second = Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(EnergyGrid.Console.GridCommand).Assembly.Location, "up", "--bind", "http://127.0.0.1:0", "--data", scratch.Path, "--no-local", "--gpus", "none"])
        {
            RedirectStandardError = true,
            Environment = { ["DOTNET_SYSTEM_IO_DISABLEFILELOCKING"] = lockingDisabled },
        })!;
        var said = await second.StandardError.ReadToEndAsync();
        await second.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        Assert.Equal(2, second.ExitCode);
        Assert.Contains($"is used by process {first.Id} of", said);
    }

    [Fact]
    public async Task What_cannot_be_is_one_sentence_and_an_exit_code()
    {
        using var scratch = new Scratch();
        await Says(3, "cannot be reached", "--redis", $"127.0.0.1:{RedisServer.Free()}");
        await Says(2, "--redis-file", "--redis", "127.0.0.1:1,password=hunter2");
        await Says(2, "is no name of a cluster", "--cluster", "a/b");

        async Task Says(int code, string text, params string[] arguments)
        {
            var (ended, output, error) = await Refused(Path.Combine(scratch.Path, "d"), arguments);
            Assert.Equal((code, ""), (ended, output));
            Assert.Contains(text, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
            Assert.DoesNotContain("hunter2", error);
        }
    }

    [Fact]
    public async Task A_client_with_several_addresses_asks_one_that_answers_and_stays_with_it()
    {
        using var scratch = new Scratch();
        await using var silo = await SiloProcess.Start(scratch.Path);
        var dead = new Uri($"http://127.0.0.1:{RedisServer.Free()}");
        using var client = new GridClient([dead, silo.Client.Address]);
        Assert.Equal("silo", (await client.Version()).Silo);
        Assert.Equal(silo.Client.Address, client.Address);
        // A submission that was never sent may go to another; the grid then answers for itself.
        using var again = new GridClient([dead, silo.Client.Address]);
        Assert.Equal(HttpStatusCode.BadRequest, (await Assert.ThrowsAsync<GridProblemException>(() => again.Submit("no plan"))).Status);
        using var nobody = new GridClient([dead, dead]);
        Assert.Contains(dead.ToString(), (await Assert.ThrowsAsync<GridUnreachableException>(() => nobody.Version())).Message);
        var (code, output, _) = await SiloProcess.Command("status", "--url", $"{dead},{silo.Client.Address}", "--json");
        Assert.Equal((0, "[]"), (code, output.Trim()));
    }

    [Fact]
    public async Task A_submission_that_was_sent_and_not_answered_is_not_sent_to_another()
    {
        // It takes the request and hangs up without an answer: it may have been done.
        using var cut = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        cut.Start();
        var taken = Task.Run(async () =>
        {
            using var accepted = await cut.AcceptTcpClientAsync();
            _ = await accepted.GetStream().ReadAsync(new byte[1 << 16].AsMemory());
        });
        using var other = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var asked = other.AcceptTcpClientAsync();
        using var client = new GridClient([new Uri($"http://{cut.LocalEndpoint}"), new Uri($"http://{other.LocalEndpoint}")]);
        await Assert.ThrowsAsync<GridUnreachableException>(() => client.Submit("a: b"));
        await taken;
        Assert.False(asked.IsCompleted);
    }
}
