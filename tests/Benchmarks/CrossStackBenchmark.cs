using System.Diagnostics;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp;
using EnergyGrid.Workloads;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// How fast the reference streams weights against llama.cpp, on as many threads, with the same numbers in the same run: the slope of a step's time over one and two layers, so that what each does
/// beside its layers is in neither.
/// </summary>
/// <remarks>The two take turns, a few steps each; a figure is the median of the rounds, a ratio the median of the rounds' ratios.</remarks>
public static class CrossStackBenchmark
{
    private const int Context = 64;

    private static readonly (string Code, string Weights)[] Formats = [("A", WeightFormat.Fp16), ("B", WeightFormat.Q8), ("C", WeightFormat.Q4)];

    /// <summary>Prints one figure a line with its unit. Quick: half the width, batch 1, few rounds.</summary>
    public static void Run(bool quick)
    {
        if (LlamaLibrary.Refusal() is { } refusal)
        {
            Console.WriteLine($"cross-stack: not run: {refusal}");
            return;
        }

        foreach (var (code, weights) in Formats)
        {
            foreach (var batch in quick ? [1] : new[] { 1, 8 }) Compare(code, weights, batch, quick ? 2048 : 4096, quick ? 5504 : 11008, quick ? 5 : 9);
        }
    }

    private static void Compare(string code, string weights, int batch, int width, int feedForward, int rounds)
    {
        var threads = Environment.ProcessorCount;
        var c = Catalogue.Resolve(new ConfigurationRequest(code, weights, batch, Context, width, FeedForwardWidth: feedForward, Vocabulary: 0, Stack: KernelStacks.LlamaCpp));
        var own = c with { Stack = KernelStacks.Reference };
        using var one = DecodeStep.Create(own, 1, threads);
        using var two = DecodeStep.Create(own, 2, threads);
        using var llamaOne = LlamaStep.Create(c, 1, threads);
        using var llamaTwo = LlamaStep.Create(c, 2, threads);
        var (ours, theirs) = (new double[rounds], new double[rounds]);
        for (var i = 0; i < rounds; i++)
        {
            ours[i] = Slope(() => one.Run(), () => two.Run());
            theirs[i] = Slope(llamaOne.Run, llamaTwo.Run);
        }

        var bytes = Catalogue.Cost(c).WeightBytes;
        var name = string.Create(CultureInfo.InvariantCulture, $"cross-stack: {weights} b{batch} s{Context} d{width}, {threads} threads");
        Print($"{name}, reference, a layer", 1e3 * Median(ours), "ms");
        Print($"{name}, llama.cpp, a layer", 1e3 * Median(theirs), "ms");
        Print($"{name}, reference, weights streamed", bytes / Median(ours) / 1e9, "GB/s");
        Print($"{name}, llama.cpp, weights streamed", bytes / Median(theirs) / 1e9, "GB/s");
        Print($"{name}, reference / llama.cpp, weights per second", Median([.. theirs.Zip(ours, (t, o) => t / o)]), "");
    }

    private static double Slope(Action one, Action two)
    {
        const int steps = 4;
        return Math.Max(1e-9, Best(two) - Best(one));

        static double Best(Action step)
        {
            // The first of them finds the caches as the other left them.
            step();
            var best = double.MaxValue;
            for (var i = 0; i < steps; i++)
            {
                var began = Stopwatch.GetTimestamp();
                step();
                best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalSeconds);
            }

            return best;
        }
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static void Print(string what, double value, string unit) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {value:G4} {unit}").TrimEnd());
}
