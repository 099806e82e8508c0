using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>
/// The cells of a matrix as a flat table: a row a cell, a column a member of <c>matrix.json</c> under its name in snake_case, nested ones joined.
/// Columns of what the matrix estimates only under conditions (figures, boundary by boundary and Φ by Φ, and the cost) are there if some cell has a value; all others always are, and come first.
/// </summary>
public static class CellsTable
{
    private sealed record Cell(Matrix Matrix, string Banner, MatrixGroup Group, MatrixRow Row);

    /// <summary>All columns, in the order of <c>cells.csv</c>; rows in the matrix's order.</summary>
    public static ImmutableArray<FlatColumn> Of(Matrix matrix)
    {
        var banner = Standing.Of(matrix).Word;
        Cell[] cells = [.. matrix.Groups.SelectMany(g => g.Rows.Select(r => new Cell(matrix, banner, g, r)))];
        var table = new FlatTable<Cell>(cells);
        Identity(table);
        Energy(table);
        Ratio(table);
        Rates(table);
        Constraint(table);
        Standard(table);
        return [.. table.Columns, .. Figures(cells).Where(c => c.Values.Any(v => v is not null))];
    }

    private static void Identity(FlatTable<Cell> table)
    {
        table.Whole("format", c => c.Matrix.Format);
        table.Text("sweep", c => c.Matrix.Sweep);
        table.Text("plan", c => c.Matrix.Plan);
        table.Text("plan_sha256", c => c.Matrix.PlanSha256);
        table.Flag("complete", c => c.Matrix.Complete);
        table.Text("banner", c => c.Banner);
        table.Text("group", c => c.Group.Name);
        table.Text("hardware", c => c.Group.Hardware);
        table.Text("baseline", c => c.Group.Baseline);
        table.Text("label", c => c.Row.Label);
        table.Text("twin_of", c => c.Row.TwinOf);
        table.Text("provenance", c => c.Row.Provenance is { } provenance ? Word(provenance) : null);
        table.Text("workload", c => c.Row.Configuration.Workload);
        table.Text("weights", c => c.Row.Configuration.Weights);
        table.Whole("batch", c => c.Row.Configuration.Batch);
        table.Whole("context", c => c.Row.Configuration.Context);
        table.Whole("model_width", c => c.Row.Configuration.ModelWidth);
        table.Whole("heads", c => c.Row.Configuration.Heads);
        table.Whole("key_value_heads", c => c.Row.Configuration.KeyValueHeads);
        table.Whole("feed_forward_width", c => c.Row.Configuration.FeedForwardWidth);
        table.Whole("model_layers", c => c.Row.Configuration.ModelLayers);
        table.Whole("short_layers", c => c.Row.Configuration.ShortLayers);
        table.Whole("middle_layers", c => c.Row.Configuration.MiddleLayers is > 0 and var middle ? middle : null);
        table.Whole("long_layers", c => c.Row.Configuration.LongLayers);
        table.Whole("vocabulary", c => c.Row.Configuration.Vocabulary);
        table.Text("stack", c => c.Row.Configuration.Stack);
        table.Text("data", c => c.Row.Configuration.Data);
        table.Whole("data_seed", c => c.Row.Configuration.DataSeed);
        table.Text("configuration_sha256", c => c.Row.ConfigurationSha256);
        table.Number("cost_parameters", c => c.Row.Cost.Parameters);
        table.Number("cost_weight_bytes", c => c.Row.Cost.WeightBytes);
        table.Number("cost_state_bytes", c => c.Row.Cost.StateBytes);
        table.Number("cost_bytes", c => c.Row.Cost.Bytes);
        table.Number("cost_weight_flops", c => c.Row.Cost.WeightFlops);
        table.Number("cost_attention_flops", c => c.Row.Cost.AttentionFlops);
        table.Number("cost_flops", c => c.Row.Cost.Flops);
        table.Number("cost_resident_bytes", c => c.Row.Cost.ResidentBytes);
        table.Text("token_kind", c => c.Row.TokenKind);
        table.Number("tokens", c => c.Row.Tokens);
    }

