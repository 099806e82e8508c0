using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EnergyGrid.Contracts;
using EnergyGrid.Node;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Dashboard;

namespace EnergyGrid.Silo;

/// <summary>One process of the grid: Orleans, devices, HTTP.</summary>
public static class SiloHost
{
    /// <summary>Puts a silo together; nothing listens before it is started.</summary>
    /// <exception cref="SiloRefusedException">The options do not fit together, or a file that they name cannot be used.</exception>
    public static WebApplication Build(SiloOptions options)
    {
        PlainName.Of(options.Name, "silo", "--name");
        PlainName.Of(options.Cluster, "cluster", "--cluster");
        PlainName.Of(options.Rack, "rack", "--rack");
        if (options.Site is { } site) PlainName.Of(site, "site", "--site");
        var siloTls = SiloTls.Read(options.SiloCertificateFile, options.SiloKeyFile, options.SiloAuthorityFile, TimeProvider.System);
        var (scheme, address, port) = Endpoint(options.Url);
        var tokens = options.TokenFile is { } file ? TokenFile.Read(file) : null;
        var certificate = Certificate(options, scheme);
        var loopback = IPAddress.IsLoopback(address);
        if (!loopback && (tokens is null || certificate is null))
            throw new SiloRefusedException(
                $"{options.Url} can be reached from other machines, and {Missing(tokens is null, certificate is null)} missing. " +
                "Bind to http://127.0.0.1:7070, or give --tokens FILE (lines of 'SHA256-OF-TOKEN ROLE NAME') and --certificate FILE with --key FILE, and an https:// address.");

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = typeof(SiloHost).Assembly.GetName().Name, ContentRootPath = AppContext.BaseDirectory, Args = [] });
        builder.Logging.AddSiloLog(options.LogLevel);
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = SiloOptions.MaxBodyBytes;
            kestrel.Listen(address, port, listen =>
            {
                if (certificate is not null) listen.UseHttps(certificate);
            });
        });
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(10));
        builder.Services.AddSingleton(options);
        builder.Services.TryAddSingleton(TimeProvider.System);
        var claims = new SiloClaims(TimeProvider.System);
        builder.Services.AddSingleton(_ => claims);
        builder.AddGridClustering(orleans =>
        {
            (orleans.Host, orleans.Cluster, orleans.Control) = (options.Name, options.Cluster, options.Control);
            orleans.StateDirectory = options.StateDirectory;
            (orleans.Redis, orleans.RedisMayForget, orleans.Tls) = (options.Redis, options.RedisMayForget, siloTls);
            (orleans.SiloPort, orleans.SiloAddress) = (options.SiloPort, options.SiloAddress);
        });
        builder.AddGridTelemetry(options);
        if (options.Dashboard) builder.UseOrleans(orleans => orleans.AddDashboard());
        builder.Services.AddHostedService<ClusterWatch>();
        builder.Services.AddSingleton<StorageHealth>();
        builder.Services.AddSingleton<IStorageHealth>(s => s.GetRequiredService<StorageHealth>());
        builder.Services.AddHostedService(s => s.GetRequiredService<StorageHealth>());
        if (options.WithParts) builder.AddGridParts(options, claims);
        builder.Services.AddSingleton<IPlanDesk, PlanDesk>();
        builder.Services.AddSingleton<SiteSnapshots>();
        builder.Services.AddHostedService(s => s.GetRequiredService<SiteSnapshots>());
        builder.Services.AddSingleton<SweepSnapshots>();
        builder.Services.AddSingleton<SweepFeeds>();
        builder.Services.AddSingleton<DeviceSnapshots>();
        builder.Services.AddSingleton<PowerFeeds>();
        builder.Services.AddSingleton<Metrics>();
        builder.Services.AddHostedService<Watchdog>();
        builder.Services.AddGridAccess(tokens);
        builder.Services.AddGridApi();
        options.Services?.Invoke(builder.Services);

        var app = builder.Build();
        app.UseResponseCompression();
        app.UseGridFaults();
        app.UseHeadRequests();
        if (loopback) app.UseLoopbackGuard();
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapGridApi();
        if (options.Dashboard) app.MapOrleansDashboard("/orleans").RequireAuthorization(Roles.Operator).ExcludeFromDescription();
        return app;
    }

    /// <summary>Where a started silo listens, its real port included.</summary>
    public static Uri AddressOf(WebApplication app)
    {
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses;
        return addresses?.FirstOrDefault() is { } first ? new Uri(first) : throw new InvalidOperationException("The silo has not been started.");
    }

    private static (string Scheme, IPAddress Address, int Port) Endpoint(string url)
    {
        const string Right = "say for example http://127.0.0.1:7070 or https://0.0.0.0:7443";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/")
            throw new SiloRefusedException($"'{url}' is no address to bind to; {Right}.");
        if (uri.Host == "localhost") return (uri.Scheme, IPAddress.Loopback, uri.Port);
        if (uri.UserInfo.Length > 0) throw new SiloRefusedException($"An address to bind to has no user in it; {Right}.");
        return IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address)
            ? (uri.Scheme, address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, uri.Port)
            : throw new SiloRefusedException($"'{uri.Host}' in '{url}' is neither an IP address nor localhost; {Right}.");
    }

    private static X509Certificate2? Certificate(SiloOptions options, string scheme)
    {
        if (options.CertificateFile is null)
            return scheme == "http" ? null : throw new SiloRefusedException($"{options.Url} needs a certificate: give --certificate FILE and --key FILE (PEM).");
        if (scheme == "http") throw new SiloRefusedException($"A certificate was given and {options.Url} would not use it: write https://.");
        try
        {
            // Through PKCS#12 because TLS wants a key that lasts, and one read from PEM is bound to the object.
            using var pem = X509Certificate2.CreateFromPemFile(options.CertificateFile, options.KeyFile);
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"The certificate {options.CertificateFile} with key {options.KeyFile ?? "in the same file"} cannot be used: {e.Message}", e);
        }
    }

    private static string Missing(bool tokens, bool certificate) => (tokens, certificate) switch
    {
        (true, true) => "a token file and TLS are",
        (true, false) => "a token file is",
        _ => "TLS is",
    };

    /// <summary>Starts a silo and says plainly why it could not: what others must not have is claimed and what it needs is checked before anything starts.</summary>
    /// <exception cref="SiloRefusedException">A port is taken, the data directory cannot be used, Redis or the cluster does not take this silo.</exception>
    public static async Task StartAsync(WebApplication app, CancellationToken stop = default)
    {
        var options = app.Services.GetRequiredService<SiloOptions>();
        try
        {
            if (options.WithParts) await app.Services.GetRequiredService<SiloClaims>().DataDirectory(options.DataDirectory, stop).ConfigureAwait(false);
            var (_, address, port) = Endpoint(options.Url);
            ClusterJoin.PortIsFree(address, port, "--bind");
            var join = app.Services.GetService<ClusterJoin>();
            if (join is not null) await join.Prepare(app.Services, stop).ConfigureAwait(false);
            await app.StartAsync(stop).ConfigureAwait(false);
            if (join is not null) await join.Joined().ConfigureAwait(false);
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException or SocketException)
        {
            throw new SiloRefusedException($"{options.Url} is taken by another process. Stop it, or choose another port with --bind.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new SiloRefusedException($"The data directory {options.DataDirectory} cannot be used: {FileFault.Words(e)}; name another with --data.", e);
        }
        catch (InvalidOperationException e) when (e.Message.Contains("state directory", StringComparison.Ordinal))
        {
            throw new SiloRefusedException(e.Message, e);
        }
    }

    /// <summary>What this silo's own nodes offer now, and how many GPUs of this machine are still being looked at.</summary>
    public static (IReadOnlyCollection<DeviceInfo> Devices, int Opening) DevicesOf(WebApplication app)
    {
        DeviceInfo[] devices = [.. app.Services.GetRequiredService<NodeAgents>().All.SelectMany(a => a.Inventory.Devices)];
        return (devices, app.Services.GetServices<IHostedService>().OfType<GpuOpening>().Sum(g => g.Left));
    }

    /// <summary>How long an orderly end may take; a service manager kills somewhat later.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(8);

    /// <summary>
    /// Ends a silo in order, or gives up: without Redis Orleans tries for minutes to take leave of its members. True if it has ended; else the process is to end as it is, which
    /// the others take for a death, and nothing acknowledged is lost by it.
    /// </summary>
    public static async Task<bool> EndAsync(WebApplication app)
    {
        var ending = Task.Run(async () =>
        {
            using var patience = new CancellationTokenSource(EndPatience - TimeSpan.FromSeconds(2));
            try { await app.StopAsync(patience.Token).ConfigureAwait(false); }
            finally { await app.DisposeAsync().ConfigureAwait(false); }
        });
        try
        {
            await ending.WaitAsync(EndPatience).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        catch (Exception e) when (e is not SiloRefusedException)
        {
            // What it cannot tell others any more they find out; nobody can act on it here.
            return true;
        }
    }
}
