using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Kestrel on loopback with HTTP/2 alone, with prior knowledge and without TLS; what it answers is scripted.</summary>
internal sealed class KestrelEngine : IAsyncDisposable
{
    private readonly WebApplication _app;

    private KestrelEngine(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    public static async Task<KestrelEngine> Start(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return new KestrelEngine(app);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
