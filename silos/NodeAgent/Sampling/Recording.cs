using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>All raw readings of one device since the recording began. Filled by the device's sampler; read by one trial.</summary>
internal sealed class DeviceRecording
{
    private readonly AppendLog<DeviceReading> _readings = new();
    private readonly AppendLog<StepMark> _steps = new();

    public ReadOnlySpan<DeviceReading> Readings => _readings.View;

    public ReadOnlySpan<StepMark> Steps => _steps.View;

    public void Add(ReadOnlySpan<DeviceReading> readings, ReadOnlySpan<StepMark> steps)
    {
        _readings.Add(readings);
        _steps.Add(steps);
    }

    /// <summary>Counter readings with <paramref name="margin"/> of a reading or more on either side of the interval.</summary>
    public CounterReading[] Counter(long from, long to, long margin)
    {
        var within = Within(from - margin, to + margin);
        var result = new CounterReading[within.Length];
        for (var i = 0; i < within.Length; i++) result[i] = new(within[i].TimeNanoseconds, within[i].CounterJoules);
        return result;
    }

    /// <summary>Power readings, likewise.</summary>
    public PowerReading[] Power(long from, long to, long margin)
    {
        var within = Within(from - margin, to + margin);
        var result = new PowerReading[within.Length];
        for (var i = 0; i < within.Length; i++) result[i] = new(within[i].TimeNanoseconds, within[i].InstantWatts);
        return result;
    }

    /// <summary>Readings in <c>[from, to]</c>.</summary>
    public ReadOnlySpan<DeviceReading> Within(long from, long to)
    {
        var all = Readings;
        var first = LowerBound(all, from);
        return all[first..LowerBound(all, to + 1)];
    }

    /// <summary>Steps that had ended at an instant, interpolated between marks; NaN where no marks lie on both sides.</summary>
    public double StepsAt(long nanoseconds)
    {
        if (MarksAround(nanoseconds) is not { } marks) return double.NaN;
        var (before, after) = marks;
        if (after.TimeNanoseconds == before.TimeNanoseconds) return after.Steps;
        return before.Steps + (after.Steps - before.Steps) * ((double)(nanoseconds - before.TimeNanoseconds) / (after.TimeNanoseconds - before.TimeNanoseconds));
    }

    /// <summary>The marks on both sides of an instant, one mark twice where it lies on it; null where there is none on some side.</summary>
    public (StepMark Before, StepMark After)? MarksAround(long nanoseconds)
    {
        var marks = Steps;
        var (low, high) = (0, marks.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (marks[middle].TimeNanoseconds < nanoseconds) low = middle + 1;
            else high = middle;
        }
        if (low == marks.Length) return null;
        if (marks[low].TimeNanoseconds == nanoseconds) return (marks[low], marks[low]);
        return low == 0 ? null : (marks[low - 1], marks[low]);
    }

    private static int LowerBound(ReadOnlySpan<DeviceReading> readings, long nanoseconds)
    {
        var (low, high) = (0, readings.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (readings[middle].TimeNanoseconds < nanoseconds) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
