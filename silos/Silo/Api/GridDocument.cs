using System.Globalization;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace EnergyGrid.Silo;

/// <summary>A body that an endpoint reads by itself.</summary>
/// <param name="Holds">What is in it.</param>
/// <param name="Media">The media types that are taken.</param>
internal sealed record TakenBody(string Holds, string[] Media);

/// <summary>
/// What <c>/openapi/v1.json</c> says beyond what follows from the endpoints: the name and the description of each operation, of its parameters and of its answers. The summaries, the tags and which
/// answers there are stand with the endpoints.
/// </summary>
internal static class GridDocument
{
    /// <summary>Names and descriptions, by method and path. The names are what generated clients call: they stay.</summary>
    private static readonly Dictionary<string, (string Id, string Description)> Operations = new(StringComparer.Ordinal)
    {
        ["GET /"] = ("showGrid", "For browsers: sweeps, devices and sites at a glance, drawn by the silo and drawn again every 10 s. Programs read /v1."),
        ["GET /livez"] = ("checkLife", "Says ok as long as the process answers at all. For a service manager that restarts what hangs; needs no token."),
        ["GET /healthz"] = ("checkHealth", "The same as /livez, under its older name."),
        ["GET /readyz"] = ("checkReadiness", "503 names everything that is missing, in one sentence. For a load balancer; needs no token."),
        ["GET /metrics"] = ("getMetrics", "Made from snapshots alone: scraping it causes no grain call but for the sweeps. Energies in J, powers in W, times in s."),
        ["GET /v1/version"] = ("getVersion", "The product, its version, the silo's name and clock, and whether what keeps the grid's state answers this silo."),
        ["GET /v1/silos"] = ("listSilos", "As the membership has them: a silo that died is listed until it is forgotten there."),
        ["GET /v1/activations"] = ("listActivations", "For operators."),
        ["GET /v1/sites"] = ("listSites", "As of the latest closed window of each, at most 15 s old."),
        ["GET /v1/sites/{site}"] = ("getSite", "As of its latest closed window, at most 15 s old."),
        ["GET /v1/sites/{site}/ratio"] = ("getSiteRatio", "A value only where the meters covered enough of the time; else bounds alone. At most a day of windows, and only of those that the site still has."),
        ["GET /v1/events/windows"] = ("watchWindows", "Server-sent events of the type window, a site view each. A comment after every 10 s of silence. Never ends by itself."),
        ["GET /v1/nodes"] = ("listNodes", "A node is down when the silo that serves it is no member of the cluster."),
        ["GET /v1/stacks"] = ("listStacks", "As each node read them from its stacks file when it started; with them, whether the node is up."),
        ["DELETE /v1/nodes/{host}"] = ("forgetNode", "For operators. A node that is up is refused; one that comes back announces itself again."),
        ["GET /v1/devices"] = ("listDevices", "Of all nodes, those that are down included. Readings are null where nothing is known."),
        ["GET /v1/devices/{host}/{uuid}"] = ("getDevice", "Asked of the device itself, at most twice a second however many ask."),
        ["GET /v1/devices/{host}/{uuid}/power"] = ("watchDevicePower", "Server-sent events of the type power, ten readings a second at most. A caller that is slow loses the oldest ones."),
        ["GET /v1/plans/schema"] = ("getPlanSchema", "For editors that complete and check a plan as it is written."),
        ["POST /v1/plans/validate"] = ("validatePlan", "400 lists every fault with its line, column and key, as the submission would."),
        ["POST /v1/sweeps"] = ("submitSweep", "For operators. The sweep goes on by itself from here. 201 for a new sweep, 200 if this text was submitted under this id before; under one id, racing submissions of one text all succeed and of different texts one."),
        ["GET /v1/sweeps"] = ("listSweeps", "With when each was submitted and whether it has ended; how it stands is asked one by one."),
        ["GET /v1/sweeps/{id}"] = ("getSweep", "At most half a second old."),
        ["POST /v1/sweeps/{id}/pause"] = ("pauseSweep", "For operators. What runs is finished and kept."),
        ["POST /v1/sweeps/{id}/resume"] = ("resumeSweep", "For operators. What was given up is tried again."),
        ["POST /v1/sweeps/{id}/cancel"] = ("cancelSweep", "For operators. Its documents are written from what there is."),
        ["DELETE /v1/sweeps/{id}"] = ("removeSweep", "For operators. There is no way back but from the archived directory (POST /v1/sweeps/adopt)."),
        ["POST /v1/sweeps/adopt"] = ("adoptSweep", "For operators. The checksums of its manifest are checked before anything is kept."),
        ["GET /v1/sweeps/{id}/matrix"] = ("getSweepMatrix", "matrix.json. 404 until the first pass is complete; while the sweep runs it may still change."),
        ["GET /v1/sweeps/{id}/report"] = ("getSweepReport", "report.html. Its content security policy lets it draw and nothing else."),
        ["GET /v1/sweeps/{id}/cells.csv"] = ("getSweepCells", "A line for each cell, with a header; docs/results.md has the columns."),
        ["GET /v1/sweeps/{id}/trials"] = ("listSweepTrials", "In the order of commit, those of voided passes included."),
        ["GET /v1/sweeps/{id}/files"] = ("listSweepFiles", "Names and lengths, by name."),
        ["GET /v1/sweeps/{id}/files/{name}"] = ("getSweepFile", "Of a sweep that has ended, files have an ETag made of their SHA-256: If-None-Match is answered with 304 while it is the same."),
        ["GET /v1/sweeps/{id}/events"] = ("watchSweep", "Server-sent events: of the type event a line of events.ndjson, with its sequence as id; of the type status the sweep as it stands. Ends after the last status of an ended sweep."),
    };

