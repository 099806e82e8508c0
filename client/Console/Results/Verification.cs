using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Plans;
using EnergyGrid.Report;
using EnergyGrid.Results;
using EnergyGrid.Stacks;

namespace EnergyGrid.Console;

/// <summary>Something that is not as it must be.</summary>
/// <param name="File">Relative to the results' directory.</param>
/// <param name="What">What differs, with both checksums where it is one: one line, whatever the damaged file would make a reader quote.</param>
internal sealed record Discrepancy(string File, string What)
{
    private const int Longest = 600;

    public string File { get; } = NumberText.Clean(File);

    public string What { get; } = NumberText.Clean(What.Length <= Longest ? What : What[..Longest] + " \u2026");
}

/// <summary>
/// A directory of results against itself: every file against the manifest's checksums, every line of the journals against its own, every trial against the readings and the trace that it
/// rests on, its place, its plan, the passes and the events; the matrix, the cells and the facility's ratio made again from the trials. What could not be looked at is a note.
/// </summary>
internal sealed record Verification(string Directory, string Sweep, int Files, int Trials, int Traces, ImmutableArray<string> Notes, ImmutableArray<Discrepancy> Discrepancies)
{
    public bool Holds => Discrepancies.IsEmpty;

    public static Verification Of(string directory, CancellationToken stop)
    {
        var wrong = ImmutableArray.CreateBuilder<Discrepancy>();
        var notes = ImmutableArray.CreateBuilder<string>();
        if (!Path.Exists(Path.Combine(directory, "manifest.json"))) throw new CommandException(ExitCodes.Usage, $"{directory} is no directory of results: it has no manifest.json.");
        // Nothing is opened that is a link, or that may never end.
        var (entries, refused) = SealedFiles.Entries(directory);
        if (!refused.IsEmpty) return Only(directory, refused);
        if (SealedFiles.BrokenSeal(directory) is { } broken) return Only(directory, [broken]);
        Manifest manifest;
        try
        {
            manifest = ReadManifest(Path.Combine(directory, "manifest.json"));
        }
        catch (InvalidDataException e)
        {
            return Only(directory, [new("manifest.json", e.Message)]);
        }
        var ended = manifest.Phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled;
        var renewed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in manifest.Files)
        {
            stop.ThrowIfCancellationRequested();
            SealedFiles.Check(directory, file, ended, renewed, wrong, notes);
        }
        var known = manifest.Files.Select(f => f.Name).Append("manifest.json").ToHashSet(StringComparer.Ordinal);
        foreach (var name in entries)
        {
            if (known.Contains(name)) continue;
            // While a sweep runs its traces come between two manifests; the trial that has one vouches for it. Documents come right before one.
            if (!ended && SealedFiles.Rendered.Contains(name)) renewed.Add(name);
            var half = name.EndsWith(".next", StringComparison.Ordinal) && known.Concat(SealedFiles.Rendered).Contains(name[..^".next".Length]);
            if (!ended && half) notes.Add($"{name} was being written when its process ended");
            else if (!ended && (name.StartsWith("traces/", StringComparison.Ordinal) || name.StartsWith("requests/", StringComparison.Ordinal) || renewed.Contains(name))) notes.Add($"{name} is newer than the manifest");
            else wrong.Add(new(name, "the manifest does not know this file"));
        }
        if (!ended)
            notes.Add($"the sweep had not ended when this was written ({Tables.Phase(manifest.Phase)}): journals may since have grown");

