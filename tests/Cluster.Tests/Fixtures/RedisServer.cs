using System.Diagnostics;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>How a Redis is set up: by default on loopback, without a password, plain.</summary>
/// <param name="Address">Where it listens.</param>
/// <param name="User">An ACL user; null for none, and then everybody may do everything.</param>
/// <param name="Password">Of the user.</param>
/// <param name="Certificate">PEM of its certificate for TLS; null for plain.</param>
/// <param name="Key">PEM of its key.</param>
/// <param name="Authority">PEM of the authority.</param>
/// <param name="Append">Value of <c>appendonly</c>.</param>
/// <param name="Fsync">Value of <c>appendfsync</c>.</param>
/// <param name="Policy">Value of <c>maxmemory-policy</c>.</param>
/// <param name="Memory">Value of <c>maxmemory</c>; 0 is without a bound.</param>
internal sealed record RedisSetup(
    string Address = "127.0.0.1", string? User = null, string Password = "", string? Certificate = null, string? Key = null, string? Authority = null,
    string Append = "yes", string Fsync = "always", string Policy = "noeviction", string Memory = "0");

/// <summary>Debian's redis-server as a process of its own on a free port, with a directory that outlives it.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly string _directory;
    private readonly RedisSetup _setup;
    private Process? _process;

    private RedisServer(string directory, RedisSetup setup) => (_directory, _setup) = (directory, setup);

    public int Port { get; } = Ports.Free();

    /// <summary>Id of its process while it runs.</summary>
    public int Id => _process!.Id;

    /// <summary>As StackExchange.Redis reads it.</summary>
    public string ConnectionString
    {
        get
        {
            var text = new StringBuilder($"{_setup.Address}:{Port}");
            if (_setup.User is { } user) text.Append($",user={user},password={_setup.Password}");
            if (_setup.Certificate is not null) text.Append(",ssl=true");
            return text.ToString();
        }
    }

    /// <summary>Starts one; it answers when this returns.</summary>
    /// <param name="directory">Where its file is kept.</param>
    /// <param name="setup">How it is set up.</param>
    public static async Task<RedisServer> Start(string directory, RedisSetup? setup = null)
    {
        var server = new RedisServer(Directory.CreateDirectory(directory).FullName, setup ?? new());
        await server.Start();
        return server;
    }

    /// <summary>SIGKILL.</summary>
    public Task Kill() => End(Signals.Kill);

    /// <summary>SIGTERM: it says goodbye to its file.</summary>
    public Task Stop() => End(Signals.Terminate);

    /// <summary>SIGSTOP: it takes connections, through the kernel, and answers nothing.</summary>
    public void Pause() => Signals.Pause(_process!.Id);

    /// <summary>SIGCONT.</summary>
    public void Continue() => Signals.Continue(_process!.Id);

    /// <summary>Its file, all of what it kept, goes. It must not be running.</summary>
    public void LoseFile()
    {
        if (_process is not null) throw new InvalidOperationException("It still runs.");
        Directory.Delete(_directory, recursive: true);
        Directory.CreateDirectory(_directory);
    }

    /// <summary>Starts it on the same port, with the file that it left.</summary>
    public async Task Start()
    {
        var start = new ProcessStartInfo("redis-server", Arguments()) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _directory };
        _process = Process.Start(start)!;
        var id = _process.Id;
        AtExit.Do(this, () => Signals.Kill(id));
        var said = new StringBuilder();
        void Hear(object _, DataReceivedEventArgs line)
        {
            lock (said) said.AppendLine(line.Data);
        }
        _process.OutputDataReceived += Hear;
        _process.ErrorDataReceived += Hear;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Patience.Until(async () => _process.HasExited || await Answers(), "Redis answers", 30, () => said.ToString());
        if (_process.HasExited) throw new InvalidOperationException($"redis-server ended: {said}");
    }

    /// <summary>A section of INFO, by key.</summary>
    public async Task<Dictionary<string, string>> Info(string section) =>
        (await Say($"INFO {section}")).Split("\r\n").Where(l => l.Contains(':')).Select(l => l.Split(':', 2)).ToDictionary(l => l[0], l => l[1]);

    /// <summary>One command by redis-cli's inline form; its bulk or simple answer.</summary>
    public async Task<string> Say(string command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_setup.Address, Port);
        await using var stream = await Secured(client.GetStream());
        if (_setup.User is { } user)
        {
            await Send(stream, $"AUTH {user} {_setup.Password}");
            await Answer(stream);
        }
        await Send(stream, command);
        return await Answer(stream);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        Continue();
        await Kill();
    }

    private List<string> Arguments()
    {
        List<string> arguments =
        [
            "--bind", _setup.Address, "--dir", _directory, "--appendonly", _setup.Append, "--appendfsync", _setup.Fsync, "--save", "",
            "--maxmemory-policy", _setup.Policy, "--maxmemory", _setup.Memory, "--protected-mode", "no", "--daemonize", "no",
        ];
        if (_setup.Certificate is { } certificate)
            arguments.AddRange(["--port", "0", "--tls-port", Text(Port), "--tls-cert-file", certificate, "--tls-key-file", _setup.Key!, "--tls-ca-cert-file", _setup.Authority!, "--tls-auth-clients", "no"]);
        else arguments.AddRange(["--port", Text(Port)]);
        if (_setup.User is { } user) arguments.AddRange(["--user", user, "on", $">{_setup.Password}", "~*", "&*", "+@all", "--user", "default", "off", "~*", "&*", "+@all"]);
        return arguments;
    }

    private async Task<bool> Answers()
    {
        try { return (await Say("PING")).Contains("PONG", StringComparison.Ordinal); }
        catch (Exception e) when (e is SocketException or IOException) { return false; }
    }

    private async Task<Stream> Secured(NetworkStream plain)
    {
        if (_setup.Certificate is null) return plain;
        // It is the test's own server: that it is encrypted is enough here.
        var secured = new SslStream(plain, leaveInnerStreamOpen: false, (_, _, _, _) => true);
        await secured.AuthenticateAsClientAsync(_setup.Address);
        return secured;
    }

    private static async Task Send(Stream stream, string command) => await stream.WriteAsync(Encoding.UTF8.GetBytes(command + "\r\n"));

    private static async Task<string> Answer(Stream stream)
    {
        var first = await Line(stream);
        if (first.Length == 0 || first[0] != '$') return first;
        var bytes = new byte[int.Parse(first.AsSpan(1), CultureInfo.InvariantCulture) + 2];
        await stream.ReadExactlyAsync(bytes);
        return Encoding.UTF8.GetString(bytes.AsSpan(0, bytes.Length - 2));
    }

    private static async Task<string> Line(Stream stream)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1 && one[0] != '\n')
            if (one[0] != '\r') line.Append((char)one[0]);
        return $"{line}";
    }

    private async Task End(Action<int> signal)
    {
        if (_process is not { } process) return;
        _process = null;
        signal(process.Id);
        await process.WaitForExitAsync();
        AtExit.Forget(this);
        process.Dispose();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
