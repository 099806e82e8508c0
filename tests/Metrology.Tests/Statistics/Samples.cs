using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

/// <summary>Standard normal draws (Box–Muller) from a seed, the same everywhere.</summary>
internal sealed class Gaussian(ulong seed)
{
    private readonly SplitMix64 _random = new(seed);
    private double? _spare;

    public double Next()
    {
        if (_spare is { } spare)
        {
            _spare = null;
            return spare;
        }
        var radius = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble()));
        var angle = 2 * Math.PI * _random.NextDouble();
        _spare = radius * Math.Sin(angle);
        return radius * Math.Cos(angle);
    }

    public double Uniform(double low, double high) => low + (high - low) * _random.NextDouble();
}

internal static class Samples
{
    /// <summary>1–3 nodes of 1–3 devices of 1–6 passes, values −10 … 10.</summary>
    public static Gen<PassValue[]> Nested =>
        from seed in ArbMap.Default.GeneratorFor<int>()
        from nodes in Gen.Choose(1, 3)
        select Draw(seed, nodes);

    /// <summary>Cells A, B and C in every pass, about a tenth of the trials invalid.</summary>
    public static Gen<Observation[]> Sweeps =>
        from values in Nested
        from seed in ArbMap.Default.GeneratorFor<int>()
        select Observe(values, seed);

    private static PassValue[] Draw(int seed, int nodes)
    {
        var random = new SplitMix64((ulong)(uint)seed);
        return [.. from node in Enumerable.Range(0, nodes)
                   from device in Enumerable.Range(0, 1 + random.NextBelow(3))
                   from pass in Enumerable.Range(0, 1 + random.NextBelow(6))
                   select new PassValue($"n{node}", $"n{node}d{device}", pass, 20 * random.NextDouble() - 10)];
    }

    // Two depths at 300 to 400 W.
    private static ImmutableArray<EnergyPoint> Points(SplitMix64 random) =>
        [new(2, 0.01 * (300 + 100 * random.NextDouble()), 0.01), new(4, 0.02 * (300 + 100 * random.NextDouble()), 0.02)];

    private static Observation[] Observe(PassValue[] passes, int seed)
    {
        var random = new SplitMix64((ulong)(uint)seed + 1);
        return [.. from pass in passes
                   from cell in new[] { "A", "B", "C" }
                   let valid = random.NextBelow(10) > 0
                   select new Observation(
                       pass.Node, pass.Device, pass.Pass, cell, valid ? 0.5 + random.NextDouble() : double.NaN, valid, valid ? "" : "thermal", Points(random))];
    }
}
