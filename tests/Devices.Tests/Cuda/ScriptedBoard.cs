using System.Runtime.InteropServices;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Tests.Cuda;

/// <summary>A script, NVML started on it, and a time that both follow: it goes on when someone waits, and a little with each look at the clock.</summary>
internal sealed unsafe class ScriptedBoard : IDisposable
{
    /// <summary>What one look at the clock costs, s.</summary>
    public const double LookSeconds = 50e-6;

    private readonly string _file = Path.GetTempFileName();
    private readonly IDisposable _variable;
    private readonly nint _library;

    public ScriptedBoard(EmulatedLibraries libraries, string script)
    {
        File.WriteAllText(_file, script);
        _variable = EmulatedLibraries.Set("EMULATED_NVML_SCRIPT", _file);
        _library = NativeLibrary.Load(libraries.NvmlLibrary);
        Session = new NvmlSession();
        Time = new SteppingTime((delegate* unmanaged<double, int>)NativeLibrary.GetExport(_library, "emulated_nvml_set_time"));
        Device = Session.ByIndex(0);
        Clock = new NodeClock(Time);
    }

    public NvmlSession Session { get; }

    public NvmlDevice Device { get; }

    public SteppingTime Time { get; }

    public NodeClock Clock { get; }

    /// <summary>One more line of the script.</summary>
    public void Command(FormattableString line)
    {
        var text = Marshal.StringToCoTaskMemUTF8(FormattableString.Invariant(line));
        try
        {
            Assert.Equal(0, ((delegate* unmanaged<nint, int>)NativeLibrary.GetExport(_library, "emulated_nvml_command"))(text));
        }
        finally
        {
            Marshal.FreeCoTaskMem(text);
        }
    }

    public void Dispose()
    {
        Session.Dispose();
        _variable.Dispose();
        File.Delete(_file);
        // Scripts to come run by the machine's clock again, unless they take it over too.
        _ = ((delegate* unmanaged<double, int>)NativeLibrary.GetExport(_library, "emulated_nvml_set_time"))(double.NaN);
    }

    /// <summary>Time that stands still unless someone looks or waits; NVML's follows.</summary>
    internal sealed class SteppingTime : TimeProvider
    {
        private readonly delegate* unmanaged<double, int> _set;
        private long _ticks;

        public SteppingTime(delegate* unmanaged<double, int> set)
        {
            _set = set;
            To(0);
        }

        /// <summary>Seconds since the beginning, without looking.</summary>
        public double Seconds => _ticks / 1e7;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void To(double seconds)
        {
            _ticks = (long)Math.Round(seconds * 1e7);
            _set(seconds);
        }

        public override long GetTimestamp()
        {
            To(Seconds + LookSeconds);
            return _ticks;
        }

        public override DateTimeOffset GetUtcNow() => Laboratory.Start.AddTicks(_ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            To(Seconds + dueTime.TotalSeconds);
            callback(state);
            return new Done();
        }

        private sealed class Done : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    /// <summary>A context adds 40 W; work goes to 400 W, in a sine where it pulses.</summary>
    internal sealed class Exercise(ScriptedBoard board) : ISensorExercise
    {
        public IDisposable OpenContext()
        {
            board.Command($"power {board.Time.Seconds} 110");
            return new Back(board, 70);
        }

        public IDisposable Pulse(double periodSeconds, double duty, long startTimestamp)
        {
            var start = startTimestamp / 1e7;
            while (start < board.Time.Seconds) start += periodSeconds;
            if (duty >= 1) board.Command($"power {start} 400");
            else board.Command($"power {start} sine 250 150 {1 / periodSeconds}");
            return new Back(board, 110);
        }

        private sealed class Back(ScriptedBoard board, double watts) : IDisposable
        {
            public void Dispose() => board.Command($"power {board.Time.Seconds} {watts}");
        }
    }
}
