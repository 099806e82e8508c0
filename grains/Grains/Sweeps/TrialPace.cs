using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>
/// How long a sweep still takes, from what its device groups were seen to do by this activation: the time in which they ran, by the trials that were seen from their beginning to their end.
/// Time in which nothing of a group ran (its devices were another's, the sweep was paused, no process was there) counts for nothing, and neither does a trial whose beginning nobody saw.
/// </summary>
internal sealed class TrialPace(TimeProvider time)
{
    private readonly Dictionary<int, Line> _groups = [];

    /// <summary>A device group as it was last heard.</summary>
    private sealed class Line
    {
        public long At;
        public bool Runs;
        public int Committed;
        public int Left;

        /// <summary>In which it ran, since its last result, s.</summary>
        public double Since;

        /// <summary>Whether that is all of the trial that runs now.</summary>
        public bool Whole;

        /// <summary>Of trials that were seen whole: how many, and in which it ran for them, s.</summary>
        public int Trials;
        public double Seconds;
    }

    /// <summary>Takes note of what a device group says of itself. One without orders has not read its results yet, and says nothing.</summary>
    public void Hear(GroupReport report)
    {
        if (report.Version == 0) return;
        var runs = !report.Running.IsDefaultOrEmpty && report.Trouble.Length == 0;
        if (!_groups.TryGetValue(report.Group, out var line))
            _groups[report.Group] = line = new Line { At = time.GetTimestamp(), Committed = report.Committed, Whole = report.Running.IsDefaultOrEmpty || report.Running.All(r => r.Fraction == 0) };
        line.Since = Since(line);
        if (report.Committed > line.Committed)
        {
            if (line.Whole) (line.Trials, line.Seconds) = (line.Trials + report.Committed - line.Committed, line.Seconds + line.Since);
            (line.Since, line.Whole) = (0, true);
        }
        (line.At, line.Runs, line.Committed, line.Left) = (time.GetTimestamp(), runs, report.Committed, report.Planned - report.Committed);
    }

    /// <summary>Until the last device group has done what is planned, s, by the wall clock; NaN while none runs, and before a trial has been seen whole. Groups that wait are taken to begin now.</summary>
    public double SecondsLeft()
    {
        var trials = _groups.Values.Sum(l => l.Trials);
        if (trials == 0 || !_groups.Values.Any(l => l.Runs)) return double.NaN;
        var each = _groups.Values.Sum(l => l.Seconds) / trials;
        return _groups.Values.Max(l => Math.Max(0, l.Left * each - Math.Min(each, Since(l))));
    }

    private double Since(Line line) => line.Since + (line.Runs ? time.GetElapsedTime(line.At).TotalSeconds : 0);
}
