using System.Diagnostics;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// How fast the reference streams weights, against a plain copy on the same machine in the same run: one layer of A's shape at batch 8.
/// A copy of n bytes reads n and writes n; the ratio takes the n bytes copied, and the line with both directions stands beside it.
/// </summary>
public static class WorkloadBenchmark
{
    /// <summary>Prints one figure a line with its unit. Quick: one layer of A in FP16 and three repetitions.</summary>
    public static void Run(bool quick)
    {
        var threads = Environment.ProcessorCount;
        var repetitions = quick ? 3 : 9;
        Print("workloads: threads", threads, "", 0);
        // A short context leaves the layer's weights; attention has figures of its own below.
        Stream("A", threads, repetitions);
        if (quick)
        {
            return;
        }

        foreach (var code in new[] { "B", "C", "D", "F" })
        {
            Stream(code, threads, repetitions);
        }

        Attention(threads, repetitions);
    }

    private static void Stream(string code, int threads, int repetitions)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest(code, Batch: 8, Context: 64, Stack: "reference"));
        var clock = Stopwatch.StartNew();
        using var step = DecodeStep.Create(c, 1, threads);
        Print($"workloads: {code} b8 data made", step.Parameters / clock.Elapsed.TotalSeconds / 1e6, "M weights/s", 0);
        var weights = Catalogue.Cost(c).WeightBytes;
        step.Run();

        // Interleaved, so that a noisy neighbour disturbs both alike; the best of each stands for the machine.
        var (decode, copy) = (double.PositiveInfinity, double.PositiveInfinity);
        var source = new byte[512 << 20];
        var target = new byte[source.Length];
        Array.Fill(source, (byte)1);
        Copy(source, target, threads);
        for (var i = 0; i < repetitions; i++)
        {
            clock.Restart();
            step.Run();
            decode = Math.Min(decode, clock.Elapsed.TotalSeconds);
            clock.Restart();
            Copy(source, target, threads);
            copy = Math.Min(copy, clock.Elapsed.TotalSeconds);
        }

        var (streamed, copied) = (weights / decode, source.Length / copy);
        Print($"workloads: {code} b8 step of one layer", decode * 1e3, "ms", 1);
        Print($"workloads: {code} b8 weights streamed", streamed / 1e9, "GB/s", 2);
        Print("workloads: plain copy", copied / 1e9, "GB/s copied", 2);
        Print("workloads: plain copy, both directions", 2 * copied / 1e9, "GB/s read and written", 2);
        Print($"workloads: {code} b8 weights streamed / bytes copied", 100 * streamed / copied, "%", 0);
        Print($"workloads: {code} b8 weights streamed / bytes read and written", 50 * streamed / copied, "%", 0);
        Print($"workloads: {code} b8 weight arithmetic", Catalogue.Cost(c).WeightFlops / decode / 1e9, "GFLOP/s", 1);
    }

    private static void Attention(int threads, int repetitions)
    {
        foreach (var (code, context) in new[] { ("A", 4096), ("D", 4096), ("G", 16384), ("H", 16384), ("I", 4096) })
        {
            var c = Catalogue.Resolve(new ConfigurationRequest(code, Batch: 8, Context: context, ModelWidth: 1024, FeedForwardWidth: 1024, Stack: "reference"));
            var layers = Catalogue.UnitSize(c);
            using var step = DecodeStep.Create(c, layers, threads);
            step.Run();
            var clock = new Stopwatch();
            var best = double.PositiveInfinity;
            for (var i = 0; i < repetitions; i++)
            {
                clock.Restart();
                step.Run();
                best = Math.Min(best, clock.Elapsed.TotalSeconds);
            }

            Print($"workloads: {code} b8 s{context} d1024, per layer", best / layers * 1e3, "ms", 2);
            Print($"workloads: {code} b8 s{context} d1024, bytes moved", layers * Catalogue.Cost(c).Bytes / best / 1e9, "GB/s", 2);
        }
    }

    private static void Copy(byte[] source, byte[] target, int threads) =>
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            var share = source.Length / threads;
            Buffer.BlockCopy(source, i * share, target, i * share, share);
        });

    private static void Print(string name, double value, string unit, int digits) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {value.ToString("F" + digits, CultureInfo.InvariantCulture)} {unit}").TrimEnd());
}
