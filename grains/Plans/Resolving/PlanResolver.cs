using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>From a document to a plan with nothing left open: cells expanded, configurations from the catalogue, one L' pair for each match group, the A/A twin added, every comparison matched.</summary>
public sealed class PlanResolver
{
    /// <summary>The twin's label is the cell's with this behind it. No slash: labels become parts of file names.</summary>
    public const string TwinSuffix = " (twin)";

    private const double LeastPublishableWindowSeconds = 10;
    private const double LeastIdleSeconds = 10;

    private readonly PlanValue _plan;
    private readonly PlanProblems _problems;
    private readonly IReadOnlyCollection<DeviceInfo>? _devices;
    private readonly DeviceProfile? _profile;

    private PlanResolver(PlanDocument document, IReadOnlyCollection<DeviceInfo>? devices)
    {
        _plan = document.Root;
        _problems = new PlanProblems(document.FileName);
        _devices = devices;
        _profile = HardwareClass.Profile(_plan["hardware"]!["model"]!.Text, devices);
    }

    /// <summary>Resolves; never throws on any document that <see cref="PlanReader"/> has accepted.</summary>
    /// <param name="document">The plan as read.</param>
    /// <param name="devices">What the grid has, to refuse hardware that nobody has; null: not checked.</param>
    public static PlanResolution Resolve(PlanDocument document, IReadOnlyCollection<DeviceInfo>? devices = null)
    {
        var resolver = new PlanResolver(document, devices);
        var plan = resolver.Resolve();
        return resolver._problems.Any || plan is null ? new PlanResolution(null, resolver._problems.InOrder()) : new PlanResolution(plan, []);
    }

    private ResolvedPlan? Resolve()
    {
        var disclosure = ReadDisclosure();
        var replication = ReadReplication();
        var timing = ReadTiming();
        var pue = ReadPue();
        CheckHardware();
        if (!CheckNames() || !CheckSize())
        {
            return null;
        }

        var match = _plan["match"]!.Items!.Select(m => m.Text).ToImmutableArray();
        var groups = _plan["groups"]!.Items!.Select(g => ResolveGroup(g, disclosure, match, timing)).ToArray();
        if (_problems.Any || groups.Any(g => g is null))
        {
            return null;
        }

        var all = AddTwin([.. groups.Select(g => g!)]);
        var panels = _plan["panels"]!.Items!.Select(p => ReadPanel(p, all)).ToImmutableArray();
        if (_problems.Any)
        {
            return null;
        }

        var guards = _plan["guards"]!;
        var hardware = _plan["hardware"]!;
        var plan = new ResolvedPlan(
            _plan["name"]!.Text,
            _plan["description"]?.Text ?? "",
            disclosure,
            new HardwareRequirement(hardware["model"]!.Text, hardware["site"]?.Text, (int?)hardware["devices"]?.Integer),
            match,
            all,
            panels,
            replication,
            _plan["fill"]!.Text == "node" ? Fill.Node : Fill.Device,
            _plan["order"]!["seed"]!.Integer,
            timing,
            new TrialGuards(guards["min_coverage"]!.Number, guards["max_clock_error_s"]!.Number, guards["max_thermal_fraction"]!.Number, guards["max_counter_residual"]!.Number),
            _plan["aa"]!["delta"]!.Number,
            _plan["envelope"] is { } e ? new Envelope(e["watts"]!.Number, ReadBoundary(e["boundary"]!), (int)e["devices"]!.Integer) : null,
            pue,
            _plan["cost"] is { } c ? new CostTerms(c["price_per_kwh"]!.Number, c["kappa"]!.Number, c["currency"]!.Text) : null,
            _plan["traces"]!.Text,
            "");
        return plan with { Sha256 = PlanWriter.Sha256(plan) };
    }

    private Disclosure ReadDisclosure()
    {
        var point = _plan["operating_point"]!;
        var (quality, service) = (point["quality"]!, point["service"]!);
        return new Disclosure(
            quality["target"]!.Text, quality["check"]!.Text, service["milliseconds_per_token"]!.Number, service["statistic"]!.Text,
            _plan["workload_mix"]!.Text, _plan["batching"]!.Text, _plan["hardware"]!["description"]!.Text, ReadBoundary(_plan["boundary"]!));
    }

