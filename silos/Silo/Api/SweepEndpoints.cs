using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace EnergyGrid.Silo;

internal static partial class SweepEndpoints
{
    public static void MapSweeps(this RouteGroupBuilder v1)
    {
        v1.MapPost("/sweeps", Submit).RequireAuthorization(Roles.Operator).AcceptsPlan().ProducesProblem(409)
            .WithSummary("Submits a plan. With ?id= the same text again changes nothing; another text under a taken id is refused. ?priority= decides among sweeps that want the same devices.").WithTags("sweeps");
        v1.MapGet("/sweeps", async (SweepSnapshots sweeps, CancellationToken stop) => TypedResults.Ok(await sweeps.List(stop)))
            .WithSummary("All sweeps, newest first.").WithTags("sweeps");
        v1.MapGet("/sweeps/{id}", async (string id, SweepSnapshots sweeps, CancellationToken stop) => TypedResults.Ok(await sweeps.Status(id, stop)))
            .WithSummary("One sweep as it stands.").WithTags("sweeps").ProducesProblem(404);
        v1.MapAct("pause", "Stops it between trials.", (sweep, reason) => sweep.Pause(reason));
        v1.MapAct("resume", "Goes on after a pause.", (sweep, _) => sweep.Resume());
        v1.MapAct("cancel", "Ends it; what was committed stays.", (sweep, reason) => sweep.Cancel(reason));

        var one = v1.MapGroup("/sweeps/{id}").WithTags("results").ProducesProblem(404);
        one.MapGet("/matrix", async (string id, SweepSnapshots sweeps, IResultFiles files, CancellationToken stop) =>
            {
                await sweeps.Require(id, stop);
                return TypedResults.Ok(await files.Matrix(id, stop) ?? throw new UnknownException($"Sweep '{id}' has no matrix yet; it is written when the first pass is complete."));
            })
            .WithSummary("The J/token matrix as far as it is known.");
        one.MapGet("/report", (string id, HttpContext context, SweepSnapshots sweeps, IResultFiles files) => SendFile(id, "report.html", context, sweeps, files))
            .WithSummary("The report, one self-contained HTML document.").Produces<string>(200, "text/html").Conditional();
        one.MapGet("/cells.csv", (string id, HttpContext context, SweepSnapshots sweeps, IResultFiles files) => SendFile(id, "cells.csv", context, sweeps, files))
            .WithSummary("The cells as CSV.").Produces<string>(200, "text/csv").Conditional();
        one.MapGet("/trials", SendTrials)
            .WithSummary("Committed trials, one JSON document a line.").Produces<TrialResult>(200, "application/x-ndjson");
        one.MapGet("/files", async (string id, SweepSnapshots sweeps, IResultFiles files, CancellationToken stop) =>
            {
                await sweeps.Require(id, stop);
                return TypedResults.Ok((await files.Files(id, stop)).Select(f => new FileLine(f.Name, f.Bytes)).ToImmutableArray());
            })
            .WithSummary("The files of its results.");
        one.MapGet("/files/{**name}", (string id, string name, HttpContext context, SweepSnapshots sweeps, IResultFiles files) => SendFile(id, name, context, sweeps, files))
            .WithSummary("One file of its results.").Produces<byte[]>(200, "application/octet-stream").ProducesProblem(400).Conditional();
        one.MapGet("/events", Events).WithSummary("Its events, and its status whenever that changes. Last-Event-ID goes on after that event.")
            .Produces<SweepEvent>(200, "text/event-stream").ProducesProblem(400).WithMetadata(new TakenHeader("Last-Event-ID"));
    }

    private static void Conditional(this RouteHandlerBuilder endpoint) => endpoint.WithMetadata(new TakenHeader("If-None-Match")).Produces(304);

    private static void MapAct(this RouteGroupBuilder v1, string verb, string summary, Func<ISweepGrain, string, Task<SweepStatus>> act) =>
        v1.MapPost($"/sweeps/{{id}}/{verb}", async (string id, string? reason, HttpContext context, SweepSnapshots sweeps, IGrainFactory grains) =>
            {
                await sweeps.Require(id, context.RequestAborted);
                if (reason is { Length: > 500 }) throw new MalformedException($"The reason has {reason.Length} characters; at most 500.");
                // It is shown to everybody who looks at the sweep, and stays in its events.
                if (reason is not null && Unprintable.In(reason, lines: false) is { } unprintable) throw new MalformedException($"The reason {unprintable}; it is one line of printable text.");
                var status = await act(grains.GetGrain<ISweepGrain>(id), reason ?? $"by {context.User.Identity?.Name}");
                sweeps.Changed(id);
                return TypedResults.Ok(status);
            })
            .RequireAuthorization(Roles.Operator).WithSummary(summary).WithTags("sweeps").ProducesProblem(400).ProducesProblem(404).ProducesProblem(409);

    private static async Task<Results<Created<SweepStatus>, Ok<SweepStatus>>> Submit(
        string? id, int? priority, HttpContext context, IPlanDesk desk, SiteSnapshots sites, SweepSnapshots sweeps, IGrainFactory grains, TimeProvider time)
    {
        if (id is not null && !IdForm().IsMatch(id))
            throw new MalformedException($"id '{id}' is no sweep id; 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit.");
        if (priority is < -100 or > 100) throw new MalformedException($"priority {priority} is not from -100 to 100; 0 is what a sweep has without it.");
        var (text, plan, _) = await PlanEndpoints.Read(context, desk, sites);
        id ??= NewId(plan.Name, time);
        using var span = GridTelemetry.Start("submit", id)?.SetTag("energygrid.sweep", id);
        var known = await sweeps.Knows(id, context.RequestAborted);
        SweepStatus status;
        try
        {
            status = await grains.GetGrain<ISweepGrain>(id).Submit(text, context.User.Identity?.Name ?? "unknown", priority ?? 0);
        }
        catch (RefusedException e) when (!known)
        {
            // Unless somebody else has just taken the id, it is the plan that cannot be obeyed here: hardware that nobody has.
            sweeps.Changed(id);
            if (await sweeps.Knows(id, context.RequestAborted)) throw;
            throw new FaultyPlanException([new("plan", 0, 0, "hardware", e.Message.TrimEnd('.'), "GET /v1/devices and GET /v1/stacks list what this grid has")]);
        }
        sweeps.Changed(id);
        return known ? TypedResults.Ok(status) : TypedResults.Created($"/v1/sweeps/{id}", status);
    }

