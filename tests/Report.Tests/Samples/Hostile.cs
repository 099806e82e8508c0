using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

/// <summary>A plan that means harm: markup, scripts, terminal escapes, reversed text and names without end, wherever a plan or a device may write.</summary>
internal static class Hostile
{
    public const string Script = "</script><script>window.owned=1</script><img src=x onerror=\"window.owned=1\">'\"&amp;";

    public const string Escape = "\u001b[2J\u001b]0;owned\u0007\u202Egnp.exe\0\r\n";

    public static readonly string Long = new('x', 400);

    public static Matrix Matrix()
    {
        var matrix = SampleMatrix.Of(plan: Script + Escape);
        var group = matrix.Groups[0];
        var rows = group.Rows.Select((r, i) => i switch
        {
            0 => r with { Label = Script },
            1 => r with { TwinOf = Script, Flags = [Script, Escape, Long] },
            2 => r with { Label = Escape, Constraint = r.Constraint with { Verdict = Script, Text = Script + Escape, Reason = Script, Limit = Script }, Ceilings = [Script] },
            3 => r with { Label = Long, Quality = Long, Estimator = Script, Currency = Script, CostPerMillionTokens = 1 },
            4 => r with { Invalidations = r.Invalidations.Add(Script, 1), Configuration = r.Configuration with { Workload = Script, Weights = Long } },
            6 => r with { Ratio = r.Ratio! with { Confounds = [Script, Escape], StandingReason = Script, ResolutionFrom = Script + Long }, MeetsService = false, ServiceStatistic = Script },
            7 => r with { Ratio = r.Ratio! with { Baseline = Script, Ratio = new Estimate(double.PositiveInfinity, double.NegativeInfinity, double.NaN, Script, -1) }, Absent = r.Absent.Add(Script, Script) },
            5 => r with { Phi = r.Phi.Add(Script, new Figure(double.NaN, Script, Script)), BoundaryNotes = r.BoundaryNotes.SetItem("gpu", Script) },
            _ => r,
        });
        return matrix with
        {
            Sweep = Script,
            Disclosure = matrix.Disclosure with { Quality = Script, WorkloadMix = Escape + Long, Hardware = "javascript:window.owned=1" },
            Groups = matrix.Groups.SetItem(0, group with { Name = Script + Long, Hardware = Escape, Baseline = Script, Rows = [.. rows], Sensor = group.Sensor with { Source = Script } }),
            RanOn = new RanOn(3, 2, 1, [Script], [Escape], [700], 16, Script + Escape),
            Panels = [new MatrixPanel(Script, [new PanelRow(Script, Escape + Long, double.NaN, double.PositiveInfinity, null, [Script, Escape])])],
            Notes = [Script, Escape, Long],
            Checklist = [new ChecklistItem(Script, Long, DisclosureState.Disclosed), new ChecklistItem(Escape, Script, DisclosureState.NotApplicable)],
            Closure = [new ClosureResidual(Script, 0, 0)],
            Facility = matrix.Facility! with { Name = Script, Value = double.NaN, FromWindow = long.MinValue, ToWindow = long.MaxValue, Flags = [Script], MissingMeters = [Long], Edition = Escape },
        };
    }
}
