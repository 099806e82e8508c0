using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>
/// <c>report.html</c>: one self-contained file. No network, no foreign fonts; drawings are made here, so the page is whole without a script, which only
/// sorts tables and marks the same cell everywhere. A content security policy allows this page's own style and script by their hashes and nothing else.
/// All text from plans and devices is escaped.
/// </summary>
public static class ReportPage
{
    /// <param name="matrix">What is reported.</param>
    /// <param name="manifest">What ran where.</param>
    /// <param name="traces">Power traces of some trials; may be empty. The first 24 are drawn.</param>
    /// <param name="events">What happened; voids, pauses and the like are listed. May be null.</param>
    /// <returns>The page's text, to be written as UTF-8 without a byte order mark.</returns>
    public static string Render(Matrix matrix, Manifest manifest, IReadOnlyList<PowerTrace> traces, IReadOnlyList<SweepEvent>? events = null)
    {
        var writer = new PageWriter(matrix, manifest, traces, events ?? []);
        var standing = writer.Standing;
        // The word is one of ours: no text of a plan stands in the style.
        var style = (Palette + Resource("page.css"))
            .Replace("/*word*/", standing.Word, StringComparison.Ordinal)
            .Replace("/*heat-light*/", HeatScale.Css(dark: false), StringComparison.Ordinal)
            .Replace("/*heat-dark*/", HeatScale.Css(dark: true), StringComparison.Ordinal);
        var script = Resource("page.js");
        return Markup.Of($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{Markup.Trusted(Hash(style))}'; script-src 'sha256-{Markup.Trusted(Hash(script))}'; base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="referrer" content="no-referrer">
            <title>{standing.Word}: {matrix.Plan} — joules per token</title>
            <style>{Markup.Trusted(style)}</style>
            </head>
            <body class="{(standing.Mixed ? "mixed" : "uniform")}">
            {writer.Body()}
            <script>{Markup.Trusted(script)}</script>
            </body>
            </html>
            """).ToString().ReplaceLineEndings("\n") + "\n";
    }

    /// <summary>The colours and type faces of every page of ours, light and dark, as custom properties of the root.</summary>
    public static string Palette { get; } = Resource("palette.css");

    /// <summary>Of an inline style or script, as a content security policy names it.</summary>
    internal static string Hash(string text) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Resource(string name)
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The resource {name} is missing from this build.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
