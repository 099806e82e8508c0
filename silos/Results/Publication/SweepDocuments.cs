using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;
using EnergyGrid.Report;

namespace EnergyGrid.Results;

/// <summary>A file that is rendered.</summary>
public sealed record RenderedFile(string Name, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Its line in the manifest.</summary>
    public ManifestFile Line => new(Name, Bytes.Length, SweepFileName.Sha256(Bytes.Span));
}

/// <summary>What a sweep's documents are made from.</summary>
/// <param name="Sweep">Its id.</param>
/// <param name="Plan">Null: this version cannot read it. Then there is a manifest, and nothing that would need the plan.</param>
/// <param name="PlanSha256">Its identity as it was when the sweep was made.</param>
/// <param name="Record">How the sweep stands.</param>
/// <param name="Trials">All committed results up to the record.</param>
/// <param name="Traces">File name below <c>traces/</c> and CSV of those that the report draws: the first <see cref="SweepDocuments.MostTraces"/> by name.</param>
public sealed record Publication(string Sweep, ResolvedPlan? Plan, string PlanSha256, SweepRecord Record, ImmutableArray<TrialResult> Trials, ImmutableArray<RenderedFile> Traces);

/// <summary>What a matrix says of itself in whatever format.</summary>
public sealed record MatrixHead(int Format, DateTimeOffset GeneratedUtc, bool Complete, FacilityRatio? Facility, ImmutableArray<ClosureResidual> Closure);

/// <summary>
/// From records to documents. Pure: the same records give the same bytes, in whatever process, so every date and version in them is the record's.
/// Long for a grain's turn: call it elsewhere.
/// </summary>
public static class SweepDocuments
{
    public const string MatrixName = "matrix.json";
    public const string CellsName = "cells.csv";
    public const string ReportName = "report.html";
    public const string ManifestName = "manifest.json";
    public const string PlanName = "plan.yaml";
    public const string ResolvedName = "plan.resolved.yaml";

    /// <summary>A report draws so many traces.</summary>
    public const int MostTraces = 64;

    private const string Unread = "not known: this version cannot read the plan";

    /// <summary>The plan as it was resolved, else as submitted (what a version before took for a default is what ran); null if this version can read neither.</summary>
    public static ResolvedPlan? Plan(string submitted, string resolved) => PlanFile.Load(resolved, ResolvedName).Plan ?? PlanFile.Load(submitted, PlanName).Plan;

    /// <summary><c>matrix.json</c>, <c>cells.csv</c>, <c>report.html</c>, and last <c>manifest.json</c>, which vouches for them and for the others.</summary>
    /// <param name="from">The records.</param>
    /// <param name="others">Every other file of the sweep.</param>
    /// <exception cref="InvalidDataException">A trace is none.</exception>
    public static ImmutableArray<RenderedFile> Render(Publication from, IEnumerable<ManifestFile> others)
    {
        var manifest = Manifest(from);
        var files = from.Plan is { } plan ? Documents(from, plan, manifest) : [];
        var lines = files.Select(f => f.Line).Concat(others).OrderBy(f => f.Name, StringComparer.Ordinal).ToImmutableArray();
        return files.Add(new(ManifestName, ManifestSeal.Put(JsonSerializer.SerializeToUtf8Bytes(manifest with { Files = lines }, DocumentJson.Indented))));
    }

    /// <summary>A matrix as this version reads it. One of a format before is made again from its trials, by this version's rules: it had other members.</summary>
    /// <param name="document"><c>matrix.json</c>.</param>
    /// <param name="rest">Manifest, plan and trials of the sweep; asked for only where the document is of a format before.</param>
    /// <exception cref="InvalidDataException">It is no matrix, or of a format before and without a plan that this version can read.</exception>
    public static async Task<Matrix> ReadMatrix(ReadOnlyMemory<byte> document, Func<Task<(Manifest Manifest, ResolvedPlan? Plan, ImmutableArray<TrialResult> Trials)>> rest)
    {
        try
        {
            var head = JsonSerializer.Deserialize<MatrixHead>(document.Span, DocumentJson.Compact) ?? throw new JsonException("it is null");
            if (head.Format >= MatrixBuilder.FirstWhole) return JsonSerializer.Deserialize<Matrix>(document.Span, DocumentJson.Compact)!;
            var (manifest, plan, trials) = await rest().ConfigureAwait(false);
            return plan is null
                ? throw new InvalidDataException($"{MatrixName} is of format {head.Format}, and this version cannot read the plan to make it again.")
                : Again(manifest, plan, trials, head);
        }
        catch (JsonException e) { throw new InvalidDataException($"{MatrixName}: no matrix: {e.Message}", e); }
    }

    /// <summary>The matrix that follows from the trials. Its date and the site's ratio are what the document says: they are the sweep's own.</summary>
    public static Matrix Again(Manifest manifest, ResolvedPlan plan, ImmutableArray<TrialResult> trials, MatrixHead head)
    {
        var passes = manifest.Passes.Select(p => new PassRow(p.Group, p.Block, p.Pass, Enum.Parse<PassPhase>(p.State, ignoreCase: true), 0, p.Reason)).ToImmutableArray();
        return MatrixBuilder.Build(new(manifest.Sweep, plan, trials, passes, manifest.Devices, head.Facility, head.Closure.IsDefault ? [] : head.Closure, head.GeneratedUtc, head.Complete,
            Math.Clamp(head.Format, MatrixBuilder.FirstWhole, MatrixBuilder.Format)));
    }

    private static ImmutableArray<RenderedFile> Documents(Publication from, ResolvedPlan plan, Manifest manifest)
    {
        var record = from.Record;
        var matrix = MatrixBuilder.Build(new(from.Sweep, plan, from.Trials, record.Passes, record.Devices, record.Facility, record.Closure, record.AtUtc, record.Complete));
        RenderedFile[] facility = record.Stretches.IsDefaultOrEmpty ? [] : [new(FacilitySeries.Name, FacilitySeries.Csv(record.Stretches))];
        return
        [
            .. facility,
            new(MatrixName, JsonSerializer.SerializeToUtf8Bytes(matrix, DocumentJson.Indented)),
            new(CellsName, Encoding.UTF8.GetBytes(CellsCsv.Write(matrix))),
            new(ReportName, Encoding.UTF8.GetBytes(ReportPage.Render(matrix, manifest, [.. from.Traces.Select(Trace)]))),
        ];
    }

    private static PowerTrace Trace(RenderedFile file)
    {
        try { return PowerTrace.Parse(Path.GetFileNameWithoutExtension(file.Name), Encoding.UTF8.GetString(file.Bytes.Span)); }
        catch (FormatException e) { throw new InvalidDataException($"{SweepFileName.Traces}{file.Name}: {e.Message}", e); }
    }

    private static Manifest Manifest(Publication from)
    {
        var record = from.Record;
        return new Manifest(MatrixBuilder.Format, from.Sweep, record.Name, from.PlanSha256, record.Version, record.Runtime, record.Phase, record.SubmittedBy, record.SubmittedUtc, record.EndedUtc, record.Devices,
            from.Plan?.Disclosure ?? new Disclosure(Unread, Unread, double.NaN, Unread, Unread, Unread, Unread, Boundary.Gpu),
            [.. record.Passes.Select(p => new ManifestPass(p.Group, p.Block, p.Pass, p.Phase.ToString().ToLowerInvariant(), p.Reason, record.Groups.GetValueOrDefault(p.Block, [])))], []);
    }
}
