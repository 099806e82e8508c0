using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>What a call of the command may do.</summary>
/// <param name="Only">Names of sections; all when empty.</param>
/// <param name="Budget">How long, by the wall. A unit that would not end in time is left to the next call, and one that does not is cut off.</param>
/// <param name="Software">Version and build of this program.</param>
/// <param name="Command">As it was given, for the record.</param>
/// <param name="Retry">Whether units that failed in an earlier call run again.</param>
/// <param name="Shares">
/// Of the budget for each section of <paramref name="Only"/>, in that order: none keeps the others from showing something. What one does not need is the next one's, and what
/// is over in the end is for those that are not finished. Empty: each runs until it is finished. Sections with shares measure with the short settings.
/// </param>
public sealed record EvidenceOrder(ImmutableArray<string> Only, TimeSpan Budget, string Software, string Command, bool Retry = false, ImmutableArray<double> Shares = default)
{
    /// <summary>Whether everything is measured as shortly as it shows anything.</summary>
    public bool IsBrief => !Shares.IsDefaultOrEmpty;
}

/// <summary>A section that has units to run.</summary>
/// <param name="Section">Which.</param>
/// <param name="Report">Over what it has; null where it has nothing.</param>
/// <param name="Done">How many units it has.</param>
/// <param name="Missing">Those that it would still need.</param>
/// <param name="Seconds">About how long they take, by the wall, s.</param>
public sealed record UnfinishedSection(IEvidenceSection Section, SectionReport? Report, int Done, ImmutableArray<string> Missing, double Seconds)
{
    /// <summary>In words.</summary>
    public string Needs => string.Create(CultureInfo.InvariantCulture, $"{Done} of {Done + Missing.Length} units; it would still need {Listed}, about {Math.Ceiling(Seconds):0} s");

    private string Listed => Missing.Length <= 6 ? string.Join(", ", Missing) : $"{string.Join(", ", Missing[..5])} and {Missing.Length - 5} more";
}

/// <summary>How the evidence stands after a call.</summary>
/// <param name="State">As it is kept.</param>
/// <param name="Reports">Of finished sections, in their order.</param>
/// <param name="Unfinished">All others, in their order.</param>
/// <param name="Left">Sections that still have units to run, of those that were asked for.</param>
public sealed record EvidenceOutcome(EvidenceState State, ImmutableArray<(IEvidenceSection Section, SectionReport Report)> Reports, ImmutableArray<UnfinishedSection> Unfinished, ImmutableArray<string> Left)
{
    /// <summary>The worst of the finished sections; one that is wrong is wrong before it is finished.</summary>
    public SectionVerdict Worst => Unfinished.Any(u => u.Report?.Verdict == SectionVerdict.Wrong) ? SectionVerdict.Wrong : Reports.Length == 0 ? SectionVerdict.Shown : Reports.Max(r => r.Report.Verdict);
}

/// <summary>
/// Runs sections unit by unit into a directory and can stop between any two: after a kill, another call goes on behind the last unit that was kept. What a section has found
/// is on disk after each unit, with what it would still need.
/// </summary>
public sealed class EvidenceRun(IReadOnlyList<IEvidenceSection> sections, TimeProvider time)
{
    private const int SeedBits = 53;

    /// <summary>How long before the end of the budget a unit that can pause is told to: what it has under way ends first, a trial of the sweep in about so long.</summary>
    private static readonly TimeSpan MostNotice = TimeSpan.FromSeconds(75), MostBriefNotice = TimeSpan.FromSeconds(25);

    /// <summary>A unit that was cut off and does not return for so long hangs: nothing in this process can end it.</summary>
    internal TimeSpan MostHang { get; init; } = TimeSpan.FromSeconds(12);

    /// <summary>A unit is expected to take no longer than the longest of its section so far times this: what was planned knows no device.</summary>
    private const double PaceMargin = 1.3;

