using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace EnergyGrid.Silo;

/// <summary>
/// A silo on loopback trusts this machine's users, not the web pages that they have open. A page can make a browser ask a name that it
/// points at 127.0.0.1 (DNS rebinding: the Host header gives it away) or post to 127.0.0.1 outright (the Origin header gives it away).
/// </summary>
internal static class LoopbackGuard
{
    public static void UseLoopbackGuard(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        var host = context.Request.Host.Host;
        if (!IsLoopback(host))
        {
            await Problems.Write(context, StatusCodes.Status421MisdirectedRequest, $"Host '{host}' is not this machine's loopback; ask http://127.0.0.1:PORT or http://localhost:PORT.");
            return;
        }
        var origin = context.Request.Headers.Origin.ToString();
        if (origin.Length > 0 && !(Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Authority == context.Request.Host.Value))
        {
            await Problems.Write(context, StatusCodes.Status403Forbidden, $"A page of '{origin}' may not use this grid.");
            return;
        }
        await next(context);
    });

    private static bool IsLoopback(string host) => host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
