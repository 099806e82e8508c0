using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// Merges the reports of a rack's nodes into rack windows. Reports may come twice, in any order, late and revised: for each source and
/// window the highest revision stands (of two with the same revision the better covered one, then the larger), it replaces and never adds.
/// <para>
/// A window closes when every source of the inventory has spoken of it or of a later one, or when the highest window seen is the lateness
/// ahead of it, or by <see cref="Advance"/>. All of this is in window seconds: the data's own time. A closed window that changes
/// comes out again with the next revision. The last <c>keepWindows</c> windows can still change; older reports are counted.
/// </para>
/// <para>A node whose windows are out of reach is not followed, and shows as missing; where most of those who speak are there, the rack goes there (<see cref="ClockVote"/>), as another incarnation.</para>
/// <para>Windows of sources that are not in the inventory wait for it, up to <see cref="MostWaiting"/>: a rack that has just begun loses nothing of a node that has still to announce itself.</para>
/// <para>Not thread safe: it lives inside the turns of one rack. It keeps nothing across a restart: nodes say their latest windows again.</para>
/// </summary>
public sealed class RackMerge
{
    /// <summary>A window further ahead than this of all that is known is out of reach, where nothing else is said.</summary>
    public const int MaxAheadWindows = 3600;

    /// <summary>So many windows of unknown sources wait for an inventory; then the oldest are dropped and counted.</summary>
    public const int MostWaiting = 20_000;

    private const double FullSecond = 0.999;

    private readonly Queue<PowerWindow> _waiting = new();
    private readonly ClockVote _vote = new();
    private readonly int _lateness;
    private readonly int _keep;
    private readonly int _ahead;
    private readonly SortedDictionary<string, NodeInventory> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly Slot[] _slots;
    private long[] _spoken = [];
    private Layout _layout = Layout.Empty;
    private long _high = long.MinValue;
    private long _now = long.MinValue;
    private long _began;
    private long _closedTo = long.MinValue;
    private int _pending;

    /// <summary>A merge for one rack.</summary>
    /// <param name="rack"><c>site/rack</c>.</param>
    /// <param name="latenessWindows">How long a window waits for a silent source, in windows.</param>
    /// <param name="keepWindows">How many windows can still be revised; more than the lateness.</param>
    /// <param name="incarnation">As in <see cref="RackWindow.Incarnation"/>; a later merge of the same rack has a higher one.</param>
    /// <param name="aheadWindows">A window further ahead than this of all that is known is out of reach.</param>
    public RackMerge(string rack, int latenessWindows = 3, int keepWindows = 32, long incarnation = 0, int aheadWindows = MaxAheadWindows)
    {
        Incarnation = incarnation;
        ArgumentOutOfRangeException.ThrowIfLessThan(latenessWindows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keepWindows, latenessWindows + 2);
        Rack = rack;
        _lateness = latenessWindows;
        _keep = keepWindows;
        _ahead = aheadWindows;
        _slots = new Slot[keepWindows];
        for (var i = 0; i < _slots.Length; i++) _slots[i] = new Slot();
    }

    /// <summary>Of what it says; higher by one whenever its time has moved: nodes tell it again what it did not follow.</summary>
    public long Incarnation { get; private set; }

    /// <summary>The window of now by the clock of who merges; null where the windows' time is another, as in a simulation that runs faster.</summary>
    public long? WallWindow { get; set; }

    /// <summary><c>site/rack</c>.</summary>
    public string Rack { get; }

    /// <summary>The nodes known.</summary>
    public IReadOnlyCollection<NodeInventory> Nodes => _nodes.Values;

    /// <summary>Where the inventory breaks the rule of one accounting meter a path.</summary>
    public ImmutableArray<string> TreeFaults => _layout.Tree.Faults;

    /// <summary>The first window that is not closed.</summary>
    public long ClosedTo => _closedTo == long.MinValue ? 0 : _closedTo;

    /// <summary>Parts that were known already, or stale.</summary>
    public long Duplicates { get; private set; }

    /// <summary>Parts older than the windows kept.</summary>
    public long DroppedOld { get; private set; }

    /// <summary>Parts of windows too far ahead.</summary>
    public long RefusedAhead { get; private set; }

    /// <summary>Parts that make no sense: joules or coverage not finite, negative, or covering more than the window.</summary>
    public long RefusedInvalid { get; private set; }

    /// <summary>Parts of sources that were not in the inventory when they came. They wait for it.</summary>
    public long UnknownSources { get; private set; }

