using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace EnergyGrid.Devices.Workers;

/// <summary>
/// One worker as a process of the machine: started, spoken to, listened to, ended. A thread of its own starts it and listens until it has ended, because the system ends a worker
/// with the thread that started it.
/// </summary>
internal sealed class WorkerProcess
{
    /// <summary>Signals are told as exit codes above this.</summary>
    private const int SignalBase = 128;

    private static readonly TimeSpan MostToEnd = TimeSpan.FromSeconds(2);

    /// <summary>What a worker is given of this process's environment, beside what its target names. Nothing of the grid's is among it.</summary>
    private static readonly string[] Passed = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "DOTNET_"];

    private readonly WorkerTarget _target;
    private readonly Process _process = new();
    private readonly Lock _writing = new();
    private readonly Complaints _complaints;
    private readonly Action<WorkerProcess, WorkerReport> _heard;
    private readonly Action<WorkerProcess, string, string> _ended;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _garbled;

    /// <param name="target">For what.</param>
    /// <param name="options">How it is started.</param>
    /// <param name="heard">Told every report, by that thread.</param>
    /// <param name="ended">Told how it ended, and the last line that it complained of, by that thread: the last that is heard of it.</param>
    public WorkerProcess(WorkerTarget target, WorkerOptions options, Action<WorkerProcess, WorkerReport> heard, Action<WorkerProcess, string, string> ended)
    {
        (_target, _heard, _ended, _complaints) = (target, heard, ended, new Complaints(options.Log));
        var start = new ProcessStartInfo(options.Command.Program, options.Command.Arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var variable in start.Environment.Keys.Where(k => !Passed.Concat(target.Variables).Any(p => p.EndsWith('_') ? k.StartsWith(p, StringComparison.Ordinal) : k == p)).ToArray()) start.Environment.Remove(variable);
        _process.StartInfo = start;
        var keeper = new Thread(Keep) { IsBackground = true, Name = $"worker of {target.Name}" };
        keeper.Start();
    }

    /// <summary>Its process id; only once it is <see cref="Started"/>.</summary>
    public int Id { get; private set; }

    /// <summary>That it runs.</summary>
    /// <exception cref="InvalidOperationException">It cannot be started.</exception>
    public Task Started => _started.Task;

    /// <summary>That it has ended, and all that it held is free.</summary>
    public Task Gone => _gone.Task;

    /// <summary>Asks something of it. Whether it hears, only its reports tell.</summary>
    public void Send(WorkerRequest request)
    {
        try
        {
            lock (_writing) Frames.Write(_process.StandardInput.BaseStream, request);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // It has ended, or ends: its thread tells.
        }
    }

    /// <summary>Ends it, whatever it is at.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (Exception error) when (error is InvalidOperationException or Win32Exception)
        {
            // It has ended already.
        }
    }

    /// <summary>Lets it end, and ends it if it does not.</summary>
    public void LetGo()
    {
        try
        {
            lock (_writing) _process.StandardInput.Close();
        }
        catch (Exception error) when (error is IOException or InvalidOperationException)
        {
            // It has ended already.
        }
        _ = Task.Delay(MostToEnd).ContinueWith(_ => { if (!Gone.IsCompleted) Kill(); }, TaskScheduler.Default);
    }

    private void Keep()
    {
        try
        {
            _process.Start();
            Id = _process.Id;
            _started.SetResult();
        }
        catch (Exception error) when (error is Win32Exception or IOException)
        {
            var reason = $"the process that runs {_target.Work} cannot be started: {error.Message}";
            _gone.SetResult();
            _ended(this, reason, "");
            _started.SetException(new InvalidOperationException(reason, error));
            _ = _started.Task.Exception;
            return;
        }

        var complaining = Task.Run(Complain);
        Listen();
        // Who has closed its output has ended, or is of no use any more.
        if (!_process.WaitForExit(MostToEnd)) Kill();
        _process.WaitForExit();
        _ = Task.WaitAny([complaining], MostToEnd);
        var code = _process.ExitCode;
        lock (_writing) _process.Dispose();
        _gone.SetResult();
        _ended(this, _garbled ?? Ending(code), complaining.IsCompleted ? _complaints.Last : "");
    }

    private void Listen()
    {
        try
        {
            while (Frames.Read<WorkerReport>(_process.StandardOutput.BaseStream) is { } report) _heard(this, report);
        }
        catch (IOException)
        {
            // As if it had ended: it is ended.
        }
        catch (Exception error)
        {
            // Whatever it says, it does not end this process.
            _garbled = $"the process that ran it said what nobody understands ({error.Message}) and was ended";
            Kill();
        }
    }

    private async Task Complain()
    {
        using var from = new StreamReader(_process.StandardError.BaseStream, Encoding.UTF8);
        var buffer = new char[1024];
        try
        {
            while (await from.ReadAsync(buffer) is > 0 and var count) _complaints.Add(buffer.AsSpan(0, count));
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // Whatever it had to say, that was all of it.
        }
        _complaints.Close();
    }

    private static string Ending(int code) => code > SignalBase
        ? string.Create(CultureInfo.InvariantCulture, $"the process that ran it was ended by signal {code - SignalBase}{Signal(code - SignalBase)}")
        : string.Create(CultureInfo.InvariantCulture, $"the process that ran it ended by itself with exit code {code}");

    private static string Signal(int number) => number switch
    {
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL: by hand, or because memory ran out)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    };
}
