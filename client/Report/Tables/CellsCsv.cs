using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>
/// <c>cells.csv</c>: one line per cell, every column of the matrix row, SI units, full precision, invariant culture (RFC 4180, LF).
/// Empty means absent. Text that a spreadsheet would take for a formula is preceded by an apostrophe: plans are not trusted.
/// </summary>
public static class CellsCsv
{
    private static readonly string[] Boundaries = ["gpu", "node", "rack", "facility"];

    private static readonly string[] Phis = ["phi_prefill", "phi_decode", "phi_mem", "phi_mem_paper", "phi_comp", "phi_sched", "phi_route", "phi_system"];

    /// <summary>The header line and a line per cell, in the matrix's order. A Phi that is not in the fixed list gets a column at the end, by name.</summary>
    public static string Write(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var phis = Phis.Concat(rows.SelectMany(r => r.Phi.Keys).Select(k => k.ToLowerInvariant()).Except(Phis).Order(StringComparer.Ordinal)).ToArray();
        var csv = new StringBuilder();
        var header = true;
        foreach (var group in matrix.Groups)
        {
            foreach (var row in group.Rows)
            {
                var fields = Fields(matrix, group, row, phis);
                if (header)
                {
                    Line(csv, fields.Select(f => f.Name));
                    header = false;
                }

                Line(csv, fields.Select(f => f.Text));
            }
        }

        return csv.ToString();
    }

    private static List<(string Name, string Text)> Fields(Matrix matrix, MatrixGroup group, MatrixRow row, string[] phis)
    {
        var c = row.Configuration;
        var ratio = row.Ratio;
        var fields = new List<(string, string)>
        {
            ("sweep", Words(matrix.Sweep)),
            ("group", Words(group.Name)),
            ("hardware", Words(group.Hardware)),
            ("label", Words(row.Label)),
            ("twin_of", Words(row.TwinOf)),
            ("provenance", Words(row.Provenance.ToString().ToLowerInvariant())),
            ("workload", Words(c.Workload)),
            ("weights", Words(c.Weights)),
            ("batch", Whole(c.Batch)),
            ("context", Whole(c.Context)),
            ("model_layers", Whole(c.ModelLayers)),
            ("short_layers", Whole(c.ShortLayers)),
            ("long_layers", Whole(c.LongLayers)),
            ("stack", Words(c.Stack)),
            ("data", Words(c.Data)),
            ("data_seed", c.DataSeed.ToString(CultureInfo.InvariantCulture)),
            ("configuration_sha256", Words(row.ConfigurationSha256)),
            ("token_kind", Words(row.TokenKind)),
            ("tokens", Number(row.Tokens)),
        };
        Estimate("joules_per_token_layer", row.JoulesPerTokenLayer);
        Estimate("net_joules_per_token_layer", row.NetJoulesPerTokenLayer);
        Add("gain_uncertainty", Number(row.GainUncertainty));
        Add("intercept_joules_per_step", Number(row.InterceptJoulesPerStep));
        Add("linearity", Words(row.Linearity));
        foreach (var boundary in Boundaries)
        {
            var figure = row.JoulesPerToken.GetValueOrDefault(boundary);
            Add($"projected_joules_per_token_{boundary}", Number(figure?.Value));
            Add($"projected_joules_per_token_{boundary}_note",
                Words(string.Join("; ", new[] { figure?.Reason, row.BoundaryNotes.GetValueOrDefault(boundary) }.Where(t => !string.IsNullOrEmpty(t)))));
        }

        Add("baseline", Words(ratio?.Baseline));
        Estimate("ratio", ratio?.Ratio);
        Add("ratio_holm_low", Number(ratio?.HolmLow));
        Add("ratio_holm_high", Number(ratio?.HolmHigh));
        Add("ratio_type_b_log", Number(ratio?.TypeB));
        Add("ratio_resolved", ratio is null ? "" : ratio.Resolved ? "true" : "false");
        Add("passes", Whole(row.Passes));
        Add("devices", Whole(row.Devices));
        Add("nodes", Whole(row.Nodes));
        Add("log_sd_pass", Number(row.Spread.Pass));
        Add("log_sd_device", Number(row.Spread.Device));
        Add("log_sd_node", Number(row.Spread.Node));
        Add("invalid_trials", Whole(row.Invalidations.Values.Sum()));
        Add("invalidations", Words(string.Join("; ", row.Invalidations.Select(i => $"{i.Key}: {i.Value.ToString(CultureInfo.InvariantCulture)}"))));
        Add("k_eff_realized_flop_per_s", Number(row.KEffRealized));
        Add("k_eff_peak_flop_per_s", Number(row.KEffPeak));
        Add("c_tok_flop_per_token_layer", Number(row.FlopsPerToken));
        Add("parameters_per_layer", Number(row.ParametersPerLayer));
        Add("power_headroom_realized", Number(row.PowerHeadroomRealized));
        Add("power_headroom_peak", Number(row.PowerHeadroomPeak));
        Add("constraint", Words(row.Constraint));
        Add("ceilings", Words(string.Join("; ", row.Ceilings)));
        foreach (var name in phis)
        {
            Add(name, Number(row.Phi.FirstOrDefault(p => p.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value?.Value));
        }

        Add("utilization", Number(row.Utilization.Value));
        Add("projected_tokens_per_s_per_device", Number(row.TokensPerSecond));
        Add("token_layers_per_s_per_device", Number(row.LayerTokensPerSecond));
        Add("projected_step_ms", Number(row.StepMillisecondsProjected));
        Add("meets_service", row.MeetsService switch { true => "true", false => "false", null => "" });
        Add("quality", Words(row.Quality));
        Add("pue_adjusted_joules_per_token", Number(row.PueAdjustedJoulesPerToken.Value));
        Add("pue_note", Words(row.PueAdjustedJoulesPerToken.Reason));
        Add("energy_cost_per_million_tokens", Number(row.CostPerMillionTokens));
        Add("mean_watts_per_device", Number(row.MeanWatts));
        Add("power_cap_fraction", Number(row.PowerCapFraction));
        Add("coverage", Number(row.Coverage));
        Add("flags", Words(string.Join("; ", row.Flags)));
        return fields;

        void Add(string name, string text) => fields.Add((name, text));

        void Estimate(string name, Estimate? estimate)
        {
            Add(name, Number(estimate?.Value));
            Add(name + "_low", Number(estimate?.Low));
            Add(name + "_high", Number(estimate?.High));
            Add(name + "_scope", Words(estimate?.Scope));
            Add(name + "_units", estimate is null ? "" : Whole(estimate.Units));
        }
    }

    private static string Number(double? value) => NumberText.Exact(value);

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Words(string? text)
    {
        text ??= "";
        return text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' ? "'" + text : text;
    }

    private static void Line(StringBuilder csv, IEnumerable<string> fields) =>
        csv.AppendJoin(',', fields.Select(Quote)).Append('\n');

    private static string Quote(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") >= 0 ? "\"" + field.Replace("\"", "\"\"") + "\"" : field;
}
