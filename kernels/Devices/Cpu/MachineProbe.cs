using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace EnergyGrid.Devices;

/// <summary>What this machine can do, measured briefly.</summary>
public static unsafe class MachineProbe
{
    // More than any cache holds, where there is room: all buffers together, and the share of the free memory that they may take for a moment.
    private const double AllBuffersBytes = 1L << 30, MemoryShare = 0.125;
    private const int LeastBufferBytes = 256 << 10, MostBufferBytes = 64 << 20;

    /// <summary>The size of each of the two buffers that a thread copies between, B: bounded by what the machine, or the container that it is, has free, whatever its number of processors.</summary>
    public static int BufferBytes(int threads, double availableBytes) =>
        (int)Math.Clamp(Math.Min(AllBuffersBytes, MemoryShare * availableBytes) / (2 * threads), LeastBufferBytes, MostBufferBytes) / 4096 * 4096;

    /// <summary>Bytes read and written per second by plain copies on all threads, B/s (as STREAM's copy counts).</summary>
    public static double CopyBytesPerSecond(int threads, double seconds = 0.3)
    {
        var rates = new double[threads];
        var bytes = BufferBytes(threads, AvailableBytes());
        Parallel(threads, i =>
        {
            var from = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
            var to = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
            try
            {
                NativeMemory.Fill(from, (nuint)bytes, 1);
                NativeMemory.Fill(to, (nuint)bytes, 2);
                var (start, copies) = (Stopwatch.GetTimestamp(), 0);
                do
                {
                    Buffer.MemoryCopy(from, to, bytes, bytes);
                    copies++;
                }
                while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);
                rates[i] = 2.0 * bytes * copies / Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
            finally
            {
                NativeMemory.AlignedFree(from);
                NativeMemory.AlignedFree(to);
            }
        });
        return rates.Sum();
    }

    /// <summary>FP32 FLOP/s of fused multiply-adds from registers on all threads.</summary>
    public static double PeakFlopsPerSecond(int threads, double seconds = 0.05)
    {
        var rates = new double[threads];
        Parallel(threads, i =>
        {
            var (factor, term) = (new Vector<float>(0.999f), new Vector<float>(0.001f));
            Vector<float> a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term;
            var (start, done) = (Stopwatch.GetTimestamp(), 0L);
            do
            {
                for (var n = 0; n < 10_000; n++)
                {
                    a = Vector.FusedMultiplyAdd(a, factor, term);
                    b = Vector.FusedMultiplyAdd(b, factor, term);
                    c = Vector.FusedMultiplyAdd(c, factor, term);
                    d = Vector.FusedMultiplyAdd(d, factor, term);
                    e = Vector.FusedMultiplyAdd(e, factor, term);
                    f = Vector.FusedMultiplyAdd(f, factor, term);
                    g = Vector.FusedMultiplyAdd(g, factor, term);
                    h = Vector.FusedMultiplyAdd(h, factor, term);
                }
                done += 10_000L * 8 * 2 * Vector<float>.Count;
            }
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);
            var rate = done / Stopwatch.GetElapsedTime(start).TotalSeconds;
            // The sum is used, so that the loop is not left out.
            rates[i] = Vector.Sum(a + b + c + d + e + f + g + h) > 0 ? rate : 0;
        });
        return rates.Sum();
    }

    /// <summary>Memory that is free to be used now, B.</summary>
    public static double AvailableBytes()
    {
        if (File.Exists("/proc/meminfo"))
            foreach (var line in File.ReadLines("/proc/meminfo"))
                if (line.StartsWith("MemAvailable:", StringComparison.Ordinal) && line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kib, ..] && double.TryParse(kib, out var value))
                    return Math.Min(value * 1024, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        return GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
    }

    /// <summary>The processor's name as the system tells it.</summary>
    public static string ProcessorName()
    {
        if (File.Exists("/proc/cpuinfo"))
            foreach (var line in File.ReadLines("/proc/cpuinfo"))
                if (line.StartsWith("model name", StringComparison.Ordinal) && line.Split(':', 2) is [_, var name])
                    return name.Trim();
        return RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static void Parallel(int threads, Action<int> work)
    {
        var all = Enumerable.Range(0, threads).Select(i => new Thread(() => work(i)) { IsBackground = true }).ToArray();
        foreach (var thread in all) thread.Start();
        foreach (var thread in all) thread.Join();
    }
}
