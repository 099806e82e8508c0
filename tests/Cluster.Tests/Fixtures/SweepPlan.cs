using System.Globalization;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>A plan for simulated devices: A, C, F and the A/A twin, a fixed number of passes on each device. A trial takes some 75 s of device time.</summary>
internal static class SweepPlan
{
    /// <summary>Cells of a pass.</summary>
    public const int Cells = 4;

    /// <param name="devices">Devices that it takes, each a group of its own.</param>
    /// <param name="passes">On each of them.</param>
    public static string Of(int devices, int passes) => string.Create(CultureInfo.InvariantCulture, $$"""
        name: cluster
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: none}
          service: {milliseconds_per_token: 100, statistic: mean}
        workload_mix: decode only
        batching: closed batch
        hardware: {description: simulated H100, model: H100-SXM-80GB, devices: {{devices}}}
        boundary: gpu
        stack: simulated
        groups:
          - name: dense
            baseline: A
            sweep:
              - {workload: [A, C, F], batch: 8, context: 4096}
        # Two windows a trial: what a fault does to a sweep does not depend on more of them.
        head: false
        layers: [2, 28]
        passes: {min: {{passes}}, max: {{passes}}, half_width: 0.05}
        trial: {warmup_s: {min: 20, max: 60}, window_s: 12, cooldown_s: 11}
        traces: first-pass
        """);
}
