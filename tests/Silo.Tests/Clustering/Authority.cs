using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EnergyGrid.Silo.Tests;

/// <summary>A certificate authority of the test, and the certificates that it gives out, as PEM files.</summary>
internal sealed class Authority
{
    private const string Server = "1.3.6.1.5.5.7.3.1", Client = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2 _certificate;
    private readonly string _directory;
    private int _next;

    public Authority(string directory, string name)
    {
        _directory = directory;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-900), DateTimeOffset.UtcNow.AddDays(900));
        File = Path.Combine(directory, $"{name}.pem");
        System.IO.File.WriteAllText(File, _certificate.ExportCertificatePem());
    }

    /// <summary>Its own certificate.</summary>
    public string File { get; }

    /// <summary>A certificate for both sides of a connection, valid over the given days from now.</summary>
    public (string Certificate, string Key) Issue(string name, int fromDays = -1, int toDays = 30, bool server = true, bool client = true)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var uses = new OidCollection();
        if (server) uses.Add(new Oid(Server));
        if (client) uses.Add(new Oid(Client));
        if (uses.Count > 0) request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(uses, false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(_certificate, DateTimeOffset.UtcNow.AddDays(fromDays), DateTimeOffset.UtcNow.AddDays(toDays), [1, .. BitConverter.GetBytes(++_next)]);
        var at = Path.Combine(_directory, $"{name}-{_next}");
        System.IO.File.WriteAllText(at + ".crt", issued.ExportCertificatePem());
        System.IO.File.WriteAllText(at + ".key", key.ExportPkcs8PrivateKeyPem());
        return (at + ".crt", at + ".key");
    }
}
