using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
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
    private const double DefaultDelta = 0.01;

    private readonly PlanValue _plan;
    private readonly PlanProblems _problems;
    private readonly PlanProblems _warnings;
    private readonly IReadOnlyCollection<DeviceInfo>? _devices;
    private readonly DeviceProfile? _profile;

    private PlanResolver(PlanDocument document, IReadOnlyCollection<DeviceInfo>? devices)
    {
        _plan = document.Root;
        _problems = new PlanProblems(document.FileName);
        _warnings = new PlanProblems(document.FileName);
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
        return resolver._problems.Any || plan is null ? new PlanResolution(null, resolver._problems.InOrder()) : new PlanResolution(plan, []) { Warnings = resolver._warnings.InOrder() };
    }

    private ResolvedPlan? Resolve()
    {
        var disclosure = ReadDisclosure();
        var replication = ReadReplication();
        var timing = ReadTiming();
        var pue = ReadPue();
        CheckHardware();
        if (!CheckData() || !CheckNames() || !CheckSize())
        {
            return null;
        }

        // What a decode step is matched by means nothing to a serving engine.
        var onlyServe = _plan["groups"]!.Items!.All(IsServe);
        var match = _plan["match"]!.IsDefault && onlyServe ? ServeFormat.Match : _plan["match"]!.Items!.Select(m => m.Text).ToImmutableArray();
        var groups = _plan["groups"]!.Items!.Select(g => ResolveGroup(g, disclosure, match, timing)).ToArray();
        if (_problems.Any || groups.Any(g => g is null))
        {
            return null;
        }

        var (all, delta) = AddTwins([.. groups.Select(g => g!)]);
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
            new TrialGuards(guards["min_coverage"]!.Number, guards["max_clock_error_s"]!.Number, guards["max_thermal_fraction"]!.Number, guards["max_counter_residual"]!.Number, guards["max_client_ms"]!.Number),
            delta,
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
            _plan["workload_mix"]!.Text, _plan["batching"]!.Text, _plan["hardware"]!["description"]!.Text, ReadBoundary(_plan["boundary"]!), service["first_token_milliseconds"]?.Number);
    }

    private static Disclosure Override(Disclosure d, PlanValue? quality, PlanValue? service, PlanValue? mix, PlanValue? batching, PlanValue? boundary) => d with
    {
        Quality = quality?["target"]!.Text ?? d.Quality,
        QualityCheck = quality?["check"]!.Text ?? d.QualityCheck,
        ServiceMilliseconds = service?["milliseconds_per_token"]!.Number ?? d.ServiceMilliseconds,
        ServiceStatistic = service?["statistic"]!.Text ?? d.ServiceStatistic,
        FirstTokenMilliseconds = service is null ? d.FirstTokenMilliseconds : service["first_token_milliseconds"]?.Number,
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

        WarnOfNumbers(hardware, fitting);
    }

    /// <summary>A plan may ask for more devices than there are; what it discloses must then not say that it had them.</summary>
    private void WarnOfNumbers(PlanValue hardware, DeviceInfo[] fitting)
    {
        var there = hardware["site"] is { } site ? fitting.Count(d => d.Site == site.Text) : fitting.Length;
        var has = string.Create(CultureInfo.InvariantCulture, $"the grid has {there} {(there == 1 ? "device" : "devices")} of {PlanNode.Short(hardware["model"]!.Text)}{(hardware["site"] is null ? "" : " at that site")}");
        if (hardware["devices"] is { } devices && devices.Integer > there)
        {
            _warnings.Add(devices.Node, string.Create(CultureInfo.InvariantCulture, $"at most {devices.Integer} devices are asked for, and {has}"), string.Create(CultureInfo.InvariantCulture, $"{there}, or devices that are still to come"));
        }

        // "16 simulated H100", "8 x H100 SXM": a number with the family of the hardware class at most two words behind it.
        var model = hardware["model"]!.Text;
        if (model == PlanFormat.AnyCpu)
        {
            return;
        }

        var family = model.Split('-')[0];
        var said = Regex.Matches(hardware["description"]!.Text, $@"(?<![\w.])([0-9]{{1,9}})\W+(?:[^\s,;.0-9]+\s+){{0,2}}{Regex.Escape(family)}\b", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase);
        if (said.Select(m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture)).DefaultIfEmpty(0).Max() is var most && most > there)
        {
            _warnings.Add(hardware["description"]!.Node, string.Create(CultureInfo.InvariantCulture, $"names {most} {family}, and {has}"), "the setup that the figures will come from");
        }
    }

    /// <summary>Weights come from a distribution or from a file, and a file is named completely.</summary>
    private bool CheckData()
    {
        var data = _plan["data"]!;
        string[] keys = ["weights", "tensors", "sha256"];
        var given = keys.Where(k => data[k] is not null).ToArray();
        if (given.Length > 0 && given.Length < keys.Length)
        {
            _problems.Add(data.Node, $"names weights in a file by {string.Join(" and ", given)} alone", "weights, tensors and sha256 together");
            return false;
        }

        if (given.Length > 0 && data["distribution"] is { IsDefault: false } distribution)
        {
            _problems.Add(distribution.Node, $"is {distribution.Text} although the weights come from a file", "a distribution or a file, not both");
        }

        return true;
    }

    private void CheckStack(DraftCell cell)
    {
        var (model, stack) = (_plan["hardware"]!["model"]!.Text, (string)cell.ValueOf("stack", _plan));
        if (!HardwareClass.Stacks.Contains(stack))
        {
            var node = cell.Values.TryGetValue("stack", out var written) ? written.Node : _plan["stack"]!.Node;
            if (_reported.Add(node))
            {
                _problems.Add(node, $"is '{PlanNode.Short(stack)}'", $"{Spelling.Suggest(stack, [.. HardwareClass.Stacks])}; a stack of stacks.yaml runs workload: serve alone");
            }

            return;
        }

        var kinds = _devices is not null
            ? _devices.Where(d => HardwareClass.Fits(d, model)).Select(d => d.Kind).Distinct().Order().ToArray()
            : HardwareClass.KindsOf(model);
        var at = cell.Values.TryGetValue("stack", out var own) ? own.Node : _plan["stack"]!.Node;
        if (kinds.Length > 0 && !kinds.Contains(HardwareClass.KindFor(stack)) && _reported.Add(at))
        {
            _problems.Add(at, $"no {PlanNode.Short(model)} executes the stack {stack}", $"stack: {string.Join(" or ", HardwareClass.Stacks.Where(s => kinds.Contains(HardwareClass.KindFor(s))))}");
        }
    }

    private bool NeedsProfile() => _plan["groups"]!.Items!.Any(g => LayersOf(g).Items is null && !IsServe(g));

    private static bool IsServe(PlanValue group) => new[] { "sweep", "zip", "cells" }.SelectMany(k => group[k]?.Items ?? []).SelectMany(p => p["workload"]!.Many).All(w => w.Text == Configuration.ServeWorkload);

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
        if (cells.FirstOrDefault(c => c.IsServe != cells[0].IsServe) is { } other)
        {
            _problems.Add(other.PlaceOf("workload"), $"'{other.Label}' is {(other.IsServe ? "a serving engine" : "a decode step")} and '{cells[0].Label}' beside it is not", "a group of its own: one kind of token in a group");
            return null;
        }

        foreach (var cell in cells)
        {
            cell.Disclosure = Override(disclosure, k => cell.Values.TryGetValue(k, out var v) ? v : null);
            if (cell.IsServe)
            {
                continue;
            }

            CheckQuality(cell, group);
            CheckStack(cell);
            CheckHead(cell);
            if (LayersOf(cell, layers) is { } own)
            {
                ResolveCell(cell, own);
            }
        }

        // What is wrong in a place that several groups share is said once: a group may be without a configuration and without a problem of its own.
        if (_problems.Count > before || cells.Any(c => c.Configuration is null))
        {
            return null;
        }

        var notes = new List<string>();
        if (!cells[0].IsServe)
        {
            ChooseLayers(cells, group, layers, notes);
        }

        CheckTwice(cells);
        CheckService(group, cells);
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

        if (cells.Any(c => c.Configuration is { WeightsPath: not null, Stack: "simulated" }))
        {
            notes.Add("weights from a file: a simulated device reads none");
        }

        return new MatchGroup(group["name"]!.Text, group["baseline"]?.Text, [.. cells.Select(Planned)]) { Notes = [.. notes] };
    }

    private static PlannedCell Planned(DraftCell c) =>
        new(c.Label, c.Configuration!, ConfigurationIdentity.Sha256(c.Configuration!), c.IsServe ? StepCost.Unknown : Catalogue.Cost(c.Configuration!), c.Disclosure!, null);

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

    /// <summary>The LM head is measured where the plan wants it, the cell has one and a device of its stack can run it alone.</summary>
    private void CheckHead(DraftCell cell)
    {
        var (head, rows) = (_plan["head"]!, (long)cell.ValueOf("vocabulary", _plan));
        if (!head.Flag && rows > 0)
        {
            var at = cell.PlaceOf("vocabulary");
            if (_reported.Add(at))
            {
                _problems.Add(at, string.Create(CultureInfo.InvariantCulture, $"is {rows} although head is false"), "vocabulary: 0, or head: true");
            }
        }
        else if (head is { Flag: true, IsDefault: false } && rows > 0 && (string)cell.ValueOf("stack", _plan) is var stack && !LayerLegs.HeadStacks.Contains(stack) && _reported.Add(head.Node))
        {
            _problems.Add(head.Node, $"is true, and no device of the stack {stack} runs the LM head alone", "head: false, or leave it out: the head is then measured where a device can");
        }
    }

    /// <summary>What the cell's own L', else its group's, say: rising, with the group's ends. Null, with the reason, where they do not; a pair of equals is judged when the group's cells are known.</summary>
    private PlanValue? LayersOf(DraftCell cell, PlanValue group)
    {
        var rises = Rises(group);
        if (!cell.Values.TryGetValue("layers", out var own))
        {
            return rises ? group : null;
        }

        if (!rises || !Rises(own))
        {
            return null;
        }

        if (group.Items is not { } shared)
        {
            _problems.Add(own.Node, "gives L' to one cell, and its group's are chosen from the memory", "layers: [shortest, longest] in the group too");
            return null;
        }

        if (own.Items![0].Integer != shared[0].Integer || own.Items[^1].Integer != shared[^1].Integer)
        {
            _problems.Add(own.Node, $"{Listed(own)} has other ends than its group's {Listed(shared)}", string.Create(CultureInfo.InvariantCulture, $"{shared[0].Integer} first and {shared[^1].Integer} last: the slope must mean the same in all cells of a group"));
            return null;
        }

        return own;
    }

    private static string Listed(PlanValue list) => Listed(list.Items!);

    private static string Listed(IEnumerable<PlanValue> items) => $"[{string.Join(", ", items.Select(i => i.Integer.ToString(CultureInfo.InvariantCulture)))}]";

    private bool Rises(PlanValue layers)
    {
        if (layers.Items is not { } values || (values.Count == 2 && values[0].Integer == values[1].Integer))
        {
            return true;
        }

        for (var i = 1; i < values.Count; i++)
        {
            if (values[i].Integer > values[i - 1].Integer)
            {
                continue;
            }

            if (_reported.Add(layers.Node))
            {
                var sorted = values.DistinctBy(v => v.Integer).OrderBy(v => v.Integer).ToArray();
                _problems.Add(values[i].Node, string.Create(CultureInfo.InvariantCulture, $"is {values[i].Integer} after {values[i - 1].Integer}"),
                    $"values of L' that strictly increase{(sorted.Length > 1 ? $": {Listed(sorted)}" : "")}");
            }

            return false;
        }

        return true;
    }

    private void ResolveCell(DraftCell cell, PlanValue layers)
    {
        try
        {
            var unit = Catalogue.Definition(cell.Workload).Unit.Length;
            var (shorter, middle, longer) = layers.Items is { } values ? ((int)values[0].Integer, values.Count > 2 ? (int)values[1].Integer : 0, (int)values[^1].Integer) : (unit, 0, unit);
            cell.Configuration = Catalogue.Resolve(cell.Request(_plan, shorter, middle, longer), _profile);
        }
        catch (ConfigurationRefusedException e)
        {
            Refuse(e, cell, layers);
        }
    }

    private void Refuse(ConfigurationRefusedException e, DraftCell cell, PlanValue layers)
    {
        var key = e.Key switch { "model_width" => "d_model", "feed_forward_width" => "d_ff", "key_value_heads" => "kv_heads", "short_layers" or "middle_layers" or "long_layers" => "layers", var k => k };
        var at = key == "layers" ? layers.Node : cell.PlaceOf(key);
        if (!_reported.Add(at))
        {
            return;
        }

        var (wrong, right) = Split(e.Message.Replace("model_width", "d_model").Replace("feed_forward_width", "d_ff").Replace("key_value_heads", "kv_heads")
            .Replace("short_layers", "the shorter L'").Replace("middle_layers", "the middle L'").Replace("long_layers", "the longer L'"));
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

    /// <summary>One pair of L' for the whole group, so that the slope means the same in all its cells; a third for its baseline.</summary>
    private void ChooseLayers(List<DraftCell> cells, PlanValue group, PlanValue layers, List<string> notes)
    {
        if (layers.Items is not null)
        {
            CheckGivenLayers(cells, layers, notes);
            return;
        }

        var baseline = group["baseline"] is { } named ? cells.FirstOrDefault(c => c.Label == named.Text) : null;
        try
        {
            if (Chosen(cells, third: baseline is not null) is not { } pair)
            {
                return;
            }

            notes.AddRange(pair.Notes);
            foreach (var cell in cells)
            {
                cell.Configuration = cell.Configuration! with { ShortLayers = pair.Short, MiddleLayers = cell == baseline ? pair.Middle : 0, LongLayers = pair.Long };
            }
        }
        catch (ConfigurationRefusedException e)
        {
            Refuse(e, cells.MaxBy(c => Catalogue.Cost(c.Configuration!).ResidentBytes)!, layers);
        }
    }

    /// <summary>What the memory of the hardware class gives; null where nothing is known of it.</summary>
    /// <exception cref="ConfigurationRefusedException">Not one unit of the largest cell fits.</exception>
    private LayerPair? Chosen(List<DraftCell> cells, bool third)
    {
        if (_profile is null)
        {
            return null;
        }

        var configurations = cells.Select(c => c.Configuration!).ToArray();
        // 500 MB are for accelerators; a cpu's cache is small, and ten times it is enough.
        var least = _profile.Name == PlanFormat.AnyCpu ? 0 : LayerPairs.LeastWorkingSetBytes;
        return third ? LayerPairs.ChooseWithThird(configurations, _profile, least) : LayerPairs.Choose(configurations, _profile, least);
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
            // One depth is no slope: it stands only where the memory holds no second one, and then it is what auto would choose.
            var chosen = Chosen(cells, third: false);
            if (chosen is null || chosen.IsLinearityChecked || chosen.Long != largest.Configuration.LongLayers)
            {
                if (_reported.Add(layers.Node))
                {
                    _problems.Add(layers.Node, $"{Listed(layers)} is one depth twice, and no slope goes through one point", chosen is { IsLinearityChecked: true }
                        ? string.Create(CultureInfo.InvariantCulture, $"values of L' that strictly increase, for example [{chosen.Short}, {chosen.Long}], or auto")
                        : "values of L' that strictly increase, or auto");
                }

                return;
            }

            notes.Add(LayerPair.LinearityUnchecked);
        }

        var (cache, floor) = _plan["hardware"]!["model"]!.Text == PlanFormat.AnyCpu ? (HardwareClass.AnyCpuCacheBytes, 0) : (HardwareClass.UnknownCacheBytes, LayerPairs.LeastWorkingSetBytes);
        if (cells.Any(c => Catalogue.ResidentBytes(c.Configuration!, c.Configuration!.ShortLayers) < Math.Max(floor, LayerPairs.CacheMultiple * cache)))
        {
            notes.Add(LayerPair.SmallWorkingSet);
        }
    }

    private void CheckTwice(List<DraftCell> cells)
    {
        // A third L' and the place of a file change nothing in what is compared.
        foreach (var same in cells.GroupBy(c => (ConfigurationIdentity.Sha256(c.Configuration! with { MiddleLayers = 0 }), c.Disclosure)).Where(g => g.Count() > 1))
        {
            var (first, second) = (same.First(), same.ElementAt(1));
            _problems.Add(second.At, $"'{second.Label}' is the same configuration as '{first.Label}'", "each configuration once in a group; aa: makes the pair that shows repeatability");
        }
    }

    /// <summary>A group has one s*, whether its cells are divided by a baseline or only stand beside one another.</summary>
    private void CheckService(PlanValue group, List<DraftCell> cells)
    {
        if (group["baseline"] is not null)
        {
            return;
        }

        var first = cells[0];
        foreach (var cell in cells.Where(c => Comparability.Service(c.Disclosure!) != Comparability.Service(first.Disclosure!)))
        {
            _problems.Add(cell.PlaceOf("operating_point"), $"'{cell.Label}' has the s* '{Comparability.Service(cell.Disclosure!)}' and '{first.Label}' beside it '{Comparability.Service(first.Disclosure!)}'", "one s* in a group: in the group's operating_point, or a group of its own");
            return;
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

    /// <summary>The groups with their twins, and δ.</summary>
    private (ImmutableArray<MatchGroup> Groups, double Delta) AddTwins(ImmutableArray<MatchGroup> groups)
    {
        var aa = _plan["aa"]!;
        if (aa.Scalar is not null)
        {
            foreach (var group in groups.Where(g => g.Baseline is not null))
            {
                groups = AddTwin(groups, group, group.Baseline!, aa);
            }

            return (groups, DefaultDelta);
        }

        var (pairs, delta) = (aa.Many, aa.Many.Select(p => p["delta"]!).FirstOrDefault(d => !d.IsDefault));
        foreach (var pair in pairs)
        {
            if (pair["delta"]! is { IsDefault: false } own && own.Number != delta!.Number)
            {
                _problems.Add(own.Node, string.Create(CultureInfo.InvariantCulture, $"is {own.Number}, and another pair's δ is {delta.Number}"), "one δ for all pairs of a plan");
            }

            if (pairs.Count > 1 && pair["group"] is null)
            {
                _problems.Add(pair.Node, "is one of several pairs and names no group", "group: a group with no other pair");
                continue;
            }

            groups = AddTwin(groups, pair);
        }

        return (groups, delta?.Number ?? DefaultDelta);
    }

    private ImmutableArray<MatchGroup> AddTwin(ImmutableArray<MatchGroup> groups, PlanValue pair)
    {
        var group = pair["group"] is { } named ? groups.FirstOrDefault(g => g.Name == named.Text) : groups.FirstOrDefault(g => g.Baseline is not null);
        if (group is null)
        {
            if (pair["group"] is { } unknown)
            {
                _problems.Add(unknown.Node, $"no group is named '{unknown.Text}'", Spelling.Suggest(unknown.Text, [.. groups.Select(g => g.Name)]));
            }
            else if (pair["of"] is { } of)
            {
                _problems.Add(of.Node, "names a cell, and no group has a baseline", "group: the cell's group beside it");
            }

            return groups;
        }

        var at = pair["of"] ?? pair["group"] ?? pair;
        var label = pair["of"]?.Text ?? group.Baseline;
        if (label is null || group.Cells.All(c => c.Label != label || c.TwinOf is not null))
        {
            _problems.Add(at.Node, label is null ? $"the group '{group.Name}' has no baseline to be twinned" : $"no cell of the group '{group.Name}' has the label '{label}'", $"of: {Spelling.Suggest(label ?? "", [.. group.Cells.Select(c => c.Label)])}");
            return groups;
        }

        return AddTwin(groups, group, label, at);
    }

    private ImmutableArray<MatchGroup> AddTwin(ImmutableArray<MatchGroup> groups, MatchGroup group, string label, PlanValue at)
    {
        var original = group.Cells.First(c => c.Label == label);
        var twin = original with { Label = original.Label + TwinSuffix, TwinOf = original.Label };
        if (group.Cells.Any(c => c.TwinOf is not null))
        {
            _problems.Add(at.Node, $"the group '{group.Name}' has an A/A pair already", "one pair in a group");
            return groups;
        }

        if (group.Cells.Any(c => c.Label == twin.Label))
        {
            _problems.Add((at.IsDefault ? _plan["groups"]! : at).Node, $"a cell of the group '{group.Name}' has the label '{twin.Label}', which is the A/A twin's", "another label for that cell");
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