    private static void Energy(FlatTable<Cell> table)
    {
        table.Text("boundary", c => Word(c.Row.Boundary));
        table.Text("estimator", c => c.Row.Estimator);
        Estimate(table, "joules_per_token_layer", c => c.Row.JoulesPerTokenLayer);
        Uncertainty(table, "uncertainty", c => c.Row.Uncertainty);
        Estimate(table, "net_joules_per_token_layer", c => c.Row.NetJoulesPerTokenLayer);
        table.Number("intercept_joules_per_step", c => c.Row.InterceptJoulesPerStep);
        Estimate(table, "linearity_departure", c => c.Row.Linearity?.Departure);
        table.Whole("linearity_layers", c => c.Row.Linearity?.Layers);
        table.Flag("linearity_straight", c => c.Row.Linearity?.Straight);
        table.Number("coverage", c => c.Row.Coverage);
        table.Number("mean_watts", c => c.Row.MeanWatts);
        table.Number("power_cap_fraction", c => c.Row.PowerCapFraction);
    }

    private static void Ratio(FlatTable<Cell> table)
    {
        Estimate(table, "ratio", c => c.Row.Ratio?.Ratio);
        table.Number("ratio_simultaneous_low", c => c.Row.Ratio?.SimultaneousLow);
        table.Number("ratio_simultaneous_high", c => c.Row.Ratio?.SimultaneousHigh);
        Uncertainty(table, "ratio_uncertainty", c => c.Row.Ratio?.Uncertainty);
        table.Number("ratio_p_value", c => c.Row.Ratio?.PValue);
        table.Number("ratio_holm_p_value", c => c.Row.Ratio?.HolmPValue);
        table.Number("ratio_resolution", c => c.Row.Ratio?.Resolution);
        table.Text("ratio_resolution_from", c => c.Row.Ratio?.ResolutionFrom);
        table.Text("ratio_standing", c => c.Row.Ratio is { } ratio ? Word(ratio.Standing) : null);
        table.Text("ratio_standing_reason", c => c.Row.Ratio?.StandingReason);
        table.Number("ratio_achieved_over_floor", c => c.Row.Ratio?.AchievedOverFloor);
        table.Text("ratio_confounds", c => c.Row.Ratio is { } ratio ? Joined(ratio.Confounds) : null);
    }

    private static void Rates(FlatTable<Cell> table)
    {
        table.Number("token_layers_per_second", c => c.Row.TokenLayersPerSecond);
        table.Number("watts_per_device", c => c.Row.WattsPerDevice);
        table.Number("achieved_over_floor", c => c.Row.AchievedOverFloor);
        table.Number("flops_per_token_layer", c => c.Row.FlopsPerTokenLayer);
        table.Number("k_eff_realized", c => c.Row.KEffRealized, "flops_per_second");
        table.Number("k_eff_peak", c => c.Row.KEffPeak, "flops_per_second");
        table.Number("projected_tokens_per_second", c => c.Row.ProjectedTokensPerSecond);
        table.Number("projected_step_milliseconds", c => c.Row.ProjectedStepMilliseconds);
        table.Number("service_milliseconds", c => c.Row.ServiceMilliseconds);
        table.Text("service_statistic", c => c.Row.ServiceStatistic);
        table.Flag("meets_service", c => c.Row.MeetsService);
        table.Text("quality", c => c.Row.Quality);
    }

    private static void Constraint(FlatTable<Cell> table)
    {
        table.Text("constraint_verdict", c => c.Row.Constraint.Verdict);
        table.Text("constraint_text", c => c.Row.Constraint.Text);
        table.Text("constraint_reason", c => c.Row.Constraint.Reason);
        table.Text("constraint_limit", c => c.Row.Constraint.Limit);
        table.Text("constraint_boundary", c => Word(c.Row.Constraint.Boundary));
        table.Whole("constraint_devices", c => c.Row.Constraint.Devices);
        table.Number("constraint_budget_watts", c => c.Row.Constraint.BudgetWatts);
        table.Number("constraint_drawn_watts", c => c.Row.Constraint.DrawnWatts);
        table.Number("constraint_rho", c => c.Row.Constraint.Rho, "joules_per_flop");
        table.Number("constraint_rho_star", c => c.Row.Constraint.RhoStar, "joules_per_flop");
        Estimate(table, "constraint_headroom", c => c.Row.Constraint.Headroom);
        table.Number("constraint_headroom_peak", c => c.Row.Constraint.HeadroomPeak);
        table.Number("constraint_break_even_watts", c => c.Row.Constraint.BreakEvenWatts);
        table.Number("constraint_break_even_watts_peak", c => c.Row.Constraint.BreakEvenWattsPeak);
        table.Text("ceilings", c => Joined(c.Row.Ceilings));
    }

