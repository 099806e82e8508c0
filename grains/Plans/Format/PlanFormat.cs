using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>The plan file: every key, what it may hold, and its default. The reader, the schema and the documentation all come from this table.</summary>
internal static class PlanFormat
{
    /// <summary>Cells of a plan after expansion, twin included. More is refused before anything is expanded.</summary>
    public const int MostCells = 10_000;

    /// <summary>q* of every workload with synthetic weights: it has no quality to claim.</summary>
    public const string SyntheticQuality = "not applicable: synthetic weights";

    /// <summary>The hardware class of any device of kind cpu.</summary>
    public const string AnyCpu = "any-cpu";

    private const string NamePattern = "^[A-Za-z0-9][A-Za-z0-9 '._+=(),-]{0,63}$";

    private static readonly Shape Name = new TextShape(64, pattern: NamePattern, says: "1 to 64 letters, digits, spaces and any of ' . _ + = ( ) , - beginning with a letter or digit (it becomes part of file names)");
    private static readonly Shape Text = new TextShape();
    private static readonly Shape Boundaries = new TextShape(values: ["gpu", "node", "rack", "facility"]);
    private static readonly Shape PositiveSeconds = new NumberShape(0.001, 86_400, "seconds");
    private static readonly Shape Seconds = new NumberShape(0, 86_400, "seconds");
    private static readonly Shape Celsius = new NumberShape(-50, 150, "°C");
    private static readonly Shape Fraction = new NumberShape(0, 1);

    private static readonly string QualityMissing = "disclosure dimension 1 of 6 is missing: q*, the quality target and how it was checked";
    private static readonly string ServiceMissing = "disclosure dimension 2 of 6 is missing: s*, the service target";
    private static readonly string MixMissing = "disclosure dimension 3 of 6 is missing: the workload mix";
    private static readonly string BatchingMissing = "disclosure dimension 4 of 6 is missing: the batching protocol";
    private static readonly string HardwareMissing = "disclosure dimension 5 of 6 is missing: the hardware setup";
    private static readonly string BoundaryMissing = "disclosure dimension 6 of 6 is missing: the energy-accounting boundary";

    private static readonly MappingShape Quality = new(
        "q*: a gain counts only if quality stays inside the disclosed tolerance.",
        new Field("target", $"The quality target. Kernel workloads have synthetic weights and may say only '{SyntheticQuality}'.", Text, Required: true),
        new Field("check", "How it was checked. Two q* are equal if target and check are.", Text, Required: true));

    private static readonly MappingShape Service = new(
        "s*: the latency that a token may take.",
        new Field("milliseconds_per_token", "Latency target per token of the whole model, ms; the paper's nominal anchor is 100.", new NumberShape(1e-6, 3_600_000, "milliseconds"), Required: true),
        new Field("statistic", "Which statistic of the latency must meet it.", new TextShape(values: ["mean", "p50", "p90", "p99"]), Required: true),
        new Field("first_token_milliseconds", "Of a serving engine: the same statistic of the time to the first token may be at most this, ms.", new NumberShape(1e-6, 3_600_000, "milliseconds")));

    private static MappingShape OperatingPoint(bool required) => new(
        "The operating point (q*, s*).",
        new Field("quality", "Disclosure dimension 1: q*, the quality target and how it was checked.", Quality, required, Missing: required ? QualityMissing : null),
        new Field("service", "Disclosure dimension 2: s*, the service target.", Service, required, Missing: required ? ServiceMissing : null));

    private static readonly Field[] DisclosureOverrides =
    [
        new("operating_point", "Overrides the plan's q* or s* here.", OperatingPoint(required: false)),
        new("workload_mix", "Overrides the plan's workload mix here.", Text),
        new("batching", "Overrides the plan's batching protocol here.", Text),
        new("boundary", "Overrides the plan's energy-accounting boundary here.", Boundaries),
    ];

