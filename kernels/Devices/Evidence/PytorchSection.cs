using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>What <c>python3</c> has.</summary>
/// <param name="Torch">Version; null where there is none.</param>
/// <param name="Reason">Why it cannot run; null if it can.</param>
public sealed record PytorchProbe(string? Torch, string? Reason);

/// <summary>One step in PyTorch.</summary>
/// <param name="Label">Catalogue code.</param>
/// <param name="Unsupported">Why it did not run; null if it did.</param>
/// <param name="Torch">Version.</param>
/// <param name="Attention">The backend that was fastest.</param>
/// <param name="LongLayers">The larger L' that it could hold.</param>
/// <param name="ShortLayers">The smaller one.</param>
/// <param name="LongSeconds">Time of a step at the larger L' in each stretch, s.</param>
/// <param name="ShortSeconds">And at the smaller one; empty where only one fits.</param>
/// <param name="Notes">What was tried and refused.</param>
public sealed record PytorchTiming(
    string Label, string? Unsupported, string? Torch, string? Attention, int LongLayers, int ShortLayers,
    ImmutableArray<double> LongSeconds, ImmutableArray<double> ShortSeconds, ImmutableArray<string> Notes)
{
    // What the script leaves out of its answer is empty: a default array can neither be written nor read.
    public ImmutableArray<double> LongSeconds { get; } = LongSeconds.IsDefault ? [] : LongSeconds;

    public ImmutableArray<double> ShortSeconds { get; } = ShortSeconds.IsDefault ? [] : ShortSeconds;

    public ImmutableArray<string> Notes { get; } = Notes.IsDefault ? [] : Notes;

    /// <summary>Time of one layer by each pair of stretches, s.</summary>
    public IEnumerable<double> LayerSeconds => LongSeconds.IsEmpty ? []
        : ShortSeconds.IsEmpty ? LongSeconds.Select(s => s / LongLayers)
        : LongSeconds.Zip(ShortSeconds, (l, s) => (l - s) / (LongLayers - ShortLayers));
}

/// <summary>The same steps in PyTorch on the same device, side by side. The script lies beside the results: whoever doubts it can run it.</summary>
/// <param name="python">The interpreter, for example <c>python3</c>.</param>
public sealed class PytorchSection(string python = "python3") : IEvidenceSection
{
    /// <summary>The script's name in the directory and among the resources.</summary>
    public const string ScriptName = "pytorch_steps.py";

    private const string Probe = "probe";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    public string Name => "pytorch";

    public string Title => "The same steps in PyTorch";

