using System.Runtime.InteropServices;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Evidence;

namespace EnergyGrid.Devices.Cuda.Loads;

/// <summary>StreamArguments of kernels/stream.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StreamArguments
{
    public ulong Source, Sums, Tiles;
    public uint Passes, Unused;
}

/// <summary>CopyArguments of kernels/copy.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CopyArguments
{
    public ulong Source, Target, Tiles;
    public uint Passes, Unused;
}

/// <summary>MatrixArguments of kernels/matrix.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MatrixArguments
{
    public ulong Sums, Key;
    public uint Rounds, Flip;
}

/// <summary>A stretch of launches, by the host's clock.</summary>
/// <param name="Begin">ns.</param>
/// <param name="End">ns.</param>
/// <param name="BusySeconds">In the kernel, by the device's events, s.</param>
/// <param name="Launches">How many.</param>
internal readonly record struct Burst(long Begin, long End, double BusySeconds, int Launches)
{
    /// <summary>The share of it between two instants.</summary>
    public double Within(long from, long to) => Math.Max(0, Math.Min(End, to) - Math.Max(Begin, from)) / (double)Math.Max(1, End - Begin);
}

/// <summary>How much one launch does.</summary>
/// <param name="MostBytes">Of each buffer, B; a quarter of the free memory at most.</param>
/// <param name="Rounds">Of the matrix kernel.</param>
/// <param name="Grid">Blocks; as many as the device holds at once when null.</param>
internal sealed record LoadSize(long MostBytes, uint Rounds, uint? Grid = null)
{
    /// <summary>Some milliseconds on a GPU, from a buffer far larger than any cache.</summary>
    public static LoadSize Device { get; } = new(4L << 30, 32768);

    /// <summary>What an emulation does in milliseconds.</summary>
    public static LoadSize Emulation { get; } = new(4L * 32768, 2, 2);
}

/// <summary>One of the ceiling kernels with its buffers, and the means to run it for a share of the time. Random data: zeros would draw less power.</summary>
internal sealed class CeilingLoad : IDisposable
{
    private const int Threads = 256, TileBytes = 32768, WarpsPerBlock = 8;
    private const double FlopsPerWarpRound = 131072;

    /// <summary>Mean period of bursts, s. Each is drawn between half and one and a half of it: a period that is the sensor's own would be seen at one phase only.</summary>
    private const double PeriodSeconds = 0.04;

    private const int PatternBytes = 16 << 20;

    /// <summary>Buffers up to this repeat nothing, B: those that are compared.</summary>
    private const long FreshBytes = 256L << 20;

    /// <summary>Standard deviation of a thread's sum after one round: 128 sums of 16 products of standard normal numbers.</summary>
    private const double DeviationOfSums = 45.25;

    private readonly CeilingKernel _which;
    private readonly CudaStream _stream;
    private readonly CudaKernel _kernel;
    private readonly uint _grid;
    private readonly long _tiles;
    private readonly CudaDeviceVariable<byte>? _source, _target;
    private readonly CudaDeviceVariable<byte> _sums;
    private readonly Random _random;
    private readonly double _launchSeconds;
    private uint _rounds;

