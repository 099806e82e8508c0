using System.Formats.Tar;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace EnergyGrid.Silo;

/// <summary>Results that leave the grid, and results that come back.</summary>
internal static class RetentionEndpoints
{
    private const string Tar = "application/x-tar";

    /// <summary>Of one sweep's directory, B.</summary>
    private const long MaxArchiveBytes = 4L << 30;

    public static void MapRetention(this RouteGroupBuilder v1)
    {
        v1.MapDelete("/sweeps/{id}", Remove).RequireAuthorization(Roles.Operator).ProducesProblem(400).ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Removes an ended sweep and its results, if ?manifest= is the SHA-256 of its manifest.json: what goes is what was archived.").WithTags("sweeps");
        v1.MapPost("/sweeps/adopt", Adopt).RequireAuthorization(Roles.Operator).ProducesProblem(400).ProducesProblem(409).ProducesProblem(413).ProducesProblem(415)
            .WithMetadata(new TakenBody("The files of a sweep's directory as a tar, with their names in the directory; at most 4 GiB.", [Tar]))
            .WithSummary("Takes in the directory of an ended sweep, as a tar of its files, under the sweep's id.").WithTags("sweeps");
    }

    private static async Task<NoContent> Remove(string id, string? manifest, HttpContext context, SweepSnapshots sweeps, IResultRetention retention, IGrainFactory grains)
    {
        var stop = context.RequestAborted;
        await sweeps.Require(id, stop);
        if (manifest is not { Length: 64 } || !manifest.All(char.IsAsciiHexDigitLower)) throw new MalformedException("manifest= must be the SHA-256 of the sweep's manifest.json, 64 digits of lower-case hex.");
        // Results first: a sweep that is still listed can be removed again, results that nobody lists would stay for ever.
        await retention.Remove(id, manifest, stop);
        await grains.GetGrain<ISweepGrain>(id).Forget();
        await grains.GetGrain<ISweepIndexGrain>("grid").Remove(id);
        sweeps.Changed(id);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<SweepLine>> Adopt(HttpContext context, SweepSnapshots sweeps, IResultRetention retention, IGrainFactory grains)
    {
        if (context.Request.ContentType?.Split(';')[0].Trim().ToLowerInvariant() != Tar) throw new WrongMediaException($"'{context.Request.ContentType}' is no directory of results; send its files as {Tar}.");
        if (context.Request.Headers.ContentEncoding.Count > 0) throw new WrongMediaException($"A tar is taken as it is, not as '{context.Request.Headers.ContentEncoding}'.");
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = MaxArchiveBytes;
        var directory = Directory.CreateTempSubdirectory("energygrid-adopt-");
        try
        {
            await Extract(context.Request.Body, directory.FullName, context.RequestAborted);
            if (!File.Exists(Path.Combine(directory.FullName, "manifest.json"))) throw new MalformedException("The tar holds no manifest.json: it is no directory of results.");
            var manifest = await retention.Adopt(directory.FullName, context.RequestAborted);
            var line = new SweepLine(manifest.Sweep, manifest.Plan, manifest.SubmittedUtc, true);
            await grains.GetGrain<ISweepIndexGrain>("grid").Add(line);
            sweeps.Changed(line.Id);
            return TypedResults.Ok(line);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    // Plain files below the directory and nothing else: no link, no device, no name that leads out.
    private static async Task Extract(Stream tar, string directory, CancellationToken stop)
    {
        try
        {
            await using var reader = new TarReader(tar);
            while (await reader.GetNextEntryAsync(cancellationToken: stop) is { } entry)
            {
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) throw new MalformedException($"'{entry.Name}' in the tar is a {entry.EntryType}; only plain files belong to results.");
                if (entry.Name.Length == 0 || entry.Name.Contains('\\') || entry.Name.Split('/').Any(part => part is "" or "." or "..")) throw new MalformedException($"'{entry.Name}' in the tar is no name of a result file.");
                var path = Path.Combine(directory, entry.Name);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await entry.ExtractToFileAsync(path, overwrite: false, stop);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new MalformedException("The body is no sound tar, or it ended too soon.");
        }
    }
}