    /// <summary>The script as it is embedded.</summary>
    public static string Script
    {
        get
        {
            using var stream = typeof(PytorchSection).Assembly.GetManifestResourceStream("evidence/" + ScriptName) ?? throw new InvalidOperationException($"{ScriptName} is not embedded.");
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }

    /// <summary>What the script is told of a step.</summary>
    public static string StepJson(Configuration c) => JsonSerializer.Serialize(new
    {
        label = c.Workload,
        weights = c.Weights,
        batch = c.Batch,
        context = c.Context,
        model_width = c.ModelWidth,
        heads = c.Heads,
        key_value_heads = c.KeyValueHeads,
        feed_forward_width = c.FeedForwardWidth,
        unit = Catalogue.Unit(c).Select(Kind),
        short_layers = c.ShortLayers,
        long_layers = c.LongLayers,
        seed = c.DataSeed,
    });

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context)
    {
        var s = context.Settings;
        var seconds = 2 * (s.Repeats * s.StepSeconds + s.LoadSeconds) + 15;
        return
        [
            new(Probe, 10, async stop => await Ask<PytorchProbe>(context, stop, "--probe")),
            .. BandwidthSection.Codes(s).Select(code => new EvidenceUnit(code, seconds, stop => Time(context, code, stop))),
        ];
    }

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        if (documents.Of<PytorchProbe>(Probe) is not { Reason: null } found)
            return SectionReport.Plain(SectionVerdict.NotRun, $"Not run: {documents.Of<PytorchProbe>(Probe)?.Reason ?? "python3 did not answer"}.");
        if (SummaryPage.Banner(context.Bench.Identity.Kind) is { } banner) return SectionReport.Plain(SectionVerdict.NotRun, $"Not run beside a device that is not a GPU ({banner}).");
        var ours = context.Earlier("bandwidth");
        var (rows, behind, notes) = (ImmutableArray.CreateBuilder<ImmutableArray<string>>(), new List<string>(), ImmutableArray.CreateBuilder<string>());
        var figures = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        foreach (var code in Catalogue.Codes)
        {
            if (documents.Of<PytorchTiming>(code) is not { } theirs) continue;
            var mine = ours.Of<StepMeasurement>(code) is { } m ? BandwidthSection.Mean(m.LayerSeconds).Mean : double.NaN;
            var layer = theirs.LayerSeconds.Any() ? BandwidthSection.Mean(theirs.LayerSeconds).Mean : double.NaN;
            if (theirs.Unsupported is { } why) notes.Add($"{code}: not in this PyTorch: {why}");
            if (double.IsFinite(layer)) figures[$"{code}_torch_layer_microseconds"] = layer * 1e6;
            if (double.IsFinite(layer) && double.IsFinite(mine) && !(mine < layer)) behind.Add(code);
            rows.Add([code, Text.Number(mine * 1e6), Text.Number(layer * 1e6), Text.Number(layer / mine), theirs.Attention ?? "—", theirs.LongLayers > 0 ? $"{theirs.ShortLayers}, {theirs.LongLayers}" : "—"]);
        }
        var compared = rows.Count(r => r[3] != "—");
        var table = new EvidenceTable($"Per layer and step, slope over two L', PyTorch {found.Torch}", ["step", "ours (µs)", "PyTorch (µs)", "PyTorch ÷ ours", "attention", "L' in PyTorch"], rows.ToImmutable());
        notes.Add($"{ScriptName} in this directory is what ran. INT8 has one scale a row there, the absorbed matrices of MLA stay in 16 bits, and each step is one CUDA graph.");
        var headline = compared == 0 ? "PyTorch ran no step that could be compared." : behind.Count == 0 ? $"Ahead of PyTorch on all {compared} steps that were compared." : $"Behind PyTorch: {string.Join(", ", behind)}.";
        return new(behind.Count > 0 ? SectionVerdict.BarMissed : compared == 0 ? SectionVerdict.NotRun : SectionVerdict.Shown, headline, [table], notes.ToImmutable(), figures.ToImmutable());
    }

    private async Task<object?> Time(EvidenceContext context, string code, CancellationToken stop)
    {
        PytorchTiming Not(string why) => new(code, why, null, null, 0, 0, [], [], []);
        if (context.Bench.Identity.Kind != BenchKind.Gpu) return Not("the device is not a GPU");
        if (context.Earlier(Name).Of<PytorchProbe>(Probe) is not { Reason: null }) return Not("no PyTorch here");
        var s = context.Settings;
        var step = s.Step(code, context.Bench.Identity);
        // The device is PyTorch's alone while it runs.
        context.Bench.Release();
        return await Ask<PytorchTiming>(
            context, stop, "--step", StepJson(step), "--seconds", s.StepSeconds.ToString(CultureInfo.InvariantCulture), "--repeats", s.Repeats.ToString(CultureInfo.InvariantCulture));
    }

    private async Task<T> Ask<T>(EvidenceContext context, CancellationToken stop, params string[] arguments) where T : class
    {
        var script = Path.Combine(context.Directory, ScriptName);
        await File.WriteAllTextAsync(script, Script, stop);
        var start = new ProcessStartInfo(python, ["-B", script, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
        if (context.Bench.Identity.Kind == BenchKind.Gpu) start.Environment["CUDA_VISIBLE_DEVICES"] = context.Bench.Identity.Uuid;
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            if (typeof(T) == typeof(PytorchProbe)) return (T)(object)new PytorchProbe(null, $"there is no {python} here ({e.Message})");
            throw new EvidenceFaultException($"{python} cannot be started: {e.Message}", e);
        }
        using (process)
        {
            process.StandardInput.Close();
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
            patience.CancelAfter(Patience);
            var (output, error) = (process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                stop.ThrowIfCancellationRequested();
                throw new EvidenceFaultException($"PyTorch did not finish within {Patience.TotalMinutes:0} min.");
            }
            var last = (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault();
            try
            {
                if (last is not null && JsonSerializer.Deserialize<T>(last, DocumentJson.Compact) is { } answer) return answer;
            }
            catch (JsonException)
            {
                // Said below with what it wrote.
            }
            var said = (await error).Trim().Split('\n')[^1];
            throw new EvidenceFaultException($"{ScriptName} ended with {process.ExitCode.ToString(CultureInfo.InvariantCulture)} and no answer: {said}");
        }
    }

    private static string Kind(LayerKind kind) => kind switch
    {
        LayerKind.MultiHead => "multi_head",
        LayerKind.Grouped => "grouped",
        LayerKind.Latent => "latent",
        LayerKind.NativeSparse => "native_sparse",
        LayerKind.CompressedSparse => "compressed_sparse",
        LayerKind.HeavilyCompressed => "heavily_compressed",
        _ => "lightning",
    };
}
