using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

// What a site takes with it when it moves, and what it makes of the time in between.
public sealed partial class SiteMerge
{
    /// <summary>So many gaps are remembered by place; the oldest of more become one with their neighbour.</summary>
    private const int MaxGaps = 200;

    private readonly List<WindowSpan> _gaps = [];

    // Restored, and nothing told since.
    private bool _isSilent;
    private bool _mayGoBack;

    /// <summary>All that is known; null before the first window.</summary>
    public SiteSnapshot? Snapshot()
    {
        if (_high == long.MinValue) return null;
        var slots = ImmutableArray.CreateBuilder<SiteSlot>();
        for (var w = Math.Max(0, _high - _keep + 1); w <= _high; w++)
        {
            var slot = _slots[w % _keep];
            if (slot.Closed || slot.IsUndriven || slot.HasParts) slots.Add(RowOf(w, slot));
        }
        return new SiteSnapshot(
            _high, _began, _closedTo, _windowsClosed, Revisions, RowOf(_settled), [.. _past.Select(p => new SiteBucket(p.Key, RowOf(p.Value)))],
            [.. _racks.Select(r => new SiteRack(r.Name, r.IsExpected, r.Spoken, r.LastExpected, r.LastSources, r.Settled.Value))], _meters, [.. _meterSpoken], slots.ToImmutable(), [.. _gaps]);
    }

    /// <summary>Goes on from what another merge of this site knew. Only before anything was told.</summary>
    /// <param name="snapshot">What it knew.</param>
    /// <param name="mayGoBack">Whether the data's clock may have gone back since: then a first window older than all that are kept begins a new period.</param>
    public void Restore(SiteSnapshot snapshot, bool mayGoBack = false)
    {
        if (_high != long.MinValue) throw new InvalidOperationException("A merge that was told something cannot be restored.");
        foreach (var rack in snapshot.Racks)
        {
            var known = _racks[IndexOf(rack.Name)];
            (known.IsExpected, known.Spoken, known.LastExpected, known.LastSources, known.Settled) = (rack.IsExpected, rack.Spoken, rack.LastExpected, rack.LastSources, new(rack.SettledJoules));
        }
        SetFacilityMeters(snapshot.Meters);
        _meterSpoken = [.. snapshot.MeterSpoken];
        (_high, _began, _closedTo, _windowsClosed, Revisions) = (snapshot.High, snapshot.Began, snapshot.ClosedTo, snapshot.WindowsClosed, snapshot.Revisions);
        _settled = TotalsOf(snapshot.Settled);
        foreach (var bucket in snapshot.Past) _past[bucket.Bucket] = TotalsOf(bucket.Sums);
        _gaps.AddRange(snapshot.Gaps);
        foreach (var row in snapshot.Slots)
        {
            var slot = row.Window > _high - _keep ? _slots[row.Window % _keep] : new Slot { Facility = new PowerWindow?[_meters.Length] };
            Fill(slot, row, snapshot.Racks);
            // Kept by a merge that keeps more windows than this one.
            if (row.Window <= _high - _keep) Leave(row.Window, slot);
        }
        (_isSilent, _mayGoBack) = (true, mayGoBack);
    }

    private void Fill(Slot slot, SiteSlot row, ImmutableArray<SiteRack> racks)
    {
        (slot.Closed, slot.IsUndriven) = (row.IsClosed, row.IsUndriven);
        slot.Racks = new RackWindow?[_racks.Count];
        foreach (var told in row.Racks)
        {
            var rack = (int)told[0];
            slot.Racks[rack] = new RackWindow(
                racks[rack].Name, row.Window, (int)told[2], told[3], told[4], told[5], told[6], told[7], new EnergyByKind(told[8], told[9], told[10], told[11]), (int)told[12],
                row.Missing.TryGetValue(rack, out var missing) ? missing : [], told[13], (Provenance)(int)told[14], (long)told[1]);
        }
        foreach (var part in row.Facility)
            for (var i = 0; i < _meters.Length; i++) if (_meters[i].Source == part.Source) slot.Facility[i] = part;
    }