    /// <summary>Those that were dropped because the inventory did not come.</summary>
    public long DroppedUnknown { get; private set; }

    /// <summary>Windows of which the last word was not taken before they fell out of those kept: time jumped, or <see cref="TakeReport"/> was not called.</summary>
    public long SkippedWindows { get; private set; }

    /// <summary>Adds a node, or replaces what is known of it. Windows that are closed keep the inventory with which they were closed.</summary>
    public void SetInventory(NodeInventory node)
    {
        _nodes[node.Host] = node;
        Rebuild();
        if (_waiting.Count == 0) return;
        var waiting = _waiting.ToArray();
        _waiting.Clear();
        foreach (var part in waiting)
        {
            if (_index.ContainsKey(part.Source)) Take(part);
            else _waiting.Enqueue(part);
        }
        CloseReady();
    }

    /// <summary>Forgets a node: it is no longer expected. Says whether it was known.</summary>
    public bool RemoveNode(string host)
    {
        var known = _nodes.Remove(host);
        _vote.Forget(host);
        if (known) Rebuild();
        return known;
    }

    /// <summary>Takes in what a node says, and closes what can be closed. Says whether every source of it is in the inventory.</summary>
    public bool Apply(NodeReport report)
    {
        var unknown = UnknownSources;
        Follow(report);
        foreach (var part in report.Windows) Take(part);
        CloseReady();
        return UnknownSources == unknown;
    }

    /// <summary>Time goes on though nobody reports: closes windows that are the lateness behind.</summary>
    /// <param name="nowWindow">The present, in the data's own time, seconds since the Unix epoch.</param>
    public void Advance(long nowWindow)
    {
        _now = Math.Max(_now, nowWindow);
        if (_closedTo != long.MinValue) CloseReady();
    }

    /// <summary>Windows closed or revised since the last call, oldest first; null if there are none. Send it again if in doubt: the site takes it once.</summary>
    public RackReport? TakeReport()
    {
        if (_pending == 0) return null;
        var windows = ImmutableArray.CreateBuilder<RackWindow>(_pending);
        for (var w = Math.Max(0, _high - _keep + 1); w <= _high; w++)
        {
            var slot = _slots[w % _keep];
            if (!slot.Pending) continue;
            windows.Add(State(w, slot));
            slot.Pending = false;
            slot.Stated++;
        }
        _pending = 0;
        return new RackReport(Rack, windows.DrainToImmutable());
    }

    private void Follow(NodeReport report)
    {
        if (_high == long.MinValue || report.Windows.IsEmpty) return;
        var (oldest, newest) = (long.MaxValue, long.MinValue);
        foreach (var part in report.Windows) (oldest, newest) = (Math.Min(oldest, part.Window), Math.Max(newest, part.Window));
        if (oldest < 0 || !_vote.Moves(report.Node, newest, Math.Max(_high, _now), _keep, _ahead, WallWindow)) return;
        Incarnation++;
        if (newest > _high)
        {
            // Older ones that came along are not where it goes.
            foreach (var part in report.Windows) if (part.Window > Math.Max(_high, _now) + _ahead) newest = Math.Min(newest, part.Window);
            Raise(newest);
            return;
        }
        // Back: what was known is of a time that comes again.
        (_high, _now, _closedTo, _pending) = (long.MinValue, long.MinValue, long.MinValue, 0);
        foreach (var slot in _slots) slot.Reset();
        Array.Fill(_spoken, long.MinValue);
    }

    private void Take(PowerWindow part)
    {
        if (part.Window < 0 || !(part.Joules >= 0 && double.IsFinite(part.Joules)) || !(part.CoveredSeconds >= 0 && part.CoveredSeconds <= 1 + 1e-9)
            || !(part.LowJoules >= 0 && part.HighJoules >= part.LowJoules))
        {
            RefusedInvalid++;
            return;
        }
        if (!_index.TryGetValue(part.Source, out var source))
        {
            UnknownSources++;
            _waiting.Enqueue(part);
            if (_waiting.Count <= MostWaiting) return;
            _waiting.Dequeue();
            DroppedUnknown++;
            return;
        }
        var known = Math.Max(_high, _now);
        if (known != long.MinValue && part.Window > known + _ahead)
        {
            RefusedAhead++;
            return;
        }
        if (_high == long.MinValue) Begin(part.Window);
        Raise(part.Window);
        if (part.Window <= _high - _keep)
        {
            DroppedOld++;
            return;
        }
        if (part.Window > _spoken[source]) _spoken[source] = part.Window;
        var slot = _slots[part.Window % _keep];
        if (slot.Parts.Length < _spoken.Length) Array.Resize(ref slot.Parts, _spoken.Length);
        ref var held = ref slot.Parts[source];
        if (held.Spoken && !held.GivesWayTo(part))
        {
            Duplicates++;
            return;
        }
        held = new Part(part);
        // Closed before its source was known: it was there all the same.
        if (slot.Layout is { } closed && !closed.Has(source)) slot.Layout = _layout;
        if (part.Window < _closedTo) Revise(slot);
        if (part.Window >= _began) return;
        // An earlier beginning than was thought: what lies between was expected too.
        for (var w = part.Window + 1; w < Math.Min(_began, _closedTo); w++) Revise(_slots[w % _keep]);
        _began = part.Window;
    }