    /// <summary>What may be swept: keys of a cell, and in lists of <c>sweep</c>, <c>zip</c> and <c>exclude</c>.</summary>
    public static readonly IReadOnlyList<Field> Axes =
    [
        new("workload", "Catalogue code of a decode step; or serve, a serving engine under load.", new TextShape(values: [.. Workloads.Catalogue.Codes, Configuration.ServeWorkload]), Required: true),
        new("weights", "Weight format. A, B, C (and D, E, F; D', E', F') name theirs themselves. Q8_0 and Q4_0, for dense attention, have blocks of 32 and 8-bit activations: B may be Q8_0, C Q4_0.", new TextShape(values: [.. Workloads.WeightFormat.All])),
        new("batch", "Sequences decoded at once; the catalogue's if left out.", new IntegerShape(1, Workloads.Catalogue.MaxBatch)),
        new("context", "Tokens of context of each sequence, the new one included; the catalogue's if left out.", new IntegerShape(1, 1 << 24, "tokens")),
        new("d_model", "Model width, a multiple of 128.", new IntegerShape(128, 65_536)),
        new("d_ff", "Feed-forward width, a multiple of 4.", new IntegerShape(4, 1 << 20)),
        new("heads", "Query heads; d_model / 128 if left out.", new IntegerShape(1, 1024)),
        new("kv_heads", "KV heads of G, G0, I, I0, I0'; must divide the heads.", new IntegerShape(1, 1024)),
        new("model_layers", "Layers of the whole model (L), for projection only.", new IntegerShape(1, 10_000)),
        new("vocabulary", "Rows of the LM head, which is measured apart; 0 for none.", new IntegerShape(0, 10_000_000)),
        new("stack", "Overrides the plan's stack.", Stacks),
        new("data", "normal; zeros for a disclosed sensitivity control; or weights from a file.", new EitherShape(Distributions, mapping: new MappingShape("Weights from a file.", [.. WeightFileKeys.Select(f => f with { Required = true })]))),
        new("data_seed", "Seed of weights, activations and KV; of a serving engine's prompts and arrivals.", Seeds),
        .. ServeFormat.Axes,
    ];

    /// <summary>Keys that name weights in a file, beside or instead of a distribution.</summary>
    private static Field[] WeightFileKeys =>
    [
        new("weights", "Path of a safetensors file where the device finds it; no part of a configuration's identity.", new TextShape(1024, pattern: @"\.safetensors$", says: "a path of at most 1024 characters that ends in .safetensors")),
        new("tensors", "Which tensors of it: a name in which * stands for any characters, none included.", new TextShape(256, pattern: $"^{Workloads.WeightFile.PatternForm}$", says: "1 to 256 of the characters of tensors' names (letters, digits, _ . / : @ + -) and *, for example model.layers.*.weight")),
        new("sha256", "SHA-256 of the whole file.", new TextShape(64, pattern: "^[0-9A-Fa-f]{64}$", says: "64 hexadecimal digits")),
    ];