    // The clock of the data is behind all that was kept: nothing of it can be gone on with.
    private void Forget()
    {
        (_high, _now, _closedTo, _windowsClosed, Revisions, _settled) = (long.MinValue, long.MinValue, long.MinValue, 0, 0, default);
        _past.Clear();
        _gaps.Clear();
        foreach (var rack in _racks) (rack.Spoken, rack.Settled) = (long.MinValue, default);
        Array.Fill(_meterSpoken, long.MinValue);
        foreach (var slot in _slots) slot.Reset();
    }

    private void AddGap(long from, long to)
    {
        if (_gaps.Count > 0 && _gaps[^1].To == from) _gaps[^1] = new(_gaps[^1].From, to);
        else _gaps.Add(new(from, to));
        if (_gaps.Count <= MaxGaps) return;
        // Their length stays right, their place a little less.
        var length = _gaps[0].To - _gaps[0].From;
        _gaps[1] = new(_gaps[1].From - length, _gaps[1].To);
        _gaps.RemoveAt(0);
    }

    // Windows of [from, to) that nobody told, because there was nobody to be told.
    private long GapWindows(long from, long to)
    {
        var windows = 0L;
        foreach (var gap in _gaps) windows += Math.Max(0, Math.Min(gap.To, to) - Math.Max(gap.From, from));
        if (_high == long.MinValue) return windows;
        for (var w = Math.Max(Math.Max(0, from), _high - _keep + 1); w < Math.Min(to, _closedTo) && w <= _high; w++)
            if (_slots[w % _keep] is { IsUndriven: true, HasParts: false }) windows++;
        return windows;
    }

    private static SiteSlot RowOf(long window, Slot slot)
    {
        var racks = ImmutableArray.CreateBuilder<ImmutableArray<double>>();
        var missing = ImmutableSortedDictionary.CreateBuilder<int, ImmutableArray<string>>();
        for (var i = 0; i < slot.Racks.Length; i++)
        {
            if (slot.Racks[i] is not { } w) continue;
            racks.Add([
                i, w.Incarnation, w.Revision, w.ItJoules, w.CoveredWeightSeconds, w.ExpectedWeightSeconds, w.LowJoules, w.HighJoules,
                w.ByKind.Gpu, w.ByKind.CpuAndDram, w.ByKind.NodeInput, w.ByKind.RackInput, w.Sources, w.ClockErrorSeconds, (int)w.Provenance]);
            if (!w.Missing.IsDefaultOrEmpty) missing.Add(i, w.Missing);
        }
        return new SiteSlot(window, slot.Closed, slot.IsUndriven, racks.ToImmutable(), missing.ToImmutable(), [.. slot.Facility.OfType<PowerWindow>()]);
    }

    private static ImmutableArray<double> RowOf(in Totals totals)
    {
        double[] row = [totals.It.Value, totals.Windows, .. Numbers(totals.Whole), .. Numbers(totals.Part)];
        var length = Array.FindLastIndex(row, static n => n != 0) + 1;
        return [.. row[..length]];
    }

    private static double[] Numbers(in Side side) => side.Windows == 0
        ? new double[SideNumbers]
        : [
            side.Windows, side.It.Value, side.Facility.Value, side.ItLow, side.ItHigh, side.ItRated, side.FacilityLow, side.FacilityHigh, side.FacilityCovered, side.FacilityWeight,
            (int)side.Provenance,
        ];

    private const int SideNumbers = 11;

    private static Totals TotalsOf(ImmutableArray<double> row)
    {
        double At(int i) => i < row.Length ? row[i] : 0;
        Side SideAt(int i) => new()
        {
            Windows = (long)At(i),
            It = new(At(i + 1)),
            Facility = new(At(i + 2)),
            ItLow = At(i + 3),
            ItHigh = At(i + 4),
            ItRated = At(i + 5),
            FacilityLow = At(i + 6),
            FacilityHigh = At(i + 7),
            FacilityCovered = At(i + 8),
            FacilityWeight = At(i + 9),
            Provenance = (Provenance)(int)At(i + 10),
        };
        return new Totals { It = new(At(0)), Windows = (long)At(1), Whole = SideAt(2), Part = SideAt(2 + SideNumbers) };
    }
}