    private static Disclosure Override(Disclosure d, PlanValue? quality, PlanValue? service, PlanValue? mix, PlanValue? batching, PlanValue? boundary) => d with
    {
        Quality = quality?["target"]!.Text ?? d.Quality,
        QualityCheck = quality?["check"]!.Text ?? d.QualityCheck,
        ServiceMilliseconds = service?["milliseconds_per_token"]!.Number ?? d.ServiceMilliseconds,
        ServiceStatistic = service?["statistic"]!.Text ?? d.ServiceStatistic,
        WorkloadMix = mix?.Text ?? d.WorkloadMix,
        Batching = batching?.Text ?? d.Batching,
        Boundary = boundary is null ? d.Boundary : ReadBoundary(boundary),
    };

    private static Disclosure Override(Disclosure d, Func<string, PlanValue?> at) =>
        Override(d, at("operating_point")?["quality"], at("operating_point")?["service"], at("workload_mix"), at("batching"), at("boundary"));

    private static Boundary ReadBoundary(PlanValue value) => Enum.Parse<Boundary>(value.Text, ignoreCase: true);

    private Replication ReadReplication()
    {
        var passes = _plan["passes"]!;
        var (min, max) = (passes["min"]!, passes["max"]!);
        CheckOrder(min, max, "passes");
        return new Replication((int)min.Integer, (int)max.Integer, passes["half_width"]!.Number);
    }

    private TrialTiming ReadTiming()
    {
        var trial = _plan["trial"]!;
        var warmup = trial["warmup_s"]!;
        var (min, max) = warmup.Members is null ? (warmup, warmup) : (warmup["min"]!, warmup["max"]!);
        CheckOrder(min, max, "seconds of warm-up");
        var band = trial["start_temperature_c"];
        if (band?["min"] is { } low && band["max"] is { } high)
        {
            CheckOrder(low, high, "°C at the start");
        }

        return new TrialTiming(
            min.Number, max.Number, trial["window_s"]!.Number, trial["cooldown_s"]!.Number, band?["min"]?.Number, band?["max"]?.Number, trial["precondition_timeout_s"]!.Number);
    }

    private void CheckOrder(PlanValue min, PlanValue max, string what)
    {
        if (min.Number > max.Number)
        {
            // The one that was written is the one to correct.
            var at = max.IsDefault ? min : max;
            _problems.Add(at.Node, string.Create(CultureInfo.InvariantCulture, $"min {min.Number} {what} is more than max {max.Number}"), "a min that is not above max");
        }
    }

    private PueChoice? ReadPue()
    {
        if (_plan["pue"] is not { } pue)
        {
            return null;
        }

        var (declared, value) = (pue["source"]!.Text == "declared", pue["value"]);
        if (declared && value is null)
        {
            _problems.Add(pue["source"]!.Node, "is declared, and no value is", "value: the declared PUE, for example 1.2; or source: site");
        }
        else if (!declared && value is not null)
        {
            _problems.Add(value.Node, "is given although the site's meters are the source", "source: declared, or no value");
        }

        return new PueChoice(pue["source"]!.Text, value?.Number, (int)pue["category"]!.Integer);
    }

    private void CheckHardware()
    {
        var hardware = _plan["hardware"]!;
        var model = hardware["model"]!;
        if (_devices is null)
        {
            if (_profile is null && NeedsProfile())
            {
                _problems.Add(model.Node, $"nothing is known of the hardware class '{PlanNode.Short(model.Text)}', so L' cannot be chosen", $"{Spelling.Suggest(model.Text, [.. HardwareClass.Names])}; or layers: [short, long] in the plan or in each group");
            }

            return;
        }

        var fitting = _devices.Where(d => HardwareClass.Fits(d, model.Text)).ToArray();
        if (fitting.Length == 0)
        {
            var models = _devices.Select(d => d.Kind == DeviceKind.Cpu ? PlanFormat.AnyCpu : d.Model).Distinct().Order(StringComparer.Ordinal).ToArray();
            _problems.Add(model.Node, $"no device of the grid is a '{PlanNode.Short(model.Text)}'", models.Length == 0 ? "a grid with devices" : Spelling.Suggest(model.Text, models));
            return;
        }

        if (hardware["site"] is { } site && fitting.All(d => d.Site != site.Text))
        {
            _problems.Add(site.Node, $"the site '{PlanNode.Short(site.Text)}' has no {model.Text}", Spelling.Suggest(site.Text, [.. fitting.Select(d => d.Site).Distinct().Order(StringComparer.Ordinal)]));
            return;
        }
    }

