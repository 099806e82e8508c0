using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// Merges the reports of a site's racks and of its facility meters into the site's view. Like <see cref="RackMerge"/>: reports may come
/// twice, in any order, late and revised; the highest revision of a rack's window stands and replaces. Windows that can no longer change are
/// folded into compensated totals, the others are summed anew, so the site's total is at any time the sum of what its racks last said.
/// <para>What it knows can be taken out and put into another one (<see cref="Snapshot"/>): the period goes on from there, windows that are told again replace and
/// never add, and those that nobody told in between are the period's gap.</para>
/// <para>Not thread safe: it lives inside the turns of one site.</para>
/// </summary>
public sealed partial class SiteMerge
{
    private const double FullSecond = 0.999;

    /// <summary>Past windows are kept in sums of so many: the resolution of <see cref="Ratio"/> in seconds.</summary>
    public const int BucketWindows = 10;

    /// <summary>A period is told in so many stretches at most.</summary>
    public const int MostStretches = 360;

    /// <summary>How far back <see cref="Ratio"/> can look: a day.</summary>
    public const int MaxBuckets = 86_400 / BucketWindows;

    private readonly int _category;
    private readonly int _lateness;
    private readonly int _keep;
    private readonly int _ahead;
    private readonly ClockVote _vote = new();
    private readonly Dictionary<string, int> _rackIndex = new(StringComparer.Ordinal);
    private readonly List<Rack> _racks = [];
    private readonly Slot[] _slots;
    private ImmutableArray<MeterInfo> _meters = [];
    private long[] _meterSpoken = [];
    private readonly SortedDictionary<long, Totals> _past = [];
    private Totals _settled;
    private long _windowsClosed;
    private long _high = long.MinValue;
    private long _now = long.MinValue;
    private long _began;
    private long _closedTo = long.MinValue;

    /// <summary>A merge for one site.</summary>
    /// <param name="site">Its name.</param>
    /// <param name="category">Where its IT energy is metered: 1 UPS output, 2 PDU output, 3 IT equipment input.</param>
    /// <param name="latenessWindows">How long a window waits for a silent rack or facility meter, in windows: more than the racks' own lateness.</param>
    /// <param name="keepWindows">How many windows can still be revised.</param>
    /// <param name="aheadWindows">A window further ahead than this of all that is known is out of reach, as for a <see cref="RackMerge"/>.</param>
    public SiteMerge(string site, int category = 3, int latenessWindows = 5, int keepWindows = 64, int aheadWindows = RackMerge.MaxAheadWindows)
    {
        if (category is < 1 or > 3) throw new ArgumentException($"PUE category is {category}; it must be 1, 2 or 3.");
        ArgumentOutOfRangeException.ThrowIfLessThan(latenessWindows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keepWindows, latenessWindows + 2);
        Site = site;
        (_category, _lateness, _keep, _ahead) = (category, latenessWindows, keepWindows, aheadWindows);
        _slots = new Slot[keepWindows];
        for (var i = 0; i < _slots.Length; i++) _slots[i] = new Slot();
    }

    /// <summary>Its name.</summary>
    public string Site { get; }

    /// <summary>As <see cref="RackMerge.WallWindow"/>.</summary>
    public long? WallWindow { get; set; }

    /// <summary>How often its time has moved, because most of those who speak to it were out of reach: then they tell it again what it did not follow.</summary>
    public int Moves { get; private set; }

    /// <summary>The first window that is not closed; 0 before the first.</summary>
    public long ClosedTo => _closedTo == long.MinValue ? 0 : _closedTo;

    /// <summary>Rack windows and facility parts that were known already, or stale.</summary>
    public long Duplicates { get; private set; }

    /// <summary>Rack windows and facility parts older than the windows kept.</summary>
    public long DroppedOld { get; private set; }

    /// <summary>Those too far ahead.</summary>
    public long RefusedAhead { get; private set; }

    /// <summary>Those that make no sense.</summary>
    public long RefusedInvalid { get; private set; }

    /// <summary>Facility parts of meters that are not in the inventory.</summary>
    public long UnknownSources { get; private set; }

