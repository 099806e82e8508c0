using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EnergyGrid.Silo.Tests;

/// <summary>A real redis-server on a free port of loopback, with a directory of its own.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-redis-");
    private Process _process = null!;

    /// <summary>Whether this machine has one: CI installs it, a bare machine skips these tests.</summary>
    public static bool IsHere { get; } = Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(d => File.Exists(Path.Combine(d, "redis-server")));

    public int Port { get; } = Free();

    public string DataDirectory => _directory.FullName;

    public string Where => $"127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>With an append-only file that is always flushed, unless the arguments say otherwise.</summary>
    public static async Task<RedisServer> Start(params string[] arguments)
    {
        var server = new RedisServer();
        await server.Run(arguments);
        return server;
    }

    public async Task Run(params string[] arguments)
    {
        string port = Port.ToString(CultureInfo.InvariantCulture);
        string[] tls = arguments.Contains("--tls-port") ? ["--port", "0"] : ["--port", port];
        _process = Process.Start(new ProcessStartInfo("redis-server", [.. tls, "--bind", "127.0.0.1", "-::1", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", _directory.FullName, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                _ = _process.StandardOutput.ReadToEndAsync(); // a full pipe would stop it
                return;
            }
        throw new InvalidOperationException($"redis-server did not start: {await _process.StandardError.ReadToEndAsync()}");
    }

    /// <summary>SIGKILL.</summary>
    public async Task Kill()
    {
        if (_process.HasExited) return;
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Kill();
        _process.Dispose();
        _directory.Delete(recursive: true);
    }

    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>A test that needs redis-server.</summary>
internal sealed class RedisFactAttribute : FactAttribute
{
    public RedisFactAttribute() => Skip = RedisServer.IsHere ? null! : "redis-server is not installed";
}
