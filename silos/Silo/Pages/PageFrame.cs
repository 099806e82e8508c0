using System.Reflection;
using System.Text;
using EnergyGrid.Report;
using Microsoft.AspNetCore.Http;

namespace EnergyGrid.Silo;

/// <summary>
/// What every page of a silo has around it: one document without a script, in the colours of the report, light and dark as the reader's machine is. Its content security policy allows its own style,
/// by its hash, and nothing else.
/// </summary>
internal static class PageFrame
{
    private const string MediaType = "text/html";

    private static readonly string Style = ReportPage.Palette + Sheet();
    private static readonly string Policy = $"default-src 'none'; style-src 'sha256-{ReportPage.Hash(Style)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Whether a request came from somebody who reads pages.</summary>
    public static bool IsWanted(HttpRequest request) => request.GetTypedHeaders().Accept.Any(a => a.MediaType.Equals(MediaType, StringComparison.OrdinalIgnoreCase));

    /// <summary>Answers with a page.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">HTTP status.</param>
    /// <param name="title">Of the document.</param>
    /// <param name="body">What stands in it.</param>
    /// <param name="refreshSeconds">After how long the browser asks again, s; 0 for never.</param>
    public static Task Write(HttpContext context, int status, string title, Markup body, int refreshSeconds = 0)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = MediaType + "; charset=utf-8";
        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        var refresh = refreshSeconds > 0 ? Markup.Of($"<meta http-equiv=\"refresh\" content=\"{refreshSeconds}\">\n") : Markup.Empty;
        var page = Markup.Of($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            {refresh}<meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>{title}</title>
            <style>{Markup.Trusted(Style)}</style>
            </head>
            <body>
            {body}
            </body>
            </html>
            """);
        return context.Response.WriteAsync(page.ToString().ReplaceLineEndings("\n") + "\n", context.RequestAborted);
    }

    private static string Sheet()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("silo-page.css") ?? throw new InvalidOperationException("The sheet of the silo's pages is missing from this build.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
