using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Report;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Console.Evidence;

/// <summary>How the sweep ended; its documents lie in <c>sweep/</c>.</summary>
/// <param name="Plan">The plan's name.</param>
/// <param name="PlanSha256">Its identity.</param>
/// <param name="Phase">How it ended.</param>
/// <param name="Reason">Why, where that is known.</param>
/// <param name="Provenance">The worst of any row's energy.</param>
/// <param name="Groups">What the matrix says, shortened.</param>
internal sealed record SweepEnding(string Plan, string PlanSha256, SweepPhase Phase, string Reason, Provenance Provenance, ImmutableArray<SweepGroup> Groups);

/// <summary>One match group.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Baseline">Its baseline's label.</param>
/// <param name="Rows">Its cells.</param>
/// <param name="Repeatability">Its A/A test.</param>
/// <param name="Estimator">How its J per token and layer were made.</param>
internal sealed record SweepGroup(string Name, string? Baseline, ImmutableArray<SweepRow> Rows, RepeatabilityTest? Repeatability, string Estimator = "");

/// <summary>One cell.</summary>
internal sealed record SweepRow(string Label, Estimate JoulesPerTokenLayer, Estimate? Ratio, double? SimultaneousLow, double? SimultaneousHigh, bool? Resolved, int Passes, int Invalid, double MeanWatts, ImmutableArray<string> Flags);

/// <summary>
/// The catalogue's match groups as a real sweep on the device: a grid in this process, passes, an A/A pair, intervals of scope "this device". The grid keeps
/// its state in the directory until the sweep has ended, so a further call goes on where the last one stopped, as after any crash.
/// </summary>
internal sealed partial class SweepSection(string? planText = null) : IEvidenceSection
{
    private const string Unit = "sweep";
    private const string StateDirectory = ".grid";
    private const string ResultsDirectory = "sweep";

    /// <summary>Least time worth starting a grid for, s of the device's time: a few trials.</summary>
    private const double LeastSeconds = 150, LeastBriefSeconds = 45;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a running trial may take to end once the time is up.</summary>
    private static readonly TimeSpan LastTrial = TimeSpan.FromSeconds(75);

    /// <summary>What two short calls have time for: one step against itself, three passes. Whether the device repeats itself, not what anything costs.</summary>
    private const string BriefPlan = """
        name: one-device-aa
        description: One step against itself on one device.
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: "none: equal arithmetic on seeded random data"}
          service: {milliseconds_per_token: 100000, statistic: mean}
        workload_mix: decode only, no arrivals
        batching: closed batch, all sequences step together
        hardware: {description: one GPU of this machine, model: H100-SXM-80GB, devices: 1}
        boundary: gpu
        stack: simulated
        groups:
          - {name: aa, baseline: A, sweep: [WORKLOAD]}
        aa: {group: aa, of: A, delta: 0.01}
        passes: {min: 3, max: 3, half_width: 0.05}
        TIMING
        traces: none

        """;

    private const string DeviceWorkload = "{workload: [A], batch: 8, context: 4096, vocabulary: 0}";
    private const string DeviceTiming = "trial: {warmup_s: {min: 2, max: 5}, window_s: 5, cooldown_s: 2, precondition_timeout_s: 20}";

    // An emulation takes hours for a layer of full width, and keeps no time.
    private const string EmulatedWorkload = "{workload: [A], batch: 2, context: 40, d_model: 256, d_ff: 256, model_layers: 8, vocabulary: 0}";
    private const string EmulatedTiming = "layers: [1, 3]\ntrial: {warmup_s: 0.1, window_s: 0.8, cooldown_s: 0.1, precondition_timeout_s: 10}\nguards: {min_coverage: 0.5, max_clock_error_s: 60}";

    public string Name => "sweep";

    public string Title => "The match groups as a sweep, scope \"this device\"";

