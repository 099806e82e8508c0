namespace EnergyGrid.Plans.Tests;

/// <summary>A small valid plan whose line numbers the tests know, and ways to spoil it.</summary>
internal static class BasePlan
{
    public const string Text = """
        name: base
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: none needed}
          service: {milliseconds_per_token: 100, statistic: mean}
        workload_mix: decode only
        batching: closed batch
        hardware:
          description: 8 x H100
          model: H100-SXM-80GB
        boundary: gpu
        stack: simulated
        layers: [2, 4]
        groups:
          - name: g
            baseline: A
            sweep:
              - {workload: [A, C], batch: 8}
        passes:
          min: 5
          max: 9
        trial:
          warmup_s: {min: 20, max: 180}
          window_s: 30

        """;

    /// <summary>The base with one piece of text replaced; a piece that is not there would make a test say nothing.</summary>
    public static string With(string old, string replacement)
    {
        Assert.Contains(old, Text, StringComparison.Ordinal);
        return Text.Replace(old, replacement, StringComparison.Ordinal);
    }

    public static PlanProblem[] Problems(string text) => [.. PlanFile.Load(text, "p.yaml").Problems];

    public static Contracts.ResolvedPlan Resolve(string text)
    {
        var loaded = PlanFile.Load(text, "p.yaml");
        Assert.True(loaded.Plan is not null, string.Join('\n', loaded.Problems));
        return loaded.Plan;
    }
}
