using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace EnergyGrid.Silo;

/// <summary>
/// HEAD is answered wherever GET is, with the same head (RFC 9110, 9.3.2). The request is taken for a GET until it has been answered; the server itself sends no body to a HEAD. What would write a long
/// or an endless body asks <see cref="Is"/> and writes none.
/// </summary>
internal static class HeadRequests
{
    private static readonly object Mark = new();

    /// <summary>Before routing.</summary>
    public static void UseHeadRequests(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await next(context);
            return;
        }
        context.Items[Mark] = true;
        context.Request.Method = HttpMethods.Get;
        try { await next(context); }
        finally { context.Request.Method = HttpMethods.Head; }
    });

    public static bool Is(HttpContext context) => context.Items.ContainsKey(Mark);
}
