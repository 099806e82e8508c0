using System.Net;
using System.Net.NetworkInformation;

namespace EnergyGrid.Silo;

/// <summary>The address at which other silos reach this one.</summary>
internal static class OwnAddress
{
    /// <summary>
    /// What was asked for, if this machine has it; else the local address of the connection to Redis. Never what the machine's own name resolves to: Debian writes 127.0.1.1 for it
    /// into /etc/hosts, and every silo that joined would take its predecessor for itself.
    /// </summary>
    /// <param name="asked">Of --silo-address; null for none.</param>
    /// <param name="towardsRedis">Local end of the connection to Redis.</param>
    /// <param name="redis">Its other end.</param>
    /// <param name="named">The host by which Redis was named.</param>
    /// <param name="local">The addresses of this machine.</param>
    /// <exception cref="SiloRefusedException">It is not this machine's, or others could not reach it.</exception>
    public static IPAddress Choose(IPAddress? asked, IPAddress towardsRedis, IPAddress redis, string named, IReadOnlyCollection<IPAddress> local)
    {
        if (asked is null && IPAddress.IsLoopback(towardsRedis) && !SaysLoopback(named) && local.Any(a => !IPAddress.IsLoopback(a)))
            throw new SiloRefusedException(
                $"'{named}' leads to this machine's own loopback ({redis}; /etc/hosts may say so), where silos of other machines find themselves and not this one: give --silo-address. {Has(local)}. "
                + "If all silos run on this machine, name Redis by 127.0.0.1.");
        if (asked is null) return towardsRedis;
        if (asked.Equals(IPAddress.Any) || asked.Equals(IPAddress.IPv6Any)) throw new SiloRefusedException($"--silo-address {asked} is no address that others can connect to. {Here(local)}");
        if (IPAddress.IsLoopback(asked) && !IPAddress.IsLoopback(redis))
            throw new SiloRefusedException($"--silo-address {asked} is loopback, where silos of other machines find themselves and not this one, and Redis is at {redis}. {Here(local)}");
        if (!IPAddress.IsLoopback(asked) && !local.Contains(asked)) throw new SiloRefusedException($"--silo-address {asked} is no address of this machine. {Here(local)}");
        return asked;
    }

    /// <summary>The addresses of this machine's interfaces that are up.</summary>
    public static IReadOnlyCollection<IPAddress> Local() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().Where(n => n.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown)
            .SelectMany(n => n.GetIPProperties().UnicastAddresses).Select(a => a.Address).Where(a => !a.IsIPv6LinkLocal).Distinct()];

    /// <summary>Whether a member's address is one of this machine. Loopback is only where Redis is on loopback too: else the member was started on another machine.</summary>
    public static bool IsLocal(IPAddress address, IPAddress redis, IReadOnlyCollection<IPAddress> local) => IPAddress.IsLoopback(address) ? IPAddress.IsLoopback(redis) : local.Contains(address);

    /// <summary>As it is written in a URL: IPv6 in brackets.</summary>
    public static string Text(IPAddress address, int port) => new IPEndPoint(address, port).ToString();

    private static bool SaysLoopback(string host) => IPAddress.TryParse(host, out var address) ? IPAddress.IsLoopback(address) : host.StartsWith("localhost", StringComparison.OrdinalIgnoreCase) || host.StartsWith("ip6-localhost", StringComparison.OrdinalIgnoreCase);

    private static string Has(IReadOnlyCollection<IPAddress> local) => $"This machine has {string.Join(", ", local.Where(a => !IPAddress.IsLoopback(a)))}";

    private static string Here(IReadOnlyCollection<IPAddress> local) => local.All(IPAddress.IsLoopback)
        ? "This machine has no other address than loopback; leave --silo-address out."
        : $"{Has(local)}; without --silo-address the one that leads to Redis is taken.";
}
