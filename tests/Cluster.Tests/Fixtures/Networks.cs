using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>
/// Hosts that are network namespaces on a bridge of this machine: 10.x.y.1 is the test with its Redis, 10.x.y.2 and so on are one namespace each. A cut
/// between two is silent, as a broken switch is: packets go nowhere, no connection is refused.
/// </summary>
internal sealed class Networks : IDisposable
{
    private static int _made;
    private readonly string _tag = $"eg{Environment.ProcessId % 10_000}{Interlocked.Increment(ref _made)}";
    private readonly string _prefix = $"10.{Random.Shared.Next(64, 250)}.{Random.Shared.Next(1, 250)}";
    private readonly int _hosts;

    /// <param name="hosts">How many namespaces.</param>
    public Networks(int hosts)
    {
        _hosts = hosts;
        AtExit.Do(this, Dispose);
        Do($"ip link add {Bridge} type bridge");
        Do($"ip addr add {Gateway}/24 dev {Bridge}");
        Do($"ip link set {Bridge} up");
        for (var i = 0; i < hosts; i++)
        {
            Do($"ip netns add {this[i]}");
            Do($"ip link add {Port(i)} type veth peer name eth0 netns {this[i]}");
            Do($"ip link set {Port(i)} master {Bridge}");
            Do($"ip link set {Port(i)} up");
            Do($"ip -n {this[i]} addr add {Address(i)}/24 dev eth0");
            Do($"ip -n {this[i]} link set eth0 up");
            Do($"ip -n {this[i]} link set lo up");
        }
    }

    /// <summary>Why there can be none here; null where there can.</summary>
    public static string? Hindrance { get; } = Find();

    /// <summary>The test's own address on the bridge.</summary>
    public string Gateway => $"{_prefix}.1";

    /// <summary>Name of a namespace.</summary>
    public string this[int host] => $"{_tag}n{host}";

    public string Address(int host) => $"{_prefix}.{host + 2}";

    /// <summary>From now on nothing passes between these two; both still reach everybody else.</summary>
    public void Cut(int one, int other) => Isolate("on", one, other);

    /// <summary>As before the cut.</summary>
    public void Mend(int one, int other) => Isolate("off", one, other);

    /// <summary>The command that runs another one in a namespace; empty for none.</summary>
    public static string[] Inside(string? network) => network is null ? [] : ["ip", "netns", "exec", network];

    /// <summary>An HTTP client whose connections begin in a namespace.</summary>
    public static HttpClient Client(string? network, Uri address)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionIdleTimeout = TimeSpan.FromSeconds(5) };
        if (network is not null) handler.ConnectCallback = (context, stop) => Connect(network, context.DnsEndPoint.Port, stop);
        return new HttpClient(handler) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose()
    {
        AtExit.Forget(this);
        for (var i = 0; i < _hosts; i++) Run($"ip netns del {this[i]}");
        Run($"ip link del {Bridge}");
    }

    private string Bridge => $"{_tag}b";

    private string Port(int host) => $"{_tag}v{host}";

    private void Isolate(string value, params int[] hosts)
    {
        // Isolated ports of a bridge do not see each other, and see all others.
        foreach (var host in hosts) Do($"bridge link set dev {Port(host)} isolated {value}");
    }

    private static async ValueTask<Stream> Connect(string network, int port, CancellationToken stop)
    {
        // A thread's namespace is that of the sockets it makes; the thread is thrown away with it.
        var made = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                using var name = File.OpenHandle($"/run/netns/{network}");
                if (SetNamespace(name.DangerousGetHandle().ToInt32(), NetworkKind) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
                made.SetResult(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            }
            catch (Exception e)
            {
                made.SetException(e is IOException or Win32Exception ? new HttpRequestException($"namespace {network}: {e.Message}", e) : e);
            }
        })
        { IsBackground = true }.Start();
        var socket = await made.Task;
        try
        {
            await socket.ConnectAsync(System.Net.IPAddress.Loopback, port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string? Find()
    {
        if (!OperatingSystem.IsLinux()) return "network namespaces are Linux'";
        var name = $"eg{Environment.ProcessId}try";
        foreach (var step in new[] { $"ip netns add {name}", $"ip link add {name[..8]}v type veth peer name eth0 netns {name}", $"ip link del {name[..8]}v", $"ip netns del {name}", "bridge link show" })
            if (Run(step) is { } trouble) return $"'{step}': {trouble}";
        return null;
    }

    private static void Do(string command)
    {
        if (Run(command) is { } trouble) throw new InvalidOperationException($"{command}: {trouble}");
    }

    private static string? Run(string command)
    {
        var words = command.Split(' ');
        try
        {
            using var process = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            output.Wait();
            return process.ExitCode == 0 ? null : error.Trim();
        }
        catch (Win32Exception e)
        {
            return e.Message;
        }
    }

    private const int NetworkKind = 0x40000000; // CLONE_NEWNET

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static extern int SetNamespace(int descriptor, int kind);
}