    private static readonly Dictionary<string, string> Parameters = new(StringComparer.Ordinal)
    {
        ["site"] = "The site's name, as GET /v1/sites has it.",
        ["host"] = "The node's name, as GET /v1/nodes has it.",
        ["uuid"] = "The device's id on its node, as GET /v1/devices has it.",
        ["id"] = "The sweep's id: 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit. On submission it may be left out: the grid chooses one.",
        ["name"] = "The file's name, as GET /v1/sweeps/{id}/files has it: slashes in it are written as they are.",
        ["from"] = "First window, s since the Unix epoch.",
        ["to"] = "One past the last window, s since the Unix epoch.",
        ["priority"] = "From -100 to 100; of sweeps that want the same devices the higher one has them first. 0 if it is left out.",
        ["reason"] = "One line of printable text, at most 500 characters, shown to everybody who looks at the sweep.",
        ["manifest"] = "SHA-256 of the sweep's manifest.json, 64 digits of lower-case hex.",
        ["Last-Event-ID"] = "The sequence of the last event that was seen, a whole number from 0 on: the stream goes on after it. Left out, it begins with the first.",
        ["If-None-Match"] = "ETags of what the caller has.",
    };

    private static readonly Dictionary<string, string> Answers = new(StringComparer.Ordinal)
    {
        ["200"] = "As asked for.",
        ["201"] = "Made; Location says where it is.",
        ["204"] = "Done.",
        ["304"] = "What the caller has is what there is.",
        ["400"] = "The request, or the plan in it, is wrong: the detail says what is, and what would be right.",
        ["401"] = "A token is needed, or the one that was sent is none of this grid's.",
        ["403"] = "The token's role does not allow it, or a web page of another origin asked.",
        ["404"] = "There is no such thing.",
        ["409"] = "It cannot be done as things stand.",
        ["413"] = "The body is too long.",
        ["415"] = "The body is of a media type, character set or encoding that is not taken.",
        ["421"] = "The Host header does not name this machine's loopback, where this silo is served.",
        ["500"] = "The silo failed for a reason of its own.",
        ["503"] = "Something that is needed is away: the detail says what. It is tried again by the grid itself; Retry-After says when to ask again.",
    };

