using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// Turns the readings of one source into windows of one second as they come. Readings go in one by one or in spans, windows come out as
/// they close. Nothing is allocated per reading. Not thread safe: one owner.
/// <para>
/// A window closes when a reading at or past its end has come, or by <see cref="Advance"/>. A reading that comes late is put in its place
/// and the windows that it touches are computed again: those already taken come out again with the next revision, exactly as if every
/// reading had come in order. Readings too late for the history are counted in <see cref="DroppedLate"/>.
/// </para>
/// <para>
/// Energy of a counter's step, or of the trapezoid between two readings, is shared out to the windows that it spans by time, so the windows'
/// joules add up to the readings'. A power gap of more than three nominal periods is uncovered; a counter's gap within one epoch is covered,
/// and windows that hold part of it are <see cref="Provenance.Modelled"/>. A counter's reset starts an epoch; the step across it is uncovered.
/// </para>
/// <para>The lowest and highest power of a counter are means between its ticks, of a power sensor the values at its readings and at the edges.</para>
/// </summary>
public sealed class WindowIntegrator
{
    private const long Second = Readings.NanosecondsPerSecond;

    private readonly bool _isCounter;
    private long _gap;
    private long _split;
    private readonly int _keep;
    private readonly Entry[] _entries;
    private readonly int _mask;
    private readonly Slot[] _slots;
    private long _pushed;
    private int _head;
    private int _count;
    private bool _evicted;
    private long _high;
    private long _closedTo;
    private long _openStart = long.MaxValue;
    private long _openEnd = long.MinValue;
    private int _pending;
    private NeumaierSum _unwindowed;

