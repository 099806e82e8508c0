using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace EnergyGrid.Stacks.Tests;

/// <summary><c>tests/HostileEngine</c> as a process on loopback, on a port that it chose.</summary>
internal sealed class HostileProcess : IAsyncDisposable
{
    public const string Model = "m";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly HttpClient _http = new();
    private readonly List<string> _said = [];
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HostileProcess(string[] arguments)
    {
        _process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", ["exec", Program, "--port", "0", "--model", Model, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true },
            EnableRaisingEvents = true,
        };
        _process.OutputDataReceived += (_, l) => Hear(l.Data);
        _process.ErrorDataReceived += (_, l) => Hear(l.Data);
        _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException("It has ended."));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public Uri Address => _address.Task.Result;

    /// <summary>What it said, line by line.</summary>
    public string[] Said
    {
        get { lock (_said) return [.. _said]; }
    }

    /// <summary>Starts one that listens.</summary>
    public static async Task<HostileProcess> Start(params string[] arguments)
    {
        var process = new HostileProcess(arguments);
        await process._address.Task.WaitAsync(Patience);
        return process;
    }

    /// <summary>Runs one to its end.</summary>
    public static async Task<(int Code, string Said)> Run(params string[] arguments)
    {
        await using var process = new HostileProcess(arguments);
        return (await process.Ended(), string.Join('\n', process.Said));
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> Ended()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL to it alone.</summary>
    public void Kill() => _process.Kill();

    public async Task<int> Health()
    {
        using var answer = await _http.GetAsync(new Uri(Address, "health"));
        return (int)answer.StatusCode;
    }

    public async Task<string?> ServedModel()
    {
        using var json = JsonDocument.Parse(await _http.GetStringAsync(new Uri(Address, "v1/models")));
        return json.RootElement.GetProperty("data")[0].GetProperty("id").GetString();
    }

    /// <summary>One of its counters.</summary>
    public async Task<double> Counter(string name)
    {
        var line = (await _http.GetStringAsync(new Uri(Address, "metrics"))).Split('\n').Single(l => l.StartsWith($"{name} ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _http.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_said) _said.Add(line);
        if (line.StartsWith("listening on ", StringComparison.Ordinal)) _address.TrySetResult(new Uri(line["listening on ".Length..]));
    }

    // artifacts/bin/PROJECT/CONFIGURATION/FRAMEWORK: the program of the same build lies beside the tests.
    private static string Program { get; } = Find();

    private static string Find()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(own.Parent!.Parent!.Parent!.FullName, "HostileEngine", own.Parent.Name, own.Name, "EnergyGrid.HostileEngine.dll");
    }
}