    private static void Standard(FlatTable<Cell> table)
    {
        table.Whole("passes", c => c.Row.Passes);
        table.Whole("devices", c => c.Row.Devices);
        table.Whole("nodes", c => c.Row.Nodes);
        table.Number("spread_pass", c => c.Row.Spread.Pass);
        table.Number("spread_device", c => c.Row.Spread.Device);
        table.Number("spread_node", c => c.Row.Spread.Node);
        table.Number("spread_device_and_node", c => c.Row.Spread.DeviceAndNode);
        table.Text("invalidations", c => string.Join("; ", c.Row.Invalidations.Select(i => $"{i.Key}: {i.Value.ToString(CultureInfo.InvariantCulture)}")));
        table.Text("flags", c => Joined(c.Row.Flags));
        table.Text("absent", c => string.Join("; ", c.Row.Absent.Select(a => $"{a.Key}: {a.Value}")));
    }

    // What the matrix has by name: their names are known only when it is there.
    private static ImmutableArray<FlatColumn> Figures(Cell[] cells)
    {
        var table = new FlatTable<Cell>(cells);
        Estimate(table, "seconds_per_token_layer", c => c.Row.SecondsPerTokenLayer);
        Estimate(table, "ratio_time_ratio", c => c.Row.Ratio?.TimeRatio);
        Serving(table);
        Figure("head_joules_per_token", r => r.HeadJoulesPerToken);
        foreach (var boundary in Keys(r => r.ProjectedJoulesPerToken.Keys.Concat(r.BoundaryNotes.Keys)))
        {
            Figure($"projected_joules_per_token_{Name(boundary)}", r => r.ProjectedJoulesPerToken.GetValueOrDefault(boundary));
            table.Text($"boundary_notes_{Name(boundary)}", c => c.Row.BoundaryNotes.GetValueOrDefault(boundary));
        }

        Figure("pue_adjusted_joules_per_token", r => r.PueAdjustedJoulesPerToken);
        table.Number("cost_per_million_tokens", c => c.Row.CostPerMillionTokens);
        table.Text("currency", c => c.Row.Currency);
        Figure("utilization", r => r.Utilization);
        foreach (var phi in Keys(r => r.Phi.Keys))
        {
            var name = Name(phi);
            Figure(name.StartsWith("phi_", StringComparison.Ordinal) ? name : "phi_" + name, r => r.Phi.GetValueOrDefault(phi));
        }

        return table.Columns;

        // A reason without a single value is no column either: matrix.json has it.
        void Figure(string name, Func<MatrixRow, Figure?> figure)
        {
            var any = cells.Any(c => figure(c.Row)?.Value is { } value && double.IsFinite(value));
            table.Number(name + "_value", c => figure(c.Row)?.Value);
            table.Text(name + "_reason", c => any ? figure(c.Row)?.Reason : null);
        }

        IEnumerable<string> Keys(Func<MatrixRow, IEnumerable<string>> keys) => cells.SelectMany(c => keys(c.Row)).DistinctBy(Name).Order(StringComparer.Ordinal);
    }