    private void CheckStack(DraftCell cell)
    {
        var (model, stack) = (_plan["hardware"]!["model"]!.Text, (string)cell.ValueOf("stack", _plan));
        var kinds = _devices is not null
            ? _devices.Where(d => HardwareClass.Fits(d, model)).Select(d => d.Kind).Distinct().Order().ToArray()
            : HardwareClass.KindsOf(model);
        var at = cell.Values.TryGetValue("stack", out var own) ? own.Node : _plan["stack"]!.Node;
        if (kinds.Length > 0 && !kinds.Contains(HardwareClass.KindFor(stack)) && _reported.Add(at))
        {
            _problems.Add(at, $"no {PlanNode.Short(model)} executes the stack {stack}", $"stack: {string.Join(" or ", HardwareClass.Stacks.Where(s => kinds.Contains(HardwareClass.KindFor(s))))}");
        }
    }

    private bool NeedsProfile() => _plan["groups"]!.Items!.Any(g => LayersOf(g).Items is null);

    private PlanValue LayersOf(PlanValue group) => group["layers"] ?? _plan["layers"]!;

    private bool CheckNames()
    {
        foreach (var same in _plan["groups"]!.Items!.GroupBy(g => g["name"]!.Text).Where(g => g.Count() > 1))
        {
            _problems.Add(same.ElementAt(1)["name"]!.Node, $"another group is named '{same.Key}' too", "a name that no other group has");
        }

        return !_problems.IsFull;
    }

    private bool CheckSize()
    {
        var counts = _plan["groups"]!.Items!.Select(g => (Group: g, Count: Expansion.Count(g))).ToArray();
        var sum = counts.Aggregate(BigInteger.Zero, (n, g) => n + g.Count);
        if (sum <= PlanFormat.MostCells)
        {
            return true;
        }

        var largest = counts.MaxBy(g => g.Count);
        var shown = sum > 1_000_000_000_000 ? "more than 10^12" : sum.ToString(CultureInfo.InvariantCulture);
        _problems.Add(largest.Group.Node, $"the plan has {shown} cells, most of them in the group '{largest.Group["name"]!.Text}'", $"at most {PlanFormat.MostCells} cells in a plan, before exclude; take fewer values per key, or several plans");
        return false;
    }

