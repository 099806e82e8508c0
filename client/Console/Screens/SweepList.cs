using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>Sweeps as a list: how far each is, what is left, and why one waits.</summary>
internal static class SweepList
{
    private static readonly Column[] All =
    [
        new("sweep", Rank: 0), new("phase", Rank: 1), new("trials", Right: true, Rank: 2), new("invalid", Right: true, Rank: 5), new("left", Right: true, Rank: 3), new("age", Right: true, Rank: 4),
        new("owner", Rank: 7, Least: 6), new("plan", Rank: 8, Least: 8), new("waits for, or why", Rank: 6, Least: 16),
    ];

    public static void Show(IEnumerable<SweepStatus> sweeps, DateTimeOffset now, Screen screen) =>
        Show(sweeps.Select(s => (new SweepLine(s.Id, s.Name, s.SubmittedUtc, s.HasEnded), (SweepStatus?)s)), now, screen);

    /// <param name="sweeps">With its status, where that was asked for.</param>
    /// <param name="now">For ages.</param>
    /// <param name="screen">Where.</param>
    public static void Show(IEnumerable<(SweepLine Line, SweepStatus? Status)> sweeps, DateTimeOffset now, Screen screen) =>
        screen.List(All, [.. sweeps.Select(s => (string[])
        [
            s.Line.Id, s.Status is { } status ? Phase(status) : s.Line.Ended ? "ended" : "live", s.Status is { } kept ? SweepText.Progress(kept) : Say.Absent,
            s.Status?.InvalidTrials.ToString(CultureInfo.InvariantCulture) ?? Say.Absent, s.Status is { HasEnded: false } live ? Say.Seconds(live.SecondsLeft) : Say.Absent, Say.Age(now - s.Line.SubmittedUtc),
            s.Status?.SubmittedBy ?? "", s.Line.Name, s.Status is { } waits ? SweepText.Waits(waits) : "",
        ])]);

    // A word each, so that the column is narrow: what failed stands in the last one.
    private static string Phase(SweepStatus status) => status.Phase == SweepPhase.FinishedWithFailures ? "failed cells" : SweepWords.Phase(status);
}
