using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Cuda.Loads;

/// <summary>
/// Work for the qualification that needs no kernel: the driver fills a buffer again and again, which keeps the memory busy. One at a time.
/// </summary>
/// <param name="board">On which.</param>
/// <param name="time">By whose timestamps pulses begin.</param>
/// <param name="bytes">Of the buffer: far more than the cache, so that the memory is written; less where less is free.</param>
public sealed class FillExercise(CudaBoard board, TimeProvider time, long bytes = 1L << 30) : ISensorExercise
{
    private long _fills;

    /// <summary>How often the buffer was filled.</summary>
    public long Fills => Interlocked.Read(ref _fills);

    public IDisposable OpenContext() => CudaDriver.Open(board.Index);

    public IDisposable Pulse(double periodSeconds, double duty, long startTimestamp) => new Pulsing(this, periodSeconds, duty, startTimestamp);

    private sealed class Pulsing : IDisposable
    {
        private readonly ManualResetEventSlim _stop = new();
        private readonly Thread _thread;
        private Exception? _failure;

        public Pulsing(FillExercise of, double periodSeconds, double duty, long startTimestamp)
        {
            _thread = new Thread(() =>
            {
                try
                {
                    Fill(of, periodSeconds, duty, startTimestamp);
                }
                catch (Exception error)
                {
                    _failure = error;
                }
            })
            { IsBackground = true, Name = $"exercise of gpu {of.Board.BusIndex}" };
            _thread.Start();
        }

        public void Dispose()
        {
            if (_stop.IsSet) return;
            _stop.Set();
            _thread.Join();
            if (_failure is not null) throw new InvalidOperationException($"The work for the qualification failed: {_failure.Message}", _failure);
        }

        private void Fill(FillExercise of, double periodSeconds, double duty, long startTimestamp)
        {
            using var context = CudaDriver.Open(of.Board.Index);
            using var stream = new CudaStream(CUStreamFlags.NonBlocking);
            using var buffer = new CudaDeviceVariable<byte>(Math.Max(1 << 16, Math.Min(of.Bytes, (long)context.GetFreeDeviceMemorySize() / 2)));
            while (!_stop.IsSet)
            {
                var into = of.Time.GetElapsedTime(startTimestamp).TotalSeconds % periodSeconds;
                if (into < 0) into += periodSeconds;
                if (into >= duty * periodSeconds)
                {
                    Raster.Sleep(of.Time, TimeSpan.FromSeconds(periodSeconds - into), _stop);
                    continue;
                }
                stream.Clear(buffer);
                stream.Synchronize();
                Interlocked.Increment(ref of._fills);
            }
        }
    }

    private CudaBoard Board => board;

    private TimeProvider Time => time;

    private long Bytes => bytes;
}
