using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Sdk;

/// <summary>How a sweep stands, in the words that every screen and the page at <c>/</c> have for it.</summary>
public static partial class SweepWords
{
    /// <summary>Whether it is live, nothing of it runs, and it waits: for devices that another sweep has, or for a host.</summary>
    public static bool Waiting(SweepStatus status) => status.Phase == SweepPhase.Running && status.Running.IsDefaultOrEmpty && status.Waiting.Length > 0;

    /// <summary>Its phase; <c>waiting</c> where it would run if it had devices.</summary>
    public static string Phase(SweepStatus status) => Waiting(status) ? "waiting" : Phase(status.Phase);

    /// <summary>A phase by its name.</summary>
    public static string Phase(SweepPhase phase) => phase switch
    {
        SweepPhase.FinishedWithFailures => "finished, some cells failed",
        _ => phase.ToString().ToLowerInvariant(),
    };

    /// <summary>Why it does not go on, or not on all its devices; empty if it does.</summary>
    public static string Why(SweepStatus status) => status.HasEnded || status.Phase == SweepPhase.Paused || status.Reason.Length > 0 ? status.Reason
        : Holder().Match(status.Waiting) is not { Success: true } m ? status.Waiting
        : $"devices of sweep {m.Groups["sweep"].Value}{(m.Groups["line"].Success ? ", which is first in line" : "")}"
            + (m.Groups["some"].Value == m.Groups["all"].Value ? "" : $" ({m.Groups["some"].Value} of {m.Groups["all"].Value} device groups)") + m.Groups["rest"].Value;

    // As a node refuses a lease: "gpu-1: sweep/3 holds them for group/b3/p0", "gpu-1: sweep/3 is first in line". What a sweep waits for besides follows after a semicolon.
    [GeneratedRegex(@"^(?<some>[0-9]+) of (?<all>[0-9]+) device groups? waits? for devices, (\S+: )?(?<sweep>[^\s/]+)/[0-9]+ (holds them for|(?<line>is first in line)).*?(?<rest>; [0-9]+ of .*)?$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline)]
    private static partial Regex Holder();
}
