using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using EnergyGrid.LlamaCpp.Gguf;

namespace EnergyGrid.Stacks.Tests;

/// <summary>A test that needs a real llama-server: skipped, and seen to be, where <c>tests/install-llama-server.sh</c> has left none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LlamaServerFactAttribute : FactAttribute
{
    public LlamaServerFactAttribute()
    {
        if (!File.Exists(LlamaServer.Program)) Skip = $"no llama-server: tests/install-llama-server.sh {Path.GetDirectoryName(LlamaServer.Program)}";
    }
}

/// <summary>A real llama-server of Debian's on loopback, with a model of random weights.</summary>
internal sealed class LlamaServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _folder;
    private readonly HttpClient _http;

    private LlamaServer(Process process, DirectoryInfo folder, Uri address) => (_process, _folder, Address, _http) = (process, folder, address, new HttpClient { BaseAddress = address });

    /// <summary>Where the script leaves it: below the root of the sources.</summary>
    public static string Program { get; } = Path.Combine(Root(), "artifacts", "llama-server", "llama-server");

    public Uri Address { get; }

    /// <summary>Starts one and waits until it is healthy.</summary>
    public static async Task<LlamaServer> Start(ServedModel model, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("llama-server-");
        var path = Path.Combine(folder.FullName, "model.gguf");
        model.Write(path);
        var port = FreePort();
        var start = new ProcessStartInfo(Program, ["-m", path, "--host", "127.0.0.1", "--port", $"{port}", "--metrics", "--no-webui", "-t", "1", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        var process = Process.Start(start)!;
        var said = new List<string>();
        process.OutputDataReceived += (_, l) => Keep(l.Data);
        process.ErrorDataReceived += (_, l) => Keep(l.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var server = new LlamaServer(process, folder, new Uri($"http://127.0.0.1:{port}/"));
        var began = Stopwatch.GetTimestamp();
        while (!await server.IsHealthy())
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(began).TotalSeconds > 60)
            {
                await server.DisposeAsync();
                lock (said) throw new InvalidOperationException($"llama-server did not become healthy:\n{string.Join('\n', said.TakeLast(20))}");
            }

            await Task.Delay(50);
        }

        return server;

        void Keep(string? line)
        {
            lock (said) said.Add(line ?? "");
        }
    }

    /// <summary>One of its counters.</summary>
    public async Task<double> Counter(string name)
    {
        var line = (await _http.GetStringAsync("metrics")).Split('\n').Single(l => l.StartsWith($"{name} ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill(entireProcessTree: true);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<bool> IsHealthy()
    {
        try { return (await _http.GetAsync("health")).IsSuccessStatusCode; }
        catch (HttpRequestException) { return false; }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "EnergyGrid.sln"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests lie in no checkout.");
        return folder;
    }
}
