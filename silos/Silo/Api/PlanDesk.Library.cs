namespace EnergyGrid.Silo;

/// <inheritdoc cref="IPlanDesk"/>
public sealed class PlanDesk : IPlanDesk
{
    public string Schema => throw new InvalidOperationException();

    public PlanVerdict Check(string text, string file) => throw new InvalidOperationException();
}