    private static void Serving(FlatTable<Cell> table)
    {
        table.Text("serve_model", c => c.Row.Configuration.Serve?.Model);
        table.Text("serve_parameters", c => c.Row.Configuration.Serve is { } serve ? string.Join("; ", serve.Parameters.Select(p => $"{p.Key}: {p.Value}")) : null);
        Estimate(table, "serving_joules_per_token", c => c.Row.Serving?.JoulesPerToken);
        Estimate(table, "serving_seconds_per_token", c => c.Row.Serving?.SecondsPerToken);
        Estimate(table, "serving_net_joules_per_token", c => c.Row.Serving?.NetJoulesPerToken);
        table.Number("serving_joules_per_total_token", c => c.Row.Serving?.JoulesPerTotalToken);
        table.Number("serving_joules_per_request", c => c.Row.Serving?.JoulesPerRequest);
        table.Number("serving_output_tokens_per_second", c => c.Row.Serving?.OutputTokensPerSecond);
        table.Number("serving_requests_per_second", c => c.Row.Serving?.RequestsPerSecond);
        foreach (var (name, of) in new (string, Func<ServedLatencies, LatencyLine>)[] { ("first_token", l => l.FirstToken), ("per_token", l => l.PerToken), ("between_tokens", l => l.BetweenTokens), ("end_to_end", l => l.EndToEnd) })
        {
            LatencyLine? Line(Cell c) => c.Row.Serving is { } serving ? of(serving.Latencies) : null;
            table.Whole($"serving_latencies_{name}_count", c => Line(c)?.Count);
            table.Number($"serving_latencies_{name}_mean_milliseconds", c => Line(c)?.MeanMilliseconds);
            table.Number($"serving_latencies_{name}_p50_milliseconds", c => Line(c)?.P50Milliseconds);
            table.Number($"serving_latencies_{name}_p90_milliseconds", c => Line(c)?.P90Milliseconds);
            table.Number($"serving_latencies_{name}_p99_milliseconds", c => Line(c)?.P99Milliseconds);
            table.Number($"serving_latencies_{name}_most_milliseconds", c => Line(c)?.MostMilliseconds);
        }

        table.Number("serving_good_requests_per_second_value", c => c.Row.Serving?.GoodRequestsPerSecond.Value);
        table.Number("serving_good_requests_per_joule_value", c => c.Row.Serving?.GoodRequestsPerJoule.Value);
        table.Number("serving_cached_share", c => c.Row.Serving?.CachedShare);
        table.Whole("serving_sent", c => c.Row.Serving?.Sent);
        table.Whole("serving_failed", c => c.Row.Serving?.Failed);
        table.Number("serving_mean_running", c => c.Row.Serving?.MeanRunning);
        table.Number("serving_mean_waiting", c => c.Row.Serving?.MeanWaiting);
        table.Number("serving_kv_use", c => c.Row.Serving?.KvUse);
        table.Number("serving_added_milliseconds", c => c.Row.Serving?.AddedMilliseconds);
        table.Number("serving_lateness_milliseconds", c => c.Row.Serving?.LatenessMilliseconds);
        table.Number("serving_service_milliseconds", c => c.Row.Serving?.ServiceMilliseconds);
        table.Number("serving_first_token_milliseconds", c => c.Row.Serving?.FirstTokenMilliseconds);
        table.Text("serving_reconciliation", c => c.Row.Serving is { } serving ? Joined(serving.Reconciliation) : null);
        table.Text("serving_versions", c => c.Row.Serving is { } serving ? Joined(serving.Versions) : null);
        table.Text("serving_arguments", c => c.Row.Serving is { } serving ? Joined(serving.Arguments) : null);
        table.Text("serving_model_sha256", c => c.Row.Serving is { } serving ? Joined(serving.ModelSha256) : null);
    }

    private static void Estimate(FlatTable<Cell> table, string name, Func<Cell, Estimate?> estimate)
    {
        table.Number(name + "_value", c => estimate(c)?.Value);
        table.Number(name + "_low", c => estimate(c)?.Low);
        table.Number(name + "_high", c => estimate(c)?.High);
        table.Text(name + "_scope", c => estimate(c)?.Scope);
        table.Whole(name + "_units", c => estimate(c)?.Units);
    }

    private static void Uncertainty(FlatTable<Cell> table, string name, Func<Cell, Uncertainty?> uncertainty)
    {
        table.Number(name + "_standard_error", c => uncertainty(c)?.StandardError);
        table.Whole(name + "_degrees_of_freedom", c => uncertainty(c)?.DegreesOfFreedom);
        table.Number(name + "_offset_term", c => uncertainty(c)?.OffsetTerm);
        table.Number(name + "_non_linearity_term", c => uncertainty(c)?.NonLinearityTerm);
        table.Number(name + "_alias_term", c => uncertainty(c)?.AliasTerm);
        table.Number(name + "_counter_term", c => uncertainty(c)?.CounterTerm);
        table.Number(name + "_gain_term", c => uncertainty(c)?.GainTerm);
        table.Number(name + "_type_b", c => uncertainty(c)?.TypeB);
        table.Number(name + "_bound", c => uncertainty(c)?.Bound);
    }

    private static string Word<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static string Joined(ImmutableArray<string> texts) => texts.IsDefault ? "" : string.Join("; ", texts);

    // Keys are names of the matrix's own; whatever else stands in a document becomes no more than a name.
    private static string Name(string key) => string.Concat(key.ToLowerInvariant().Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) ? c : '_'));
}
