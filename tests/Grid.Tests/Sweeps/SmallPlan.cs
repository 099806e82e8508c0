namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>A plan that a simulated grid finishes in a second or two.</summary>
internal static class SmallPlan
{
    public static string Of(string name = "small", string workloads = "A, C, F", int min = 2, int max = 4, int devices = 2, string more = "", string halfWidth = "0.05", string? groups = null) => $$"""
        name: {{name}}
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: none}
          service: {milliseconds_per_token: 100, statistic: mean}
        workload_mix: decode only
        batching: closed batch
        hardware: {description: simulated H100, model: H100-SXM-80GB, devices: {{devices}}}
        boundary: gpu
        stack: simulated
        {{groups ?? Dense(workloads)}}
        passes: {min: {{min}}, max: {{max}}, half_width: {{halfWidth}}}
        trial: {warmup_s: {min: 20, max: 60}, window_s: 12, cooldown_s: 11}
        {{more}}
        """;

    private static string Dense(string workloads) => $$"""
        groups:
          - name: dense
            baseline: A
            sweep:
              - {workload: [{{workloads}}], batch: 8, context: 4096}
        """;
}