    /// <summary>An integrator for one source.</summary>
    /// <param name="source">As in <see cref="PowerWindow.Source"/>.</param>
    /// <param name="kind">What it measures.</param>
    /// <param name="sensor">What is known about its sensor.</param>
    /// <param name="keepWindows">How many windows can still be revised.</param>
    /// <param name="keepReadings">How many readings are held for that; 0: twice what the nominal period makes in that time.</param>
    /// <exception cref="ArgumentException">A profile that makes no sense, or fewer than 4 windows.</exception>
    public WindowIntegrator(string source, SourceKind kind, SensorProfile sensor, int keepWindows = 32, int keepReadings = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keepWindows, 4);
        Source = source;
        Kind = kind;
        Sensor = sensor.Checked();
        _isCounter = sensor.Quantity == SensorQuantity.Counter;
        _gap = _split = sensor.GapNanoseconds;
        _keep = keepWindows;
        _slots = new Slot[keepWindows];
        var readings = keepReadings > 0 ? keepReadings : Math.Min(1 << 20, 2 * (keepWindows / sensor.NominalPeriodSeconds + 1));
        _entries = new Entry[BitOperations.RoundUpToPowerOf2((uint)Math.Max(readings, 64))];
        _mask = _entries.Length - 1;
    }

    /// <summary>As in <see cref="PowerWindow.Source"/>.</summary>
    public string Source { get; }

    /// <summary>What it measures.</summary>
    public SourceKind Kind { get; }

    /// <summary>What is known about its sensor.</summary>
    public SensorProfile Sensor { get; }

    /// <summary>How far the node's clock may be from UTC, s. A window bears the worst that was set while it was open or revised.</summary>
    public double ClockErrorSeconds { get; set; }

    /// <summary>How often the source is read just now, s, where that is less often than its profile says; 0 where it is not. Three times the longer of both is a gap.</summary>
    public double PeriodSeconds
    {
        get => field;
        set
        {
            field = value;
            _gap = Math.Max(Sensor.GapNanoseconds, (long)(SensorProfile.GapPeriods * value * Second));
            // A reading that was missed leaves a step that only a model can share out.
            _split = Math.Max(Sensor.GapNanoseconds, (long)(1.5 * value * Second));
        }
    }

    /// <summary>Readings pushed, of whatever fate.</summary>
    public long Pushed => _pushed;

    /// <summary>Values that are no readings: not finite, negative, before 1970, or a zero that means "missing".</summary>
    public long Refused { get; private set; }

    /// <summary>Readings of an instant that had one already. The larger value stands.</summary>
    public long Duplicates { get; private set; }

    /// <summary>Readings that came out of order and were put in their place.</summary>
    public long Late { get; private set; }

    /// <summary>Readings too late for the history.</summary>
    public long DroppedLate { get; private set; }

    /// <summary>Windows that were overwritten before they were taken, or that a gap longer than the history skipped.</summary>
    public long LostWindows { get; private set; }

    /// <summary>Energy of lost windows, J: with it, the windows' energy still adds up to the readings'.</summary>
    public double LostJoules => _unwindowed.Value;

    /// <summary>Windows ready to be taken.</summary>
    public int Ready => _pending;

    /// <summary>Adds one reading: joules of a counter or watts of a power sensor, as the profile says.</summary>
    public void Push(long timeNanoseconds, double value)
    {
        _pushed++;
        if (timeNanoseconds < 0 || !Sensor.IsReading(value))
        {
            Refused++;
            return;
        }
        if (_count == 0)
        {
            Start(timeNanoseconds, value);
            return;
        }
        ref readonly var last = ref _entries[(_head + _count - 1) & _mask];
        if (timeNanoseconds <= last.Time)
        {
            Insert(timeNanoseconds, value);
            return;
        }
        var reading = Follow(last, timeNanoseconds, value);
        if (timeNanoseconds < _openEnd && last.Time >= _openStart)
        {
            ref var slot = ref _slots[_high % _keep];
            AddPart(ref slot, last, reading, last.Time, timeNanoseconds);
            Count(ref slot, reading);
        }
        else
        {
            Extend(last, reading);
        }
        Append(reading);
    }

    /// <summary>Adds readings of a counter.</summary>
    /// <exception cref="InvalidOperationException">The source is a power sensor.</exception>
    public void Push(ReadOnlySpan<CounterReading> readings)
    {
        if (!_isCounter) throw new InvalidOperationException($"{Source} is a power sensor, not a counter.");
        foreach (ref readonly var reading in readings) Push(reading.TimeNanoseconds, reading.Joules);
    }

    /// <summary>Adds readings of a power sensor.</summary>
    /// <exception cref="InvalidOperationException">The source is a counter.</exception>
    public void Push(ReadOnlySpan<PowerReading> readings)
    {
        if (_isCounter) throw new InvalidOperationException($"{Source} is a counter, not a power sensor.");
        foreach (ref readonly var reading in readings) Push(reading.TimeNanoseconds, reading.Watts);
    }

    /// <summary>
    /// Closes windows that no reading closed: those that ended more than three nominal periods before now. What they lack is uncovered,
    /// until a counter's later reading bridges it and they come out revised. Without any reading so far there is nothing to close.
    /// </summary>
    public void Advance(long nowNanoseconds)
    {
        if (_count == 0) return;
        var to = Math.Max(0, nowNanoseconds - _gap) / Second;
        if (to <= _closedTo) return;
        Raise(to - 1);
        Close(to, _entries[(_head + _count - 1) & _mask].Epoch);
    }

    /// <summary>Takes the oldest window that is ready, if any.</summary>
    public bool TryTake(out WindowSum window)
    {
        if (_pending > 0)
        {
            for (var w = Math.Max(0, _high - _keep + 1); w <= _high; w++)
            {
                ref var slot = ref _slots[w % _keep];
                if (!slot.Pending) continue;
                slot.Pending = false;
                _pending--;
                slot.ClockError = Math.Max(slot.ClockError, ClockErrorSeconds);
                var uncovered = (double)(Second - slot.CoveredNanoseconds) / Second;
                window = new WindowSum(
                    w, slot.Stated++, slot.Joules, (double)slot.CoveredNanoseconds / Second, Sensor.MinWatts * uncovered, Sensor.RatedWatts * uncovered,
                    slot.Min <= slot.Max ? slot.Min : double.NaN, slot.Min <= slot.Max ? slot.Max : double.NaN, slot.Samples, slot.Epoch, slot.ClockError,
                    slot.Split ? Provenances.Worst(Sensor.Provenance, Provenance.Modelled) : Sensor.Provenance);
                return true;
            }
        }
        window = default;
        return false;
    }

    /// <summary>Takes the oldest window that is ready, if any, as it travels.</summary>
    public bool TryTake([NotNullWhen(true)] out PowerWindow? window)
    {
        window = TryTake(out WindowSum sum)
            ? new PowerWindow(
                Source, Kind, sum.Window, sum.Revision, sum.Joules, sum.CoveredSeconds, sum.LowJoules, sum.HighJoules, sum.MinWatts, sum.MaxWatts,
                sum.Samples, sum.CounterEpoch, sum.ClockErrorSeconds, sum.Provenance)
            : null;
        return window is not null;
    }

    private void Start(long time, double value)
    {
        var reading = new Entry { Time = time, Value = value, Tick = -1 };
        _high = time / Second;
        _closedTo = _high;
        for (var w = Math.Max(0, _high - _keep + 1); w <= _high; w++) _slots[w % _keep].Reset();
        SetOpen();
        Count(ref _slots[_high % _keep], reading);
        Append(reading);
    }

    /// <summary>The reading after another: its epoch, and the last tick of the counter.</summary>
    private Entry Follow(in Entry before, long time, double value)
    {
        var reading = new Entry { Time = time, Value = value, Tick = before.Tick, Epoch = before.Epoch };
        if (!_isCounter) return reading;
        reading.Step = Sensor.StepJoules(before.Value, value, time - before.Time);
        if (double.IsNaN(reading.Step))
        {
            reading.Epoch++;
            reading.Tick = -1;
        }
        else if (reading.Step > 0)
        {
            reading.TickWatts = before.Tick >= 0 ? reading.Step * Second / (time - before.Tick) : double.NaN;
            reading.Tick = time;
        }
        else reading.TickWatts = double.NaN;
        return reading;
    }

    private void Append(in Entry reading)
    {
        if (_count == _entries.Length)
        {
            _head = (_head + 1) & _mask;
            _count--;
            _evicted = true;
        }
        _entries[(_head + _count) & _mask] = reading;
        _count++;
    }

    private void Extend(in Entry last, in Entry reading)
    {
        var window = reading.Time / Second;
        Raise(window);
        AddSegment(last, reading, 0, long.MaxValue, true);
        if (window > _closedTo) Close(window, last.Epoch);
        ref var slot = ref _slots[window % _keep];
        Count(ref slot, reading);
        Revise(ref slot);
        SetOpen();
    }

    private void SetOpen()
    {
        _openStart = _high >= _closedTo ? _high * Second : long.MaxValue;
        _openEnd = _high >= _closedTo ? (_high + 1) * Second : long.MinValue;
    }

    /// <summary>Makes room for windows up to this one.</summary>
    private void Raise(long window)
    {
        if (window <= _high) return;
        var from = Math.Max(_high + 1, window - _keep + 1);
        LostWindows += from - _high - 1;
        if (window - _high >= _keep)
        {
            // Everything held goes at once; otherwise only the slots that are taken over.
            for (var w = Math.Max(0, _high - _keep + 1); w <= _high; w++) Evict(ref _slots[w % _keep], w);
        }
        else
        {
            for (var w = from; w <= window; w++) Evict(ref _slots[w % _keep], w - _keep);
        }
        for (var w = from; w <= window; w++) _slots[w % _keep].Reset();
        _high = window;
        SetOpen();
    }

    private void Evict(ref Slot slot, long window)
    {
        var neverStated = slot.Stated == 0 && (slot.Pending || window >= _closedTo);
        if (slot.Pending) _pending--;
        if (neverStated || slot.Pending)
        {
            LostWindows++;
            if (slot.Stated == 0) _unwindowed.Add(slot.Joules);
        }
        slot.Reset();
    }

    /// <summary>Closes the windows before this one.</summary>
    private void Close(long to, int epoch)
    {
        for (var w = Math.Max(_closedTo, _high - _keep + 1); w < to; w++)
        {
            ref var slot = ref _slots[w % _keep];
            slot.Epoch = Math.Max(slot.Epoch, epoch);
            slot.Closed = true;
            Revise(ref slot);
        }
        _closedTo = to;
        SetOpen();
    }

    /// <summary>A closed window that changed must be stated, for the first time or again.</summary>
    private void Revise(ref Slot slot)
    {
        if (!slot.Closed || slot.Pending) return;
        slot.Pending = true;
        slot.ClockError = Math.Max(slot.ClockError, ClockErrorSeconds);
        _pending++;
    }

    private static void Count(ref Slot slot, in Entry reading)
    {
        slot.Samples++;
        if (reading.Epoch > slot.Epoch) slot.Epoch = reading.Epoch;
    }

    /// <summary>Shares the step between two readings out to the windows within the limits.</summary>
    private void AddSegment(in Entry a, in Entry b, long lowWindow, long highWindow, bool isNew)
    {
        var first = Math.Max(a.Time / Second, lowWindow);
        var last = Math.Min((b.Time - 1) / Second, highWindow);
        var held = Math.Max(0, _high - _keep + 1);
        if (first < held)
        {
            if (isNew && a.Epoch == b.Epoch && _isCounter)
            {
                var lost = Math.Min(b.Time, held * Second) - a.Time;
                _unwindowed.Add(b.Step * ((double)lost / (b.Time - a.Time)));
            }
            first = held;
        }
        for (var w = first; w <= last; w++)
        {
            ref var slot = ref _slots[w % _keep];
            AddPart(ref slot, a, b, Math.Max(a.Time, w * Second), Math.Min(b.Time, (w + 1) * Second));
            Revise(ref slot);
        }
    }

    /// <summary>Adds the part of a step that lies in one window.</summary>
    private void AddPart(ref Slot slot, in Entry a, in Entry b, long from, long to)
    {
        var span = b.Time - a.Time;
        var part = to - from;
        if (_isCounter)
        {
            if (a.Epoch > slot.Epoch) slot.Epoch = a.Epoch;
            if (a.Epoch != b.Epoch) return;
            slot.Joules += b.Step * ((double)part / span);
            slot.Split |= span > _split && part < span;
            if (b.TickWatts < slot.Min) slot.Min = b.TickWatts;
            if (b.TickWatts > slot.Max) slot.Max = b.TickWatts;
        }
        else
        {
            if (span > _gap) return;
            var (before, after) = (a.Value, b.Value);
            if (part != span)
            {
                var slope = (b.Value - a.Value) / span;
                (before, after) = (a.Value + slope * (from - a.Time), a.Value + slope * (to - a.Time));
            }
            slot.Joules += 0.5 * (before + after) * part * 1e-9;
            if (before < slot.Min) slot.Min = before;
            if (before > slot.Max) slot.Max = before;
            if (after < slot.Min) slot.Min = after;
            if (after > slot.Max) slot.Max = after;
        }
        slot.CoveredNanoseconds += part;
    }

    /// <summary>Puts a reading that is not later than the last one in its place.</summary>
    private void Insert(long time, double value)
    {
        var place = FirstAtOrAfter(time);
        if (At(place).Time == time)
        {
            Duplicates++;
            if (value <= At(place).Value) return;
        }
        else Late++;
        var isNew = At(place).Time != time;
        var held = Math.Max(0, _high - _keep + 1);
        // The step that the reading divides starts at the reading before it.
        var low = Math.Max(held, place > 0 ? At(place - 1).Time / Second : time / Second);
        if (_evicted && (place == 0 || At(0).Time > low * Second) || time < held * Second)
        {
            DroppedLate++;
            return;
        }
        if (isNew)
        {
            if (_count == _entries.Length)
            {
                _head = (_head + 1) & _mask;
                _count--;
                _evicted = true;
                place--;
            }
            for (var i = _count; i > place; i--) At(i) = At(i - 1);
            _count++;
        }
        var epochs = At(_count - 1).Epoch;
        At(place) = place > 0 ? Follow(At(place - 1), time, value) : new Entry { Time = time, Value = value, Tick = -1 };
        // What follows bears the epoch and the tick of what goes before.
        var high = place + 1 < _count ? At(place + 1).Time / Second : time / Second;
        for (var i = place + 1; i < _count; i++)
        {
            var old = At(i);
            At(i) = Follow(At(i - 1), old.Time, old.Value);
            if (i > place + 1 && old.Epoch == At(i).Epoch && old.Tick == At(i).Tick && old.TickWatts.Equals(At(i).TickWatts)) break;
            high = At(i).Time / Second;
        }
        if (At(_count - 1).Epoch != epochs) high = _high;
        if (time / Second < _closedTo) CloseEarlier(time / Second);
        Recompute(low, high);
    }

    /// <summary>Windows before the first reading's own, from a late one on, are stated too.</summary>
    private void CloseEarlier(long from)
    {
        for (var w = from; w < _closedTo && !_slots[w % _keep].Closed; w++) _slots[w % _keep].Closed = true;
    }

    /// <summary>Computes windows again from the readings held.</summary>
    private void Recompute(long low, long high)
    {
        for (var w = low; w <= high; w++) _slots[w % _keep].Clear();
        var i = FirstAtOrAfter(low * Second);
        if (i > 0) i--;
        for (; i < _count; i++)
        {
            ref readonly var reading = ref At(i);
            if (i > 0 && reading.Time > low * Second && At(i - 1).Time < (high + 1) * Second) AddSegment(At(i - 1), reading, low, high, false);
            var window = reading.Time / Second;
            if (window >= low && window <= high) Count(ref _slots[window % _keep], reading);
            if (window > high) break;
        }
        for (var w = low; w <= high; w++)
        {
            ref var slot = ref _slots[w % _keep];
            if (w >= At(_count - 1).Time / Second) slot.Epoch = Math.Max(slot.Epoch, At(_count - 1).Epoch);
            Revise(ref slot);
        }
    }

    private ref Entry At(int index) => ref _entries[(_head + index) & _mask];

    private int FirstAtOrAfter(long time)
    {
        var (low, high) = (0, _count);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (At(middle).Time < time) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private struct Entry
    {
        public long Time;
        public double Value;
        public double Step;
        public double TickWatts;
        public long Tick;
        public int Epoch;
    }

    private struct Slot
    {
        public double Joules;
        public long CoveredNanoseconds;
        public double Min;
        public double Max;
        public int Samples;
        public int Epoch;
        public int Stated;
        public double ClockError;
        public bool Split;
        public bool Closed;
        public bool Pending;

        public void Reset()
        {
            this = default;
            Clear();
        }

        /// <summary>Forgets the readings, not what was stated.</summary>
        public void Clear()
        {
            (Joules, CoveredNanoseconds, Samples, Epoch, Split) = (0, 0, 0, 0, false);
            (Min, Max) = (double.PositiveInfinity, double.NegativeInfinity);
        }
    }
}
