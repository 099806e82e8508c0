using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Connections.Security;

namespace EnergyGrid.Silo;

/// <summary>
/// TLS between silos: each side shows a certificate of the cluster's own authority, and no other authority counts. What a certificate names is not compared: silos are reached by
/// address, and whoever the authority gave a certificate to may be a silo.
/// </summary>
internal sealed partial class SiloTls
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";
    private const string ClientUse = "1.3.6.1.5.5.7.3.2";
    private static readonly SslApplicationProtocol Protocol = new("Orleans1");

    private readonly X509Certificate2Collection _authorities;
    private readonly TimeProvider _time;
    private ILogger _log = NullLogger.Instance;

    private SiloTls(X509Certificate2 certificate, X509Certificate2Collection authorities, string authorityFile, TimeProvider time) =>
        (Certificate, _authorities, AuthorityFile, _time) = (certificate, authorities, authorityFile, time);

    public X509Certificate2 Certificate { get; }

    public string AuthorityFile { get; }

    /// <summary>Reads the three PEM files and checks that the certificate would be taken by others; null where none is given.</summary>
    /// <exception cref="SiloRefusedException">One of them is missing or wrong, or the certificate is not valid now.</exception>
    public static SiloTls? Read(string? certificateFile, string? keyFile, string? authorityFile, TimeProvider time)
    {
        if (certificateFile is null && keyFile is null && authorityFile is null) return null;
        if (certificateFile is null || authorityFile is null)
            throw new SiloRefusedException($"TLS between silos wants --silo-certificate FILE, --silo-key FILE and --silo-ca FILE (PEM), and {(certificateFile is null ? "--silo-certificate" : "--silo-ca")} is missing.");
        X509Certificate2 certificate;
        X509Certificate2Collection authorities = [];
        try
        {
            // Through PKCS#12 because TLS wants a key that lasts, and one read from PEM is bound to the object.
            using var pem = X509Certificate2.CreateFromPemFile(certificateFile, keyFile);
            certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SiloRefusedException($"--silo-certificate {certificateFile} with --silo-key {keyFile ?? "in the same file"} cannot be used: {e.Message}", e);
        }
        try
        {
            authorities.ImportFromPemFile(authorityFile);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"--silo-ca {authorityFile} cannot be used: {e.Message}", e);
        }
        if (authorities.Count == 0) throw new SiloRefusedException($"--silo-ca {authorityFile} holds no certificate (PEM).");
        var tls = new SiloTls(certificate, authorities, authorityFile, time);
        return tls.Fault(certificate) is { } fault ? throw new SiloRefusedException($"--silo-certificate {certificateFile} would be refused by every silo: {fault}.") : tls;
    }

    /// <summary>Why a certificate is none of a silo of this cluster now; null if it is one.</summary>
    public string? Fault(X509Certificate2 certificate)
    {
        var now = _time.GetUtcNow();
        var name = Name(certificate);
        if (now < certificate.NotBefore.ToUniversalTime()) return $"'{name}' is not valid before {Day(certificate.NotBefore)} (it is {Day(now.UtcDateTime)})";
        if (now > certificate.NotAfter.ToUniversalTime()) return $"'{name}' expired on {Day(certificate.NotAfter)} (it is {Day(now.UtcDateTime)})";
        var uses = certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().SelectMany(e => e.EnhancedKeyUsages.Cast<Oid>()).Select(o => o.Value).ToImmutableHashSet();
        if (!uses.Contains(ServerUse) || !uses.Contains(ClientUse)) return $"'{name}' is not made for both sides of a connection: its extended key usage must hold serverAuth and clientAuth";
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        if (chain.Build(certificate)) return null;
        var statuses = chain.ChainStatus.Select(s => s.Status).Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one);
        return (statuses & (X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot)) != 0
            ? $"'{name}', issued by '{certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: true)}', does not come from the authority in {AuthorityFile}"
            : $"'{name}' is not valid ({statuses})";
    }

    /// <summary>Where refused connections are told.</summary>
    public void LogTo(ILogger log) => _log = log;

    /// <summary>Puts it under every connection between silos.</summary>
    public void Apply(ISiloBuilder silo) => silo.UseTls(options =>
    {
        options.LocalCertificate = Certificate;
        options.RemoteCertificateMode = RemoteCertificateMode.RequireCertificate;
        options.ClientCertificateMode = RemoteCertificateMode.RequireCertificate;
        options.CheckCertificateRevocation = false;
        options.RemoteCertificateValidation = (certificate, _, _) =>
        {
            if (Fault(certificate) is not { } fault) return true;
            LogRefused(_log, fault);
            return false;
        };
        // Ours is always shown: by the list of acceptable issuers alone a client may decide to show none.
        options.LocalClientCertificateSelector = (_, _, _, _, _) => Certificate;
    });

    /// <summary>Whether a silo takes this one's certificate and shows one of its own: null, or why not.</summary>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    public async Task<string?> Greet(IPEndPoint silo, CancellationToken stop)
    {
        using var client = new TcpClient(silo.AddressFamily);
        await client.ConnectAsync(silo, stop).ConfigureAwait(false);
        string? theirs = null;
        var stream = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is X509Certificate2 shown && (theirs = Fault(shown)) is null);
        await using (stream.ConfigureAwait(false))
        {
            try
            {
                await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
                {
                    TargetHost = silo.Address.ToString(),
                    ClientCertificateContext = SslStreamCertificateContext.Create(Certificate, null, offline: true),
                    ApplicationProtocols = [Protocol],
                    CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                }, stop).ConfigureAwait(false);
                // By TLS 1.3 a server judges the client's certificate after the client has finished: it hangs up then, or waits for the first message.
                using var moment = CancellationTokenSource.CreateLinkedTokenSource(stop);
                moment.CancelAfter(TimeSpan.FromMilliseconds(500));
                var read = await stream.ReadAsync(new byte[1], moment.Token).ConfigureAwait(false);
                return read == 0 ? "it refuses the certificate of this one" : null;
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                return null;
            }
            catch (Exception e) when (e is AuthenticationException or IOException)
            {
                return theirs is not null ? $"its certificate {theirs}" : "it refuses the certificate of this one";
            }
        }
    }

    private static string Name(X509Certificate2 certificate) => certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name ? name : certificate.Subject;

    private static string Day(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection between silos was refused: its certificate {Fault}.")]
    private static partial void LogRefused(ILogger log, string fault);
}
