using System.Diagnostics;
using System.Globalization;
using System.Text;
using EnergyGrid.Sdk;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>One process that a silo was: from its start to its end.</summary>
internal sealed class SiloLife(int process, string runLog)
{
    public int Process { get; } = process;

    /// <summary>The file of what its devices really ran.</summary>
    public string RunLog { get; } = runLog;

    /// <summary>When it was seen to have ended; null while it lives.</summary>
    public DateTimeOffset? EndedUtc { get; set; }

    public int? ExitCode { get; set; }
}

/// <summary>What a silo is started with.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Directory">Where its data, its run logs and its log are.</param>
/// <param name="Address">Where others reach it.</param>
/// <param name="Arguments">Of <c>up</c>, without name, data, addresses and run log.</param>
/// <param name="Environment">Variables of its own.</param>
/// <param name="Network">The network namespace that it is in; null for the test's own.</param>
internal sealed record SiloSetup(string Name, string Directory, string Address, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string? Network = null);

/// <summary><c>energygrid up</c> as a process that can be killed, held and started again with the same name, ports and data.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private readonly SiloSetup _setup;
    private readonly int _httpPort = Ports.Free();
    private readonly int _siloPort = Ports.Free();
    private readonly StringBuilder _log = new();
    private readonly List<SiloLife> _lives = [];
    private readonly HttpClient _http;
    private Process? _process;

    public SiloProcess(SiloSetup setup)
    {
        _setup = setup;
        Directory.CreateDirectory(setup.Directory);
        _http = Networks.Client(setup.Network, new Uri($"http://127.0.0.1:{_httpPort}/"));
        Client = new GridClient(_http) { Patience = TimeSpan.FromSeconds(15) };
    }

    public string Name => _setup.Name;

    /// <summary>HTTP, on the loopback of wherever it is.</summary>
    public GridClient Client { get; }

    public string Url => $"http://127.0.0.1:{_httpPort}";

    /// <summary>The simulated node that it serves.</summary>
    public string Host => $"{Name}~r1n1";

    /// <summary>Id of the latest process.</summary>
    public int Id => _process!.Id;

    public bool IsUp => _process is { HasExited: false };

    /// <summary>All processes that it was, oldest first.</summary>
    public IReadOnlyList<SiloLife> Lives => _lives;

    public SiloLife Life => _lives[^1];

    /// <summary>Standard error of all its lives.</summary>
    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    /// <summary>Starts it and waits until it serves.</summary>
    /// <param name="crash">Where it is to kill itself, as <c>ENERGYGRID_CRASH</c> says it.</param>
    /// <param name="seconds">How long a start may take, s.</param>
    /// <exception cref="InvalidOperationException">It ended before it served.</exception>
    public async Task Start(string crash = "", int seconds = 90)
    {
        var runLog = Path.Combine(_setup.Directory, $"runs-{_lives.Count}.ndjson");
        string[] command =
        [
            .. Networks.Inside(_setup.Network), .. ConsoleProcess.Command, "up", "--json", "--name", Name, "--bind", Url, "--data", Path.Combine(_setup.Directory, "data"),
            "--silo-address", _setup.Address, "--silo-port", _siloPort.ToString(CultureInfo.InvariantCulture), "--run-log", runLog, .. _setup.Arguments,
        ];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in _setup.Environment) start.Environment[name] = value;
        if (crash.Length > 0) start.Environment["ENERGYGRID_CRASH"] = crash;
        var process = _process = Process.Start(start)!;
        var life = new SiloLife(process.Id, runLog);
        lock (_lives) _lives.Add(life);
        AtExit.Do(this, () => Signals.Kill(process.Id));
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => (life.EndedUtc, life.ExitCode) = (TimeProvider.System.GetUtcNow(), process.ExitCode);
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null) return;
            lock (_log) _log.Append(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} ").AppendLine(line.Data);
        };
        process.BeginErrorReadLine();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var said = await process.StandardOutput.ReadLineAsync(patience.Token);
        if (said is not null) return;
        await process.WaitForExitAsync(patience.Token);
        throw new InvalidOperationException($"Silo {Name} ended with {process.ExitCode} before it served:\n{Log}");
    }

    /// <summary>SIGKILL: nothing in the process gets to know.</summary>
    public Task<int> Kill()
    {
        Signals.Kill(_process!.Id);
        return Exit();
    }

    /// <summary>SIGTERM, and its end.</summary>
    public Task<int> Terminate(int seconds = 60)
    {
        Signals.Terminate(_process!.Id);
        return Exit(seconds);
    }

    /// <summary>SIGSTOP.</summary>
    public void Pause() => Signals.Pause(_process!.Id);

    /// <summary>SIGCONT.</summary>
    public void Continue() => Signals.Continue(_process!.Id);

    /// <summary>Waits for its end; its exit code.</summary>
    public async Task<int> Exit(int seconds = 60)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await _process!.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Silo {Name} has not ended within {seconds} s:\n{Log}");
        }
        AtExit.Forget(this);
        Life.EndedUtc ??= TimeProvider.System.GetUtcNow();
        return _process.ExitCode;
    }

    /// <summary>Whether <c>/readyz</c> says so.</summary>
    public async Task<bool> IsReady()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        return await Patience.Ask(() => _http.GetAsync("readyz", patience.Token)) is { IsSuccessStatusCode: true };
    }

    /// <summary>A path of it as text, whatever its status; null where nothing answers.</summary>
    public Task<string?> Page(string path) => Patience.Ask(async () => await (await _http.GetAsync(path)).Content.ReadAsStringAsync());

    /// <summary>Another command of the console, beside it and towards it.</summary>
    public Task<(int Code, string Out, string Error)> Console(params string[] arguments) => ConsoleProcess.Run(Networks.Inside(_setup.Network), [.. arguments, "--url", Url]);

    public async ValueTask DisposeAsync()
    {
        if (IsUp)
        {
            Continue();
            await Kill();
        }
        AtExit.Forget(this);
        _process?.Dispose();
        Client.Dispose();
        _http.Dispose();
    }
}