    /// <summary>Runs what is left within the budget.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="bench">The device.</param>
    /// <param name="order">What may be done.</param>
    /// <param name="tell">A line for people after each step.</param>
    /// <param name="stop">Ends it after the running unit's own reaction; what was kept stays.</param>
    /// <exception cref="EvidenceRefusedException">The directory belongs to something else, or a section's name is not known.</exception>
    /// <exception cref="DeviceLostException">The device is gone; the unit is as if it had not begun.</exception>
    /// <exception cref="EvidenceHungException">A unit does not return: the process must be ended. The unit is kept as failed.</exception>
    public async Task<EvidenceOutcome> Run(string path, IEvidenceBench bench, EvidenceOrder order, Action<string> tell, CancellationToken stop)
    {
        foreach (var name in order.Only)
            if (sections.All(s => s.Name != name)) throw new EvidenceRefusedException($"--only '{name}': there is no such section; there are {string.Join(", ", sections.Select(s => s.Name))}.");
        using var directory = EvidenceDirectory.Open(path);
        using var notice = new CancellationTokenSource(order.Budget - Notice(order), time);
        using var end = new CancellationTokenSource(order.Budget, time);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(stop, end.Token);
        var call = new Call(directory, bench, order, tell, time.GetTimestamp(), cut.Token, stop) { State = Begin(directory, bench, order) };
        call.Files = sections.ToDictionary(s => s.Name, s => directory.Section(s, call.State.Sections.GetValueOrDefault(s.Name)));
        if (order.Retry) call.State = Forget(directory, call.State, call.Files);
        call.Context = new EvidenceContext(
            bench, EvidenceSettings.For(bench.Identity.Kind, call.State.Seed, order.IsBrief), directory.Path, notice.Token,
            name => new UnitDocuments(call.Files.TryGetValue(name, out var file) ? file.Units : ImmutableSortedDictionary<string, JsonElement>.Empty));
        await Sections(call);
        return Close(call);
    }

    private async Task Sections(Call call)
    {
        var order = call.Order;
        IEvidenceSection[] asked = order.Only.IsEmpty ? [.. sections] : [.. order.IsBrief ? order.Only.Select(n => sections.First(s => s.Name == n)) : sections.Where(s => order.Only.Contains(s.Name))];
        if (!order.IsBrief)
        {
            foreach (var section in asked)
                if (!await Section(call, section, order.Budget)) return;
            return;
        }
        var share = 0.0;
        foreach (var (section, part) in asked.Zip(order.Shares)) await Section(call, section, order.Budget * Math.Min(1, share += part));
        foreach (var section in asked) await Section(call, section, order.Budget);
    }

    /// <summary>Runs a section's units up to a moment of the call. False if some are left.</summary>
    private async Task<bool> Section(Call call, IEvidenceSection section, TimeSpan until)
    {
        var units = section.Units(call.Context);
        foreach (var unit in units.Where(u => call.Files[section.Name].Units.ContainsKey(u.Id))) unit.Afterwards?.Invoke();
        if (call.Files[section.Name].Finished) return true;
        var (longest, ran) = (0.0, 0);
        foreach (var unit in units)
        {
            if (call.Files[section.Name].Units.ContainsKey(unit.Id)) continue;
            call.Stop.ThrowIfCancellationRequested();
            var expected = unit.Seconds / call.Bench.Pace;
            if (ran > 1) expected = Math.Min(expected, PaceMargin * longest);
            // The first unit of a call, and of a section with a share, is begun whatever it says: otherwise one that is planned too long would never be done.
            var first = !call.HasRun || (call.Order.IsBrief && ran == 0 && call.Files[section.Name].Units.Count == 0);
            var elapsed = time.GetElapsedTime(call.Began);
            if (elapsed >= call.Order.Budget || (!first && elapsed + TimeSpan.FromSeconds(expected) > until)) return Pause(call, section, units);
            call.HasRun = true;
            var clock = time.GetTimestamp();
            if (await Document(call, section, unit) is not { } document) return Pause(call, section, units);
            var took = time.GetElapsedTime(clock).TotalSeconds;
            (longest, ran) = (Math.Max(longest, took), ran + 1);
            Keep(call, section, units, unit.Id, document);
            unit.Afterwards?.Invoke();
            call.Tell(string.Create(CultureInfo.InvariantCulture, $"{section.Name}/{unit.Id}  {(new UnitDocuments(call.Files[section.Name].Units).FaultOf(unit.Id) is { } fault ? "FAILED: " + fault : "done")}, {took:0.0} s"));
        }
        Finish(call, section);
        call.Tell($"{section.Name}: {call.State.Sections[section.Name].Verdict}: {call.Files[section.Name].Report!.Headline}");
        return true;
    }

