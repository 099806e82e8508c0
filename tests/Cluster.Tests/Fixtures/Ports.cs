using System.Net;
using System.Net.Sockets;

namespace EnergyGrid.Cluster.Tests.Fixtures;

internal static class Ports
{
    private static readonly HashSet<int> Given = [];

    /// <summary>A port of loopback that is free now and was not given to another fixture of this process.</summary>
    public static int Free()
    {
        lock (Given)
        {
            while (true)
            {
                using var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                var port = ((IPEndPoint)listener.LocalEndpoint).Port;
                if (Given.Add(port)) return port;
            }
        }
    }
}
