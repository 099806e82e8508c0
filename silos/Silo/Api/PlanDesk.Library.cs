using EnergyGrid.Contracts;
using EnergyGrid.Plans;
using EnergyGrid.Sdk;

namespace EnergyGrid.Silo;

/// <inheritdoc cref="IPlanDesk"/>
public sealed class PlanDesk : IPlanDesk
{
    public string Schema => PlanSchema.Text;

    public PlanVerdict Check(string text, string file, IReadOnlyCollection<DeviceInfo>? devices)
    {
        var resolution = PlanFile.Load(text, file, devices);
        return new(resolution.Plan, [.. resolution.Problems.Select(p => new PlanFault(p.File, p.Line, p.Column, p.Key, p.Wrong, p.Right))]);
    }
}
