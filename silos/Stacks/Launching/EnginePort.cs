using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EnergyGrid.Stacks;

/// <summary>
/// A port of loopback that an engine is told to listen at, and that no other engine of this process is. It lies below those that the system gives to connections: an engine may load for minutes before it
/// listens, and meanwhile a client's connection would take it.
/// </summary>
internal sealed class EnginePort : IDisposable
{
    private const int Least = 18_000, Tries = 200;
    private const string EphemeralRange = "/proc/sys/net/ipv4/ip_local_port_range";

    private static readonly HashSet<int> Taken = [];

    private EnginePort(int number) => Number = number;

    public int Number { get; }

    /// <exception cref="EngineStartException">None is free.</exception>
    public static EnginePort Take()
    {
        lock (Taken)
        {
            var most = Math.Max(Least + 1000, FirstEphemeral());
            for (var i = 0; i < Tries; i++)
            {
                var port = Random.Shared.Next(Least, most);
                if (Taken.Contains(port) || !IsFree(port)) continue;
                Taken.Add(port);
                return new EnginePort(port);
            }
        }

        throw new EngineStartException("no port of loopback is free for an engine");
    }

    public void Dispose()
    {
        lock (Taken) Taken.Remove(Number);
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port) { ExclusiveAddressUse = true };
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FirstEphemeral()
    {
        try
        {
            return int.Parse(File.ReadAllText(EphemeralRange).Split('\t', ' ')[0], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return 32_768;
        }
    }
}
