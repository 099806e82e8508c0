using System.Diagnostics;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Results;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>energygrid up</c> as a process of its own with a small simulated site, on a data directory that outlives it.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;
    private readonly Process _process;
    private readonly StringBuilder _log = new();

    private SiloProcess(Process process, Uri address)
    {
        _process = process;
        Client = new GridClient(address);
    }

    public GridClient Client { get; }

    public int Id => _process.Id;

    /// <summary>What it has logged so far.</summary>
    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    /// <param name="data">Its data directory.</param>
    /// <param name="scale">Simulated seconds in a second.</param>
    /// <param name="before">A command that ends in <c>exec "$@"</c>: what is done in the process before it becomes the silo.</param>
    public static Task<SiloProcess> Start(string data, int scale = 400, string before = "exec \"$@\"") =>
        Start(data, ["--simulate", "1x1x2", "--time-scale", $"{scale}", "--gpus", "none"], before, new Dictionary<string, string>());

    /// <param name="data">Its data directory.</param>
    /// <param name="arguments">What it serves.</param>
    /// <param name="before">As above.</param>
    /// <param name="environment">Variables of its own.</param>
    /// <param name="local">Whether this machine's processor is a device of its.</param>
    public static async Task<SiloProcess> Start(string data, IEnumerable<string> arguments, string before, IReadOnlyDictionary<string, string> environment, bool local = false)
    {
        string[] up = ["dotnet", "exec", Assembly, "up", "--bind", "http://127.0.0.1:0", "--data", data, "--name", "silo", .. local ? Array.Empty<string>() : ["--no-local"], "--json", .. arguments];
        var start = new ProcessStartInfo("bash", ["-c", before, "bash", .. up]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        var error = new StringBuilder();
        process.ErrorDataReceived += (_, line) =>
        {
            lock (error) error.AppendLine(line.Data);
        };
        process.BeginErrorReadLine();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            var line = await process.StandardOutput.ReadLineAsync(patience.Token) ?? throw new InvalidOperationException("It ended.");
            var made = new SiloProcess(process, new Uri(JsonDocument.Parse(line).RootElement.GetProperty("url").GetString()!));
            process.ErrorDataReceived += (_, said) =>
            {
                lock (made._log) made._log.AppendLine(said.Data);
            };
            return made;
        }
        catch (Exception e)
        {
            process.Kill();
            lock (error) throw new InvalidOperationException($"The silo did not start: {error}", e);
        }
    }

    /// <summary>Submits under the id <c>s</c> once its devices are there.</summary>
    public async Task Submit(string plan, int devices = 2)
    {
        await SimulatedGrid.Until(async () => await Devices() == devices, "its devices have announced themselves");
        await Client.Submit(plan, "s");
    }

    public async Task<SweepStatus> Until(Func<SweepStatus, bool> holds, string what, int seconds = 60)
    {
        SweepStatus? status = null;
        await SimulatedGrid.Until(async () => holds(status = await Client.Sweep("s")), what, seconds, () => $"{status}\n{Log}");
        return status!;
    }

    /// <summary>A signal by its name, for example TERM.</summary>
    public async Task Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for its end and gives its exit code.</summary>
    public async Task<int> Ended(int seconds)
    {
        await _process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(seconds)).Token);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL: nothing in the process gets to know.</summary>
    public async Task Kill()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited) await Kill();
        _process.Dispose();
    }

    /// <summary>Another command of the console.</summary>
    public static async Task<(int Code, string Out, string Error)> Command(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", Assembly, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    private async Task<int> Devices()
    {
        try { return (await Client.Devices()).Length; }
        catch (GridProblemException) { return 0; } // it has just started
    }
}

/// <summary>The results of sweep <c>s</c> as they lie on the disk.</summary>
internal sealed class SweepFiles(string data)
{
    public string Directory { get; } = Path.Combine(data, "results", "s");

    public string Trials => Path.Combine(Directory, "trials.ndjson");

    /// <summary>The journal's whole lines; the silo may be writing.</summary>
    public byte[] WholeLines()
    {
        if (!File.Exists(Trials)) return [];
        using var file = new FileStream(Trials, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[file.Length];
        var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return bytes[..(bytes.AsSpan(0, read).LastIndexOf((byte)'\n') + 1)];
    }

    public int Count() => WholeLines().AsSpan().Count((byte)'\n');

    /// <summary>Identities in the order of commit; throws for a damaged line.</summary>
    public TrialId[] Committed() => [.. JournalFile.Documents(WholeLines(), Trials).Select(line => JsonSerializer.Deserialize<TrialResult>(line, DocumentJson.Compact)!.Trial)];

    public string Events() => File.Exists(Path.Combine(Directory, "events.ndjson")) ? ReadShared(Path.Combine(Directory, "events.ndjson")) : "";

    public Matrix Matrix() => JsonSerializer.Deserialize<Matrix>(File.ReadAllBytes(Path.Combine(Directory, "matrix.json")), DocumentJson.Compact)!;

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}

/// <summary>A directory for one test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _directory = System.IO.Directory.CreateTempSubdirectory("energygrid-faults-");

    public string Path => _directory.FullName;

    public void Dispose() => _directory.Delete(recursive: true);
}
