using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private static readonly string[] Boundaries = ["gpu", "node", "facility"];

    private IEnumerable<MatrixRow> Rows => Items(matrix.Groups).SelectMany(g => Items(g.Rows));

    private Markup Energy()
    {
        if (!Rows.Any(Verdicts.HasFigure))
        {
            return Markup.Empty;
        }

        var notes = new Footnotes();
        var unit = EnergyScale.Prefix + "J/" + TokenUnit;
        var intercept = SiScale.Of(Rows.Select(r => r.InterceptJoulesPerStep));
        var tokens = SiScale.Of(Rows.Select(r => r.Tokens));
        DataColumn[] columns =
        [
            new("gross", unit), new("95 % interval", unit), new("type A", "±"), new("type B", "±"), new("scope", "", false), new("estimator", "", false), new("net of idle", unit), new("intercept", intercept.Prefix + "J/step"),
            new("straight over L'", "", false), new("power", "W, layers"), new("power", "W, as run"), new("tokens", tokens.Prefix + "token"), new("energy is", "", false),
        ];
        var perLayer = Table("t-energy", Markup.Of($"Absolute energy per {TokenWords} at the {Word(matrix.Disclosure.Boundary)} boundary unless the plan sets another for a cell. The interval holds scatter (type A) and what the sensors may hide (type B: gain, offset, non-linearity), which replication does not reduce; ratios on the same devices are free of the gain. Net figures have the digits of the gross ones. {Chip(Standing)}"), "cell", columns,
            PerCell((g, r) =>
            {
                var e = r.Headline;
                var net = r.NetHeadline;
                var typeA = Verdicts.TypeA(r.Uncertainty);
                return
                [
                    new DataCell(Markup.Of($"{EnergyScale.Text(e.Value, e.Low, e.High)}{notes.Mark(Verdicts.HasFigure(r) ? null : Absent(r, "provenance") ?? "No valid trial.")}"), Finite(e.Value)),
                    DataCell.Number(EnergyScale.Interval(e.Value, e.Low, e.High), e.High - e.Low),
                    DataCell.Number(NumberText.PlusMinus(typeA), typeA),
                    DataCell.Number(Verdicts.TypeB(g, r.Uncertainty), r.Uncertainty.Bound),
                    DataCell.Text(e.Scope == "none" ? NumberText.Absent : $"{e.Scope} ({e.Units})"),
                    DataCell.Text(Verdicts.HasFigure(r) ? Verdicts.Estimator(r) : NumberText.Absent),
                    net is null
                        ? new DataCell(Markup.Of($"{NumberText.Absent}{notes.Mark(Absent(r, "netJoulesPerTokenLayer") ?? "Idle power with context was not measured.")}"))
                        : DataCell.Number(NumberText.Fixed(EnergyScale.Scale(net.Value), NumberText.Decimals(EnergyScale.Scale(e.Value), EnergyScale.Scale(e.Low), EnergyScale.Scale(e.High))), net.Value),
                    DataCell.Number(intercept.Significant(r.InterceptJoulesPerStep, 2), r.InterceptJoulesPerStep),
                    DataCell.Text(Verdicts.HasFigure(r) ? Straightness(r.Linearity) : NumberText.Absent),
                    DataCell.Number(NumberText.Significant(r.WattsPerDevice), r.WattsPerDevice),
                    DataCell.Number(NumberText.Significant(r.MeanWatts), r.MeanWatts),
                    DataCell.Number(tokens.Significant(r.Tokens), r.Tokens),
                    new DataCell(Chip(r.Provenance)),
                ];
            }, own: true), notes);
        return Markup.Of($"{perLayer}{WholeModel()}");
    }

    private Markup WholeModel()
    {
        var notes = new Footnotes();
        var head = Rows.Any(r => r.HeadJoulesPerToken.Value is { } v && double.IsFinite(v));
        var cost = Rows.Any(r => r.CostPerMillionTokens is not null);
        var currency = string.Join(", ", Rows.Where(r => r.CostPerMillionTokens is not null).Select(r => r.Currency).Where(c => !string.IsNullOrWhiteSpace(c)).Distinct());
        DataColumn[] columns =
        [
            .. Boundaries.Select(b => new DataColumn(b, "J/token")), .. head ? [new DataColumn("LM head alone", "J/token, gpu")] : Array.Empty<DataColumn>(), new("PUE-adjusted", "J/token"),
            .. cost ? [new DataColumn("energy cost", $"{currency} per million tokens")] : Array.Empty<DataColumn>(), new("token is", "", false), new("figures are", "", false),
        ];
        return Table("t-whole", Markup.Of($"Whole-model J per token at each boundary: <b>projected</b> from the layers that ran, {(head ? "with the LM head where it was run" : "without the LM head")} and without embedding and interconnect. <span class=\"chip projected\">projected</span>"), "cell", columns,
            PerCell((_, r) =>
            [
                .. Boundaries.Select(b => FigureCell(r.ProjectedJoulesPerToken.GetValueOrDefault(b), r.BoundaryNotes.GetValueOrDefault(b), notes, "Not reported at this boundary.")),
                .. head ? [FigureCell(r.HeadJoulesPerToken, null, notes, null)] : Array.Empty<DataCell>(),
                FigureCell(r.PueAdjustedJoulesPerToken, null, notes, null),
                .. cost ? [DataCell.Number(NumberText.Significant(r.CostPerMillionTokens), r.CostPerMillionTokens)] : Array.Empty<DataCell>(),
                DataCell.Text(r.TokenKind),
                DataCell.Text(r.Provenance is { } provenance ? $"projected from {Word(provenance)}" : NumberText.Absent),
            ], own: true), notes);
    }

    private static string Straightness(LinearityCheck? check)
    {
        if (check is null)
        {
            return "unchecked: no third L'";
        }

        var d = check.Departure;
        var verdict = check.Straight switch { true => "straight", false => "not straight", null => "no interval" };
        var decimals = NumberText.Decimals(d.Value * 100, d.Low * 100, d.High * 100);
        var interval = d is { Low: { } low, High: { } high } ? $" ({NumberText.Fixed(low * 100, decimals)} to {NumberText.Fixed(high * 100, decimals)} %)" : "";
        return $"{verdict} at L' {check.Layers}: {NumberText.Fixed(d.Value * 100, decimals)} %{interval}";
    }

    private static string? Absent(MatrixRow row, string name) => row.Absent.GetValueOrDefault(name);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>A figure with its reason as a footnote; an absent one is a dash with the reason why.</summary>
    private static DataCell FigureCell(Figure? figure, string? note, Footnotes notes, string? otherwise)
    {
        var reason = string.Join("; ", new[] { figure?.Reason, note }.Where(t => !string.IsNullOrWhiteSpace(t)).Distinct());
        return figure?.Value is { } value && double.IsFinite(value)
            ? new DataCell(Markup.Of($"{NumberText.Significant(value)}{notes.Mark(reason)}"), value)
            : new DataCell(Markup.Of($"{NumberText.Absent}{notes.Mark(reason.Length > 0 ? reason : otherwise)}"));
    }

    private Markup Budget()
    {
        if (!Rows.Any(Verdicts.HasFigure))
        {
            return Markup.Empty;
        }

        DataColumn[] terms =
        [
            new("u_A", "scatter"), new("ν"), new("offset"), new("non-linearity"), new("alias"), new("counter"), new("gain"), new("u_B", "all type B"), new("bound", "of the bias"),
        ];
        var ratios = Rows.Any(r => r.Ratio?.Uncertainty is { StandardError: not null } or { Bound: not null })
            ? Table("t-budget-ratio", Markup.Of($"What the intervals of the ratios are made of, as parts of the logarithm. {Chip(Standing)}"), "cell", [.. terms.Where(t => t.Header != "gain")],
                PerCell((_, r) => Terms(r.Ratio!.Uncertainty, gain: false), HasRatio))
            : Markup.Empty;
        var absolutes = Table("t-budget-energy", Markup.Of($"What the intervals of J per token and layer are made of, as parts of the logarithm. {Chip(Standing)}"), "cell", terms,
            PerCell((_, r) => Terms(r.Uncertainty, gain: true), (_, r) => Verdicts.HasFigure(r)));
        var sensors = Table("t-sensors", Markup.Of($"What was taken of the sensors of each match group’s devices."), "match group",
            [new("offset", "±W"), new("non-linearity", "±W"), new("rated", "W"), new("alias", "u"), new("counter against power", "u"), new("gain", "±"), new("source", "", false)],
            [new DataGroup(null, [.. Items(matrix.Groups).Select((g, i) => new DataRow(Markup.Of($"<span class=\"cell\">{g.Name}</span><span class=\"detail\">{g.Hardware}</span>"), $"s{i}",
            [
                DataCell.Number(NumberText.Stated(g.Sensor.OffsetWatts), g.Sensor.OffsetWatts), DataCell.Number(NumberText.Stated(g.Sensor.NonLinearityWatts), g.Sensor.NonLinearityWatts),
                DataCell.Number(NumberText.Stated(g.Sensor.RatedWatts), g.Sensor.RatedWatts), DataCell.Number(NumberText.Percent(g.Sensor.Alias), g.Sensor.Alias),
                DataCell.Number(NumberText.Percent(g.Sensor.CounterResidual), g.Sensor.CounterResidual), DataCell.Number(NumberText.Percent(g.Sensor.Gain), g.Sensor.Gain), DataCell.Text(g.Sensor.Source),
            ]))])]);
        return Markup.Of($"<p>Offset, non-linearity and gain are bounds divided by √3; u_B is the root of the sum of squares of all type B terms, the bound their linear sum. An interval is the value ± u_A · cv(α, ν, bound/u_A) in the logarithm, with cv the quantile of |T + bound/u_A| of Student’s T with ν degrees of freedom (Armstrong and Kolesár 2018): it covers whatever the bias within its bound.</p>{ratios}{absolutes}{sensors}");
    }

    private static DataCell[] Terms(Uncertainty u, bool gain) =>
    [
        Term(u.StandardError), u.DegreesOfFreedom > 0 ? Count(u.DegreesOfFreedom) : DataCell.Text(NumberText.Absent), Term(u.OffsetTerm), Term(u.NonLinearityTerm), Term(u.AliasTerm), Term(u.CounterTerm),
        .. gain ? [Term(u.GainTerm)] : Array.Empty<DataCell>(), Term(u.TypeB), Term(u.Bound),
    ];

    private static DataCell Term(double? value) => DataCell.Number(NumberText.Percent(value), value);

    private Markup Constraint()
    {
        if (!Rows.Any(Verdicts.HasFigure))
        {
            return Markup.Empty;
        }

        return Markup.Of($"{Verdict()}{Rates()}");
    }

    private Markup Verdict()
    {
        var verdicts = Rows.Select(r => r.Constraint).ToArray();
        if (!verdicts.Any(v => v.Rho is not null || v.Headroom is not null))
        {
            var reasons = string.Join("; ", verdicts.Select(v => v.Reason).Where(t => !string.IsNullOrWhiteSpace(t)).Distinct());
            return Markup.Of($"<p class=\"empty\">No verdict of (3) in any cell{(reasons.Length > 0 ? ": " + reasons : "")}.</p>");
        }

        var rho = SiScale.Of(verdicts.SelectMany(v => new[] { v.Rho ?? double.NaN, v.RhoStar ?? double.NaN }));
        var envelope = SiScale.Of(verdicts.SelectMany(v => new[] { v.BreakEvenWatts ?? double.NaN, v.BreakEvenWattsPeak ?? double.NaN }));
        DataColumn[] columns =
        [
            new("verdict", "", false), new("headroom ρ/ρ*", "K_eff realized"), new("headroom ρ/ρ*", "K_eff peak"), new("break-even envelope", envelope.Prefix + "W, realized"), new("break-even envelope", envelope.Prefix + "W, peak"),
            new("ρ", rho.Prefix + "J/FLOP"), new("ρ*", rho.Prefix + "J/FLOP"), new("envelope", "W/device"), new("drawn", "W/device"), new("boundary", "", false),
        ];
        return Table("t-constraint", Markup.Of($"A cell is power-bound where ρ = P_IT/K_eff falls below ρ* = e_tok/c_tok (the paper’s equation 3); headroom is ρ/ρ*, and the break-even envelope the P_IT at which the verdict changes, once with the K_eff that was realized and once with the device’s peak, an upper bound on compute alone. {Chip(Standing)}"), "cell", columns,
            PerCell((_, r) =>
            {
                var v = r.Constraint;
                return
                [
                    DataCell.Text(string.IsNullOrWhiteSpace(v.Text) ? Verdicts.Constraint(v) : v.Text),
                    DataCell.Number(v.Headroom is { } h ? NumberText.WithInterval(h.Value, h.Low, h.High) : NumberText.Absent, v.Headroom?.Value),
                    DataCell.Number(NumberText.Significant(v.HeadroomPeak), v.HeadroomPeak),
                    DataCell.Number(envelope.Significant(v.BreakEvenWatts), v.BreakEvenWatts),
                    DataCell.Number(envelope.Significant(v.BreakEvenWattsPeak), v.BreakEvenWattsPeak),
                    DataCell.Number(rho.Significant(v.Rho), v.Rho),
                    DataCell.Number(rho.Significant(v.RhoStar), v.RhoStar),
                    DataCell.Number(NumberText.Significant(v.BudgetWatts), v.BudgetWatts),
                    DataCell.Number(NumberText.Significant(v.DrawnWatts), v.DrawnWatts),
                    DataCell.Text($"{Word(v.Boundary)}, {Verdicts.Count(v.Devices, "device")}"),
                ];
            }));
    }

    private Markup Rates()
    {
        var realized = SiScale.Of(Rows.Select(r => r.KEffRealized));
        var peak = SiScale.Of(Rows.Select(r => r.KEffPeak));
        var flops = SiScale.Of(Rows.Select(r => r.FlopsPerTokenLayer));
        var parameters = SiScale.Of(Rows.Select(r => r.Cost.Parameters));
        var bytes = SiScale.Of(Rows.Select(r => r.Cost.Bytes));
        DataColumn[] columns =
        [
            new("K_eff realized", realized.Prefix + "FLOP/s"), new("K_eff peak", peak.Prefix + "FLOP/s"), new("c_tok", flops.Prefix + "FLOP/token·layer"), new("P", parameters.Prefix + "parameters/layer"), new("moved", bytes.Prefix + "B/step·layer"),
            new("time over floor"), new("at power cap", "of the window"), new("ceiling evidence", "", false),
        ];
        var notes = new Footnotes();
        return Table("t-ceilings", Markup.Of($"The quantities of (1) and the evidence for each ceiling: equation (3) has no memory arm, so what limits a cell at its own draw stands apart. {Chip(Standing)}"), "cell", columns, PerCell((_, r) =>
        [
            new DataCell(Markup.Of($"{realized.Significant(r.KEffRealized)}{notes.Mark(double.IsFinite(r.KEffRealized) ? null : Absent(r, "kEffRealized"))}"), Finite(r.KEffRealized)),
            DataCell.Number(peak.Significant(r.KEffPeak), r.KEffPeak),
            DataCell.Number(flops.Significant(r.FlopsPerTokenLayer), r.FlopsPerTokenLayer),
            DataCell.Number(parameters.Significant(r.Cost.Parameters), r.Cost.Parameters),
            DataCell.Number(bytes.Significant(r.Cost.Bytes), r.Cost.Bytes),
            DataCell.Number(Verdicts.OverFloor(r.AchievedOverFloor), r.AchievedOverFloor),
            DataCell.Number(NumberText.Percent(r.PowerCapFraction), r.PowerCapFraction),
            DataCell.Text(Items(r.Ceilings).IsEmpty ? NumberText.Absent : string.Join(", ", r.Ceilings)),
        ]), notes);
    }

    private Markup Throughput()
    {
        if (!Rows.Any(r => double.IsFinite(r.TokenLayersPerSecond)))
        {
            return Markup.Empty;
        }

        var rate = SiScale.Of(Rows.Select(r => r.ProjectedTokensPerSecond));
        var layers = SiScale.Of(Rows.Select(r => r.TokenLayersPerSecond));
        var qualities = Rows.Select(r => r.Quality).Distinct().ToArray();
        var quality = qualities.Length == 1 ? Markup.Of($" Quality evidence of every cell: {qualities[0]}.") : Markup.Empty;
        DataColumn[] columns =
        [
            new("tokens", rate.Prefix + "token/s·device, projected"), new("layers", layers.Prefix + "token·layer/s·device"), new("step", "ms, projected"), new("s*", "ms"), new("statistic", "", false),
            new("meets s*", "", false), new("U"), .. qualities.Length > 1 ? [new DataColumn("quality evidence", "", false)] : Array.Empty<DataColumn>(), new("energy is", "", false),
        ];
        var notes = new Footnotes();
        return Table("t-throughput", Markup.Of($"Throughput per device from the slope of step time, latency of a whole-model step against each cell’s s*, utilization and quality.{quality} {Chip(Standing)}"), "cell", columns, PerCell((_, r) =>
        [
            DataCell.Number(rate.Significant(r.ProjectedTokensPerSecond), r.ProjectedTokensPerSecond),
            DataCell.Number(layers.Significant(r.TokenLayersPerSecond), r.TokenLayersPerSecond),
            DataCell.Number(NumberText.Significant(r.ProjectedStepMilliseconds), r.ProjectedStepMilliseconds),
            DataCell.Number(NumberText.Significant(r.ServiceMilliseconds), r.ServiceMilliseconds),
            DataCell.Text(r.ServiceStatistic),
            r.MeetsService switch
            {
                true => DataCell.Text("yes"),
                false => new DataCell(Markup.Of($"<span class=\"bad\">{Verdicts.MissesService} no</span>")),
                null => new DataCell(Markup.Of($"not judged{notes.Mark(Absent(r, "meetsService"))}")),
            },
            FigureCell(r.Utilization, null, notes, null),
            .. qualities.Length > 1 ? [DataCell.Text(r.Quality)] : Array.Empty<DataCell>(),
            new DataCell(Chip(r.Provenance)),
        ], own: true), notes);
    }

    private Markup Phi()
    {
        var all = Rows.SelectMany(r => r.Phi.Keys).Distinct().Order(StringComparer.Ordinal).ToArray();
        // A column of dashes says less than a sentence.
        var names = all.Where(n => Rows.Any(r => r.Phi.GetValueOrDefault(n)?.Value is { } v && double.IsFinite(v))).ToArray();
        if (names.Length == 0)
        {
            return Markup.Empty;
        }

        var never = all.Except(names).Select(n => (Name: n, Reasons: string.Join("; ", Rows.Select(r => r.Phi.GetValueOrDefault(n)?.Reason).Where(t => !string.IsNullOrWhiteSpace(t)).Distinct())))
            .Select(n => Markup.Of($"<div><dt>{n.Name}</dt><dd>{NumberText.Absent} in every cell: {(n.Reasons.Length > 0 ? n.Reasons : "not estimated")}</dd></div>"));
        var notes = new Footnotes();
        var table = Table("t-phi", Markup.Of($"Every Φ by its estimator. {Chip(Standing)}"), "cell", [.. names.Select(n => new DataColumn(n))],
            PerCell((_, r) => [.. names.Select(n => FigureCell(r.Phi.GetValueOrDefault(n), null, notes, "Not estimated."))]), notes);
        var estimators = names.Select(n => (Name: n, Texts: Rows.Select(r => r.Phi.GetValueOrDefault(n)?.Estimator).Where(e => !string.IsNullOrWhiteSpace(e)).Distinct().ToArray()))
            .Where(n => n.Texts.Length > 0)
            .Select(n => Markup.Of($"<div><dt>{n.Name}</dt><dd>{string.Join("; ", n.Texts)}</dd></div>"));
        return Markup.Of($"{table}<h3>Estimators</h3><dl class=\"estimators\">{Markup.Join(estimators)}{Markup.Join(never)}</dl>");
    }
}
