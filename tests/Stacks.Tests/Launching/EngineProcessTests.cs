using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EnergyGrid.LlamaCpp.Gguf;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Engines are started whole and ended whole. The healthy ones are a real llama-server, the others small scripts.</summary>
public sealed class EngineProcessTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("engine-");

    public void Dispose() => _folder.Delete(recursive: true);

    [LlamaServerFact]
    public async Task A_server_is_ready_once_it_is_started_tells_who_it_is_and_leaves_nothing_when_it_is_stopped()
    {
        var engine = await Start(Llama(), new Dictionary<string, string> { ["context"] = "512", ["parallel"] = "2" });
        Assert.Equal(string.Join(" ", (string[])[LlamaServer.Program, "-m", Model, "--alias", "tiny", "--host", "127.0.0.1", "--port", $"{engine.Address.Port}", "--metrics", "--no-webui", "--ctx-size", "512", "--parallel", "2", "--threads", "1"]), string.Join(" ", engine.Arguments));
        // The build that it tells is the one that it serves with; what it says of itself has what it was told.
        Assert.Matches("^b[0-9]+", engine.Version);
        Assert.Contains("\"total_slots\":2", engine.Description);
        Assert.Equal(ModelIdentity.Sha256(Model), engine.ModelSha256);
        Assert.Contains(engine.ProcessId!.Value, engine.Processes);
        using (var client = new EngineClient(engine.Address, engine.Dialect))
        {
            var record = await client.Generate("r", new GenerationRequest(engine.Model.ServedName, "Say something.", 8, Contracts.GenerationApi.Completions, IgnoreEndOfSequence: true), 0, CancellationToken.None);
            Assert.Equal((RequestOutcome.Ended, 8), (record.Outcome, record.Output.Tokens));
            using var metrics = EngineMetrics.Of(engine.Address, engine.Dialect, null, TimeProvider.System)!;
            var counters = await metrics.Read(CancellationToken.None);
            Assert.Equal((8, record.PromptTokens, 0, 0), (counters.GeneratedTokens, counters.PromptTokens + counters.CachedTokens, counters.Running, counters.Waiting));
            Assert.Equal("llamacpp:tokens_predicted_total", counters.Sources[nameof(EngineCounters.GeneratedTokens)]);
            Assert.Null(counters.KvUse);
            Assert.True(metrics.MovesAtRequestEnd && counters.DecodeCalls >= 8);
        }

        var processes = engine.Processes;
        await Task.WhenAll(engine.Stop(), engine.Stop());
        await engine.Stop();
        Assert.Empty(engine.Processes);
        Assert.All(processes, p => Assert.False(IsAlive(p)));
        new TcpListener(IPAddress.Loopback, engine.Address.Port).Start();
        Assert.False(engine.Died.IsCompleted);
        Assert.Contains("listening", await File.ReadAllTextAsync(Log));
    }

    [LlamaServerFact]
    public async Task Two_engines_at_once_have_two_ports_and_one_that_is_killed_is_told()
    {
        await using var first = await Start(Llama(), None);
        await using var second = await Start(Llama(), None, "second.log");
        Assert.NotEqual(first.Address.Port, second.Address.Port);
        Assert.Empty(first.Processes.Intersect(second.Processes));
        Process.GetProcessById(first.ProcessId!.Value).Kill();
        Assert.StartsWith("it was ended by signal 9", await first.Died.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Empty(first.Processes);
        Assert.False(second.Died.IsCompleted);
    }

    [LlamaServerFact]
    public async Task An_engine_that_serves_another_model_is_refused()
    {
        // The last name wins.
        var error = await Refused(Stack($"[sh, -c, 'exec {LlamaServer.Program} \"$@\" --alias other', sh]"));
        Assert.Contains("serves other and not 'tiny'", error);
    }

    [Fact]
    public async Task An_engine_that_ends_at_once_is_told_with_its_last_words_made_harmless()
    {
        var error = await Refused(Stack("""[sh, -c, 'printf "first\nCUDA error: \033[31mout of memory\n" >&2; exit 3', sh]"""));
        Assert.Equal("stack s ended before it was ready: it ended by itself with exit code 3; the last that it said: first | CUDA error: \uFFFD[31mout of memory", error);
        Assert.Contains("exit code 127", await Refused(Stack("[/no/such/program]")));
    }

    [Fact]
    public async Task An_engine_that_is_never_ready_is_ended_at_its_limit_with_all_of_its_children()
    {
        var error = await Refused(Stack(Sleepers("trap '' TERM; "), limit: 3), grace: TimeSpan.FromMilliseconds(200));
        Assert.StartsWith("stack s was not ready within 3 s: ", error);
        var left = await File.ReadAllLinesAsync(Pids);
        Assert.Equal(3, left.Length);
        Assert.All(left, p => Assert.False(IsAlive(int.Parse(p))));
    }

    [Fact]
    public async Task Children_that_outlive_their_engine_are_ended_with_it()
    {
        var error = await Refused(Stack($"[sh, -c, '(setsid sleep 997 & echo $! >>{Pids}); sleep 998 & echo $! >>{Pids}; exit 4', sh]"));
        Assert.Contains("exit code 4", error);
        var left = await File.ReadAllLinesAsync(Pids);
        Assert.Equal(2, left.Length);
        Assert.All(left, p => Assert.False(IsAlive(int.Parse(p))));
    }

    [Fact]
    public async Task Another_server_at_its_port_is_not_taken_for_the_engine()
    {
        var starting = Refused(Stack($"[sh, -c, 'echo \"$@\" >{Pids}; exec sleep 996', sh]", limit: 3));
        await Until(() => File.Exists(Pids) && File.ReadAllText(Pids).EndsWith('\n'));
        var said = (await File.ReadAllTextAsync(Pids)).Split(' ');
        var listener = new TcpListener(IPAddress.Loopback, int.Parse(said[Array.IndexOf(said, "--port") + 1]));
        listener.Start();
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                var stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[4096]);
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}"u8.ToArray());
            }
        });
        Assert.Contains("its port is answered by something else", await starting);
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
    }

    [Fact]
    public async Task A_start_that_is_given_up_leaves_nothing()
    {
        using var stop = new CancellationTokenSource();
        var starting = EngineProcess.Start(Stack(Sleepers(""), limit: 600), "tiny", None, new EnginePlace([], Log), TimeProvider.System, stop.Token);
        await Until(() => File.Exists(Pids) && File.ReadAllLines(Pids).Length == 3);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.All(await File.ReadAllLinesAsync(Pids), p => Assert.False(IsAlive(int.Parse(p))));
    }

    [Fact]
    public async Task An_engine_ends_with_all_of_its_children_when_the_process_that_started_it_is_killed()
    {
        var file = Path.Combine(_folder.FullName, "stacks.yaml");
        await File.WriteAllTextAsync(file, Yaml(Sleepers("trap '' TERM; "), 600));
        using var starter = StarterProgram.Start(file, Log);
        await Until(() => File.Exists(Pids) && File.ReadAllLines(Pids).Length == 3);
        var processes = (await File.ReadAllLinesAsync(Pids)).Select(int.Parse).ToArray();
        Assert.All(processes, p => Assert.True(IsAlive(p)));
        // This process only, not its children.
        starter.Kill();
        await Until(() => !processes.Any(IsAlive));
    }

    [LlamaServerFact]
    public async Task A_server_ends_when_the_process_that_started_it_is_killed()
    {
        var file = Path.Combine(_folder.FullName, "stacks.yaml");
        await File.WriteAllTextAsync(file, LlamaYaml);
        using var starter = StarterProgram.Start(file, Log);
        var said = (await starter.StandardOutput.ReadLineAsync())!.Split(' ').Select(int.Parse).ToArray();
        Assert.True(IsAlive(said[0]));
        starter.Kill();
        await Until(() => !IsAlive(said[0]));
        new TcpListener(IPAddress.Loopback, said[1]).Start();
    }

    [Fact]
    public async Task What_an_engine_is_given_is_its_owners_and_none_of_the_grids()
    {
        Environment.SetEnvironmentVariable("ENERGYGRID_SECRET", "secret");
        Environment.SetEnvironmentVariable("STACKS_TESTS_HANDED", "handed");
        var stack = Stack("[sh, -c, 'env; exit 1', sh]", more: "    environment: {OMP_NUM_THREADS: 2}\n    inherit: [STACKS_TESTS_HANDED]\n");
        await Assert.ThrowsAsync<EngineStartException>(() => EngineProcess.Start(stack, "tiny", None, new EnginePlace(["GPU-a", "GPU-b"], Log), TimeProvider.System, CancellationToken.None));
        var said = await File.ReadAllLinesAsync(Log);
        Assert.Contains("OMP_NUM_THREADS=2", said);
        Assert.Contains("STACKS_TESTS_HANDED=handed", said);
        Assert.Contains("CUDA_VISIBLE_DEVICES=GPU-a,GPU-b", said);
        Assert.DoesNotContain(said, l => l.Contains("secret", StringComparison.Ordinal) || l.StartsWith("DOTNET_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_log_is_bounded_and_says_so_while_the_last_words_are_kept()
    {
        var stack = Stack("[sh, -c, 'yes 0123456789 | head -c 3000008; echo last; exit 1', sh]", limit: 60);
        var error = await Assert.ThrowsAsync<EngineStartException>(() => EngineProcess.Start(stack, "tiny", None, new EnginePlace([], Log) { MostLogBytes = 100_000 }, TimeProvider.System, CancellationToken.None));
        Assert.EndsWith("| last", error.Message);
        var log = await File.ReadAllTextAsync(Log);
        Assert.EndsWith("[truncated here: the engine said more than 100000 bytes]\n", log);
        Assert.InRange(log.Length, 100_000, 100_100);
    }

    [Fact]
    public async Task An_endpoint_is_taken_as_it_runs_and_left_running()
    {
        await using var server = new ScriptedEndpoint("""{"object":"list","data":[{"id":"lab","object":"model","permission":[{"id":"modelperm-1"}]}]}""", """{"version":"0.11.0"}""");
        var stack = Read($"stacks: [{{name: lab, recipe: endpoint, dialect: vllm, address: '{server.Address}', models: [{{name: m, served_name: lab}}, {{name: modelperm-1}}]}}]");
        await using (var engine = await EngineProcess.Start(stack, "m", None, new EnginePlace([], Log), TimeProvider.System, CancellationToken.None))
        {
            Assert.Equal(("0.11.0", null, null), (engine.Version, engine.ProcessId, engine.ModelSha256));
            Assert.Empty(engine.Arguments);
            Assert.Same(Dialect.Vllm, engine.Dialect);
        }

        var error = await Assert.ThrowsAsync<EngineStartException>(() => EngineProcess.Start(stack, "modelperm-1", None, new EnginePlace([], Log), TimeProvider.System, CancellationToken.None));
        Assert.Contains("serves lab and not 'modelperm-1'", error.Message);
        var tokened = stack with { TokenVariable = "STACKS_TESTS_NO_TOKEN" };
        Assert.Contains("STACKS_TESTS_NO_TOKEN", (await Assert.ThrowsAsync<EngineStartException>(() => EngineProcess.Start(tokened, "m", None, new EnginePlace([], Log), TimeProvider.System, CancellationToken.None))).Message);
        await Assert.ThrowsAsync<ArgumentException>(() => EngineProcess.Start(stack, "m", new Dictionary<string, string> { ["threads"] = "1" }, new EnginePlace([], Log), TimeProvider.System, CancellationToken.None));
    }

    [Fact]
    public void A_model_is_known_by_its_length_and_both_ends_and_a_directory_by_its_configuration()
    {
        var file = Path.Combine(_folder.FullName, "big.gguf");
        var bytes = new byte[(40 << 20) + 5];
        File.WriteAllBytes(file, bytes);
        var first = ModelIdentity.Sha256(file);
        foreach (var (at, differs) in new[] { (0, true), (bytes.Length - 1, true), ((16 << 20) - 1, true), (bytes.Length - (16 << 20), true), (20 << 20, false) })
        {
            bytes[at]++;
            File.WriteAllBytes(file, bytes);
            Assert.Equal(differs, first != ModelIdentity.Sha256(file));
            bytes[at]--;
        }

        File.WriteAllBytes(file, bytes[1..]);
        Assert.NotEqual(first, ModelIdentity.Sha256(file));
        var folder = _folder.CreateSubdirectory("model").FullName;
        File.WriteAllText(Path.Combine(folder, "config.json"), "{}");
        var before = ModelIdentity.Sha256(folder);
        File.WriteAllText(Path.Combine(folder, "README.md"), "any");
        Assert.Equal(before, ModelIdentity.Sha256(folder));
        File.WriteAllText(Path.Combine(folder, "model.safetensors"), "w");
        Assert.NotEqual(before, ModelIdentity.Sha256(folder));
        Assert.Null(ModelIdentity.Sha256("nobody/has-this-model"));
    }

    private string Model
    {
        get
        {
            var path = Path.Combine(_folder.FullName, "model.gguf");
            if (!File.Exists(path)) new ServedModel().Write(path);
            return path;
        }
    }

    private string Log => Path.Combine(_folder.FullName, "engine.log");

    private string Pids => Path.Combine(_folder.FullName, "pids");

    private string LlamaYaml => Yaml($"[{LlamaServer.Program}]", 60, "    parameters: {threads: {default: 1}}\n");

    private StackEntry Llama() => Read(LlamaYaml);

    // One in the group, one that has left group, session and parent behind, and the engine itself.
    private string Sleepers(string first) => $"[sh, -c, \"{first}(setsid sleep 997 & echo $! >>{Pids}); sleep 998 & echo $! >>{Pids}; echo $$ >>{Pids}; sleep 999; wait\", sh]";

    private StackEntry Stack(string command, double limit = 60, string more = "") => Read(Yaml(command, limit, more));

    private string Yaml(string command, double limit, string more = "") =>
        FormattableString.Invariant($"stacks:\n  - name: s\n    recipe: llama.cpp\n    command: {command}\n    start_limit_s: {limit}\n{more}    models: [{{name: tiny, path: {Model}}}]\n");

    private static StackEntry Read(string yaml)
    {
        var read = StackFile.Read(yaml, "stacks.yaml");
        Assert.True(read.File is not null, string.Join('\n', read.Problems));
        return read.File.Stacks[0];
    }

    private Task<EngineProcess> Start(StackEntry stack, IReadOnlyDictionary<string, string> parameters, string log = "engine.log") =>
        EngineProcess.Start(stack, "tiny", parameters, new EnginePlace([], Path.Combine(_folder.FullName, log)), TimeProvider.System, CancellationToken.None);

    private async Task<string> Refused(StackEntry stack, TimeSpan? grace = null) =>
        (await Assert.ThrowsAsync<EngineStartException>(() => EngineProcess.Start(stack, "tiny", None, new EnginePlace([], Log) { Grace = grace ?? TimeSpan.FromSeconds(15) }, TimeProvider.System, CancellationToken.None))).Message;

    private static bool IsAlive(int process)
    {
        try { return File.ReadAllText($"/proc/{process}/stat") is var stat && stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X'); }
        catch (IOException) { return false; }
    }

    private static async Task Until(Func<bool> holds)
    {
        for (var began = Stopwatch.GetTimestamp(); !holds(); await Task.Delay(20)) Assert.True(Stopwatch.GetElapsedTime(began).TotalSeconds < 60, "It did not come to hold.");
    }

    /// <summary>Answers the list of its models, and its version.</summary>
    private sealed class ScriptedEndpoint : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _serving;

        public ScriptedEndpoint(string models, string version)
        {
            _listener.Start();
            _serving = Task.Run(async () =>
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    var stream = client.GetStream();
                    var request = new byte[4096];
                    var asked = Encoding.ASCII.GetString(request, 0, await stream.ReadAsync(request));
                    var body = asked.StartsWith("GET /v1/models ", StringComparison.Ordinal) ? models : version;
                    await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
                }
            });
        }

        public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await Assert.ThrowsAnyAsync<Exception>(() => _serving);
        }
    }
}