    /// <summary>How many windows were closed.</summary>
    public long WindowsClosed => _windowsClosed;

    /// <summary>The highest window told; 0 before the first.</summary>
    public long Latest => _high == long.MinValue ? 0 : _high;

    /// <summary>How often a closed window changed.</summary>
    public long Revisions { get; private set; }

    /// <summary>E_IT of all closed windows, J.</summary>
    public double TotalItJoules => Sum().It.Value;

    /// <summary>Energy of one rack in all closed windows, J; 0 for a rack that never spoke.</summary>
    public double RackTotalJoules(string rack)
    {
        if (!_rackIndex.TryGetValue(rack, out var index)) return 0;
        var sum = _racks[index].Settled;
        foreach (var slot in ClosedSlots())
            if (index < slot.Racks.Length && slot.Racks[index] is { } window) sum.Add(window.ItJoules);
        return sum.Value;
    }

    /// <summary>Says that a rack stands in this site, though it has not spoken yet.</summary>
    public void ExpectRack(string rack) => _racks[IndexOf(rack)].IsExpected = true;

    /// <summary>A rack that left: it is no longer waited for. Its energy stays.</summary>
    public void ForgetRack(string rack)
    {
        _vote.Forget(rack);
        if (_rackIndex.TryGetValue(rack, out var index)) _racks[index].IsExpected = false;
    }

    /// <summary>The facility's own meters; the accounting ones are siblings and add. Windows that can still change are read anew with them.</summary>
    public void SetFacilityMeters(ImmutableArray<MeterInfo> meters)
    {
        var kept = meters.ToDictionary(m => m.Source, m => _meters.IndexOf(_meters.FirstOrDefault(o => o.Source == m.Source)!), StringComparer.Ordinal);
        foreach (var slot in _slots)
        {
            var old = slot.Facility;
            slot.Facility = new PowerWindow?[meters.Length];
            for (var i = 0; i < meters.Length; i++)
                if (kept[meters[i].Source] is var was and >= 0 && was < old.Length) slot.Facility[i] = old[was];
        }
        _meterSpoken = [.. meters.Select(m => kept[m.Source] is var was and >= 0 ? _meterSpoken[was] : long.MinValue)];
        _meters = meters;
    }

    /// <summary>Meters that somebody announces, beside those that others did: a meter that is not announced any more is missing, not forgotten.</summary>
    public void AddFacilityMeters(ImmutableArray<MeterInfo> meters) => SetFacilityMeters([.. _meters.Where(m => !meters.Any(n => n.Source == m.Source)), .. meters]);

    /// <summary>Takes in what a rack says, and closes what can be closed.</summary>
    public void Apply(RackReport report)
    {
        var index = IndexOf(report.Rack);
        _racks[index].IsExpected = true;
        if (!report.Windows.IsEmpty) Follow(report.Rack, report.Windows.Select(w => w.Window));
        foreach (var window in report.Windows) Take(index, window);
        CloseReady();
    }

    /// <summary>Takes in what the facility's meters say, and closes what can be closed.</summary>
    public void Apply(FacilityReport report)
    {
        if (!report.Windows.IsEmpty) Follow(report.Windows[0].Source, report.Windows.Select(w => w.Window));
        foreach (var part in report.Windows) Take(part);
        CloseReady();
    }

    /// <summary>Time goes on though nobody reports: closes windows that are the lateness behind.</summary>
    /// <param name="nowWindow">The present, in the data's own time, seconds since the Unix epoch.</param>
    public void Advance(long nowWindow)
    {
        _now = Math.Max(_now, nowWindow);
        CloseReady();
    }

