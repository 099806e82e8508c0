using System.Collections.Immutable;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Evidence;

/// <summary>
/// The device's own ceilings, and P_static, e_b and e_f fitted jointly over duty levels of the stream and the matrix kernel. The copy kernel is not
/// in the fit: what the fit says of its energy is a check.
/// </summary>
public sealed class CeilingSection : IEvidenceSection
{
    /// <summary>A window with more of it under the power cap ran at other clocks, so at other energies per bit and FLOP: it is left out of the fit.</summary>
    public const double MostPowerCapShare = 0.01;

    private const string Idle = "idle";

    public string Name => "ceilings";

    public string Title => "Ceilings of the device, and what its energy is spent on";

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context)
    {
        var windows = Windows(context.Settings).ToArray();
        // In random order: a device that warms up must not look like one that computes more.
        new Random(unchecked((int)context.Settings.Seed)).Shuffle(windows);
        return
        [
            Unit(Idle, CeilingKernel.Stream, 0),
            .. windows.Select(w => Unit(Id(w.Kernel, w.Duty), w.Kernel, w.Duty)),
        ];

        EvidenceUnit Unit(string id, CeilingKernel kernel, double duty) =>
            new(id, context.Settings.CeilingSeconds + 2, stop => Task.FromResult<object?>(context.Bench.RunCeiling(kernel, duty, context.Settings.CeilingSeconds, stop)));
    }

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        var figures = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        var (tables, notes) = (ImmutableArray.CreateBuilder<EvidenceTable>(), ImmutableArray.CreateBuilder<string>());
        var windows = Windows(context.Settings).Select(w => documents.Of<CeilingWindow>(Id(w.Kernel, w.Duty))).OfType<CeilingWindow>().ToArray();
        var full = Enum.GetValues<CeilingKernel>().Select(k => windows.FirstOrDefault(w => w.Kernel == k && w.Duty == 1)).OfType<CeilingWindow>().ToArray();
        tables.Add(new("Ceilings: at full duty, over the time in the kernel", ["kernel", "TB/s", "TFLOP/s", "power (W)", "SM clock (MHz)", "under power cap"],
            [.. full.Select(w => ImmutableArray.Create(
                w.Kernel.ToString().ToLowerInvariant(), w.Kernel == CeilingKernel.Matrix ? "—" : Text.Number(w.Bytes / w.BusySeconds / 1e12), w.Flops > 0 ? Text.Number(w.Flops / w.BusySeconds / 1e12) : "—",
                Text.Number(w.Joules / w.Seconds), Text.Number(w.Megahertz), Text.Percent(w.PowerCapShare)))]));
        foreach (var w in full)
        {
            if (w.Kernel == CeilingKernel.Matrix) figures["matrix_flops_per_second"] = w.Flops / w.BusySeconds;
            else figures[w.Kernel == CeilingKernel.Stream ? "stream_bytes_per_second" : "copy_bytes_per_second"] = w.Bytes / w.BusySeconds;
        }
        var idle = documents.Of<CeilingWindow>(Idle);
        if (idle is not null) figures["idle_with_context_watts"] = idle.Joules / idle.Seconds;

        var usable = windows.Where(w => w.Kernel != CeilingKernel.Copy && double.IsFinite(w.Joules)).ToArray();
        var capped = usable.Where(w => w.PowerCapShare > MostPowerCapShare).ToArray();
        DeviceEnergyFit? fit = null;
        try
        {
            fit = DeviceEnergyFit.Fit([.. usable.Except(capped).Select(Window)]);
        }
        catch (ArgumentException e)
        {
            notes.Add($"No energy model was fitted: {e.Message.Split(" (Parameter", 2)[0]}");
        }
        if (capped.Length > 0) notes.Add($"Left out of the fit, more than {Text.Percent(MostPowerCapShare)} of the window under the power cap: {string.Join(", ", capped.Select(w => Id(w.Kernel, w.Duty)))}.");
        if (fit is not null)
        {
            tables.Add(Coefficients(fit));
            tables.Add(Covariance(fit));
            foreach (var flag in fit.Flags) notes.Add($"The fit is flagged: {flag}.");
            notes.Add("P_static is the power of the model at no traffic and no arithmetic, not idle power"
                + (idle is null ? "." : $"; idle with a context drew {Text.Number(idle.Joules / idle.Seconds)} W."));
            notes.Add("The sensor's gain (±5 % of reading) is common to all windows: it scales all three coefficients and is not in their intervals.");
            figures["static_watts"] = fit.StaticWatts.Value;
            figures["joules_per_bit"] = fit.JoulesPerBit.Value;
            figures["joules_per_flop"] = fit.JoulesPerFlop.Value;
        }
        tables.Add(new("Windows", ["kernel", "duty", "window (s)", "TB/s, mean", "TFLOP/s, mean", "energy (J)", "model (J)", "difference", "°C", "MHz"],
            [.. windows.OrderBy(w => w.Kernel).ThenBy(w => w.Duty).Select(w => Row(w, fit))]));
        var headline = SummaryPage.Banner(context.Bench.Identity.Kind) is { } banner ? $"{windows.Length} windows ran; {banner}."
            : fit is null || !figures.ContainsKey("stream_bytes_per_second") ? "Ceilings were measured; no energy model could be fitted."
            : $"Stream {Text.Number(figures["stream_bytes_per_second"] / 1e12)} TB/s, copy {Text.Number(figures.GetValueOrDefault("copy_bytes_per_second", double.NaN) / 1e12)} TB/s, "
              + $"matrix {Text.Number(figures.GetValueOrDefault("matrix_flops_per_second", double.NaN) / 1e12)} TFLOP/s; P_static {Text.Number(fit.StaticWatts.Value)} W, "
              + $"e_b {Text.Number(fit.JoulesPerBit.Value * 1e12)} pJ/bit, e_f {Text.Number(fit.JoulesPerFlop.Value * 1e12)} pJ/FLOP.";
        var verdict = fit is null ? SectionVerdict.NotRun : SectionVerdict.Shown;
        return new(verdict, headline, tables.ToImmutable(), notes.ToImmutable(), figures.ToImmutable());
    }

    // The model is fitted without the copy: its own ceiling is all that a short call asks of it.
    private static IEnumerable<(CeilingKernel Kernel, double Duty)> Windows(EvidenceSettings settings) =>
        from kernel in Enum.GetValues<CeilingKernel>()
        from duty in settings.DutyLevels
        where duty == 1 || kernel != CeilingKernel.Copy || !settings.Brief
        select (kernel, duty);

    private static string Id(CeilingKernel kernel, double duty) => $"{kernel.ToString().ToLowerInvariant()}-{Text.Duty(duty)}";

    private static DutyWindow Window(CeilingWindow w) => new(w.Kernel.ToString().ToLowerInvariant(), w.Duty, w.Seconds, 8 * w.Bytes, w.Flops, w.Joules);

    private static ImmutableArray<string> Row(CeilingWindow w, DeviceEnergyFit? fit)
    {
        var model = fit?.Predict(w.Seconds, 8 * w.Bytes, w.Flops).Joules ?? double.NaN;
        return
        [
            w.Kernel.ToString().ToLowerInvariant(), Text.Duty(w.Duty), Text.Number(w.Seconds), Text.Number(w.Bytes / w.Seconds / 1e12), Text.Number(w.Flops / w.Seconds / 1e12),
            Text.Number(w.Joules), Text.Number(model), Text.Percent((w.Joules - model) / model), Text.Number(w.Celsius), Text.Number(w.Megahertz),
        ];
    }

    private static EvidenceTable Coefficients(DeviceEnergyFit fit)
    {
        ImmutableArray<string> Row(string name, string unit, FittedCoefficient c, double scale) =>
            [$"{name} ({unit})", Text.Number(c.Value * scale), Text.Number(c.StandardError * scale), $"{Text.Number(c.Interval.Low * scale)} – {Text.Number(c.Interval.High * scale)}"];
        return new($"E = P_static·t + e_b·bits + e_f·FLOP, {fit.DegreesOfFreedom + 3} windows, residual {Text.Number(fit.ResidualJoules)} J, condition {Text.Number(fit.Condition)}",
            ["coefficient", "estimate", "standard error", "95 % interval"],
            [Row("P_static", "W", fit.StaticWatts, 1), Row("e_b", "pJ/bit", fit.JoulesPerBit, 1e12), Row("e_f", "pJ/FLOP", fit.JoulesPerFlop, 1e12)]);
    }

    private static EvidenceTable Covariance(DeviceEnergyFit fit)
    {
        string[] names = ["P_static", "e_b", "e_f"];
        double[] scale = [1, 1e12, 1e12];
        return new("Covariance (W, pJ/bit, pJ/FLOP)", ["", .. names],
            [.. names.Select((name, i) => ImmutableArray.Create([name, .. names.Select((_, j) => Text.Number(fit.Covariance[3 * i + j] * scale[i] * scale[j]))]))]);
    }
}