    /// <param name="which">Which kernel.</param>
    /// <param name="library">Of this thread's context.</param>
    /// <param name="stream">Not the default one.</param>
    /// <param name="seed">Of its data and of the bursts.</param>
    /// <param name="size">Of a launch.</param>
    public CeilingLoad(CeilingKernel which, KernelLibrary library, CudaStream stream, ulong seed, LoadSize size)
    {
        (_which, _stream, _random) = (which, stream, new Random(unchecked((int)seed)));
        _kernel = library.Kernel(which.ToString().ToLowerInvariant(), 0);
        var device = library.Device();
        _grid = size.Grid ?? (uint)device.ResidentBlocks(_kernel.KernelName, Threads, 0);
        _rounds = size.Rounds;
        _sums = new CudaDeviceVariable<byte>((long)_grid * Threads * sizeof(float));
        try
        {
            if (which != CeilingKernel.Matrix)
            {
                // A quarter of what is free: the copy has two of them.
                _tiles = Math.Max(1, Math.Min(size.MostBytes, device.FreeBytes / 4) / TileBytes);
                _source = Filled(_tiles * TileBytes);
                if (which == CeilingKernel.Copy) _target = new CudaDeviceVariable<byte>(_tiles * TileBytes);
            }
            stream.Synchronize();
            Timed(1);
            _launchSeconds = Math.Max(1e-7, Timed(3) / 3);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes moved by one launch, B.</summary>
    public double Bytes => _which switch { CeilingKernel.Matrix => 0, CeilingKernel.Copy => 2.0 * _tiles * TileBytes, _ => (double)_tiles * TileBytes };

    /// <summary>FLOP of one launch.</summary>
    public double Flops => _which == CeilingKernel.Matrix ? FlopsPerWarpRound * WarpsPerBlock * _grid * _rounds : 0;

    /// <summary>Runs for about so long; every burst that ran.</summary>
    public List<Burst> Run(double duty, double seconds, NodeClock clock, CancellationToken stop)
    {
        var bursts = new List<Burst>();
        var end = clock.NowNanoseconds + (long)(seconds * 1e9);
        if (duty >= 1) Steady(bursts, end, clock, stop);
        else
        {
            while (clock.NowNanoseconds < end)
            {
                stop.ThrowIfCancellationRequested();
                var period = PeriodSeconds * (0.5 + _random.NextDouble());
                var began = clock.NowNanoseconds;
                if (duty > 0)
                {
                    var launches = Math.Max(1, (int)Math.Round(duty * period / _launchSeconds));
                    var busy = Timed(launches);
                    bursts.Add(new(began, clock.NowNanoseconds, busy, launches));
                    // What is asked for is a share: where one launch is longer than its part of the period, the pause grows with it.
                    period = Math.Max(period, (clock.NowNanoseconds - began) * 1e-9 / duty);
                }
                var left = period - (clock.NowNanoseconds - began) * 1e-9;
                if (left > 0) stop.WaitHandle.WaitOne(TimeSpan.FromSeconds(left));
            }
        }
        return bursts;
    }

    /// <summary>
    /// What the kernel left against what it must leave. Stream: the exclusive or of all words. Copy: the copy. Matrix: the sums after one round have the size of
    /// their distribution, and those after three are the same, as the second round takes the first one away.
    /// </summary>
    /// <returns>0 if it is right, 1 if it is not; for matrix the relative difference, NaN where the size is wrong.</returns>
    public double Error()
    {
        if (_which == CeilingKernel.Matrix)
        {
            var (one, three) = (Sums(1), Sums(3));
            var size = Math.Sqrt(one.Average(s => (double)s * s));
            return Math.Abs(size / DeviationOfSums - 1) > 0.25 ? double.NaN : Math.Sqrt(one.Zip(three, (a, b) => Math.Pow((double)a - b, 2)).Average()) / size;
        }
        Enqueue();
        _stream.Synchronize();
        var source = MemoryMarshal.Cast<byte, uint>(_source!.Read());
        return _which == CeilingKernel.Stream
            ? Xor(MemoryMarshal.Cast<byte, uint>(_sums.Read())[..((int)_grid * WarpsPerBlock)]) == Xor(source) ? 0 : 1
            : source.SequenceEqual(MemoryMarshal.Cast<byte, uint>(_target!.Read())) ? 0 : 1;
    }

    public void Dispose()
    {
        _source?.Dispose();
        _target?.Dispose();
        _sums.Dispose();
    }

    private float[] Sums(uint rounds)
    {
        _rounds = rounds;
        Enqueue();
        _stream.Synchronize();
        return MemoryMarshal.Cast<byte, float>(_sums.Read()).ToArray();
    }

    private static uint Xor(ReadOnlySpan<uint> words)
    {
        var all = 0u;
        foreach (var word in words) all ^= word;
        return all;
    }

    // Two bursts in flight: the device never waits for the host.
    private void Steady(List<Burst> bursts, long end, NodeClock clock, CancellationToken stop)
    {
        var launches = Math.Max(1, (int)Math.Round(PeriodSeconds / 2 / _launchSeconds));
        var marks = new Queue<CudaEvent>();
        CudaEvent Mark()
        {
            var mark = new CudaEvent(CUEventFlags.Default);
            mark.Record(_stream.Stream);
            return mark;
        }
        try
        {
            marks.Enqueue(Mark());
            marks.Peek().Synchronize();
            var last = clock.NowNanoseconds;
            for (var more = true; marks.Count > 1 || more;)
            {
                more = clock.NowNanoseconds < end && !stop.IsCancellationRequested;
                while (more && marks.Count < 4)
                {
                    for (var i = 0; i < launches; i++) Enqueue();
                    marks.Enqueue(Mark());
                }
                if (marks.Count < 2) break;
                using var before = marks.Dequeue();
                marks.Peek().Synchronize();
                var now = clock.NowNanoseconds;
                bursts.Add(new(last, now, CudaEvent.ElapsedTime(before, marks.Peek()) / 1e3, launches));
                last = now;
            }
        }
        finally
        {
            foreach (var mark in marks) mark.Dispose();
        }
        stop.ThrowIfCancellationRequested();
    }

    private double Timed(int launches)
    {
        using var begin = new CudaEvent(CUEventFlags.Default);
        using var end = new CudaEvent(CUEventFlags.Default);
        begin.Record(_stream.Stream);
        for (var i = 0; i < launches; i++) Enqueue();
        end.Record(_stream.Stream);
        end.Synchronize();
        return CudaEvent.ElapsedTime(begin, end) / 1e3;
    }

    private void Enqueue()
    {
        var grid = new dim3(_grid, 1, 1);
        switch (_which)
        {
            case CeilingKernel.Stream:
                _kernel.Launch(_stream, grid, Threads, 0, new StreamArguments { Source = _source!.Address(), Sums = _sums.Address(), Tiles = (ulong)_tiles, Passes = 1 });
                break;
            case CeilingKernel.Copy:
                _kernel.Launch(_stream, grid, Threads, 0, new CopyArguments { Source = _source!.Address(), Target = _target!.Address(), Tiles = (ulong)_tiles, Passes = 1 });
                break;
            default:
                _kernel.Launch(_stream, grid, Threads, 0, new MatrixArguments { Sums = _sums.Address(), Key = 0x5eed, Rounds = _rounds, Flip = 0x80008000 });
                break;
        }
    }

    private CudaDeviceVariable<byte> Filled(long bytes)
    {
        var memory = new CudaDeviceVariable<byte>(bytes);
        var pattern = new byte[Math.Min(PatternBytes, bytes)];
        _random.NextBytes(pattern);
        for (long at = 0; at < bytes; at += pattern.Length)
        {
            // The exclusive or of an even number of equal patterns is zero, which a kernel that reads nothing leaves too. Fresh ones for all of a larger buffer
            // would take the host seconds; there is only one such pattern more then.
            if (at > 0 && (bytes <= FreshBytes || at + pattern.Length >= bytes)) _random.NextBytes(pattern);
            memory.Write<byte>(pattern.AsSpan(0, (int)Math.Min(pattern.Length, bytes - at)), at);
        }
        return memory;
    }
}
