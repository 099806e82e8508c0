using System.Collections.Immutable;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>What a call of the command may do.</summary>
/// <param name="Only">Names of sections; all when empty.</param>
/// <param name="Budget">How long, by the wall. A unit that would not end in time is left to the next call.</param>
/// <param name="Software">Version and build of this program.</param>
/// <param name="Command">As it was given, for the record.</param>
/// <param name="Retry">Whether units that failed in an earlier call run again.</param>
public sealed record EvidenceOrder(ImmutableArray<string> Only, TimeSpan Budget, string Software, string Command, bool Retry = false);

/// <summary>How the evidence stands after a call.</summary>
/// <param name="State">As it is kept.</param>
/// <param name="Reports">Of finished sections, in their order.</param>
/// <param name="Left">Sections that still have units to run, of those that were asked for.</param>
public sealed record EvidenceOutcome(EvidenceState State, ImmutableArray<(IEvidenceSection Section, SectionReport Report)> Reports, ImmutableArray<string> Left)
{
    /// <summary>The worst of the finished sections.</summary>
    public SectionVerdict Worst => Reports.Length == 0 ? SectionVerdict.Shown : Reports.Max(r => r.Report.Verdict);
}

/// <summary>
/// Runs sections unit by unit into a directory and can stop between any two: after a kill, another call goes on behind the last unit that was kept.
/// </summary>
public sealed class EvidenceRun(IReadOnlyList<IEvidenceSection> sections, TimeProvider time)
{
    private const int SeedBits = 53;

    /// <summary>How long before the end of the budget a unit that can pause is told to: what it has under way ends first, a trial of the sweep in about so long.</summary>
    private static readonly TimeSpan MostNotice = TimeSpan.FromSeconds(75);

    /// <summary>Runs what is left within the budget.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="bench">The device.</param>
    /// <param name="order">What may be done.</param>
    /// <param name="tell">A line for people after each step.</param>
    /// <param name="stop">Ends it after the running unit's own reaction; what was kept stays.</param>
    /// <exception cref="EvidenceRefusedException">The directory belongs to something else, or a section's name is not known.</exception>
    /// <exception cref="DeviceLostException">The device is gone; the unit is as if it had not begun.</exception>
    public async Task<EvidenceOutcome> Run(string path, IEvidenceBench bench, EvidenceOrder order, Action<string> tell, CancellationToken stop)
    {
        foreach (var name in order.Only)
            if (sections.All(s => s.Name != name)) throw new EvidenceRefusedException($"--only '{name}': there is no such section; there are {string.Join(", ", sections.Select(s => s.Name))}.");
        var began = time.GetTimestamp();
        using var directory = EvidenceDirectory.Open(path);
        var state = Begin(directory, bench, order);
        using var deadline = new CancellationTokenSource(order.Budget - Notice(order.Budget), time);
        var files = sections.ToDictionary(s => s.Name, s => directory.Section(s, state.Sections.GetValueOrDefault(s.Name)));
        if (order.Retry) state = Forget(directory, state, files);
        var context = new EvidenceContext(bench, EvidenceSettings.For(bench.Identity.Kind, state.Seed), directory.Path, deadline.Token, name => new UnitDocuments(files.TryGetValue(name, out var file) ? file.Units : ImmutableSortedDictionary<string, JsonElement>.Empty));
        var ran = false;
        foreach (var section in sections.Where(s => order.Only.IsEmpty || order.Only.Contains(s.Name)))
        {
            var units = section.Units(context);
            foreach (var unit in units.Where(u => files[section.Name].Units.ContainsKey(u.Id))) unit.Afterwards?.Invoke();
            if (files[section.Name].Finished) continue;
            var paused = false;
            foreach (var unit in units)
            {
                if (files[section.Name].Units.ContainsKey(unit.Id)) continue;
                stop.ThrowIfCancellationRequested();
                // The first unit of a call always runs: otherwise one that is longer than the budget would never be done.
                if (ran && time.GetElapsedTime(began) + TimeSpan.FromSeconds(unit.Seconds / bench.Pace) > order.Budget)
                {
                    paused = true;
                    break;
                }
                ran = true;
                var clock = time.GetTimestamp();
                if (await Document(unit, stop) is not { } document)
                {
                    paused = true;
                    break;
                }
                var file = files[section.Name] = files[section.Name] with { Units = files[section.Name].Units.SetItem(unit.Id, document) };
                directory.Keep(file, state.Device.Kind);
                state = Done(state, section.Name, unit.Id, file.Units.Count);
                directory.Keep(state);
                unit.Afterwards?.Invoke();
                tell($"{section.Name}/{unit.Id}  {(new UnitDocuments(file.Units).FaultOf(unit.Id) is { } fault ? "FAILED: " + fault : "done")}, {time.GetElapsedTime(clock).TotalSeconds:0.0} s");
            }
            if (paused)
            {
                tell($"{section.Name}: {files[section.Name].Units.Count} of {units.Count} units; the time of this call is up");
                break;
            }
            state = Finish(directory, state, section, context, files);
            tell($"{section.Name}: {state.Sections[section.Name].Verdict}: {files[section.Name].Report!.Headline}");
        }
        return Close(directory, state, files, order);
    }

