using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

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
        .Accepts<string>("application/yaml", "application/json").ProducesProblem(400).ProducesProblem(413).ProducesProblem(415);

    /// <summary>Reads, checks and resolves the plan in a request's body.</summary>
    public static async Task<(string Text, ResolvedPlan Plan, ImmutableArray<PlanFault> Warnings)> Read(HttpContext context, IPlanDesk desk, SiteSnapshots sites)
    {
        var media = context.Request.ContentType?.Split(';')[0].Trim().ToLowerInvariant();
        var json = media == "application/json";
        // Not text/plain: a web page may send that anywhere without asking first.
        if (!json && media is not ("application/yaml" or "application/x-yaml" or "text/yaml" or "text/x-yaml"))
            throw new WrongMediaException($"'{media}' is no media type of a plan; send application/yaml or application/json.");
        if (context.Request.ContentLength > SiloOptions.MaxBodyBytes) throw new BadHttpRequestException(Problems.TooLarge, StatusCodes.Status413PayloadTooLarge);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(body.GetBuffer(), 0, (int)body.Length);
        }
        catch (DecoderFallbackException e)
        {
            throw new FaultyPlanException([new("plan", 0, 0, "", $"byte {e.Index} is not UTF-8", "a plan is text in UTF-8")]);
        }
        if (json) RefuseMalformed(text);
        var verdict = desk.Check(text, "plan", [.. sites.Fresh().DevicesUp]);
        return verdict.Plan is { } plan ? (text, plan, verdict.Warnings) : throw new FaultyPlanException(verdict.Faults);
    }

    private static void RefuseMalformed(string text)
    {
        try
        {
            using var _ = JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            var (line, column) = ((int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
            throw new FaultyPlanException([new("plan", line, column, "", $"malformed JSON: {e.Message.Split(" Path:")[0].Split(" LineNumber:")[0]}", "one JSON object as in GET /v1/plans/schema")]);
        }
    }
}