    private void Begin(long window)
    {
        _high = window;
        _closedTo = Math.Max(0, window - _lateness + 1);
        _began = window;
        for (var w = Math.Max(0, window - _keep + 1); w <= window; w++) _slots[w % _keep].Reset();
    }

    private void Raise(long window)
    {
        if (window <= _high) return;
        CloseTo(Math.Min(window - _keep + 1, _high + 1));
        var from = Math.Max(_high + 1, window - _keep + 1);
        SkippedWindows += from - _high - 1;
        for (var w = from; w <= window; w++)
        {
            var slot = _slots[w % _keep];
            if (slot.Pending)
            {
                _pending--;
                SkippedWindows++;
            }
            slot.Reset();
        }
        _high = window;
        _closedTo = Math.Max(_closedTo, window - _keep + 1);
    }

    private void CloseReady()
    {
        if (_high == long.MinValue) return;
        if (_now != long.MinValue && _now - _lateness > _high) Raise(_now - _lateness);
        var to = Math.Max(_high, _now) - _lateness + 1;
        var watermark = long.MaxValue;
        foreach (var source in _layout.Sources) watermark = Math.Min(watermark, _spoken[source]);
        if (watermark != long.MaxValue && watermark != long.MinValue) to = Math.Max(to, watermark + 1);
        CloseTo(Math.Min(to, _high + 1));
    }

    private void CloseTo(long to)
    {
        for (var w = Math.Max(_closedTo, Math.Max(0, _high - _keep + 1)); w < to; w++)
        {
            var slot = _slots[w % _keep];
            slot.Layout = _layout;
            // Before the first report nothing was expected; a late part still states such a window.
            if (w >= _began || slot.HasParts) Revise(slot);
        }
        _closedTo = Math.Max(_closedTo, to);
    }

    private void Revise(Slot slot)
    {
        slot.Layout ??= _layout;
        if (slot.Pending) return;
        slot.Pending = true;
        _pending++;
    }

    private RackWindow State(long window, Slot slot)
    {
        var layout = slot.Layout!;
        var (joules, gpu, cpu, node, rack) = (new NeumaierSum(), new NeumaierSum(), new NeumaierSum(), new NeumaierSum(), new NeumaierSum());
        var (covered, low, high, clock) = (new NeumaierSum(), 0.0, layout.Tree.UnmeteredWatts, 0.0);
        var complete = layout.Complete;
        var (sources, provenance) = (0, Provenance.Measured);
        ImmutableArray<string>.Builder? missing = null;
        for (var i = 0; i < layout.Sources.Length; i++)
        {
            var meter = layout.Tree.Meters[i];
            var source = layout.Sources[i];
            var part = source < slot.Parts.Length ? slot.Parts[source] : default;
            if (part.CoveredSeconds < FullSecond) complete &= ~Layout.Bit(meter.Kind);
            if (!part.Spoken)
            {
                (missing ??= ImmutableArray.CreateBuilder<string>()).Add(meter.Source);
                if (meter.Accounting) high += meter.RatedWatts;
                continue;
            }
            sources++;
            clock = Math.Max(clock, part.ClockErrorSeconds);
            switch (meter.Kind)
            {
                case SourceKind.Gpu: gpu.Add(part.Joules); break;
                case SourceKind.Cpu or SourceKind.Dram: cpu.Add(part.Joules); break;
                case SourceKind.NodeInput: node.Add(part.Joules); break;
                case SourceKind.RackInput: rack.Add(part.Joules); break;
            }
            if (!meter.Accounting) continue;
            joules.Add(part.Joules);
            covered.Add(part.CoveredSeconds * meter.RatedWatts);
            low += part.LowJoules;
            high += part.HighJoules;
            provenance = Provenances.Worst(provenance, part.Provenance);
        }
        var byKind = new EnergyByKind(
            (complete & Layout.Bit(SourceKind.Gpu)) != 0 ? gpu.Value : double.NaN,
            (complete & Layout.Bit(SourceKind.Cpu)) != 0 ? cpu.Value : double.NaN,
            (complete & Layout.Bit(SourceKind.NodeInput)) != 0 ? node.Value : double.NaN,
            (complete & Layout.Bit(SourceKind.RackInput)) != 0 ? rack.Value : double.NaN);
        return new RackWindow(
            Rack, window, slot.Stated, joules.Value, Math.Min(covered.Value, layout.ExpectedWatts), layout.ExpectedWatts, low, high, byKind, sources,
            missing?.DrainToImmutable() ?? [], clock, provenance, Incarnation);
    }

