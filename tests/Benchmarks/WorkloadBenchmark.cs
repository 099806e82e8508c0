using System.Diagnostics;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// How fast the reference streams weights, against a plain parallel copy of a large buffer in the same run. A copy of n bytes reads n and writes n:
/// the ratio counts them once (bytes copied); the stricter one counts both directions.
/// </summary>
/// <remarks>
/// Steps and copies take turns, and a copy is repeated until it has moved as many bytes as a step reads, so that both last about as long and whatever else
/// the machine does disturbs both alike. A ratio is the median of the rounds' ratios; times are the median's and the best round's.
/// The ratio by processor time divides by the time that each spent on a core instead of the clock's: on an idle machine it says the same, on a busy one
/// it leaves out the waiting for a core.
/// </remarks>
public static class WorkloadBenchmark
{
    // Long enough to be attention, short enough for weights to be 99 % of the bytes of A's layer.
    private const int Context = 64;

    private static readonly string[] Codes = ["A", "B", "C", "D", "F"];

    /// <summary>Prints one figure a line with its unit. Quick: one layer of A at 65B shape, the others at a quarter of its width, few rounds.</summary>
    public static void Run(bool quick)
    {
        var threads = Environment.ProcessorCount;
        var rounds = quick ? 5 : 9;
        Print("workloads: threads", threads, "", 0);
        foreach (var code in Codes)
        {
            var request = new ConfigurationRequest(code, Batch: 8, Context: Context, Stack: "reference");
            Stream(quick && code != "A" ? request with { ModelWidth = 2048, Heads = 16, FeedForwardWidth = 5504 } : request, threads, rounds);
        }

        if (!quick)
        {
            Attention(threads, rounds);
        }
    }

    private static void Stream(ConfigurationRequest request, int threads, int rounds)
    {
        var c = Catalogue.Resolve(request);
        var name = string.Create(CultureInfo.InvariantCulture, $"workloads: {c.Workload} {c.Weights} b{c.Batch} s{c.Context} d{c.ModelWidth}");
        var clock = Stopwatch.StartNew();
        using var step = DecodeStep.Create(c, 1, threads);
        Print($"{name}, data made", step.Parameters / clock.Elapsed.TotalSeconds / 1e6, "M weights/s", 0);
        var cost = Catalogue.Cost(c);
        var source = new byte[(int)Math.Min(512 << 20, cost.WeightBytes)];
        var target = new byte[source.Length];
        Array.Fill(source, (byte)1);
        var copies = (int)Math.Ceiling(cost.WeightBytes / source.Length);
        step.Run();
        Copy(source, target, threads);

        var (steps, copying, processor) = (new double[rounds], new double[rounds], new double[rounds]);
        for (var i = 0; i < rounds; i++)
        {
            var before = Environment.CpuUsage.TotalTime;
            clock.Restart();
            step.Run();
            steps[i] = cost.WeightBytes / clock.Elapsed.TotalSeconds;
            var between = Environment.CpuUsage.TotalTime;
            clock.Restart();
            for (var n = 0; n < copies; n++)
            {
                Copy(source, target, threads);
            }

            copying[i] = (double)copies * source.Length / clock.Elapsed.TotalSeconds;
            processor[i] = cost.WeightBytes / (copies * (double)source.Length) * ((Environment.CpuUsage.TotalTime - between) / (between - before));
        }

        var (streamed, copied, ratio) = (Median(steps), Median(copying), 100 * Median([.. steps.Zip(copying, (s, p) => s / p)]));
        Print($"{name}, step of one layer", cost.WeightBytes / streamed * 1e3, "ms", 1);
        Print($"{name}, step of one layer, best of {rounds}", cost.WeightBytes / steps.Max() * 1e3, "ms", 1);
        Print($"{name}, weights streamed", streamed / 1e9, "GB/s", 2);
        Print($"{name}, plain parallel copy beside it", copied / 1e9, "GB/s copied, each byte counted once", 2);
        Print($"{name}, weights streamed / bytes copied", ratio, "%", 0);
        Print($"{name}, weights streamed / bytes read and written by the copy", ratio / 2, "%", 0);
        Print($"{name}, weights streamed / bytes copied, by processor time", 100 * Median(processor), "%", 0);
        Print($"{name}, weights streamed / bytes copied, best of each", 100 * steps.Max() / copying.Max(), "%", 0);
        Print($"{name}, weight arithmetic", cost.WeightFlops * streamed / cost.WeightBytes / 1e9, "GFLOP/s", 1);
    }

    private static void Attention(int threads, int rounds)
    {
        foreach (var (code, context) in new[] { ("A", 4096), ("D", 4096), ("G", 16384), ("H", 16384), ("I", 4096) })
        {
            var c = Catalogue.Resolve(new ConfigurationRequest(code, Batch: 8, Context: context, ModelWidth: 1024, FeedForwardWidth: 1024, Stack: "reference"));
            var layers = Catalogue.UnitSize(c);
            using var step = DecodeStep.Create(c, layers, threads);
            step.Run();
            var seconds = new double[rounds];
            for (var i = 0; i < rounds; i++)
            {
                var clock = Stopwatch.StartNew();
                step.Run();
                seconds[i] = clock.Elapsed.TotalSeconds;
            }

            Print($"workloads: {code} b8 s{context} d1024, per layer", Median(seconds) / layers * 1e3, "ms", 2);
            Print($"workloads: {code} b8 s{context} d1024, bytes moved", layers * Catalogue.Cost(c).Bytes / Median(seconds) / 1e9, "GB/s", 2);
        }
    }

    private static void Copy(byte[] source, byte[] target, int threads) =>
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            var (from, to) = ((int)((long)source.Length * i / threads), (int)((long)source.Length * (i + 1) / threads));
            Buffer.BlockCopy(source, from, target, from, to - from);
        });

    private static double Median(double[] values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static void Print(string name, double value, string unit, int digits) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {value.ToString("F" + digits, CultureInfo.InvariantCulture)} {unit}").TrimEnd());
}