    // Not the journal as it lies on the disk: its lines wrap each document in a checksum.
    private static async Task SendTrials(string id, HttpContext context, SweepSnapshots sweeps, IResultStore store)
    {
        var stop = context.RequestAborted;
        await sweeps.Require(id, stop);
        var trials = await store.Results(id, 0, stop);
        context.Response.ContentType = MediaType(".ndjson");
        foreach (var trial in trials)
        {
            await JsonSerializer.SerializeAsync(context.Response.Body, trial, DocumentJson.Compact, stop);
            await context.Response.Body.WriteAsync("\n"u8.ToArray(), stop);
        }
    }

    private static async Task SendFile(string id, string name, HttpContext context, SweepSnapshots sweeps, IResultFiles files)
    {
        var stop = context.RequestAborted;
        await sweeps.Require(id, stop);
        if (Leaves(name) || Leaves(Uri.UnescapeDataString(name))) throw new MalformedException($"'{name}' is no file name of a sweep; GET /v1/sweeps/{id}/files lists them.");
        if (await TagOf(id, name, files, stop) is { } tag)
        {
            context.Response.Headers.ETag = tag.ToString();
            // Kept by the caller, and asked for again before each use.
            context.Response.Headers.CacheControl = "private, no-cache";
            if (IsKnown(context, tag))
            {
                context.Response.StatusCode = StatusCodes.Status304NotModified;
                return;
            }
        }
        await using var file = await files.Open(id, name, stop);
        if (file is null) throw new UnknownException($"Sweep '{id}' has no file '{name}' (yet); GET /v1/sweeps/{id}/files lists them.");
        var type = MediaType(name);
        context.Response.ContentType = type;
        // A report is somebody's results: it may draw, but not ask this grid for anything in its reader's name.
        if (type.StartsWith("text/html", StringComparison.Ordinal))
            context.Response.Headers.ContentSecurityPolicy = "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; font-src data:";
        if (file.CanSeek) context.Response.ContentLength = file.Length;
        if (!HeadRequests.Is(context)) await file.CopyToAsync(context.Response.Body, stop);
    }

    // Of a sweep that has ended its manifest knows every file by its checksum. Weak, because what travels may be packed.
    private static async Task<EntityTagHeaderValue?> TagOf(string id, string name, IResultFiles files, CancellationToken stop) =>
        await files.Manifest(id, stop) is { EndedUtc: not null } manifest && manifest.Files.FirstOrDefault(f => f.Name == name) is { } file ? new($"\"{file.Sha256}\"", isWeak: true) : null;

    private static bool IsKnown(HttpContext context, EntityTagHeaderValue tag) =>
        context.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(tag, useStrongComparison: false));

    private static bool Leaves(string name) => name.Length == 0 || name.StartsWith('/') || name.Contains('\\') || name.Contains('\0') || name.Split('/').Any(part => part is "." or ".." or "");

    private static string MediaType(string name) => Path.GetExtension(name) switch
    {
        ".json" => "application/json; charset=utf-8",
        ".ndjson" => "application/x-ndjson; charset=utf-8",
        ".csv" => "text/csv; charset=utf-8",
        ".html" => "text/html; charset=utf-8",
        ".yaml" => "application/yaml; charset=utf-8",
        _ => "application/octet-stream",
    };

    private static async Task Events(string id, HttpContext context, SweepFeeds feeds)
    {
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        var next = 0;
        if (last.Length > 0)
        {
            if (!int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out next) || next == int.MaxValue)
                throw new MalformedException($"Last-Event-ID '{last}' is no sequence number of an event: one whole number from 0 on, the id of the last event that was seen.");
            next++;
        }
        using var viewer = await feeds.Join(id, context.RequestAborted);
        using var stream = await EventStream.Begin(context);
        await stream.Run(async () =>
        {
            SweepStatus? shown = null;
            for (var version = -1L; ;)
            {
                (var feed, version) = await stream.Await(viewer.Feed.After(version, stream.End));
                for (; next < feed.Events.Count; next++) await stream.Send("event", feed.Events[next].Sequence, feed.Events[next]);
                // The last status goes out once everything else has: it is what tells the caller to leave.
                if (!ReferenceEquals(feed.Status, shown) && (!feed.Status.HasEnded || feed.Complete)) await stream.Send("status", null, shown = feed.Status);
                if (feed.Complete) return;
            }
        });
    }

    private static string NewId(string plan, TimeProvider time)
    {
        var slug = string.Join('-', SlugWord().Matches(plan.ToLowerInvariant()).Select(m => m.Value));
        return $"{(slug.Length > 32 ? slug[..32].TrimEnd('-') : slug.Length > 0 ? slug : "sweep")}-{time.GetUtcNow():yyyyMMdd-HHmmss}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}";
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex IdForm();

    [GeneratedRegex("[a-z0-9]+", RegexOptions.CultureInvariant)]
    private static partial Regex SlugWord();
}