    private bool Pause(Call call, IEvidenceSection section, IReadOnlyList<EvidenceUnit> units)
    {
        var file = call.Files[section.Name];
        call.Directory.Keep(call.Files[section.Name] = file with { Report = Interim(section, call.Context, file, units) }, call.State.Device.Kind);
        Summarise(call, Outcome(call));
        call.Tell($"{section.Name}: {call.Files[section.Name].Units.Count} of {units.Count} units; the time of this {(call.Order.IsBrief ? "section" : "call")} is up");
        return false;
    }

    private static TimeSpan Notice(EvidenceOrder order)
    {
        var most = order.IsBrief ? MostBriefNotice : MostNotice;
        return order.Budget / 4 < most ? order.Budget / 4 : most;
    }

    private EvidenceState Begin(EvidenceDirectory directory, IEvidenceBench bench, EvidenceOrder order)
    {
        var now = time.GetUtcNow();
        var state = directory.State();
        if (state?.Mismatch(bench.Identity, order.Software, order.IsBrief) is { } wrong)
            throw new EvidenceRefusedException($"{directory.Path} cannot be continued: {wrong}. Give another --out.");
        state ??= new EvidenceState(
            EvidenceState.CurrentFormat, now, order.Software, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) >> (64 - SeedBits), Environment.MachineName, bench.Identity,
            ImmutableSortedDictionary.Create<string, SectionState>(StringComparer.Ordinal), [], order.IsBrief);
        state = state with { Calls = state.Calls.Add(new EvidenceCall(now, now, order.Command, [], bench.Hindrance())) };
        directory.Keep(state);
        return state;
    }

    private static EvidenceState Forget(EvidenceDirectory directory, EvidenceState state, Dictionary<string, SectionFile> files)
    {
        foreach (var (name, file) in files.ToArray())
        {
            var failed = new UnitDocuments(file.Units).Faults.Select(f => f.Id).ToArray();
            if (failed.Length == 0) continue;
            var left = files[name] = file with { Finished = false, Report = null, Units = file.Units.RemoveRange(failed) };
            // The state first: a finished section's checksum must never belong to a file that is gone.
            if (state.Sections.TryGetValue(name, out var kept))
            {
                state = state with { Sections = state.Sections.SetItem(name, kept with { FinishedUtc = null, Verdict = null, Sha256 = null, Units = left.Units.Count }) };
                directory.Keep(state);
            }
            directory.Keep(left, state.Device.Kind);
        }
        return state;
    }

    /// <summary>A unit's document; null where it has more to do, or was cut off at the end of the call.</summary>
    private async Task<JsonElement?> Document(Call call, IEvidenceSection section, EvidenceUnit unit)
    {
        // On a thread of its own: whoever waits here can tell a unit that works from one that hangs.
        var running = Task.Run(() => Document(unit, call.Cut), CancellationToken.None);
        var patience = call.Order.Budget + MostHang - time.GetElapsedTime(call.Began);
        try
        {
            if (await Task.WhenAny(running, Task.Delay(patience > MostHang ? patience : MostHang, time, call.Stop)) == running) return await running;
        }
        catch (OperationCanceledException) when (call.Cut.IsCancellationRequested && !call.Stop.IsCancellationRequested)
        {
            return null;
        }
        if (call.Stop.IsCancellationRequested)
        {
            // It was stopped by hand: its own reaction is waited for as long.
            if (await Task.WhenAny(running, Task.Delay(MostHang, time, CancellationToken.None)) == running) return await running;
            call.Stop.ThrowIfCancellationRequested();
        }
        var reason = string.Create(CultureInfo.InvariantCulture, $"it did not return within {MostHang.TotalSeconds:0} s after the call's end: a kernel that hangs, or a driver");
        Keep(call, section, section.Units(call.Context), unit.Id, JsonSerializer.SerializeToElement(new { fault = reason }, DocumentJson.Compact));
        Close(call);
        throw new EvidenceHungException($"{section.Name}/{unit.Id}: {reason}. It is kept as failed, the same command goes on with the others; --retry runs it again.");
    }

    private static async Task<JsonElement?> Document(EvidenceUnit unit, CancellationToken stop)
    {
        try
        {
            return await unit.Run(stop) is { } result ? JsonSerializer.SerializeToElement(result, result.GetType(), DocumentJson.Compact) : null;
        }
        catch (Exception e) when (e is not (OperationCanceledException or DeviceLostException or EvidenceRefusedException))
        {
            // One unit must not keep all others from being shown, whatever went wrong with it; what was foreseen explains itself.
            var reason = e is EvidenceFaultException or ConfigurationRefusedException ? e.Message : $"{e.GetType().Name}: {e.Message}";
            return JsonSerializer.SerializeToElement(new { fault = reason }, DocumentJson.Compact);
        }
    }

    /// <summary>Puts a unit's document, and what the section says with it, on disk.</summary>
    private void Keep(Call call, IEvidenceSection section, IReadOnlyList<EvidenceUnit> units, string unit, JsonElement document)
    {
        var file = call.Files[section.Name];
        file = call.Files[section.Name] = file with { Units = file.Units.SetItem(unit, document) };
        // The last one's report is the finished one's.
        if (file.Units.Count < units.Count) file = call.Files[section.Name] = file with { Report = Interim(section, call.Context, file, units) };
        call.Directory.Keep(file, call.State.Device.Kind);
        call.State = Done(call.State, section.Name, unit, file.Units.Count);
        call.Directory.Keep(call.State);
        Summarise(call, Outcome(call));
    }

    private static SectionReport Interim(IEvidenceSection section, EvidenceContext context, SectionFile file, IReadOnlyList<EvidenceUnit> units)
    {
        var needs = $"Unfinished: {Missing(section, context, file, null, units).Needs}.";
        if (file.Units.IsEmpty) return SectionReport.Plain(SectionVerdict.NotRun, needs);
        var report = Report(section, context, file);
        return report with { Headline = $"{needs} So far: {report.Headline}" };
    }

    private static SectionReport Report(IEvidenceSection section, EvidenceContext context, SectionFile file)
    {
        var documents = new UnitDocuments(file.Units);
        var report = section.Report(context, documents);
        return documents.Faults.Any()
            ? report with { Verdict = SectionVerdict.Wrong, Notes = [.. report.Notes, .. documents.Faults.Select(f => $"{f.Id} failed: {f.Fault}")] }
            : report;
    }

    private static UnfinishedSection Missing(IEvidenceSection section, EvidenceContext context, SectionFile file, SectionReport? report, IReadOnlyList<EvidenceUnit> units)
    {
        var missing = units.Where(u => !file.Units.ContainsKey(u.Id)).ToArray();
        return new(section, report, units.Count - missing.Length, [.. missing.Select(u => u.Id)], missing.Sum(u => u.Seconds) / context.Bench.Pace);
    }

    private EvidenceState Done(EvidenceState state, string section, string unit, int units)
    {
        var now = time.GetUtcNow();
        var kept = state.Sections.GetValueOrDefault(section) ?? new SectionState(now, null, 0, null, null);
        var call = state.Calls[^1];
        return state with
        {
            Sections = state.Sections.SetItem(section, kept with { Units = units }),
            Calls = state.Calls.SetItem(state.Calls.Length - 1, call with { EndedUtc = now, Units = call.Units.Add($"{section}/{unit}") }),
        };
    }

    private void Finish(Call call, IEvidenceSection section)
    {
        var file = call.Files[section.Name];
        var report = Report(section, call.Context, file);
        file = call.Files[section.Name] = file with { Finished = true, Report = report };
        var sha256 = call.Directory.Keep(file, call.State.Device.Kind);
        var now = time.GetUtcNow();
        var kept = call.State.Sections.GetValueOrDefault(section.Name) ?? new SectionState(now, null, 0, null, null);
        call.State = call.State with { Sections = call.State.Sections.SetItem(section.Name, kept with { FinishedUtc = now, Units = file.Units.Count, Verdict = report.Verdict, Sha256 = sha256 }) };
        call.Directory.Keep(call.State);
        Summarise(call, Outcome(call));
    }

    private EvidenceOutcome Close(Call call)
    {
        // A kill between a section's file and state.json leaves a finished file that the state does not know: the file is the truth.
        foreach (var (name, file) in call.Files.Where(f => f.Value.Finished && call.State.Sections.GetValueOrDefault(f.Key)?.FinishedUtc is null))
            call.State = call.State with { Sections = call.State.Sections.SetItem(name, new SectionState(time.GetUtcNow(), time.GetUtcNow(), file.Units.Count, file.Report!.Verdict, call.Directory.Keep(file, call.State.Device.Kind))) };
        call.State = call.State with { Calls = call.State.Calls.SetItem(call.State.Calls.Length - 1, call.State.Calls[^1] with { EndedUtc = time.GetUtcNow() }) };
        call.Directory.Keep(call.State);
        var outcome = Outcome(call);
        Summarise(call, outcome);
        return outcome;
    }

    private EvidenceOutcome Outcome(Call call) => new(
        call.State,
        [.. sections.Where(s => call.Files[s.Name].Finished).Select(s => (s, call.Files[s.Name].Report!))],
        [.. sections.Where(s => !call.Files[s.Name].Finished).Select(s => Missing(s, call.Context, call.Files[s.Name], call.Files[s.Name].Report, s.Units(call.Context)))],
        [.. sections.Where(s => !call.Files[s.Name].Finished && (call.Order.Only.IsEmpty || call.Order.Only.Contains(s.Name))).Select(s => s.Name)]);

    private void Summarise(Call call, EvidenceOutcome outcome)
    {
        call.Directory.Replace("summary.md", SummaryPage.Of(sections, outcome));
        call.Directory.Replace("summary.json", JsonSerializer.Serialize(SummaryPage.Document(sections, outcome), DocumentJson.Indented) + "\n");
    }

    /// <summary>One call and what has become of it.</summary>
    private sealed class Call(EvidenceDirectory directory, IEvidenceBench bench, EvidenceOrder order, Action<string> tell, long began, CancellationToken cut, CancellationToken stop)
    {
        public EvidenceDirectory Directory => directory;

        public IEvidenceBench Bench => bench;

        public EvidenceOrder Order => order;

        public Action<string> Tell => tell;

        /// <summary>A timestamp.</summary>
        public long Began => began;

        /// <summary>Cuts off what runs when the time is up.</summary>
        public CancellationToken Cut => cut;

        /// <summary>A stop by hand.</summary>
        public CancellationToken Stop => stop;

        public required EvidenceState State { get; set; }

        public Dictionary<string, SectionFile> Files { get; set; } = [];

        public EvidenceContext Context { get; set; } = null!;

        /// <summary>Whether any unit has.</summary>
        public bool HasRun { get; set; }
    }
}
