using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>Committed trials as a flat table: a row a measured window, with its trial's members repeated; a trial without any window has one row.</summary>
public static class TrialsTable
{
    private sealed record Window(int Place, TrialResult Trial, Leg? Leg);

    /// <summary>All columns; rows in the order of commit, the windows of a trial as they ran.</summary>
    public static ImmutableArray<FlatColumn> Of(IEnumerable<TrialResult> trials)
    {
        var table = new FlatTable<Window>([.. trials.SelectMany((t, i) => t.Legs.IsDefaultOrEmpty ? [new Window(i, t, null)] : t.Legs.Select(l => new Window(i, t, l)))]);
        table.Whole("sequence", w => w.Trial.Sequence ?? w.Place);
        table.Text("sweep", w => w.Trial.Trial.Sweep);
        table.Text("group", w => w.Trial.Trial.Group);
        table.Text("label", w => w.Trial.Trial.Label);
        table.Text("configuration_sha256", w => w.Trial.Trial.Configuration);
        table.Whole("block", w => w.Trial.Trial.Block);
        table.Whole("pass", w => w.Trial.Trial.Pass);
        table.Whole("attempt", w => w.Trial.Attempt);
        table.Text("plan_sha256", w => w.Trial.PlanSha256);
        table.Text("outcome", w => w.Trial.Outcome.ToString().ToLowerInvariant());
        table.Text("reasons", w => Joined(w.Trial.Reasons));
        table.Text("host", w => w.Trial.Host);
        table.Text("site", w => w.Trial.Site);
        table.Text("rack", w => w.Trial.Rack);
        table.Text("devices", w => Joined(w.Trial.Devices));
        table.Whole("device_count", w => w.Trial.Devices.IsDefault ? 0 : w.Trial.Devices.Length);
        table.Text("model", w => w.Trial.Model);
        table.Text("driver", w => w.Trial.Driver);
        table.Number("power_limit_watts", w => w.Trial.PowerLimitWatts);
        table.Number("start_celsius", w => w.Trial.StartCelsius);
        table.Instant("started_utc", w => w.Trial.StartedUtc);
        table.Instant("ended_utc", w => w.Trial.EndedUtc);
        table.Instant("origin_utc", w => w.Trial.OriginUtc);
        table.Instant("started_wall_utc", w => w.Trial.StartedWallUtc);
        table.Instant("ended_wall_utc", w => w.Trial.EndedWallUtc);
        table.Number("time_scale", w => w.Trial.TimeScale);
        table.Number("idle_context_watts", w => w.Trial.IdleContextWatts);
        table.Text("flags", w => Joined(w.Trial.Flags));
        table.Text("trace", w => w.Trial.Trace);
        table.Text("trace_sha256", w => w.Trial.TraceSha256);
        table.Whole("layers", w => w.Leg?.Layers);
        table.Whole("from_nanoseconds", w => w.Leg?.Evidence?.FromNanoseconds);
        table.Whole("to_nanoseconds", w => w.Leg?.Evidence?.ToNanoseconds);
        table.Instant("window_started_utc", w => w.Leg?.StartedUtc);
        table.Number("window_seconds", w => w.Leg?.WindowSeconds);
        table.Number("steps", w => w.Leg?.Steps);
        table.Number("tokens", w => w.Leg?.Tokens);
        Energy(table, "gpu", w => w.Leg?.Gpu);
        Energy(table, "node", w => w.Leg?.Node);
        table.Number("node_gpu_joules", w => w.Leg?.NodeGpuJoules);
        table.Whole("node_gpus", w => w.Leg?.NodeGpus);
        table.Whole("same_cell_gpus", w => w.Leg?.SameCellGpus);
        table.Number("counter_residual", w => w.Leg?.CounterResidual);
        table.Number("power_cap_fraction", w => w.Leg?.PowerCapFraction);
        table.Number("thermal_fraction", w => w.Leg?.ThermalFraction);
        table.Number("warmup_seconds", w => w.Leg?.WarmupSeconds);
        table.Number("mean_celsius", w => w.Leg?.MeanCelsius);
        table.Number("mean_megahertz", w => w.Leg?.MeanMegahertz);
        table.Number("p50_step_seconds", w => w.Leg?.P50StepSeconds);
        table.Number("p99_step_seconds", w => w.Leg?.P99StepSeconds);
        table.Text("window_flags", w => w.Leg is { } leg ? Joined(leg.Flags) : null);
        return table.Columns;
    }

    private static void Energy(FlatTable<Window> table, string name, Func<Window, Energy?> energy)
    {
        table.Number(name + "_joules", w => energy(w)?.Joules);
        table.Number(name + "_covered_seconds", w => energy(w)?.CoveredSeconds);
        table.Number(name + "_expected_seconds", w => energy(w)?.ExpectedSeconds);
        table.Number(name + "_low_gap_joules", w => energy(w)?.LowGapJoules);
        table.Number(name + "_high_gap_joules", w => energy(w)?.HighGapJoules);
        table.Number(name + "_edge_uncertainty_joules", w => energy(w)?.EdgeUncertaintyJoules);
        table.Text(name + "_method", w => energy(w)?.Method);
        table.Text(name + "_provenance", w => energy(w)?.Provenance.ToString().ToLowerInvariant());
    }

    private static string Joined(ImmutableArray<string> texts) => texts.IsDefault ? "" : string.Join("; ", texts);
}
