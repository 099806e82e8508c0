using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private static readonly (string Key, string Header)[] Boundaries = [("gpu", "gpu"), ("node", "node"), ("rack", "rack"), ("facility", "facility")];

    private IEnumerable<MatrixRow> Rows => Items(matrix.Groups).SelectMany(g => Items(g.Rows));

    private Markup Energy()
    {
        var notes = new Footnotes();
        var unit = EnergyScale.Prefix + "J/token·layer";
        var intercept = SiScale.Of(Rows.Select(r => r.InterceptJoulesPerStep));
        var tokens = SiScale.Of(Rows.Select(r => r.Tokens));
        DataColumn[] columns =
        [
            new("gross", unit), new("95 % interval", unit), new("scope", "", false), new("net of idle", unit), new("intercept", intercept.Prefix + "J/step"),
            new("linearity", "", false), new("gain u", "relative"), new("mean power", "W/device"), new("tokens", tokens.Prefix + "token"), new("energy is", "", false),
        ];
        var perLayer = Table("t-energy", Markup.Of($"Absolute energy at the {matrix.Disclosure.Boundary.ToString().ToLowerInvariant()} boundary unless the plan sets another for a cell, per token and layer: the slope of step energy over two numbers of layers, divided by the batch. {Chip(Standing)}"), "cell", columns,
            PerCell((_, r) =>
            {
                var e = r.JoulesPerTokenLayer;
                var net = r.NetJoulesPerTokenLayer;
                return
                [
                    DataCell.Number(EnergyScale.Text(e.Value, e.Low, e.High), e.Value),
                    DataCell.Number(EnergyScale.Interval(e.Value, e.Low, e.High), e.High - e.Low),
                    DataCell.Text(e.Scope == "none" ? NumberText.Absent : $"{e.Scope} ({e.Units})"),
                    net is null
                        ? new DataCell(Markup.Of($"{NumberText.Absent}{notes.Mark("Idle power with context was not measured.")}"))
                        : DataCell.Number(EnergyScale.Text(net.Value, net.Low, net.High), net.Value),
                    DataCell.Number(intercept.Significant(r.InterceptJoulesPerStep, 2), r.InterceptJoulesPerStep),
                    DataCell.Text(r.Linearity),
                    DataCell.Number(NumberText.Percent(r.GainUncertainty), r.GainUncertainty),
                    DataCell.Number(NumberText.Significant(r.MeanWatts), r.MeanWatts),
                    DataCell.Number(tokens.Significant(r.Tokens), r.Tokens),
                    new DataCell(Chip(r.Provenance)),
                ];
            }, own: true), notes);

        var whole = new Footnotes();
        var shown = Boundaries.Where(b => b.Key != "rack" || Rows.Any(r => r.JoulesPerToken.ContainsKey("rack"))).ToArray();
        DataColumn[] wholeColumns =
        [
            .. shown.Select(b => new DataColumn(b.Header, "J/token")), new DataColumn("PUE-adjusted", "J/token"), new DataColumn("energy cost", "per million tokens"), new DataColumn("token is", "", false), new DataColumn("figures are", "", false),
        ];
        var wholeModel = Table("t-whole", Markup.Of($"Whole-model J per token at each boundary, layers only: <b>projected</b> from the layers that ran, without the LM head and interconnect. <span class=\"chip projected\">projected</span>"), "cell", wholeColumns,
            PerCell((_, r) =>
            [
                .. shown.Select(b => FigureCell(r.JoulesPerToken.GetValueOrDefault(b.Key), r.BoundaryNotes.GetValueOrDefault(b.Key), whole, "Not reported at this boundary.")),
                FigureCell(r.PueAdjustedJoulesPerToken, null, whole, null),
                r.CostPerMillionTokens is { } cost
                    ? DataCell.Number(NumberText.Significant(cost), cost)
                    : new DataCell(Markup.Of($"{NumberText.Absent}{whole.Mark("The plan declares no price.")}")),
                DataCell.Text(r.TokenKind),
                DataCell.Text(Projected(r)),
            ], own: true), whole);
        return Markup.Of($"{perLayer}<p class=\"aside\">The interval is of replication. Absolute values also carry the gain of the sensor (“gain u”, relative standard uncertainty), which replication does not reduce and ratios on the same device do not contain.</p>{wholeModel}");
    }

    private static string Projected(MatrixRow row) => $"projected from {row.Provenance.ToString().ToLowerInvariant()}";

    /// <summary>A figure with its reason as a footnote; an absent one is a dash with the reason why.</summary>
    private static DataCell FigureCell(Figure? figure, string? note, Footnotes notes, string? otherwise)
    {
        var reason = string.Join("; ", new[] { figure?.Reason, note }.Where(t => !string.IsNullOrWhiteSpace(t)).Distinct());
        return figure?.Value is { } value && double.IsFinite(value)
            ? new DataCell(Markup.Of($"{NumberText.Significant(value)}{notes.Mark(reason)}"), value)
            : new DataCell(Markup.Of($"{NumberText.Absent}{notes.Mark(reason.Length > 0 ? reason : otherwise)}"));
    }

    private Markup Constraint()
    {
        var realized = SiScale.Of(Rows.Select(r => r.KEffRealized));
        var peak = SiScale.Of(Rows.Select(r => r.KEffPeak));
        var flops = SiScale.Of(Rows.Select(r => r.FlopsPerToken));
        var parameters = SiScale.Of(Rows.Select(r => r.ParametersPerLayer));
        DataColumn[] columns =
        [
            new("verdict of (3)", "", false), new("ceiling evidence", "", false), new("headroom", "realized"), new("headroom", "peak"),
            new("K_eff realized", realized.Prefix + "FLOP/s"), new("K_eff peak", peak.Prefix + "FLOP/s"), new("c_tok", flops.Prefix + "FLOP/token·layer"),
            new("P", parameters.Prefix + "parameters/layer"), new("at power cap", "of the window"),
        ];
        var table = Table("t-constraint", Markup.Of($"What binds each cell, and what of. {Chip(Standing)}"), "cell", columns, PerCell((_, r) =>
        [
            DataCell.Text(r.Constraint),
            DataCell.Text(Items(r.Ceilings).IsEmpty ? NumberText.Absent : string.Join(", ", r.Ceilings)),
            DataCell.Number(NumberText.Significant(r.PowerHeadroomRealized), r.PowerHeadroomRealized),
            DataCell.Number(NumberText.Significant(r.PowerHeadroomPeak), r.PowerHeadroomPeak),
            DataCell.Number(realized.Significant(r.KEffRealized), r.KEffRealized),
            DataCell.Number(peak.Significant(r.KEffPeak), r.KEffPeak),
            DataCell.Number(flops.Significant(r.FlopsPerToken), r.FlopsPerToken),
            DataCell.Number(parameters.Significant(r.ParametersPerLayer), r.ParametersPerLayer),
            DataCell.Number(NumberText.Percent(r.PowerCapFraction), r.PowerCapFraction),
        ]));
        return Markup.Of($"<p>The verdict compares ρ = P_IT / K_eff with ρ* = e_tok / c_tok for the plan’s declared power envelope (paper, equation 3); headroom is ρ/ρ*, below 1 power is scarce. Without a declared envelope there is no verdict. Ceiling evidence stands apart: the equation has no memory arm. K_eff peak is an upper bound only.</p>{table}");
    }

    private Markup Throughput()
    {
        var rate = SiScale.Of(Rows.Select(r => r.TokensPerSecond));
        var layers = SiScale.Of(Rows.Select(r => r.LayerTokensPerSecond));
        DataColumn[] columns =
        [
            new("tokens", rate.Prefix + "token/s·device, projected"), new("as run", layers.Prefix + "token·layer/s·device"), new("step", "ms, projected"),
            new("meets s*", "", false), new("U", "", true), new("quality evidence", "", false), new("energy is", "", false),
        ];
        var notes = new Footnotes();
        return Table("t-throughput", Markup.Of($"Throughput per device, latency against s* = {NumberText.Significant(matrix.Disclosure.ServiceMilliseconds)} ms ({matrix.Disclosure.ServiceStatistic}), utilization and quality. {Chip(Standing)}"), "cell", columns, PerCell((_, r) =>
        [
            DataCell.Number(rate.Significant(r.TokensPerSecond), r.TokensPerSecond),
            DataCell.Number(layers.Significant(r.LayerTokensPerSecond), r.LayerTokensPerSecond),
            DataCell.Number(NumberText.Significant(r.StepMillisecondsProjected), r.StepMillisecondsProjected),
            DataCell.Text(r.MeetsService switch { true => "yes", false => "no", null => NumberText.Absent }),
            FigureCell(r.Utilization, null, notes, null),
            DataCell.Text(r.Quality),
            new DataCell(Chip(r.Provenance)),
        ], own: true), notes);
    }

    private Markup Phi()
    {
        var all = Rows.SelectMany(r => r.Phi.Keys).Distinct().Order(StringComparer.Ordinal).ToArray();
        if (all.Length == 0)
        {
            return Markup.Empty;
        }

        // A column of dashes says less than a sentence.
        var names = all.Where(n => Rows.Any(r => r.Phi.GetValueOrDefault(n)?.Value is { } v && double.IsFinite(v))).ToArray();
        var never = all.Except(names).Select(n => (Name: n, Reasons: string.Join("; ", Rows.Select(r => r.Phi.GetValueOrDefault(n)?.Reason).Where(t => !string.IsNullOrWhiteSpace(t)).Distinct())))
            .Select(n => Markup.Of($"<div><dt>{n.Name}</dt><dd>{NumberText.Absent} in every cell: {(n.Reasons.Length > 0 ? n.Reasons : "not estimated")}</dd></div>"));
        var notes = new Footnotes();
        var table = names.Length == 0 ? Markup.Empty : Table("t-phi", Markup.Of($"Every Φ by its estimator. {Chip(Standing)}"), "cell", [.. names.Select(n => new DataColumn(n))],
            PerCell((_, r) => [.. names.Select(n => FigureCell(r.Phi.GetValueOrDefault(n), null, notes, "Not estimated."))]), notes);
        var estimators = names.Select(n => (Name: n, Texts: Rows.Select(r => r.Phi.GetValueOrDefault(n)?.Estimator).Where(e => !string.IsNullOrWhiteSpace(e)).Distinct().ToArray()))
            .Where(n => n.Texts.Length > 0)
            .Select(n => Markup.Of($"<div><dt>{n.Name}</dt><dd>{string.Join("; ", n.Texts)}</dd></div>"));
        return Markup.Of($"{table}<h3>Estimators</h3><dl class=\"estimators\">{Markup.Join(estimators)}{Markup.Join(never)}</dl>");
    }
}