    public static void AddGridDocument(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.AddSchemaTransformer((schema, context, _) =>
        {
            Numbers(schema, Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type);
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            Describe(operation, context);
            return Task.CompletedTask;
        });
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "EnergyGrid",
                Version = "v1",
                Description = "How many joules a token costs: sites and their power, devices, sweeps and their matrices. Energy in J, power in W, time in s; a number that is not there is null. "
                    + "Each thing has one form: Accept is not negotiated. Refusals are application/problem+json (RFC 9457), whatever is accepted. HEAD is answered wherever GET is. Answers are compressed for whoever accepts it.",
            };
            document.Components ??= new OpenApiComponents();
            document.Components.Schemas?.Remove("ProblemDetails");
            // Below an array that may be missing the schemas are made past the transformer.
            foreach (var schema in (document.Components.Schemas?.Values ?? []).SelectMany(s => s.Properties?.Values ?? []).OfType<OpenApiSchema>())
                if (schema.Pattern is not null && schema.Type is { } type && type.HasFlag(JsonSchemaType.Integer)) Whole(schema);
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A token of the silo's token file. Not needed on a loopback silo without one." },
            };
            return Task.CompletedTask;
        });
    });

    /// <summary>The answers that every operation may give, with the form that all refusals have.</summary>
    public static T RefusesAsAll<T>(this T endpoints) where T : IEndpointConventionBuilder
    {
        foreach (var status in (int[])[401, 403, 421, 500, 503])
            endpoints.WithMetadata(new ProducesResponseTypeMetadata(status, typeof(GridProblem), [Problems.MediaType]));
        return endpoints;
    }

    private const string Bearer = "bearer";

    private static void Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var path = "/" + context.Description.RelativePath?.Replace("*", "", StringComparison.Ordinal);
        if (Operations.TryGetValue($"{context.Description.HttpMethod} {path}", out var said)) (operation.OperationId, operation.Description) = said;

        foreach (var header in metadata.OfType<TakenHeader>())
            (operation.Parameters ??= []).Add(new OpenApiParameter { Name = header.Name, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String } });
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
            if (parameter.Name is { } name && Parameters.TryGetValue(name, out var what)) parameter.Description = what;

        if (metadata.OfType<TakenBody>().FirstOrDefault() is { } body)
            operation.RequestBody = new OpenApiRequestBody
            {
                Description = body.Holds,
                Required = true,
                Content = body.Media.ToDictionary(m => m, m => new OpenApiMediaType { Schema = new OpenApiSchema { Type = m.EndsWith("json", StringComparison.Ordinal) ? JsonSchemaType.Object : JsonSchemaType.String } }),
            };

        foreach (var (status, answer) in operation.Responses ?? [])
        {
            if (answer is not OpenApiResponse response) continue;
            if (Answers.TryGetValue(status, out var meaning)) response.Description = meaning;
            if (int.Parse(status, CultureInfo.InvariantCulture) >= 400)
                response.Content = new Dictionary<string, OpenApiMediaType> { [Problems.MediaType] = new() { Schema = new OpenApiSchemaReference(nameof(GridProblem), context.Document) } };
        }

        // A token, or on a loopback silo without a token file nothing.
        if (!metadata.OfType<IAllowAnonymous>().Any())
            operation.Security = [new() { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }, new()];
    }

    // Our numbers are written by a converter of our own, of which a schema knows nothing; and they are never taken as text, whatever may be read as one.
    private static void Numbers(OpenApiSchema schema, Type type)
    {
        if (type == typeof(double)) (schema.Type, schema.Format) = (JsonSchemaType.Number | JsonSchemaType.Null, "double");
        else if (type == typeof(int) || type == typeof(long)) Whole(schema);
    }

    private static void Whole(OpenApiSchema schema) => (schema.Type, schema.Pattern) = (JsonSchemaType.Integer | ((schema.Type ?? default) & JsonSchemaType.Null), null);
}

/// <summary>A header that an endpoint reads by itself.</summary>
internal sealed record TakenHeader(string Name);