    private MatchGroup? ResolveGroup(PlanValue group, Disclosure plan, ImmutableArray<string> match, TrialTiming timing)
    {
        var before = _problems.Count;
        if (_problems.IsFull || Expansion.Expand(group, _plan, _problems) is not { } cells)
        {
            return null;
        }

        var disclosure = Override(plan, k => group[k]);
        var layers = LayersOf(group);
        foreach (var cell in cells)
        {
            cell.Disclosure = Override(disclosure, k => cell.Values.TryGetValue(k, out var v) ? v : null);
            CheckQuality(cell, group);
            CheckStack(cell);
            ResolveCell(cell, layers);
        }

        // A value that several groups share is complained about once: in the others a cell without a configuration is all that shows it.
        if (_problems.Count > before || cells.Any(c => c.Configuration is null))
        {
            return null;
        }

        var notes = new List<string>();
        ChooseLayers(cells, layers, notes);
        CheckTwice(cells);
        CheckBaseline(group, cells, match);
        if (_problems.Count > before)
        {
            return null;
        }

        if (timing.WindowSeconds < LeastPublishableWindowSeconds)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"window of {timing.WindowSeconds} s: below the {LeastPublishableWindowSeconds} s that a published figure needs"));
        }

        if (timing.CooldownSeconds < LeastIdleSeconds)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"idle of {timing.CooldownSeconds} s: net energy needs {LeastIdleSeconds} s"));
        }

        return new MatchGroup(group["name"]!.Text, group["baseline"]?.Text, [.. cells.Select(Planned)]) { Notes = [.. notes] };
    }

    private static PlannedCell Planned(DraftCell c) =>
        new(c.Label, c.Configuration!, ConfigurationIdentity.Sha256(c.Configuration!), Catalogue.Cost(c.Configuration!), c.Disclosure!, null);

    private void CheckQuality(DraftCell cell, PlanValue group)
    {
        if (cell.Disclosure!.Quality == PlanFormat.SyntheticQuality || _problems.IsFull)
        {
            return;
        }

        PlanValue? Target(PlanValue? point) => point?["quality"]?["target"];
        var at = Target(cell.Values.GetValueOrDefault("operating_point")) ?? Target(group["operating_point"]) ?? Target(_plan["operating_point"])!;
        if (!_reported.Add(at.Node))
        {
            return;
        }

        _problems.Add(at.Node, $"'{PlanNode.Short(at.Text)}' claims a quality, and kernel workloads have synthetic weights", $"target: '{PlanFormat.SyntheticQuality}'");
    }

    /// <summary>Places already complained about: a value in a product stands in many cells and is wrong once.</summary>
    private readonly HashSet<PlanNode> _reported = [];

    private void ResolveCell(DraftCell cell, PlanValue layers)
    {
        try
        {
            var (shorter, longer) = layers.Items is { } pair ? ((int)pair[0].Integer, (int)pair[1].Integer) : Unit(cell);
            cell.Configuration = Catalogue.Resolve(cell.Request(_plan, shorter, longer), _profile);
        }
        catch (ConfigurationRefusedException e)
        {
            Refuse(e, cell, layers);
        }

        static (int, int) Unit(DraftCell cell)
        {
            var unit = Catalogue.Definition(cell.Workload).Unit.Length;
            return (unit, unit);
        }
    }

    private void Refuse(ConfigurationRefusedException e, DraftCell cell, PlanValue layers)
    {
        var key = e.Key switch { "model_width" => "d_model", "feed_forward_width" => "d_ff", "key_value_heads" => "kv_heads", "short_layers" or "long_layers" => "layers", var k => k };
        var at = key == "layers" ? layers.Node : cell.PlaceOf(key);
        if (!_reported.Add(at))
        {
            return;
        }

        var (wrong, right) = Split(e.Message.Replace("model_width", "d_model").Replace("feed_forward_width", "d_ff").Replace("key_value_heads", "kv_heads")
            .Replace("short_layers", "the shorter L'").Replace("long_layers", "the longer L'"));
        _problems.Add(at.Line, at.Column, at.Path, wrong, right);
    }

    /// <summary>The catalogue says what is wrong and what would be right in one sentence.</summary>
    private static (string Wrong, string Right) Split(string message)
    {
        foreach (var mark in new[] { "; ", " must ", ": " })
        {
            if (message.IndexOf(mark, StringComparison.Ordinal) is var at and > 0)
            {
                return mark == " must " ? ($"{message[..at]} is not possible", message[(at + 1)..]) : (message[..at], message[(at + mark.Length)..]);
            }
        }

        return (message, "a value that the catalogue has");
    }

    /// <summary>One pair of L' for the whole group, so that the slope means the same in all its cells.</summary>
    private void ChooseLayers(List<DraftCell> cells, PlanValue layers, List<string> notes)
    {
        var configurations = cells.Select(c => c.Configuration!).ToArray();
        if (layers.Items is not null)
        {
            CheckGivenLayers(cells, layers, notes);
            return;
        }

        if (_profile is null)
        {
            return;
        }

        try
        {
            // 500 MB are for accelerators; a cpu's cache is small, and ten times it is enough.
            var least = _profile.Name == PlanFormat.AnyCpu ? 0 : LayerPairs.LeastWorkingSetBytes;
            var pair = LayerPairs.Choose(configurations, _profile, least);
            notes.AddRange(pair.Notes);
            foreach (var cell in cells)
            {
                cell.Configuration = cell.Configuration! with { ShortLayers = pair.Short, LongLayers = pair.Long };
            }
        }
        catch (ConfigurationRefusedException e)
        {
            Refuse(e, cells.MaxBy(c => Catalogue.Cost(c.Configuration!).ResidentBytes)!, layers);
        }
    }

    private void CheckGivenLayers(List<DraftCell> cells, PlanValue layers, List<string> notes)
    {
        var largest = cells.MaxBy(c => Catalogue.ResidentBytes(c.Configuration!, c.Configuration!.LongLayers))!;
        var bytes = Catalogue.ResidentBytes(largest.Configuration!, largest.Configuration!.LongLayers);
        if (_profile is not null && bytes > _profile.UsableBytes)
        {
            _problems.Add(layers.Node, string.Create(CultureInfo.InvariantCulture, $"{largest.Configuration.LongLayers} layers of {largest.Label} occupy {bytes / 1e9:F1} GB, and {_profile.Name} has {_profile.UsableBytes / 1e9:F1} GB to use"), "fewer layers, a smaller batch or a shorter context");
            return;
        }

        if (largest.Configuration.LongLayers == largest.Configuration.ShortLayers)
        {
            notes.Add(Workloads.LayerPair.LinearityUnchecked);
        }

        var (cache, floor) = _plan["hardware"]!["model"]!.Text == PlanFormat.AnyCpu ? (HardwareClass.AnyCpuCacheBytes, 0) : (HardwareClass.UnknownCacheBytes, LayerPairs.LeastWorkingSetBytes);
        if (cells.Any(c => Catalogue.ResidentBytes(c.Configuration!, c.Configuration!.ShortLayers) < Math.Max(floor, LayerPairs.CacheMultiple * cache)))
        {
            notes.Add(Workloads.LayerPair.SmallWorkingSet);
        }
    }

    private void CheckTwice(List<DraftCell> cells)
    {
        foreach (var same in cells.GroupBy(c => (c.Configuration, c.Disclosure)).Where(g => g.Count() > 1))
        {
            var (first, second) = (same.First(), same.ElementAt(1));
            _problems.Add(second.At, $"'{second.Label}' is the same configuration as '{first.Label}'", "each configuration once in a group; aa: makes the pair that shows repeatability");
        }
    }

    private void CheckBaseline(PlanValue group, List<DraftCell> cells, ImmutableArray<string> match)
    {
        if (group["baseline"] is not { } named)
        {
            return;
        }

        if (cells.FirstOrDefault(c => c.Label == named.Text) is not { } baseline)
        {
            _problems.Add(named.Node, $"no cell of the group has the label '{named.Text}'", Spelling.Suggest(named.Text, [.. cells.Select(c => c.Label)]));
            return;
        }

        foreach (var cell in cells)
        {
            if (Comparability.Difference(cell, baseline, match) is not { } d)
            {
                continue;
            }

            var at = cell.PlaceOf(d.Key);
            _problems.Add(at, $"'{cell.Label}' may not be compared with the baseline '{baseline.Label}': {d.Name} is '{PlanNode.Short(d.Cell)}' against '{PlanNode.Short(d.Baseline)}'",
                "equal values; or a group of its own with its own baseline; or a line in panels, which are printed as unmatched");
            if (_problems.IsFull)
            {
                return;
            }
        }
    }

    private ImmutableArray<MatchGroup> AddTwin(ImmutableArray<MatchGroup> groups)
    {
        var aa = _plan["aa"]!;
        var group = aa["group"] is { } named ? groups.FirstOrDefault(g => g.Name == named.Text) : groups.FirstOrDefault(g => g.Baseline is not null);
        if (group is null)
        {
            if (aa["group"] is { } unknown)
            {
                _problems.Add(unknown.Node, $"no group is named '{unknown.Text}'", Spelling.Suggest(unknown.Text, [.. groups.Select(g => g.Name)]));
            }
            else if (aa["of"] is { } of)
            {
                _problems.Add(of.Node, "names a cell, and no group has a baseline", "group: the cell's group beside it");
            }

            return groups;
        }

        var label = aa["of"]?.Text ?? group.Baseline;
        if (group.Cells.FirstOrDefault(c => c.Label == label) is not { } original)
        {
            _problems.Add((aa["of"] ?? aa["group"]!).Node, label is null ? $"the group '{group.Name}' has no baseline to be twinned" : $"no cell of the group '{group.Name}' has the label '{label}'", $"of: {Spelling.Suggest(label ?? "", [.. group.Cells.Select(c => c.Label)])}");
            return groups;
        }

        var twin = original with { Label = original.Label + TwinSuffix, TwinOf = original.Label };
        if (group.Cells.Any(c => c.Label == twin.Label))
        {
            _problems.Add((aa["of"] ?? _plan["groups"]!).Node, $"a cell of the group '{group.Name}' has the label '{twin.Label}', which is the A/A twin's", "another label for that cell");
            return groups;
        }

        return groups.Replace(group, group with { Cells = group.Cells.Add(twin) });
    }

    private UnmatchedPanel ReadPanel(PlanValue panel, ImmutableArray<MatchGroup> groups) =>
        new(panel["title"]!.Text, ReadReference(panel["baseline"]!, groups), [.. panel["cells"]!.Items!.Select(c => ReadReference(c, groups))]);

    private CellReference ReadReference(PlanValue cell, ImmutableArray<MatchGroup> groups)
    {
        var (name, label) = (cell["group"]!, cell["label"]!);
        if (groups.FirstOrDefault(g => g.Name == name.Text) is not { } group)
        {
            _problems.Add(name.Node, $"no group is named '{name.Text}'", Spelling.Suggest(name.Text, [.. groups.Select(g => g.Name)]));
        }
        else if (group.Cells.All(c => c.Label != label.Text))
        {
            _problems.Add(label.Node, $"no cell of the group '{name.Text}' has the label '{label.Text}'", Spelling.Suggest(label.Text, [.. group.Cells.Select(c => c.Label)]));
        }

        return new CellReference(name.Text, label.Text, cell["published_joules_per_token"]?.Number);
    }
}