    private static TimeSpan Notice(TimeSpan budget) => budget / 4 < MostNotice ? budget / 4 : MostNotice;

    private EvidenceState Begin(EvidenceDirectory directory, IEvidenceBench bench, EvidenceOrder order)
    {
        var now = time.GetUtcNow();
        var state = directory.State();
        if (state?.Mismatch(bench.Identity, order.Software) is { } wrong)
            throw new EvidenceRefusedException($"{directory.Path} cannot be continued: {wrong}. Give another --out.");
        state ??= new EvidenceState(
            EvidenceState.CurrentFormat, now, order.Software, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) >> (64 - SeedBits), Environment.MachineName, bench.Identity,
            ImmutableSortedDictionary.Create<string, SectionState>(StringComparer.Ordinal), []);
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

    private EvidenceState Finish(EvidenceDirectory directory, EvidenceState state, IEvidenceSection section, EvidenceContext context, Dictionary<string, SectionFile> files)
    {
        var file = files[section.Name];
        var documents = new UnitDocuments(file.Units);
        var report = section.Report(context, documents);
        if (documents.Faults.Any())
        {
            report = report with
            {
                Verdict = SectionVerdict.Wrong,
                Notes = [.. report.Notes, .. documents.Faults.Select(f => $"{f.Id} failed: {f.Fault}")],
            };
        }
        file = files[section.Name] = file with { Finished = true, Report = report };
        var sha256 = directory.Keep(file, state.Device.Kind);
        var now = time.GetUtcNow();
        var kept = state.Sections.GetValueOrDefault(section.Name) ?? new SectionState(now, null, 0, null, null);
        state = state with { Sections = state.Sections.SetItem(section.Name, kept with { FinishedUtc = now, Units = file.Units.Count, Verdict = report.Verdict, Sha256 = sha256 }) };
        directory.Keep(state);
        return state;
    }

    private EvidenceOutcome Close(EvidenceDirectory directory, EvidenceState state, Dictionary<string, SectionFile> files, EvidenceOrder order)
    {
        // A kill between a section's file and state.json leaves a finished file that the state does not know: the file is the truth.
        foreach (var (name, file) in files.Where(f => f.Value.Finished && state.Sections.GetValueOrDefault(f.Key)?.FinishedUtc is null))
            state = state with { Sections = state.Sections.SetItem(name, new SectionState(time.GetUtcNow(), time.GetUtcNow(), file.Units.Count, file.Report!.Verdict, directory.Keep(file, state.Device.Kind))) };
        state = state with { Calls = state.Calls.SetItem(state.Calls.Length - 1, state.Calls[^1] with { EndedUtc = time.GetUtcNow() }) };
        directory.Keep(state);
        var outcome = new EvidenceOutcome(
            state,
            [.. sections.Where(s => files[s.Name].Finished).Select(s => (s, files[s.Name].Report!))],
            [.. sections.Where(s => !files[s.Name].Finished && (order.Only.IsEmpty || order.Only.Contains(s.Name))).Select(s => s.Name)]);
        directory.Replace("summary.md", SummaryPage.Of(sections, outcome));
        directory.Replace("summary.json", JsonSerializer.Serialize(SummaryPage.Document(sections, outcome), DocumentJson.Indented) + "\n");
        return outcome;
    }
}