        bool Sound(string name) => !wrong.Any(d => d.File == name);
        var plan = CheckPlan(directory, manifest, wrong);
        // What follows from a damaged file would look wrong where it is sound: each damage is told once, where it is.
        if (!Sound(SweepDocuments.ResolvedName)) plan = null;
        var events = CheckEvents(directory, manifest.Format >= MatrixBuilder.FirstWhole, wrong);
        var trials = ReadJournal<TrialResult>(directory, "trials.ndjson", strict: manifest.Format >= MatrixBuilder.FirstWhole, wrong);
        var traces = CheckTrials(directory, manifest, plan, trials, wrong, notes, stop);
        CheckForm(manifest, trials, events, ended, known, wrong);
        CheckProvenance(manifest, trials, wrong);
        CheckTimes(trials, wrong);
        if (plan is not null && Sound(Journals.TrialsName)) CheckPlaces(manifest, plan, trials, Sound(Journals.EventsName) ? events : [], ended, wrong, notes);
        if (Sound(Journals.TrialsName))
        {
            if (manifest.Format < MatrixBuilder.FirstWhole) CheckOldMatrix(directory, manifest, trials, wrong);
            else if (renewed.Count > 0) notes.Add("the matrix was not made again: documents are newer than the manifest, which says what they are of");
            // That of a sweep that goes on is of the trials that the manifest knows.
            else if (plan is not null) CheckMatrix(directory, manifest, plan, [.. trials.Take(ended ? trials.Count : Known(directory, manifest))], ended, wrong, notes);
            else notes.Add("the matrix was not made again: the plan cannot be read");
        }
        return new(directory, manifest.Sweep, manifest.Files.Length, trials.Count, traces, notes.ToImmutable(), wrong.ToImmutable());
    }

    private static int Known(string directory, Manifest manifest)
    {
        var listed = manifest.Files.FirstOrDefault(f => f.Name == Journals.TrialsName)?.Bytes ?? 0;
        return File.ReadAllBytes(Path.Combine(directory, Journals.TrialsName)).AsSpan(0, (int)listed).Count((byte)'\n');
    }

    // A directory that claims to be of an older form, or not to have ended, or that lacks a file, would be looked at less closely.
    private static void CheckForm(Manifest manifest, List<TrialResult> trials, List<EventLine> events, bool ended, HashSet<string> known, ImmutableArray<Discrepancy>.Builder wrong)
    {
        const string Name = "manifest.json";
        if (manifest.Format < MatrixBuilder.FirstWhole && trials.Any(t => t.Sequence is not null || t.OriginUtc is not null || (!t.Legs.IsDefault && t.Legs.Any(l => l.Evidence is not null))))
            wrong.Add(new(Name, $"it says format {manifest.Format}, and its trials hold readings, as only those from format {MatrixBuilder.FirstWhole} on do"));
        if (manifest.Format >= MatrixBuilder.FirstWhole && ended != manifest.EndedUtc is not null) wrong.Add(new(Name, $"its phase is {Tables.Phase(manifest.Phase)}, and it {(ended ? "does not say when the sweep ended" : "says when it ended")}"));
        var devices = manifest.Devices.Select(d => (d.Host, d.Uuid)).ToHashSet();
        foreach (var stranger in trials.SelectMany(t => t.Devices.Select(d => (t.Host, Device: d))).Where(d => manifest.Format >= MatrixBuilder.FirstWhole && !devices.Contains(d)).Distinct())
            wrong.Add(new(Name, $"it has no device {stranger.Device} of {stranger.Host}, and trials ran on it"));
        if (!ended && events.FirstOrDefault(e => e.Key == "end") is { } end) wrong.Add(new(Name, $"it says that the sweep goes on ({Tables.Phase(manifest.Phase)}), event {end.Sequence} that it has ended"));
        if (!ended) return;
        foreach (var name in new[] { SweepDocuments.PlanName, SweepDocuments.ResolvedName, Journals.TrialsName, Journals.EventsName, SweepDocuments.MatrixName, SweepDocuments.CellsName, SweepDocuments.ReportName })
            // A sweep whose plan this version could not read has no matrix, and its manifest says so.
            if (!known.Contains(name) && !manifest.Disclosure.WorkloadMix.StartsWith("not known:", StringComparison.Ordinal)) wrong.Add(new(name, "the manifest of an ended sweep does not list it"));
    }

    // An energy is no better than what the device's source can give.
    private static void CheckProvenance(Manifest manifest, List<TrialResult> trials, ImmutableArray<Discrepancy>.Builder wrong)
    {
        var best = manifest.Devices.GroupBy(d => (d.Host, d.Uuid)).ToDictionary(d => d.Key, d => d.Last().EnergyProvenance);
        foreach (var trial in trials.Where(t => !t.Legs.IsDefault))
            foreach (var leg in trial.Legs)
                foreach (var device in trial.Devices)
                    if (best.TryGetValue((trial.Host, device), out var can) && leg.Gpu.Provenance < can)
                        wrong.Add(new(Journals.TrialsName, $"{trial.Trial}, L' = {leg.Layers}: its energy is called {Word(leg.Gpu.Provenance)}, and the source of {device} gives {Word(can)} ones"));

        static string Word(Provenance provenance) => provenance.ToString().ToLowerInvariant();
    }

    // A device runs one thing at a time: windows of two trials on it that overlap were copied from each other, or made up.
    private static void CheckTimes(List<TrialResult> trials, ImmutableArray<Discrepancy>.Builder wrong)
    {
        var readings = trials.Where(t => !t.Legs.IsDefault).SelectMany(t => t.Legs.Select(l => (t.Trial, l.Evidence))).Where(l => l.Evidence is { Sources.IsEmpty: false });
        foreach (var same in readings.GroupBy(l => JsonSerializer.Serialize(l.Evidence, DocumentJson.Compact), StringComparer.Ordinal).Where(g => g.Count() > 1))
            wrong.Add(new(Journals.TrialsName, $"{same.First().Trial} and {same.Last().Trial} hold the same readings"));
        // A scaled time begins anew with its process: that of a simulation that was started again may come twice.
        var stretches = from trial in trials
                        where trial.OriginUtc is not null && trial.TimeScale == 1 && !trial.Legs.IsDefault
                        from evidence in trial.Legs.Select(l => l.Evidence).Append(trial.Idle).OfType<Contracts.Evidence>()
                        let origin = UtcNanoseconds.Of(trial.OriginUtc!.Value)
                        from device in trial.Devices
                        select (Device: (trial.Host, device), From: origin + evidence.FromNanoseconds, To: origin + evidence.ToNanoseconds, trial.Trial);
        foreach (var device in stretches.GroupBy(s => s.Device))
        {
            var sorted = device.OrderBy(s => s.From).ThenBy(s => s.To).ToArray();
            for (var i = 1; i < sorted.Length; i++)
                if (sorted[i].From < sorted[i - 1].To && sorted[i].Trial != sorted[i - 1].Trial)
                    wrong.Add(new(Journals.TrialsName, $"{sorted[i].Trial} and {sorted[i - 1].Trial} have windows on {device.Key.device} at one and the same time"));
        }
    }

    private static ResolvedPlan? CheckPlan(string directory, Manifest manifest, ImmutableArray<Discrepancy>.Builder wrong)
    {
        const string Name = "plan.resolved.yaml";
        var path = Path.Combine(directory, Name);
        if (!File.Exists(path)) return null;
        var resolution = PlanFile.LoadFile(path);
        if (resolution.Plan is not { } plan) wrong.Add(new(Name, $"no valid plan: {resolution.Problems[0]}"));
        else if (plan.Sha256 != manifest.PlanSha256) wrong.Add(new(Name, $"it resolves to plan {plan.Sha256}, the manifest says {manifest.PlanSha256}"));
        return resolution.Plan;
    }

    private static List<EventLine> CheckEvents(string directory, bool strict, ImmutableArray<Discrepancy>.Builder wrong)
    {
        var events = ReadJournal<EventLine>(directory, "events.ndjson", strict, wrong);
        for (var i = 0; i < events.Count; i++)
        {
            if (events[i].Sequence == i) continue;
            wrong.Add(new("events.ndjson", $"line {i + 1} has sequence {events[i].Sequence}; {i} is wanted"));
            break;
        }
        return events;
    }

    // Which trials there must be, by three witnesses: their own places, the passes that are done, and the events that told of them.
    private static void CheckPlaces(Manifest manifest, ResolvedPlan plan, List<TrialResult> trials, List<EventLine> events, bool ended, ImmutableArray<Discrepancy>.Builder wrong, ImmutableArray<string>.Builder notes)
    {
        const string Name = "trials.ndjson";
        for (var i = 0; i < trials.Count; i++)
        {
            if (trials[i].Sequence is not { } place)
            {
                // A result of before was committed without one; what has readings has a place.
                if (trials[i].OriginUtc is not null) wrong.Add(new(Name, $"line {i + 1} has no sequence"));
                continue;
            }
            if (place == i) continue;
            wrong.Add(new(Name, $"line {i + 1} has sequence {place}; {i} is wanted"));
            break;
        }
        var there = trials.Select(t => t.Trial).ToHashSet();
        if (ended && manifest.Format >= MatrixBuilder.FirstWhole)
        {
            var passes = manifest.Passes.Select(p => (p.Group, p.Block, p.Pass)).ToHashSet();
            foreach (var group in trials.Where(t => !passes.Contains((t.Trial.Group, t.Trial.Block, t.Trial.Pass))).GroupBy(t => (t.Trial.Group, t.Trial.Block, t.Trial.Pass)))
                wrong.Add(new("manifest.json", $"it has no pass {group.Key.Pass} of {group.Key.Group} on device group {group.Key.Block}, and there are trials of it"));
            foreach (var pass in manifest.Passes.Where(p => manifest.Phase == SweepPhase.Finished && p.State is not ("done" or "void") && trials.Any(t => t.OriginUtc is not null)))
                wrong.Add(new("manifest.json", $"the sweep has finished, and pass {pass.Pass} of {pass.Group} on device group {pass.Block} is {pass.State}"));
        }
        if (ended)
            foreach (var pass in manifest.Passes.Where(p => p.State == "done"))
                foreach (var cell in plan.Groups.FirstOrDefault(g => g.Name == pass.Group)?.Cells ?? [])
                    if (!there.Contains(new(manifest.Sweep, pass.Group, cell.Label, cell.ConfigurationSha256, pass.Block, pass.Pass)))
                        wrong.Add(new(Name, $"pass {pass.Pass} of {pass.Group} on device group {pass.Block} is done, and there is no trial of {cell.Label} in it"));
        var named = trials.DistinctBy(t => t.Trial).ToDictionary(t => $"trial/{t.Trial}", t => t.Outcome, StringComparer.Ordinal);
        foreach (var said in events.Where(e => e is { Kind: "trial", Key: { } key } && key.StartsWith("trial/", StringComparison.Ordinal)))
        {
            if (!named.TryGetValue(said.Key!, out var outcome)) wrong.Add(new(Name, $"event {said.Sequence} tells of a committed trial that is not there: {said.Text}"));
            else if (outcome == TrialOutcome.Valid) wrong.Add(new(Name, $"event {said.Sequence} tells of a trial that is not valid, and here it is: {said.Text}"));
        }
        var known = plan.Groups.SelectMany(g => g.Cells.Select(c => (g.Name, c.Label, c.ConfigurationSha256))).ToHashSet();
        foreach (var trial in trials.Where(t => !known.Contains((t.Trial.Group, t.Trial.Label, t.Trial.Configuration)))) wrong.Add(new(Name, $"trial {trial.Trial} is of no cell of the plan"));
        var old = trials.Count(t => t.PlanSha256.Length == 0);
        if (old > 0 && manifest.Format >= MatrixBuilder.FirstWhole) notes.Add($"{old} trials do not say which plan they were run for");
        foreach (var trial in trials.Where(t => t.PlanSha256.Length > 0 && t.PlanSha256 != manifest.PlanSha256)) wrong.Add(new(Name, $"trial {trial.Trial} was run for plan {trial.PlanSha256}, the manifest is of {manifest.PlanSha256}"));
    }

    private static List<T> ReadJournal<T>(string directory, string name, bool strict, ImmutableArray<Discrepancy>.Builder wrong) where T : class
    {
        var path = Path.Combine(directory, name);
        if (!File.Exists(path)) return [];
        var read = new List<T>();
        try
        {
            var bytes = File.ReadAllBytes(path);
            foreach (var line in JournalFile.Documents(bytes, name))
                read.Add(strict ? DocumentForm.Read<T>(Encoding.UTF8.GetBytes(line)) : JsonSerializer.Deserialize<T>(line, DocumentJson.Compact) ?? throw new InvalidDataException("it is null"));
            if (strict && bytes.AsSpan().Count((byte)'\n') != read.Count) wrong.Add(new(name, $"it has {bytes.AsSpan().Count((byte)'\n')} lines, {read.Count} of them with a document"));
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or NullReferenceException or ArgumentException)
        {
            wrong.Add(new(name, read.Count > 0 || !e.Message.Contains(name, StringComparison.Ordinal) ? $"line {read.Count + 1}: {e.Message}" : e.Message));
            return [];
        }
        return read;
    }

    private static Verification Only(string directory, ImmutableArray<Discrepancy> wrong) => new(directory, Path.GetFileName(Path.GetFullPath(directory)), 1, 0, 0, [], wrong);

    private static Manifest ReadManifest(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (ResultSource.Read<OldForm>(path).Format < MatrixBuilder.FirstWhole) return ResultSource.Read<Manifest>(path);
        var manifest = DocumentForm.Read<Manifest>(bytes, besides: "sha256");
        return manifest.Format > MatrixBuilder.Format ? throw new InvalidDataException($"it says format {manifest.Format}, and this version knows those up to {MatrixBuilder.Format}") : manifest;
    }

    // The L' of a cell's windows, the head apart.
    private static int[]? Planned(ResolvedPlan plan, TrialResult trial) => plan.Groups.FirstOrDefault(g => g.Name == trial.Trial.Group)?.Cells.FirstOrDefault(c => c.Label == trial.Trial.Label)?.Configuration is { } c
        ? [.. new[] { c.ShortLayers, c.MiddleLayers, c.LongLayers }.Where(l => l > 0).Distinct().Order()]
        : null;

    private static int CheckTrials(
        string directory, Manifest manifest, ResolvedPlan? plan, List<TrialResult> trials, ImmutableArray<Discrepancy>.Builder wrong, ImmutableArray<string>.Builder notes, CancellationToken stop)
    {
        var batches = plan?.Groups.SelectMany(g => g.Cells.Select(c => ((g.Name, c.Label), c.Configuration.Batch))).ToDictionary(b => b.Item1, b => b.Batch) ?? [];
        var limits = plan?.Groups.SelectMany(g => g.Cells.Select(c => ((g.Name, c.Label), new ServiceLimits(c.Disclosure.ServiceMilliseconds, c.Disclosure.FirstTokenMilliseconds)))).ToDictionary(b => b.Item1, b => b.Item2) ?? [];
        int? Batch(TrialResult trial) => batches.TryGetValue((trial.Trial.Group, trial.Trial.Label), out var batch) ? batch : null;
        var seen = new HashSet<TrialId>();
        var (traces, blind, untraced) = (0, 0, 0);
        foreach (var trial in trials)
        {
            stop.ThrowIfCancellationRequested();
            if (!seen.Add(trial.Trial)) wrong.Add(new("trials.ndjson", $"trial {trial.Trial} stands twice"));
            if (trial.Trial.Sweep != manifest.Sweep) wrong.Add(new("trials.ndjson", $"trial {trial.Trial} is of sweep '{trial.Trial.Sweep}', not '{manifest.Sweep}'"));
            var legs = trial.Legs.IsDefault ? [] : trial.Legs;
            if (legs.Any(l => l.Evidence is null))
            {
                blind++;
                // What was committed by a release of before has no origin either.
                if (manifest.Format >= MatrixBuilder.FirstWhole && trial is { Outcome: TrialOutcome.Valid, OriginUtc: not null }) wrong.Add(new("trials.ndjson", $"{trial.Trial} is valid and does not hold the readings that its energies come from"));
            }
            try
            {
                foreach (var difference in Recomputation.Trial(trial, Batch(trial))) wrong.Add(new("trials.ndjson", difference));
            }
            catch (InvalidOperationException e)
            {
                wrong.Add(new("trials.ndjson", $"{trial.Trial}: nothing can be computed from its readings: {e.Message}"));
            }
            if (plan is not null && trial is { Outcome: TrialOutcome.Valid, OriginUtc: not null } && manifest.Format >= MatrixBuilder.FirstWhole && Planned(plan, trial) is { } layers && !layers.SequenceEqual(legs.Select(l => l.Layers).Where(l => l > 0).Order()))
                wrong.Add(new("trials.ndjson", $"{trial.Trial} has windows of L' = {string.Join(", ", legs.Select(l => l.Layers).Order())}, its plan wants {string.Join(", ", layers)}"));
            CheckRequests(directory, trial, limits.GetValueOrDefault((trial.Trial.Group, trial.Trial.Label)), wrong);
            if (trial.Trace.Length == 0)
            {
                if (legs.Any(l => l.Evidence is { } e && e.Sources.Any(s => s.Method == "power" || s.PowerJoules is not null))) untraced++;
                continue;
            }
            traces++;
            var name = $"traces/{trial.Trace}";
            if (SealedFiles.PathOf(directory, name) is not { } path || !File.Exists(path))
            {
                wrong.Add(new(name, $"missing; trial {trial.Trial} has it with SHA-256 {trial.TraceSha256}"));
                continue;
            }
            var found = SealedFiles.Sha256(path);
            if (found != trial.TraceSha256) wrong.Add(new(name, $"SHA-256 is {found}, trial {trial.Trial} says {trial.TraceSha256}"));
            try
            {
                var csv = File.ReadAllText(path, Encoding.UTF8);
                PowerTrace.Parse(trial.Trace, csv);
                if (TraceRows.Parse(csv, name) is { } rows)
                    foreach (var difference in Recomputation.Trace(trial, rows)) wrong.Add(new(name, difference));
                else if (trial.OriginUtc is not null) wrong.Add(new(name, "its first line is not that of a trace"));
            }
            catch (Exception e) when (e is FormatException or InvalidDataException or ArgumentException)
            {
                wrong.Add(new(name, e.Message));
            }
        }
        var voids = manifest.Passes.Count(p => p.State == "void");
        if (voids > 0) notes.Add($"{voids} passes are void on the manifest's word: their trials are shown and not used");
        if (trials.Count > blind) notes.Add("taken as stated: provenance, rated power, peaks, bandwidth and qualification of the devices; why trials are not valid; how many GPUs of a node ran the same; temperatures, clocks, step times; the closure's sums");
        if (blind > 0) notes.Add($"{blind} trials do not hold the readings that their energies come from: those energies were taken as they stand");
        if (untraced > 0) notes.Add($"{untraced} trials have no trace: what comes from integrated power was taken as it stands");
        return traces;
    }

    // Every trial of a serving engine that ran has its requests, and its figures follow from them.
    private static void CheckRequests(string directory, TrialResult trial, ServiceLimits? limits, ImmutableArray<Discrepancy>.Builder wrong)
    {
        if (trial.Served is not { } served) return;
        var name = $"requests/{served.Requests}";
        if (served.Requests.Length == 0)
        {
            wrong.Add(new("trials.ndjson", $"{trial.Trial} is of a serving engine, and names no file of its requests"));
            return;
        }
        if (SealedFiles.PathOf(directory, name) is not { } path || !File.Exists(path))
        {
            wrong.Add(new(name, $"missing; trial {trial.Trial} has it with SHA-256 {served.RequestsSha256}"));
            return;
        }
        var found = SealedFiles.Sha256(path);
        if (found != served.RequestsSha256)
        {
            wrong.Add(new(name, $"SHA-256 is {found}, trial {trial.Trial} says {served.RequestsSha256}"));
            return;
        }
        try
        {
            using var file = File.OpenRead(path);
            foreach (var difference in ServedCheck.Of(trial, RequestRows.Read(file), limits)) wrong.Add(new("trials.ndjson", $"{trial.Trial}: {difference}"));
        }
        catch (InvalidDataException e)
        {
            wrong.Add(new(name, e.Message));
        }
    }

    // The whole of it again: what the files say must follow from the trials.
    private static void CheckMatrix(string directory, Manifest manifest, ResolvedPlan plan, List<TrialResult> trials, bool ended, ImmutableArray<Discrepancy>.Builder wrong, ImmutableArray<string>.Builder notes)
    {
        var path = Path.Combine(directory, SweepDocuments.MatrixName);
        if (!File.Exists(path)) return;
        try
        {
            var matrix = ResultSource.Read<Matrix>(path);
            var again = SweepDocuments.Again(manifest, plan, [.. trials], new(matrix.Format, matrix.GeneratedUtc, ended && manifest.Phase != SweepPhase.Cancelled, matrix.Facility, matrix.Closure));
            var differences = Recomputation.Differences(Recomputation.Node(again), JsonNode.Parse(File.ReadAllBytes(path)), "matrix").ToArray();
            foreach (var difference in differences) wrong.Add(new(SweepDocuments.MatrixName, difference));
            var sums = Path.Combine(directory, FacilitySeries.Name);
            if (wrong.All(d => d.File != SweepDocuments.MatrixName && d.File != FacilitySeries.Name)) foreach (var difference in Recomputation.Facility(matrix.Facility, File.Exists(sums) ? FacilitySeries.Parse(File.ReadAllText(sums, Encoding.UTF8)) : [])) wrong.Add(new(FacilitySeries.Name, difference));
            var cells = Path.Combine(directory, SweepDocuments.CellsName);
            if (File.Exists(cells) && File.ReadAllText(cells, Encoding.UTF8) is var text && CellsCsv.Write(again) is var written && text != written)
                wrong.Add(new(SweepDocuments.CellsName, $"line {1 + text.Split('\n').Zip(written.Split('\n')).TakeWhile(l => l.First == l.Second).Count()} does not say what follows from the trials"));
            notes.Add($"{SweepDocuments.ReportName} is checked by its checksum alone: its words and drawings are not made again");
        }
        catch (CommandException e)
        {
            wrong.Add(new(SweepDocuments.MatrixName, e.Message));
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or JsonException or KeyNotFoundException or NullReferenceException or InvalidOperationException)
        {
            wrong.Add(new(SweepDocuments.MatrixName, $"it cannot be made again from the trials: {e.Message}"));
        }
    }

    /// <summary>Of formats before: which rows there are, their configurations, their tokens and their passes.</summary>
    private static void CheckOldMatrix(string directory, Manifest manifest, List<TrialResult> trials, ImmutableArray<Discrepancy>.Builder wrong)
    {
        const string Name = "matrix.json";
        var path = Path.Combine(directory, Name);
        if (!File.Exists(path)) return;
        OldMatrix matrix;
        try
        {
            matrix = ResultSource.Read<OldMatrix>(path);
        }
        catch (CommandException e)
        {
            wrong.Add(new(Name, e.Message));
            return;
        }
        if (matrix.Sweep != manifest.Sweep) wrong.Add(new(Name, $"it is of sweep '{matrix.Sweep}', the manifest of '{manifest.Sweep}'"));
        if (matrix.PlanSha256 != manifest.PlanSha256) wrong.Add(new(Name, $"it is of plan {matrix.PlanSha256}, the manifest of {manifest.PlanSha256}"));
        var valid = trials.Where(t => t.Outcome == TrialOutcome.Valid).ToLookup(t => (t.Trial.Group, t.Trial.Label, t.Trial.Configuration));
        foreach (var group in matrix.Groups)
            foreach (var row in group.Rows)
            {
                var mine = valid[(group.Name, row.Label, row.ConfigurationSha256)].ToArray();
                // Voided passes are kept and not used, so the matrix may rest on fewer trials, never on more.
                if (row.Passes > mine.Length) wrong.Add(new(Name, $"{group.Name}/{row.Label} rests on {row.Passes} passes; trials.ndjson has {mine.Length} valid trials of it"));
                var tokens = mine.Sum(t => t.Legs.Sum(l => l.Tokens));
                if (row.Tokens > tokens * (1 + 1e-9)) wrong.Add(new(Name, $"{group.Name}/{row.Label} counts {row.Tokens:R} tokens; its valid trials have {tokens:R}"));
            }
    }

    private sealed record OldForm(int Format = int.MaxValue);

    // As much of a matrix of before as can be held against its trials.
    private sealed record OldMatrix(string Sweep, string PlanSha256, ImmutableArray<OldGroup> Groups);

    private sealed record OldGroup(string Name, ImmutableArray<OldRow> Rows);

    private sealed record OldRow(string Label, string ConfigurationSha256, int Passes, double Tokens);
}
