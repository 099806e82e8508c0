using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>What is said of a sweep in a word or two.</summary>
internal static partial class SweepText
{
    /// <summary>The cell and pass of a trial, from the trial's name.</summary>
    public static string Cell(string trial) => Trial().Match(trial) is { Success: true } m ? $"{m.Groups["cell"].Value} pass {m.Groups["pass"].Value}" : trial;

    /// <summary>Why a sweep does not go on, or not on all its devices; empty if it does.</summary>
    public static string Waits(SweepStatus status) => SweepWords.Why(status);

    /// <summary>Kept of planned trials.</summary>
    public static string Progress(SweepStatus status) => FormattableString.Invariant($"{status.CommittedTrials}/{status.PlannedTrials}");

    [GeneratedRegex(@"^(?<cell>.+)\.b[0-9]+\.p(?<pass>[0-9]+)\.[0-9a-zA-Z]+$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Trial();
}
