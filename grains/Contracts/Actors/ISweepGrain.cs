namespace EnergyGrid.Contracts;

/// <summary>One sweep: its plan, its stages and targets, its device groups, its end. Key: the sweep's id.</summary>
[Alias("ISweepGrain")]
public interface ISweepGrain : IGrainWithStringKey
{
    /// <summary>Validates, expands, persists; the sweep goes on by itself from here. The same text again is a no-op.</summary>
    /// <param name="planText">YAML or JSON.</param>
    /// <param name="submittedBy">Who.</param>
    /// <param name="priority">Of sweeps that want the same devices the higher one has them first; of equals, the older.</param>
    /// <exception cref="RefusedException">The plan is invalid, no device matches, or the id is taken by another plan.</exception>
    [Alias("Submit")]
    Task<SweepStatus> Submit(string planText, string submittedBy, int priority = 0);

    [Alias("Status"), AlwaysInterleave]
    Task<SweepStatus> Status();

    [Alias("Pause")]
    Task<SweepStatus> Pause(string reason);

    [Alias("Resume")]
    Task<SweepStatus> Resume();

    [Alias("Cancel")]
    Task<SweepStatus> Cancel(string reason);

    /// <summary>Its results have left the grid: nothing of it is remembered, and its id is free again.</summary>
    /// <exception cref="RefusedException">It has not ended.</exception>
    [Alias("Forget")]
    Task Forget();

    /// <summary>Whoever finds a sweep that has not ended wakes it: after a restart nobody else would.</summary>
    [Alias("Wake"), AlwaysInterleave]
    Task Wake();

    /// <summary>A device group says how it stands. Told at every change; what is missed is asked for.</summary>
    [Alias("Told"), AlwaysInterleave]
    Task Told(GroupReport report);
}
