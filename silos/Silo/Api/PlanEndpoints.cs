using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace EnergyGrid.Silo;

internal static class PlanEndpoints
{
    public static void MapPlans(this RouteGroupBuilder v1)
    {
        v1.MapGet("/plans/schema", (IPlanDesk desk) => TypedResults.Text(desk.Schema, "application/schema+json"))
            .WithSummary("The JSON schema of plans.").WithTags("plans").Produces<string>(200, "application/schema+json");

        v1.MapPost("/plans/validate", async (HttpContext context, IPlanDesk desk, SiteSnapshots sites) =>
            {
                var (_, plan, warnings) = await Read(context, desk, sites);
                return TypedResults.Ok(PlanSummary.Of(plan) with { Warnings = warnings });
            })
            .WithSummary("Checks a plan and keeps nothing.").WithTags("plans").AcceptsPlan();
    }

    public static RouteHandlerBuilder AcceptsPlan(this RouteHandlerBuilder endpoint) => endpoint
        .WithMetadata(new TakenBody("A plan as YAML or JSON in UTF-8, at most 1 MiB, plain or as gzip.", [.. Yaml, Json])).ProducesProblem(400).ProducesProblem(413).ProducesProblem(415);

    private const string Json = "application/json";

    // Not text/plain: a web page may send that anywhere without asking first.
    private static readonly string[] Yaml = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];

    /// <summary>Reads, checks and resolves the plan in a request's body.</summary>
    public static async Task<(string Text, ResolvedPlan Plan, ImmutableArray<PlanFault> Warnings)> Read(HttpContext context, IPlanDesk desk, SiteSnapshots sites)
    {
        var media = MediaTypeOf(context.Request);
        using var body = await Body(context);
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(body.GetBuffer(), 0, (int)body.Length);
        }
        catch (DecoderFallbackException e)
        {
            throw new FaultyPlanException([new("plan", 0, 0, "", $"byte {e.Index} is not UTF-8", "a plan is text in UTF-8")]);
        }
        // A mark in front of the text is none of it: with or without it, it is the same plan.
        if (text.StartsWith('\uFEFF')) text = text[1..];
        if (media == Json) RefuseMalformed(text);
        var verdict = desk.Check(text, "plan", [.. sites.Fresh().DevicesUp]);
        return verdict.Plan is { } plan ? (text, plan, verdict.Warnings) : throw new FaultyPlanException(verdict.Faults);
    }

    private static string MediaTypeOf(HttpRequest request)
    {
        const string Right = "send application/yaml or application/json, in UTF-8";
        if (string.IsNullOrWhiteSpace(request.ContentType)) throw new WrongMediaException($"The body has no Content-Type; {Right}.");
        var media = MediaTypeHeaderValue.TryParse(request.ContentType, out var parsed) ? parsed.MediaType.Value?.ToLowerInvariant() : null;
        if (media is null || (media != Json && !Yaml.Contains(media))) throw new WrongMediaException($"'{request.ContentType}' is no media type of a plan; {Right}.");
        if (parsed!.Charset is { HasValue: true } charset && !HeaderUtilities.RemoveQuotes(charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            throw new WrongMediaException($"The body is in '{charset}'; {Right}.");
        return media;
    }

    // What is packed is small at first: the limit holds for what comes out.
    private static async Task<MemoryStream> Body(HttpContext context)
    {
        var encoding = context.Request.Headers.ContentEncoding.ToString().Trim().ToLowerInvariant();
        if (encoding is not ("" or "identity" or "gzip" or "x-gzip"))
        {
            context.Response.Headers.AcceptEncoding = "gzip";
            throw new WrongMediaException($"'{encoding}' is no encoding of a plan that is taken; send it as it is, or as gzip.");
        }
        if (context.Request.ContentLength > SiloOptions.MaxBodyBytes) throw TooLarge();
        var body = await Limited(context.Request.Body, context.RequestAborted);
        if (!encoding.EndsWith("gzip", StringComparison.Ordinal)) return body;
        try
        {
            body.Position = 0;
            await using var unpacking = new GZipStream(body, CompressionMode.Decompress, leaveOpen: true);
            var text = await Limited(unpacking, context.RequestAborted);
            // What was cut off is taken for the end: the length that the last four bytes tell says that it is one.
            if (body.Length < 18 || BinaryPrimitives.ReadUInt32LittleEndian(body.GetBuffer().AsSpan((int)body.Length - 4, 4)) != (uint)text.Length) throw new InvalidDataException();
            return text;
        }
        catch (InvalidDataException)
        {
            throw new MalformedException("The body is no sound gzip, which its Content-Encoding says it is: it is damaged, cut off, or longer than one file.");
        }
    }

    private static async Task<MemoryStream> Limited(Stream source, CancellationToken stop)
    {
        var (all, buffer) = (new MemoryStream(), new byte[16384]);
        while (await source.ReadAsync(buffer, stop) is > 0 and var read)
        {
            if (all.Length + read > SiloOptions.MaxBodyBytes) throw TooLarge();
            all.Write(buffer, 0, read);
        }
        return all;
    }

    private static BadHttpRequestException TooLarge() => new(Problems.TooLarge, StatusCodes.Status413PayloadTooLarge);

    private static void RefuseMalformed(string text)
    {
        try
        {
            // As deep as it likes: the reader of plans says itself how deep a plan may be.
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = (int)SiloOptions.MaxBodyBytes });
            while (reader.Read())
            {
                // Only whether it is JSON to its end.
            }
        }
        catch (JsonException e)
        {
            var (line, column) = ((int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
            throw new FaultyPlanException([new("plan", line, column, "", "is not valid JSON here", "one JSON object as in GET /v1/plans/schema, without comments and without a comma before a closing bracket")]);
        }
    }
}