    /// <summary>The plan that is run where none is given, for a device.</summary>
    /// <param name="device">Which.</param>
    /// <param name="brief">Whether a minute or two are to do.</param>
    public static string PlanText(BenchIdentity device, bool brief = false)
    {
        var emulated = device.Kind == BenchKind.Emulated;
        var text = !brief ? Embedded() : BriefPlan
            .Replace("WORKLOAD", emulated ? EmulatedWorkload : DeviceWorkload, StringComparison.Ordinal).Replace("TIMING", emulated ? EmulatedTiming : DeviceTiming, StringComparison.Ordinal);
        text = ModelKey().Replace(text, $"model: \"{device.Model}\",");
        return StackKey().Replace(text, $"stack: {(device.Kind == BenchKind.Simulated ? "simulated" : "cuda")}");
    }

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) => [new(Unit, context.Settings.Brief ? LeastBriefSeconds : LeastSeconds, stop => Run(context, stop), () => Clear(context))];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        if (documents.Of<SweepEnding>(Unit) is not { } ending) return SectionReport.Plain(SectionVerdict.Wrong, "The sweep did not end.");
        var judged = SummaryPage.Banner(context.Bench.Identity.Kind) is null;
        var tables = ending.Groups.Select(g => new EvidenceTable(
            $"{g.Name}{(g.Baseline is { } b ? $", ratio to {b}" : ", no baseline")}{(g.Estimator.Length > 0 ? $", {g.Estimator}" : "")}",
            ["cell", "mJ/token·layer", "95 % interval", "ratio", "95 % interval", "simultaneous 95 %", "power (W)", "passes", "invalid", "flags"],
            [.. g.Rows.Select(r => ImmutableArray.Create(
                r.Label, Number(r.JoulesPerTokenLayer.Value * 1e3), Between(r.JoulesPerTokenLayer.Low * 1e3, r.JoulesPerTokenLayer.High * 1e3),
                r.Ratio is { } ratio ? Number(ratio.Value) + (r.Resolved == false ? " ~" : "") : "—", Between(r.Ratio?.Low, r.Ratio?.High), Between(r.SimultaneousLow, r.SimultaneousHigh),
                Number(r.MeanWatts), r.Passes.ToString(CultureInfo.InvariantCulture), r.Invalid.ToString(CultureInfo.InvariantCulture), string.Join("; ", r.Flags)))])).ToImmutableArray();
        var pairs = ending.Groups.Select(g => g.Repeatability).OfType<RepeatabilityTest>().ToArray();
        var notes = pairs.Select(p => string.Create(CultureInfo.InvariantCulture,
            $"A/A {p.Twin} / {p.Label}: {(p.Passed switch { true => "passes", false => "does NOT pass", _ => "has no interval for" })} its two one-sided tests at ±{100 * p.Delta:0.#} %; ratio {Number(p.Ratio.Value)}, 90 % interval {Between(p.Ratio.Low, p.Ratio.High)}.")).ToList();
        notes.Add("~: no difference is claimed. The intervals contain what the sensors may hide; that of an absolute value also their gain, which replication does not reduce. The sweep's own documents are in sweep/; 'energygrid verify DIR/sweep' checks them.");
        if (ending.Provenance != Provenance.Measured) notes.Add($"Energies are {ending.Provenance.ToString().ToLowerInvariant()}.");
        var verdict = ending.Phase != SweepPhase.Finished ? SectionVerdict.Wrong : judged && pairs.Any(p => p.Passed != true) ? SectionVerdict.BarMissed : SectionVerdict.Shown;
        var ratios = ending.Groups.Sum(g => g.Rows.Count(r => r.SimultaneousLow is not null));
        var headline = ending.Phase != SweepPhase.Finished ? $"The sweep ended as {ending.Phase}: {ending.Reason}"
            : !judged ? $"The sweep finished; {SummaryPage.Banner(context.Bench.Identity.Kind)}."
            : $"{ending.Groups.Sum(g => g.Rows.Length)} cells, {ending.Groups.Sum(g => g.Rows.Count(r => r.SimultaneousLow is not null && r.Resolved == true))} of {ratios} ratios resolved; A/A {(pairs.All(p => p.Passed == true) ? "passes" : "does not pass")}.";
        var figures = ending.Groups.SelectMany(g => g.Rows.Select(r => KeyValuePair.Create($"{g.Name}/{r.Label}_millijoules_per_token_layer", r.JoulesPerTokenLayer.Value * 1e3)));
        return new(verdict, headline, tables, [.. notes], figures.ToImmutableSortedDictionary(StringComparer.Ordinal));
    }

    /// <summary>The grid's own state, once the sweep's documents have been copied and kept.</summary>
    private static void Clear(EvidenceContext context)
    {
        var state = Path.Combine(context.Directory, StateDirectory);
        if (Directory.Exists(state)) Directory.Delete(state, recursive: true);
    }

    private async Task<object?> Run(EvidenceContext context, CancellationToken stop)
    {
        var state = Path.Combine(context.Directory, StateDirectory);
        // The grid's device is the same one: this process may hold it once.
        context.Bench.Release();
        var opened = context.Bench.OpenNode("evidence");
        try
        {
            return await Run(context, opened, state, stop);
        }
        catch (GridProblemException e)
        {
            throw new EvidenceFaultException(e.Faults.IsEmpty ? e.Message : string.Join("; ", e.Faults), e);
        }
        finally
        {
            (opened.Node as IDisposable)?.Dispose();
        }
    }

    private async Task<SweepEnding?> Run(EvidenceContext context, (Devices.INode Node, TimeProvider Time) opened, string state, CancellationToken stop)
    {
        await using var app = SiloHost.Build(new SiloOptions { Name = "evidence", DataDirectory = state, Url = "http://127.0.0.1:0", LocalCpu = false, Node = opened, LogLevel = LogLevel.Error });
        await SiloHost.StartAsync(app, stop);
        try
        {
            using var client = new GridClient(SiloHost.AddressOf(app));
            await Ready(client, stop);
            // The same text under the same id again changes nothing: a further call finds the sweep where it was.
            var status = await client.Submit(planText ?? PlanText(context.Bench.Identity, context.Settings.Brief), Unit, stop);
            if (status.Phase == SweepPhase.Paused) status = await client.Resume(Unit, stop);
            while (!status.HasEnded && !context.Deadline.IsCancellationRequested)
            {
                if (status.Phase == SweepPhase.Paused) throw new EvidenceFaultException($"The sweep paused: {status.Reason}");
                await Task.Delay(Poll, stop);
                status = await client.Sweep(Unit, stop);
            }
            if (!status.HasEnded)
            {
                status = await client.Pause(Unit, "the time of this call is up", stop);
                var patience = TimeProvider.System.GetTimestamp();
                while (!status.Running.IsDefaultOrEmpty && TimeProvider.System.GetElapsedTime(patience) < LastTrial)
                {
                    await Task.Delay(Poll, stop);
                    status = await client.Sweep(Unit, stop);
                }
                if (!status.HasEnded) return null;
            }
            var matrix = await WatchCommand.MatrixOf(client, Unit, stop);
            await Copy(client, context.Directory, stop);
            return Ending(status, matrix);
        }
        finally
        {
            await app.StopAsync(CancellationToken.None);
        }
    }

    private static SweepEnding Ending(SweepStatus status, Matrix? matrix) => new(
        matrix?.Plan ?? status.Name, matrix?.PlanSha256 ?? "", status.Phase, status.Reason, matrix?.Provenance ?? Provenance.Modelled,
        [.. (matrix?.Groups ?? []).Select(g => new SweepGroup(g.Name, g.Baseline,
            [.. g.Rows.Select(r => new SweepRow(r.Label, r.JoulesPerTokenLayer, r.Ratio?.Ratio, r.Ratio?.SimultaneousLow, r.Ratio?.SimultaneousHigh, r.Ratio?.Resolved, r.Passes, r.Invalidations.Values.Sum(), r.MeanWatts, r.Flags))], g.Repeatability,
            string.Join("; ", g.Rows.Select(Verdicts.Estimator).Distinct())))]);

    private static async Task Copy(GridClient client, string directory, CancellationToken stop)
    {
        foreach (var file in await client.Files(Unit, stop))
        {
            var path = Path.Combine(directory, ResultsDirectory, file.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using var into = File.Create(path);
            await client.Download(Unit, file.Name, into, stop);
        }
    }

    private static async Task Ready(GridClient client, CancellationToken stop)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                // One that is up: a call that goes on finds what the last one had announced.
                if ((await client.Devices(stop)).Any(d => d.Up)) return;
            }
            catch (GridProblemException e) when ((int)e.Status == 503)
            {
                // It has just started.
            }
            if (TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(30)) throw new EvidenceFaultException("The device did not announce itself to the grid within 30 s.");
            await Task.Delay(Poll, stop);
        }
    }

    private static string Embedded()
    {
        using var stream = typeof(SweepSection).Assembly.GetManifestResourceStream("plans/one-device.yaml") ?? throw new InvalidOperationException("The plan one-device.yaml is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static string Number(double value) => Say.Number(value);

    private static string Between(double? low, double? high) => low is { } l && high is { } h ? $"{Number(l)} – {Number(h)}" : "—";

    [GeneratedRegex("(?<![a-z_])model: [^,}]+,", RegexOptions.CultureInvariant)]
    private static partial Regex ModelKey();

    [GeneratedRegex("^stack: \\w+", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex StackKey();
}
