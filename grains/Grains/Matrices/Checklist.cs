using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>The paper's reporting agenda, item by item: disclosed, missing, or without meaning here.</summary>
internal static class Checklist
{
    public static ImmutableArray<ChecklistItem> Of(ResolvedPlan plan, FacilityRatio? facility, RanOn ran, MatrixRow[] rows)
    {
        var d = plan.Disclosure;
        var invariant = CultureInfo.InvariantCulture;
        var services = rows.Select(r => string.Create(invariant, $"{r.ServiceStatistic} ≤ {r.ServiceMilliseconds} ms per token")).Distinct().ToArray();
        return
        [
            d.Quality.StartsWith("not applicable", StringComparison.OrdinalIgnoreCase)
                ? new("q*: quality target and how it was checked", $"{d.Quality}; {d.QualityCheck}", DisclosureState.NotApplicable)
                : Item("q*: quality target and how it was checked", $"{d.Quality}; {d.QualityCheck}"),
            Item("s*: service target", string.Join("; ", services)),
            // Match groups may have their own.
            Item("workload mix", Said(c => c.WorkloadMix)),
            Item("batching protocol", Said(c => c.Batching)),
            Item("hardware setup", ran.Difference.Length > 0 ? $"{d.Hardware}; {ran.Difference}" : d.Hardware),
            Item("energy-accounting boundary", d.Boundary.ToString().ToLowerInvariant()),
            Item("J/token with interval", Rows(r => r.JoulesPerTokenLayer.Low is not null)),
            Item("active binding constraint", plan.Envelope is { } e && rows.Any(r => r.Constraint.Headroom is not null) ? string.Create(invariant, $"against an envelope of {e.Watts:N0} W at the {e.Boundary.ToString().ToLowerInvariant()} over {e.Devices} devices") : ""),
            Item("PUE", facility is not null ? string.Create(invariant, $"{facility.Name} {(double.IsNaN(facility.Value) ? "without a value, bounds only" : facility.Value.ToString("F3", invariant))}, category {facility.Category}, IT coverage {facility.ItCoverage:P1}") : plan.Pue is { Value: { } value } ? string.Create(invariant, $"declared {value}, category {plan.Pue.Category}") : ""),
            rows.Length > 0 && rows.All(r => r.Utilization.Value is null && r.Utilization.Reason?.StartsWith("not applicable", StringComparison.Ordinal) == true)
                ? new("utilization-adjusted output", "U: not applicable (saturated kernel workloads)", DisclosureState.NotApplicable)
                : Item("utilization-adjusted output", Rows(r => r.Utilization.Value is not null)),
            Item("Phi_mem", Rows(r => r.Phi["phi_mem"].Value is not null)),
        ];

        string Said(Func<Disclosure, string> of) => string.Join("; ", plan.Groups.SelectMany(g => g.Cells).Select(c => of(c.Disclosure)).Where(t => t.Length > 0).Distinct());

        // Says of how many rows it is true, unless it is of all that have anything to say.
        string Rows(Func<MatrixRow, bool> has)
        {
            var speaking = rows.Where(r => r.Passes > 0).ToArray();
            var having = speaking.Count(has);
            return having == 0 ? "" : having == speaking.Length ? "in every row that has valid trials" : string.Create(invariant, $"in {having} of {speaking.Length} rows that have valid trials");
        }

        static ChecklistItem Item(string item, string value) => new(item, value.Length > 0 ? value : "not disclosed", value.Length > 0 ? DisclosureState.Disclosed : DisclosureState.Missing);
    }
}
