using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace EnergyGrid.Silo.Tests;

public sealed class SiloTlsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Authority _ours;
    private readonly Authority _others;

    public SiloTlsTests() => (_ours, _others) = (new Authority(_directory.Path, "ours"), new Authority(_directory.Path, "others"));

    public void Dispose() => _directory.Dispose();

    private static SiloTls Read((string Certificate, string Key) files, Authority authority) => SiloTls.Read(files.Certificate, files.Key, authority.File, TimeProvider.System)!;

    [Fact]
    public void A_certificate_of_the_authority_for_both_sides_is_taken() => Assert.Null(Read(_ours.Issue("a"), _ours).Fault(Read(_ours.Issue("b"), _ours).Certificate));

    [Theory]
    [InlineData("expired", "'a' expired on ")]
    [InlineData("early", "'a' is not valid before ")]
    [InlineData("server only", "serverAuth and clientAuth")]
    [InlineData("client only", "serverAuth and clientAuth")]
    [InlineData("no use", "serverAuth and clientAuth")]
    [InlineData("other authority", "'a', issued by 'others', does not come from the authority in ")]
    public void A_certificate_that_others_would_refuse_is_refused_at_the_start_with_its_name(string kind, string says)
    {
        var files = kind switch
        {
            "expired" => _ours.Issue("a", -30, -1),
            "early" => _ours.Issue("a", 1),
            "server only" => _ours.Issue("a", client: false),
            "client only" => _ours.Issue("a", server: false),
            "no use" => _ours.Issue("a", server: false, client: false),
            _ => _others.Issue("a"),
        };
        Assert.Contains(says, Assert.Throws<SiloRefusedException>(() => Read(files, _ours)).Message);
    }

    [Fact]
    public void Files_that_are_missing_or_do_not_belong_together_are_refused()
    {
        var (certificate, key) = _ours.Issue("a");
        Assert.Null(SiloTls.Read(null, null, null, TimeProvider.System));
        Assert.Contains("--silo-ca is missing", Refusal(certificate, key, null));
        Assert.Contains("--silo-certificate is missing", Refusal(null, null, _ours.File));
        Assert.Contains("cannot be used", Refusal(certificate, _ours.Issue("b").Key, _ours.File));
        Assert.Contains("cannot be used", Refusal(certificate, key, Path.Combine(_directory.Path, "none")));
        Assert.Contains("holds no certificate", Refusal(certificate, key, key));

        static string Refusal(string? certificate, string? key, string? authority) =>
            Assert.Throws<SiloRefusedException>(() => SiloTls.Read(certificate, key, authority, TimeProvider.System)).Message;
    }

    [Fact]
    public async Task A_greeting_tells_which_side_does_not_trust_the_other()
    {
        var (a, b) = (Read(_ours.Issue("a"), _ours), Read(_ours.Issue("b"), _ours));
        var stranger = Read(_others.Issue("stranger"), _others);
        Assert.Null(await Greet(a, b));
        Assert.Contains("its certificate 'stranger', issued by 'others'", await Greet(a, stranger));
        // The stranger takes everybody's certificate and shows one that nobody takes; here it is the one who asks.
        Assert.Contains("refuses the certificate of this one", await Greet(Trusting(stranger, a), a));

        SiloTls Trusting(SiloTls shown, SiloTls trusted)
        {
            var both = Path.Combine(_directory.Path, "both.pem");
            File.WriteAllText(both, File.ReadAllText(shown.AuthorityFile) + "\n" + File.ReadAllText(trusted.AuthorityFile));
            var (certificate, key) = _others.Issue("stranger");
            return SiloTls.Read(certificate, key, both, TimeProvider.System)!;
        }
    }

    private static async Task<string?> Greet(SiloTls client, SiloTls server)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var accepted = await listener.AcceptTcpClientAsync();
            await using var stream = new SslStream(accepted.GetStream(), false, (_, certificate, _, _) => certificate is System.Security.Cryptography.X509Certificates.X509Certificate2 shown && server.Fault(shown) is null);
            try
            {
                await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = server.Certificate, ClientCertificateRequired = true });
                await stream.CopyToAsync(Stream.Null); // until the other side hangs up
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // Which the client is to tell.
            }
        });
        var said = await client.Greet((IPEndPoint)listener.LocalEndpoint, new CancellationTokenSource(TimeSpan.FromSeconds(10)).Token);
        await serving;
        return said;
    }
}