    private static Shape Stacks => new TextShape(64, pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", says: $"one of {string.Join(", ", HardwareClass.Stacks)}; with workload: serve, a stack that the nodes' stacks.yaml names");

    private static Shape Distributions => new TextShape(values: ["normal", "zeros"]);

    private static Shape Seeds => new IntegerShape(0, (1L << 53) - 1);

    private static readonly MappingShape Product = new(
        "Each key holds one value or a list of values.",
        [.. Axes.Select(a => a with { Shape = EitherShape.OneOrMany(a.Shape) })]);

    private static readonly MappingShape Exclusion = new(
        "Cells whose values are all among those named here are left out.",
        [.. Axes.Select(a => a with { Required = false, Shape = EitherShape.OneOrMany(a.Shape) })]);

    private static readonly Shape LayerList = new ListShape(new IntegerShape(1, 10_000), 2, 3);

    private static readonly Shape Layers = new EitherShape(new TextShape(values: ["auto"]), LayerList);

    private static readonly MappingShape Cell = new(
        "One cell.",
        [
            new Field("label", "Its name, unique in the group; made from the workload and what varies if left out.", Name),
            .. Axes,
            new Field("layers", "Its own values of L', with the shortest and the longest of the group's, to have a third where the others have none.", LayerList),
            .. DisclosureOverrides,
        ]);

    private static readonly MappingShape Group = new(
        "Cells that may be compared with one another, with their own baseline.",
        [
            new Field("name", "Unique in the plan.", Name, Required: true),
            new Field("baseline", "Label of the cell that ratios divide by; left out: absolute values only.", Name),
            new Field("sweep", "Cartesian products: every combination of the listed values is a cell.", new ListShape(Product, 1, 1000)),
            new Field("zip", "Lists of equal length that are run through in step; a single value stands for all steps.", new ListShape(Product, 1, 1000)),
            new Field("exclude", "What sweep and zip give too much.", new ListShape(Exclusion, 1, 1000)),
            new Field("cells", "Cells one by one.", new ListShape(Cell, 1, MostCells)),
            new Field("layers", "Overrides the plan's values of L' for this group.", Layers),
            .. DisclosureOverrides,
        ]);

    private static readonly MappingShape CellName = new(
        "A cell named by its place.",
        new Field("group", "Name of a group.", Name, Required: true),
        new Field("label", "Label of a cell in it.", Name, Required: true));

    private static readonly MappingShape PanelCell = new(
        "A cell named by its place.",
        [.. CellName.Fields, new Field("published_joules_per_token", "What others printed for it, J, shown beside ours.", new NumberShape(0, 1e9, "joules", above: true))]);

    private static readonly MappingShape Panel = new(
        "A layout of cells that are not matched: printed without intervals and marked as such.",
        new Field("title", "Its heading.", Text, Required: true),
        new Field("baseline", "What the unmatched ratios divide by.", CellName, Required: true),
        new Field("cells", "In the order of printing.", new ListShape(PanelCell, 1, 1000), Required: true));

    private static readonly MappingShape TwinPair = new(
        "An A/A pair.",
        new Field("group", "Its group; the first one with a baseline if left out.", Name),
        new Field("of", "Label of the cell; the group's baseline if left out.", Name),
        new Field("delta", "δ: passed if the 90 % interval of the log ratio lies within ±δ. One δ for all pairs of a plan.", new NumberShape(0, 1, above: true), Default: "0.01"));

    /// <summary>The document.</summary>
    public static MappingShape Plan { get; } = new(
        "A plan: what a sweep runs, on what, and what it discloses.",
        new Field("name", "The plan's name.", Name, Required: true),
        new Field("description", "Free text.", new TextShape(20_000, lines: true)),
        new Field("operating_point", "Disclosure dimensions 1 and 2: (q*, s*).", OperatingPoint(required: true), Required: true),
        new Field("workload_mix", "Disclosure dimension 3: context, input and output lengths, arrivals.", Text, Required: true, Missing: MixMissing),
        new Field("batching", "Disclosure dimension 4: the batching protocol.", Text, Required: true, Missing: BatchingMissing),
        new Field("hardware", "Disclosure dimension 5 and what the devices must be.", new MappingShape(
            "What the devices must be.",
            new Field("description", "Disclosure dimension 5: the hardware setup in words.", Text, Required: true, Missing: HardwareMissing),
            new Field("model", $"Hardware class, for example H100-SXM-80GB or H200-SXM-141GB; {AnyCpu} is any device of kind cpu.", new TextShape(64), Required: true),
            new Field("site", "Only there; anywhere if left out.", new TextShape(64)),
            new Field("devices", "Use at most so many; all that match if left out.", new IntegerShape(1, 1_000_000))), Required: true),
        new Field("boundary", "Disclosure dimension 6: where energy is accounted. gpu is the device itself.", Boundaries, Required: true, Missing: BoundaryMissing),
        new Field("match", "Keys that must be equal for cells of a group to be compared with its baseline, beside the six dimensions.", new ListShape(new TextShape(values: [.. Axes.Select(a => a.Name)]), 0, 18), Default: "[batch, context, stack, data]"),
        new Field("groups", "The match groups.", new ListShape(Group, 1, 1000), Required: true),
        new Field("panels", "Unmatched layouts.", new ListShape(Panel, 0, 100), Default: "[]"),
        new Field("aa", "The A/A pairs: one cell under two labels, which shows what the whole chain can resolve. One pair, a list of pairs in different groups, or all: the baseline of every group that has one. Every plan with a baseline has one.", new EitherShape(new TextShape(values: ["all"]), new ListShape(TwinPair, 1, 1000), TwinPair), Default: "{}"),
        new Field("passes", "Two-stage replication (Stein).", new MappingShape(
            "Two-stage replication.",
            new Field("min", "Passes of every match group on every device group in the first stage.", new IntegerShape(1, 100_000), Default: "5"),
            new Field("max", "At most so many.", new IntegerShape(1, 100_000), Default: "20"),
            new Field("half_width", "Wanted half-width of the 95 % interval of a log ratio.", new NumberShape(0, 10, above: true), Default: "0.01")), Default: "{}"),
        new Field("fill", "Whether a device group is one device, or all devices of a node (then node energy is measured, not attributed).", new TextShape(values: ["device", "node"]), Default: "device"),
        new Field("order", "The order of configurations in passes.", new MappingShape("The order of configurations in passes.", new Field("seed", "Its seed.", Seeds, Default: "1")), Default: "{}"),
        new Field("trial", "How long each part of a trial takes, in the device's own time.", new MappingShape(
            "Times of a trial.",
            new Field("warmup_s", "Flat throughput and temperature end it, between min and max; a single number is both, s.", new EitherShape(
                Seconds,
                mapping: new MappingShape("Bounds of the warm-up.", new Field("min", "At least, s.", Seconds, Default: "20"), new Field("max", "Flat by then, or flagged, s.", Seconds, Default: "180"))), Default: "{min: 20, max: 180}"),
            new Field("window_s", "The measured window at each L', s. Below 10 is flagged; 30 is recommended.", PositiveSeconds, Default: "30"),
            new Field("cooldown_s", "Idle with the context resident after the last window, s; its mean power is the idle power if at least 10.", Seconds, Default: "10"),
            new Field("start_temperature_c", "The band in which a trial may start, °C; any temperature if left out.", new MappingShape("A band.", new Field("min", "°C.", Celsius), new Field("max", "°C.", Celsius))),
            new Field("precondition_timeout_s", "How long to wait for the preconditions before failing with the reason, s.", Seconds, Default: "600")), Default: "{}"),
        new Field("guards", "What invalidates a trial.", new MappingShape(
            "What invalidates a trial.",
            new Field("min_coverage", "Least share of the window that energy readings must cover.", Fraction, Default: "0.95"),
            new Field("max_clock_error_s", "Largest error of the clock, s.", Seconds, Default: "0.1"),
            new Field("max_thermal_fraction", "Largest share of the window in thermal slowdown, power brake or hardware slowdown.", Fraction, Default: "0.001"),
            new Field("max_counter_residual", "Energy counter against integrated power; more is flagged, not refused.", Fraction, Default: "0.03"),
            new Field("max_client_ms", "Of a serving engine: the most that the measuring client may add to a time, or send late, at the 99th percentile, ms. Above 2 is flagged.", new NumberShape(0, 60_000, "milliseconds", above: true), Default: "2")), Default: "{}"),
        new Field("envelope", "P_IT of the paper's (1) and (3): declared, never what happened to be drawn. Without it the verdict is 'not determined'.", new MappingShape(
            "A declared power envelope.",
            new Field("watts", "W at the boundary.", new NumberShape(0.001, 1e12, "watts"), Required: true),
            new Field("boundary", "Where; facility is divided by PUE.", Boundaries, Required: true),
            new Field("devices", "Installed devices that share it.", new IntegerShape(1, 100_000_000), Required: true))),
        new Field("pue", "Where PUE comes from; without it nothing is PUE-adjusted.", new MappingShape(
            "PUE (ISO/IEC 30134-2).",
            new Field("source", "declared, or site: the site's own meters over the sweep's period.", new TextShape(values: ["declared", "site"]), Required: true),
            new Field("value", "If declared.", new NumberShape(1, 100)),
            new Field("category", "1 at the UPS output, 2 at the PDU output, 3 at the IT equipment's input.", new IntegerShape(1, 3), Required: true))),
        new Field("cost", "MC_token = p_e · PUE · e_tok + kappa; without it no cost is printed.", new MappingShape(
            "Cost terms.",
            new Field("price_per_kwh", "p_e, in the currency per kWh.", new NumberShape(0, 1e6), Required: true),
            new Field("kappa", "Cost per token that is not energy, in the currency.", new NumberShape(0, 1e6), Default: "0"),
            new Field("currency", "For example USD.", new TextShape(8), Default: "USD"))),
        new Field("traces", "Which trials keep their raw samples.", new TextShape(values: ["none", "first-pass", "all"]), Default: "first-pass"),
        new Field("data", "What the tensors hold; part of every configuration's identity.", new MappingShape(
            "Data.",
            [
                new Field("seed", "Seed of weights, activations and KV.", Seeds, Default: "1"),
                new Field("distribution", "normal, or zeros for a disclosed sensitivity control.", Distributions, Default: "normal"),
                .. WeightFileKeys,
            ]), Default: "{}"),
        new Field("head", "Whether the LM head is measured, in a leg of its own, where a device of the stack can run it alone; false sets the vocabulary of every cell to 0.", new BooleanShape(), Default: "true"),
        new Field("layers", "Two or three rising values of L'. The step energies at the first and the last give the energy per layer as a slope, one between them shows how straight the line is. auto: from the memory of the hardware class, one pair for a match group, and a third for its baseline.", Layers, Default: "auto"),
        new Field("stack", "What executes: reference (C# on a cpu device), llama.cpp (the same layers in it, on a cpu device), simulated, or cuda; with workload: serve, a stack that the nodes' stacks.yaml names.", Stacks, Default: "reference"));
}
