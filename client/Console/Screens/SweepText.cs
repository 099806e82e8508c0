using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Console;

/// <summary>What is said of a sweep in a word or two.</summary>
internal static partial class SweepText
{
    /// <summary>The cell and pass of a trial, from the trial's name.</summary>
    public static string Cell(string trial) => Trial().Match(trial) is { Success: true } m ? $"{m.Groups["cell"].Value} pass {m.Groups["pass"].Value}" : trial;

    /// <summary>Why a sweep does not go on, or not on all its devices; empty if it does.</summary>
    public static string Waits(SweepStatus status) => status.Phase switch
    {
        _ when status.HasEnded => status.Reason,
        SweepPhase.Paused => status.Reason,
        _ => Holder().Match(status.Waiting) is { Success: true } m ? $"devices of sweep {m.Groups["sweep"].Value}{(m.Groups["line"].Success ? ", which is first in line" : "")}" : status.Waiting,
    };

    /// <summary>Kept of planned trials.</summary>
    public static string Progress(SweepStatus status) => FormattableString.Invariant($"{status.CommittedTrials}/{status.PlannedTrials}");

    [GeneratedRegex(@"^(?<cell>.+)\.b[0-9]+\.p(?<pass>[0-9]+)\.[0-9a-zA-Z]+$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Trial();

    // As a node refuses a lease: "gpu-1: sweep/3 holds them for group/b3/p0", "gpu-1: sweep/3 is first in line".
    [GeneratedRegex(@"wait for devices, (\S+: )?(?<sweep>[^\s/]+)/[0-9]+ (holds them for|(?<line>is first in line))", RegexOptions.CultureInvariant)]
    private static partial Regex Holder();
}