    private void Rebuild()
    {
        var tree = MeterTree.Of(_nodes.Values);
        var sources = new int[tree.Meters.Length];
        for (var i = 0; i < sources.Length; i++)
        {
            if (!_index.TryGetValue(tree.Meters[i].Source, out sources[i]))
            {
                sources[i] = _index.Count;
                _index.Add(tree.Meters[i].Source, sources[i]);
            }
        }
        var before = _spoken.Length;
        if (_index.Count > before)
        {
            Array.Resize(ref _spoken, _index.Count);
            Array.Fill(_spoken, long.MinValue, before, _spoken.Length - before);
        }
        _layout = new Layout(tree, sources);
    }

    /// <summary>An inventory as a window was closed with it.</summary>
    private sealed class Layout
    {
        public static readonly Layout Empty = new(new MeterTree([], [], [], 0), []);

        public Layout(MeterTree tree, int[] sources)
        {
            (Tree, Sources) = (tree, sources);
            _has = [.. sources];
            var expected = new NeumaierSum();
            foreach (var meter in tree.Meters) if (meter.Accounting) expected.Add(meter.RatedWatts);
            expected.Add(tree.UnmeteredWatts);
            ExpectedWatts = expected.Value;
            // A kind closes against another only if every node has it: unlike sets are not compared.
            var hosts = tree.Hosts.Where((_, i) => tree.Meters[i].Kind < SourceKind.RackInput).Distinct(StringComparer.Ordinal).Count();
            foreach (var kind in tree.Meters.Select((m, i) => (Bit: Bit(m.Kind), Host: tree.Hosts[i])).Distinct().GroupBy(k => k.Bit))
                if (kind.Key == Bit(SourceKind.RackInput) || kind.Count() == hosts) Complete |= kind.Key;
        }

        private readonly HashSet<int> _has;

        public bool Has(int source) => _has.Contains(source);

        public MeterTree Tree { get; }
        public int[] Sources { get; }
        public double ExpectedWatts { get; }
        public int Complete { get; }

        public static int Bit(SourceKind kind) => 1 << (kind == SourceKind.Dram ? (int)SourceKind.Cpu : (int)kind);
    }

    /// <summary>What one source said of one window.</summary>
    private readonly struct Part(PowerWindow window)
    {
        public readonly double Joules = window.Joules;
        public readonly double CoveredSeconds = Math.Min(1, window.CoveredSeconds);
        public readonly double LowJoules = window.LowJoules;
        public readonly double HighJoules = window.HighJoules;
        public readonly double ClockErrorSeconds = window.ClockErrorSeconds;
        public readonly int Revision = window.Revision;
        public readonly Provenance Provenance = window.Provenance;
        public readonly bool Spoken = true;

        /// <summary>A total order on what may be said of one source and window, so that the order of arrival does not matter.</summary>
        public bool GivesWayTo(PowerWindow other)
        {
            if (other.Revision != Revision) return other.Revision > Revision;
            var covered = Math.Min(1, other.CoveredSeconds);
            return covered != CoveredSeconds ? covered > CoveredSeconds : other.Joules > Joules;
        }
    }

    private sealed class Slot
    {
        public Part[] Parts = [];
        public Layout? Layout;
        public int Stated;
        public bool Pending;

        public bool HasParts => Array.Exists(Parts, static p => p.Spoken);

        public void Reset()
        {
            Array.Clear(Parts);
            Layout = null;
            Stated = 0;
            Pending = false;
        }
    }
}
