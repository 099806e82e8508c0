using System.Net;
using EnergyGrid.Contracts;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>The Redis connection string: where it may come from, and what is made of it.</summary>
public static class RedisString
{
    /// <summary>The variable that may hold the string.</summary>
    public const string Variable = "ENERGYGRID_REDIS";

    private const string Right = "say HOST:PORT, with options after commas: redis.lab:6379,ssl=true,user=grid,password=…";

    /// <summary>The one string among what the command line, a file and the environment give; null where none does.</summary>
    /// <param name="given">Of the command line, which every user of the machine can read.</param>
    /// <param name="file">A file whose first line it is.</param>
    /// <param name="environment">Of <see cref="Variable"/>; what the command line says goes before it.</param>
    /// <exception cref="SiloRefusedException">Two were given, the file cannot be read, or there is a password on the command line.</exception>
    public static string? Choose(string? given, string? file, string? environment)
    {
        if (given is not null && file is not null) throw new SiloRefusedException("--redis and --redis-file both name a Redis: give one of them.");
        if (string.IsNullOrWhiteSpace(given) && given is not null) throw new SiloRefusedException($"--redis is empty; {Right}.");
        if (given is not null)
        {
            var secret = given.Split(',').Any(part => part.TrimStart().StartsWith("password", StringComparison.OrdinalIgnoreCase)) || given.Contains("://", StringComparison.Ordinal) && given.Contains('@');
            return secret
                ? throw new SiloRefusedException($"--redis holds a password, which every user of this machine can read in the list of processes: write the string into a file of yours for --redis-file, or into {Variable}, and change the password.")
                : given;
        }
        if (file is null) return string.IsNullOrWhiteSpace(environment) ? null : environment.Trim();
        try
        {
            var line = SmallFile.FirstLine(file);
            return line.Length == 0 ? throw new SiloRefusedException($"--redis-file {file}: its first line is empty; it is the connection string: {Right}.") : line;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"--redis-file {file} cannot be read: {FileFault.Words(e)}", e);
        }
    }

    /// <summary>The string as the client's options, with what this product sets itself.</summary>
    /// <param name="text">The string.</param>
    /// <param name="authorityFile">PEM of the authority that Redis' certificate may come from besides those that the system trusts; null for none.</param>
    /// <exception cref="SiloRefusedException">It cannot be read. The message never repeats it: there may be a password in it.</exception>
    internal static ConfigurationOptions Parse(string text, string? authorityFile = null)
    {
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(text, ignoreUnknown: false);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            var key = e is ArgumentException { ParamName: { Length: > 0 } name } ? $" at '{name}'" : "";
            throw new SiloRefusedException($"The Redis connection string cannot be read{key}; {Right}.");
        }
        if (options.EndPoints.Count == 0 || options.EndPoints.Any(e => e is not (DnsEndPoint or IPEndPoint))) throw new SiloRefusedException($"The Redis connection string names no host; {Right}.");
        if (options.ServiceName is not null) throw new SiloRefusedException($"The Redis connection string asks for a sentinel, and a failover to a replica loses what was acknowledged a moment before: name the one Redis itself; {Right}.");
        options.SetDefaultPorts();
        options.AllowAdmin = true; // the client calls INFO and CONFIG GET that; nothing here changes a server
        options.AbortOnConnectFail = true; // the first connection holds or the start is refused; later ones are made again for ever
        options.ConnectRetry = 1;
        options.ConnectTimeout = Math.Min(options.ConnectTimeout, 5000);
        options.KeepAlive = 10; // a Redis whose machine lost power is seen in some tens of seconds, not minutes
        options.ReconnectRetryPolicy = new ExponentialRetry(250, 2000); // after an outage the grid goes on within seconds
        // Neither channel nor tie-breaker: one Redis needs none, and an ACL user then needs no rights beyond the cluster's own keys.
        options.ConfigurationChannel = "";
        options.TieBreaker = "";
        options.ClientName = "energygrid";
        if (authorityFile is not null && options.Ssl)
        {
            // A file in the string's own environment (SERedis_IssuerCertPath) still counts where none is given here.
            try { options.TrustIssuer(authorityFile); }
            catch (Exception e) when (e is System.Security.Cryptography.CryptographicException or IOException or UnauthorizedAccessException) { throw new SiloRefusedException($"{authorityFile} cannot be used for Redis' certificate: {e.Message}", e); }
        }
        return options;
    }
}