    /// <summary>The site at its latest closed window.</summary>
    public SiteView View()
    {
        var totals = Sum();
        var (latest, slot) = LatestClosed();
        if (slot is null)
        {
            // Nothing is known of the present; what was summed before stands.
            return new SiteView(Site, 0, double.NaN, null, null, Ipue(totals, []), 0, totals.It.Value, _windowsClosed, Revisions, [],
                [.. _racks.Where(r => r.IsExpected).Select(r => new RackLine(r.Name, double.NaN, 0, 0, r.LastSources))], [], null, Began, GapWindows(0, long.MaxValue));
        }
        var now = Read(slot);
        var lines = ImmutableArray.CreateBuilder<RackLine>(_racks.Count);
        var missing = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < _racks.Count; i++)
        {
            var window = i < slot.Racks.Length ? slot.Racks[i] : null;
            if (window is null)
            {
                if (!_racks[i].IsExpected) continue;
                lines.Add(new RackLine(_racks[i].Name, double.NaN, 0, 0, _racks[i].LastSources));
                missing.Add(_racks[i].Name);
                continue;
            }
            lines.Add(new RackLine(window.Rack, IsRead(window) ? window.ItJoules : double.NaN, FacilityRatios.ItCoverage(window.ItJoules, Unmetered(window)), window.Sources, window.Missing.Length));
            missing.AddRange(window.Missing);
        }
        for (var i = 0; i < _meters.Length; i++) if (slot.Facility[i] is null) missing.Add(_meters[i].Source);
        var coverage = FacilityRatios.ItCoverage(now.It, now.ItRated);
        double? facilityWatts = now.IsFacilityWhole ? now.Facility : null;
        var silent = missing.ToImmutable();
        return new SiteView(
            Site, latest, Array.Exists(slot.Racks, static r => r is not null && IsRead(r)) ? now.It : double.NaN, facilityWatts,
            facilityWatts is { } watts && coverage >= FacilityRatios.MinCoverage ? FacilityRatios.PowerRatio(watts, now.It) : null,
            Ipue(totals, silent), coverage, totals.It.Value, _windowsClosed, Revisions, Residuals(), lines.DrainToImmutable(), silent, slot.IsRead ? now.Provenance : null, Began, GapWindows(0, long.MaxValue));
    }

    // The latest closed window; none where only what was restored is known.
    private (long Window, Slot? Slot) LatestClosed()
    {
        if (_windowsClosed == 0 || _isSilent) return (0, null);
        for (var w = Math.Min(_closedTo - 1, _high); w > _high - _keep && w >= 0; w--) if (_slots[w % _keep].Closed) return (w, _slots[w % _keep]);
        return (0, null);
    }

    private DateTimeOffset? Began => _windowsClosed > 0 ? DateTimeOffset.FromUnixTimeSeconds(From(_windowsClosed)) : null;

    /// <summary>
    /// The facility ratio over the windows of <c>[fromWindow, toWindow)</c>, both rounded inward to <see cref="BucketWindows"/>; the answer says
    /// over which period it is. Null if nothing of it is known, or there is no facility meter.
    /// </summary>
    public FacilityRatio? Ratio(long fromWindow, long toWindow)
    {
        var from = (Math.Max(0, fromWindow) + BucketWindows - 1) / BucketWindows * BucketWindows;
        var to = Math.Min(toWindow, _closedTo) / BucketWindows * BucketWindows;
        var totals = new Totals();
        foreach (var (bucket, past) in _past)
        {
            if (bucket * BucketWindows < from || bucket * BucketWindows >= to) continue;
            totals.Windows += past.Windows;
            totals.Whole.Add(past.Whole);
            totals.Part.Add(past.Part);
        }
        for (var w = Math.Max(from, Math.Max(0, _high - _keep + 1)); w < Math.Min(to, _high + 1); w++)
            if (_slots[w % _keep].Closed) Settle(ref totals, Read(_slots[w % _keep]));
        var first = Math.Max(from, Math.Min(_began, _past.Count > 0 ? _past.First().Key * BucketWindows : _began));
        // Of a period that is past, what was silent now and then shows in the coverage; what never spoke in it is named.
        ImmutableArray<string> silent =
        [
            .. _racks.Where(r => r.IsExpected && r.Spoken < first).Select(r => r.Name),
            .. _meters.Where((_, i) => _meterSpoken[i] < first).Select(m => m.Source),
        ];
        return to > first ? Period(totals, first, to, silent) : null;
    }

    /// <summary>The sums that <see cref="Ratio"/> over the same windows follows from, in at most <see cref="MostStretches"/> stretches of equal length.</summary>
    public ImmutableArray<FacilityStretch> Stretches(long fromWindow, long toWindow)
    {
        var buckets = Math.Max(1, (toWindow - fromWindow + BucketWindows - 1) / BucketWindows);
        var length = (buckets + MostStretches - 1) / MostStretches * BucketWindows;
        var stretches = new SortedDictionary<long, Totals>();
        foreach (var (bucket, past) in _past)
        {
            if (bucket * BucketWindows < fromWindow || bucket * BucketWindows >= toWindow) continue;
            var totals = At(bucket * BucketWindows);
            totals.Whole.Add(past.Whole);
            totals.Part.Add(past.Part);
            stretches[Key(bucket * BucketWindows)] = totals;
        }
        for (var w = Math.Max(fromWindow, Math.Max(0, _high - _keep + 1)); w < Math.Min(toWindow, _high + 1); w++)
        {
            if (!_slots[w % _keep].Closed) continue;
            var totals = At(w);
            Settle(ref totals, Read(_slots[w % _keep]));
            stretches[Key(w)] = totals;
        }
        return [.. stretches.SelectMany(s => new[] { Stretch(s.Key, s.Value.Whole, true), Stretch(s.Key, s.Value.Part, false) }).Where(s => s.Windows > 0)];

        long Key(long window) => (window - fromWindow) / length;
        Totals At(long window) => stretches.GetValueOrDefault(Key(window));
        FacilityStretch Stretch(long key, in Side side, bool whole) => new(
            fromWindow + key * length, Math.Min(toWindow, fromWindow + (key + 1) * length), side.Windows, whole, side.Facility.Value, side.FacilityLow, side.FacilityHigh, side.FacilityCovered, side.FacilityWeight,
            side.It.Value, side.ItLow, side.ItHigh, side.ItRated);
    }

    private void Follow(string speaker, IEnumerable<long> windows)
    {
        var (oldest, newest) = (windows.Min(), windows.Max());
        if (_high == long.MinValue || oldest < 0 || IsSinceRestored(newest) || !_vote.Moves(speaker, newest, Math.Max(_high, _now), _keep, _ahead, WallWindow)) return;
        Moves++;
        if (newest > _high)
        {
            // What lies between is the period's gap; older windows that came along are not where it goes.
            _isSilent = true;
            Raise(windows.Where(w => w > Math.Max(_high, _now) + _ahead).Min());
            _isSilent = false;
        }
        else Forget();
    }

    // Who was restored does not know for how long it was away: the first word may be of any time until now.
    private bool IsSinceRestored(long window) => _isSilent && (WallWindow is not { } wall || window <= wall + _ahead);

    private void Take(int rack, RackWindow window)
    {
        if (window.Window < 0 || !(window.ItJoules >= 0 && double.IsFinite(window.ItJoules)) || !(window.CoveredWeightSeconds >= 0 && window.CoveredWeightSeconds <= window.ExpectedWeightSeconds * (1 + 1e-9)))
        {
            RefusedInvalid++;
            return;
        }
        if (SlotOf(window.Window) is not { } slot) return;
        if (window.Window > _racks[rack].Spoken) (_racks[rack].Spoken, _racks[rack].LastExpected, _racks[rack].LastSources) = (window.Window, window.ExpectedWeightSeconds, window.Sources + window.Missing.Length);
        if (slot.Racks.Length < _racks.Count) Array.Resize(ref slot.Racks, _racks.Count);
        ref var held = ref slot.Racks[rack];
        if (held is not null && !GivesWay(held, window))
        {
            Duplicates++;
            return;
        }
        held = window;
        Changed(window.Window, slot);
    }

    /// <summary>Whether a rack's statement of a window yields to another one.</summary>
    private static bool GivesWay(RackWindow held, RackWindow told)
    {
        if (told.Incarnation == held.Incarnation)
            return (told.Revision, told.CoveredWeightSeconds, told.ItJoules).CompareTo((held.Revision, held.CoveredWeightSeconds, held.ItJoules)) > 0;
        // Another activation of the rack counts its revisions anew, and may have been told less: the better covered one stands, of two alike the later.
        var more = told.CoveredWeightSeconds - held.CoveredWeightSeconds;
        return Math.Abs(more) <= 1e-9 * held.ExpectedWeightSeconds ? told.Incarnation > held.Incarnation : more > 0;
    }

    private void Take(PowerWindow part)
    {
        if (part.Window < 0 || !(part.Joules >= 0 && double.IsFinite(part.Joules)) || !(part.CoveredSeconds >= 0 && part.CoveredSeconds <= 1 + 1e-9))
        {
            RefusedInvalid++;
            return;
        }
        var meter = -1;
        for (var i = 0; i < _meters.Length && meter < 0; i++) if (_meters[i].Source == part.Source) meter = i;
        if (meter < 0)
        {
            UnknownSources++;
            return;
        }
        if (SlotOf(part.Window) is not { } slot) return;
        if (part.Window > _meterSpoken[meter]) _meterSpoken[meter] = part.Window;
        ref var held = ref slot.Facility[meter];
        if (held is not null && (part.Revision, part.CoveredSeconds, part.Joules).CompareTo((held.Revision, held.CoveredSeconds, held.Joules)) <= 0)
        {
            Duplicates++;
            return;
        }
        held = part;
        Changed(part.Window, slot);
    }

    private Slot? SlotOf(long window)
    {
        var known = Math.Max(_high, _now);
        if (known != long.MinValue && window > known + _ahead && !IsSinceRestored(window))
        {
            RefusedAhead++;
            return null;
        }
        if (_isSilent && _mayGoBack && window <= _high - _keep) Forget();
        if (_high == long.MinValue)
        {
            (_high, _began, _closedTo) = (window, window, Math.Max(0, window - _lateness + 1));
            foreach (var slot in _slots) slot.Reset();
        }
        Raise(window);
        _isSilent = false;
        if (window > _high - _keep) return _slots[window % _keep];
        DroppedOld++;
        return null;
    }

    private void Changed(long window, Slot slot)
    {
        if (window < _closedTo)
        {
            if (slot.Closed) Revisions++;
            else CloseSlot(slot);
        }
        if (window >= _began) return;
        for (var w = window + 1; w < Math.Min(_began, _closedTo); w++) if (!_slots[w % _keep].Closed) CloseSlot(_slots[w % _keep]);
        _began = window;
    }

    private void CloseSlot(Slot slot)
    {
        slot.Closed = true;
        _windowsClosed++;
    }

    private void CloseReady()
    {
        if (_high == long.MinValue) return;
        if (_now != long.MinValue && _now - _lateness > _high) Raise(_now - _lateness);
        var to = Math.Max(_high, _now) - _lateness + 1;
        var watermark = long.MaxValue;
        foreach (var rack in _racks) if (rack.IsExpected) watermark = Math.Min(watermark, rack.Spoken);
        for (var i = 0; i < _meters.Length; i++) if (_meters[i].Accounting) watermark = Math.Min(watermark, _meterSpoken[i]);
        if (watermark is not (long.MaxValue or long.MinValue)) to = Math.Max(to, watermark + 1);
        CloseTo(Math.Min(to, _high + 1));
    }

    private void CloseTo(long to)
    {
        for (var w = Math.Max(_closedTo, Math.Max(0, _high - _keep + 1)); w < to; w++)
        {
            var slot = _slots[w % _keep];
            if (!slot.Closed && (slot.HasParts || (w >= _began && !slot.IsUndriven))) CloseSlot(slot);
        }
        _closedTo = Math.Max(_closedTo, to);
    }

    private void Raise(long window)
    {
        if (window <= _high) return;
        CloseTo(Math.Min(window - _keep + 1, _high + 1));
        var first = Math.Max(_high + 1, window - _keep + 1);
        for (var w = first; w <= window; w++)
        {
            var slot = _slots[w % _keep];
            Leave(w - _keep * ((w - _high + _keep - 1) / _keep), slot);
            slot.Reset();
            // Between what was restored and what is told first now, nobody drove the site; who was there then may still tell.
            slot.IsUndriven = _isSilent && w < window;
        }
        if (_isSilent && first > _high + 1) AddGap(_high + 1, first);
        _high = window;
        _closedTo = Math.Max(_closedTo, window - _keep + 1);
    }

    // A window can no longer change: into the sums with it.
    private void Leave(long window, Slot slot)
    {
        if (slot.IsUndriven && !slot.HasParts) AddGap(window, window + 1);
        if (!slot.Closed) return;
        var reading = Read(slot);
        Settle(ref _settled, reading);
        Remember(window, reading);
        for (var i = 0; i < slot.Racks.Length; i++) if (slot.Racks[i] is { } told) _racks[i].Settled.Add(told.ItJoules);
    }

    private void Remember(long window, in Reading reading)
    {
        var bucket = window / BucketWindows;
        var past = _past.GetValueOrDefault(bucket);
        Settle(ref past, reading);
        _past[bucket] = past;
        if (_past.Count > MaxBuckets) _past.Remove(_past.First().Key);
    }

    private IEnumerable<Slot> ClosedSlots() => _slots.Where(s => s.Closed);

    private Totals Sum()
    {
        var totals = _settled;
        foreach (var slot in _slots) if (slot.Closed) Settle(ref totals, Read(slot));
        return totals;
    }

    /// <summary>One window of the site, from what racks and meters last said of it.</summary>
    private Reading Read(Slot slot)
    {
        var (it, low, high, rated) = (new NeumaierSum(), 0.0, 0.0, 0.0);
        var reading = new Reading { Provenance = Provenance.Measured };
        for (var i = 0; i < _racks.Count; i++)
        {
            var window = i < slot.Racks.Length ? slot.Racks[i] : null;
            if (window is null)
            {
                if (!_racks[i].IsExpected) continue;
                high += _racks[i].LastExpected;
                rated += _racks[i].LastExpected;
                continue;
            }
            it.Add(window.ItJoules);
            low += window.LowJoules;
            high += window.HighJoules;
            rated += Unmetered(window);
            reading.Provenance = Provenances.Worst(reading.Provenance, window.Provenance);
        }
        (reading.It, reading.ItLow, reading.ItHigh, reading.ItRated) = (it.Value, low, high, rated);
        reading.IsFacilityWhole = _meters.Any(static m => m.Accounting);
        for (var i = 0; i < _meters.Length; i++)
        {
            if (!_meters[i].Accounting) continue;
            var bound = _meters[i].RatedWatts > 0 ? _meters[i].RatedWatts : double.PositiveInfinity;
            reading.FacilityWeight += _meters[i].RatedWatts;
            if (slot.Facility[i] is not { } part)
            {
                reading.IsFacilityWhole = false;
                reading.FacilityHigh += bound;
                continue;
            }
            reading.Facility += part.Joules;
            reading.FacilityCovered += part.CoveredSeconds * _meters[i].RatedWatts;
            reading.Provenance = Provenances.Worst(reading.Provenance, part.Provenance);
            if (part.CoveredSeconds >= FullSecond) continue;
            reading.IsFacilityWhole = false;
            reading.FacilityLow += part.LowJoules;
            reading.FacilityHigh += part.HighJoules;
        }
        return reading;
    }

    private void Settle(ref Totals totals, in Reading window)
    {
        totals.It.Add(window.It);
        totals.Windows++;
        if (window.IsFacilityWhole) totals.Whole.Add(window);
        else if (window.Facility > 0) totals.Part.Add(window);
    }

    /// <summary>
    /// Both sides over the windows in which the facility was metered in full; if there never was one, over those in which it was in part.
    /// </summary>
    private FacilityRatio? Ipue(in Totals totals, ImmutableArray<string> missing) => Period(totals, From(totals.Windows), _closedTo, missing);

    private long From(long windows) => Math.Min(_began, _closedTo - windows);

    private FacilityRatio? Period(in Totals totals, long from, long to, ImmutableArray<string> missing)
    {
        var side = totals.Whole.Windows > 0 ? totals.Whole : totals.Part;
        if (side.Windows == 0) return null;
        var isWhole = totals.Whole.Windows > 0;
        var ratio = FacilityRatios.Of(new FacilityPeriod(
            from, to, side.Windows,
            side.Facility.Value, isWhole ? 0 : side.FacilityLow, isWhole ? 0 : side.FacilityHigh, isWhole ? 1 : side.FacilityWeight > 0 ? side.FacilityCovered / side.FacilityWeight : 0,
            side.It.Value, side.ItLow, side.ItHigh, side.ItRated,
            _category, false, missing, side.Provenance));
        return GapWindows(from, to) is var gap and > 0 ? ratio with { Flags = ratio.Flags.Add($"gap of {gap} s: the site was not driven") } : ratio;
    }

    /// <summary>Over the closed windows that can still change: one window alone is all edges.</summary>
    private ImmutableArray<ClosureResidual> Residuals()
    {
        var closure = new Closure();
        foreach (var slot in ClosedSlots())
        {
            foreach (var window in slot.Racks) if (window is not null) closure.Add(window.ByKind);
            var reading = Read(slot);
            if (reading.IsFacilityWhole && reading.ItRated <= 1e-9 * reading.It) closure.AddFacility(reading.Facility, reading.It);
        }
        return [.. closure.Residuals()];
    }

    private static double Unmetered(RackWindow window) => Math.Max(0, window.ExpectedWeightSeconds - window.CoveredWeightSeconds);

    // A window in which nothing was covered says that somebody is there, and nothing of power: that is unknown, and not 0.
    private static bool IsRead(RackWindow window) => window.CoveredWeightSeconds > 0 || window.ItJoules > 0;

    private int IndexOf(string rack)
    {
        if (_rackIndex.TryGetValue(rack, out var index)) return index;
        _rackIndex.Add(rack, _racks.Count);
        _racks.Add(new Rack(rack));
        return _racks.Count - 1;
    }

    private sealed class Rack(string name)
    {
        public string Name { get; } = name;
        public bool IsExpected;
        public long Spoken = long.MinValue;
        public double LastExpected;
        public int LastSources;
        public NeumaierSum Settled;
    }

    private sealed class Slot
    {
        public RackWindow?[] Racks = [];
        public PowerWindow?[] Facility = [];
        public bool Closed;
        public bool IsUndriven;

        public bool IsRead => Array.Exists(Racks, static r => r is not null && SiteMerge.IsRead(r)) || Array.Exists(Facility, static f => f is { CoveredSeconds: > 0 });

        public bool HasParts => Array.Exists(Racks, static r => r is not null) || Array.Exists(Facility, static f => f is not null);

        public void Reset()
        {
            Array.Clear(Racks);
            Array.Clear(Facility);
            (Closed, IsUndriven) = (false, false);
        }
    }

    private struct Reading
    {
        public double It, ItLow, ItHigh, ItRated;
        public double Facility, FacilityLow, FacilityHigh, FacilityCovered, FacilityWeight;
        public bool IsFacilityWhole;
        public Provenance Provenance;
    }

    private struct Totals
    {
        public NeumaierSum It;
        public long Windows;
        public Side Whole;
        public Side Part;
    }

    private struct Side
    {
        public NeumaierSum It, Facility;
        public long Windows;
        public double ItLow, ItHigh, ItRated, FacilityLow, FacilityHigh, FacilityCovered, FacilityWeight;
        public Provenance Provenance;

        public void Add(in Reading window)
        {
            It.Add(window.It);
            Facility.Add(window.Facility);
            Windows++;
            ItLow += window.ItLow;
            ItHigh += window.ItHigh;
            ItRated += window.ItRated;
            FacilityLow += window.FacilityLow;
            FacilityHigh += window.FacilityHigh;
            FacilityCovered += window.FacilityCovered;
            FacilityWeight += window.FacilityWeight;
            Provenance = Provenances.Worst(Provenance, window.Provenance);
        }

        public void Add(in Side other)
        {
            It.Add(other.It.Value);
            Facility.Add(other.Facility.Value);
            Windows += other.Windows;
            ItLow += other.ItLow;
            ItHigh += other.ItHigh;
            ItRated += other.ItRated;
            FacilityLow += other.FacilityLow;
            FacilityHigh += other.FacilityHigh;
            FacilityCovered += other.FacilityCovered;
            FacilityWeight += other.FacilityWeight;
            Provenance = Provenances.Worst(Provenance, other.Provenance);
        }
    }
}
