using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Workers;

/// <summary>
/// Executes decode steps in a process of its own, one for each target. A worker that is silent for too long, or ends by itself, costs the trial that ran on it and nothing else: what is
/// left of it is ended, and the next request starts another. Where several end in a row, the device is lost until it is looked at again. A worker that nobody needs is given back.
/// </summary>
public sealed class WorkerEngine : IStepEngine
{
    /// <summary>A running device may be silent for so many of its steps.</summary>
    private const double HangSteps = 10;

    /// <summary>What loading brings to the device in a second at least, B/s: weights may come from a slow disk.</summary>
    private const double SlowestBytesPerSecond = 100e6;

    /// <summary>How long a worker that was ended may take to be gone, s: the driver frees what it held.</summary>
    private const double MostToGoSeconds = 30;

    private static readonly TimeSpan MostToClose = TimeSpan.FromSeconds(4);
    private const int MostPending = 100_000;

    private readonly WorkerTarget _target;
    private readonly WorkerOptions _options;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _starting = new(1);
    private readonly List<EngineMark> _marks = [];
    private readonly Dictionary<long, Owed> _owed = [];
    private readonly Silence _silence;
    private readonly Silence _idle;
    private readonly ITimer _watch;
    private WorkerProcess? _worker;
    private Task _before = Task.CompletedTask;
    private StepLoad? _load;
    private string? _fault;
    private string? _workerFault;
    private string? _ending;
    private string? _lost;
    private long _ids;
    private long _stepsBefore;
    private long _steps;
    private long _lastMark;
    private double _markSeconds;
    private int _inRow;
    private bool _isOpen;
    private bool _running;
    private bool _stepped;
    private bool _attended;
    private bool _closed;

    /// <param name="target">For what.</param>
    /// <param name="time">The node's. Its timestamps must be the machine's: those are what a worker's marks bear.</param>
    /// <param name="options">How workers are started and looked after.</param>
    /// <exception cref="ArgumentException">A time that another process cannot know.</exception>
    public WorkerEngine(WorkerTarget target, TimeProvider time, WorkerOptions options)
    {
        if (!ReferenceEquals(time, TimeProvider.System)) throw new ArgumentException("Steps in another process can be marked by the system's time only.", nameof(time));
        (_target, _options) = (target, options with { Log = line => options.Log($"{target.Name}: {line}") });
        var period = Math.Min(0.25, options.HangSeconds / 8);
        (_silence, _idle) = (new Silence(time, 2 * period), new Silence(time, 2 * period));
        _watch = time.CreateTimer(_ => Watch(), null, TimeSpan.FromSeconds(period), TimeSpan.FromSeconds(period));
    }

    public string? Fault
    {
        get { lock (_gate) return _fault ?? _workerFault; }
    }

    public string? Lost
    {
        get { lock (_gate) return _lost; }
    }

    public IReadOnlyList<int> Processes
    {
        get { lock (_gate) return _worker is { Started.IsCompletedSuccessfully: true } worker ? [worker.Id, Environment.ProcessId] : []; }
    }

    public Task Open() => Worker();

    public async Task<string?> Refusal(Configuration configuration, int layers)
    {
        var worker = await Worker().ConfigureAwait(false);
        return await Ask(worker, new WorkerRequest(0, WorkerAct.Refusal, Configuration: ConfigurationMessage.Of(configuration), Layers: layers), _options.CallSeconds,
            $"was asked for {Name(configuration, layers)}").ConfigureAwait(false);
    }

    public async Task Load(StepLoad load, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var worker = await Worker().ConfigureAwait(false);
        lock (_gate) (_load, _markSeconds) = (load, 0);
        try
        {
            await Ask(worker, new WorkerRequest(0, WorkerAct.Load, Configuration: ConfigurationMessage.Of(load.Configuration), Layers: load.Layers),
                _options.CallSeconds + Known(load.ResidentBytes) / SlowestBytesPerSecond, $"loaded {Name(load.Configuration, load.Layers)}").ConfigureAwait(false);
        }
        catch
        {
            lock (_gate) _load = null;
            throw;
        }
    }

    public void Start()
    {
        lock (_gate)
        {
            // Without a worker there is a fault, which is found by whoever looks.
            if (!_isOpen || _worker is null) return;
            (_running, _stepped) = (true, false);
            _silence.Break();
            _worker.Send(new WorkerRequest(0, WorkerAct.Start));
        }
    }

    public async Task Stop()
    {
        if (Opened is { } worker) await Quietly(Ask(worker, new WorkerRequest(0, WorkerAct.Stop), 0, "stopped")).ConfigureAwait(false);
        lock (_gate)
        {
            _running = false;
            if (_stepped && _fault is null) _inRow = 0;
            _stepped = false;
        }
    }

    public async Task Unload()
    {
        lock (_gate) (_fault, _workerFault, _load, _running) = (null, null, null, false);
        if (Opened is { } worker) await Quietly(Ask(worker, new WorkerRequest(0, WorkerAct.Unload), _options.CallSeconds, "unloaded")).ConfigureAwait(false);
    }

    public async Task<bool> Revive()
    {
        lock (_gate)
        {
            if (_lost is null || _closed) return !_closed;
            // One more of the kind is enough.
            _inRow = _options.MostInRow - 1;
        }

        try
        {
            await Worker(thoughLost: true).ConfigureAwait(false);
        }
        catch (Exception still) when (still is InvalidOperationException or DeviceLostException)
        {
            return false;
        }

        lock (_gate) (_lost, _fault) = (null, null);
        return true;
    }

    public void Attend(bool closely)
    {
        lock (_gate)
        {
            _attended = closely;
            _idle.Break();
        }
    }

    public void Drain(List<EngineMark> marks)
    {
        lock (_gate)
        {
            marks.AddRange(_marks);
            _marks.Clear();
        }
    }

    public void Dispose()
    {
        WorkerProcess? worker;
        Owed[] failing;
        lock (_gate)
        {
            if (_closed) return;
            _closed = true;
            (worker, _worker) = (_worker, null);
            failing = TakeOwed();
        }

        _watch.Dispose();
        foreach (var owed in failing) owed.Done.TrySetException(Closed);
        worker?.LetGo();
        if (worker?.Gone.Wait(MostToClose) == false) worker.Kill();
    }

    private DeviceLostException Closed => new($"{_target.Device} is closed.");

    private WorkerProcess? Opened
    {
        get { lock (_gate) return _isOpen ? _worker : null; }
    }

    /// <summary>The worker that there is, or another one.</summary>
    private async Task<WorkerProcess> Worker(bool thoughLost = false)
    {
        await _starting.WaitAsync().ConfigureAwait(false);
        try
        {
            lock (_gate)
            {
                if (_closed) throw Closed;
                if (_lost is { } reason && !thoughLost) throw new DeviceLostException(reason);
                if (_worker is { } there)
                {
                    // It is about to be needed.
                    _idle.Break();
                    return there;
                }
            }

            await GoneBefore().ConfigureAwait(false);
            WorkerProcess worker;
            lock (_gate)
            {
                if (_closed) throw Closed;
                worker = _worker = new WorkerProcess(_target, _options, Heard, Ended);
            }

            await worker.Started.ConfigureAwait(false);
            try
            {
                await Ask(worker, new WorkerRequest(0, WorkerAct.Open, _target.Id, StepWorker.Build), _options.CallSeconds, _target.Opened).ConfigureAwait(false);
            }
            catch (InvalidOperationException error) when (error is not WorkerEndedException)
            {
                // It lives, and is of no use.
                End(worker, (_, _) => error.Message, counts: true);
                throw;
            }

            lock (_gate) _isOpen = ReferenceEquals(_worker, worker);
            return worker;
        }
        finally
        {
            _starting.Release();
        }
    }

    // What the last one held is free only now.
    private async Task GoneBefore()
    {
        try
        {
            await _before.WaitAsync(TimeSpan.FromSeconds(MostToGoSeconds)).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            var reason = string.Create(CultureInfo.InvariantCulture, $"the process that ran {_target.Work} before was killed and is not gone after {MostToGoSeconds:F0} s: {_target.Host} does not let go of it");
            lock (_gate) _lost ??= reason;
            throw new DeviceLostException(reason);
        }
    }

    /// <exception cref="WorkerEndedException">It ended, or was ended, before it answered.</exception>
    /// <exception cref="InvalidOperationException">It answered that it cannot, and why.</exception>
    private Task<string?> Ask(WorkerProcess worker, WorkerRequest request, double boundSeconds, string doing)
    {
        var owed = new Owed(boundSeconds, doing);
        lock (_gate)
        {
            if (!ReferenceEquals(_worker, worker)) return Task.FromException<string?>(new WorkerEndedException(_ending ?? $"the process that ran {_target.Work} has ended"));
            if (Bound() == 0) _silence.Break();
            _owed.Add(++_ids, owed);
            worker.Send(request with { Id = _ids });
        }
        return owed.Done.Task;
    }

    // By the worker's thread.
    private void Heard(WorkerProcess worker, WorkerReport report)
    {
        Owed? answered;
        lock (_gate)
        {
            if (!ReferenceEquals(_worker, worker)) return;
            _silence.Break();
            for (var i = 0; i < Math.Min(report.Timestamps.Length, report.Steps.Length); i++) Mark(report.Timestamps[i], report.Steps[i]);
            _workerFault = report.Fault;
            _owed.Remove(report.Id, out answered);
        }

        // A fault that outlives its context may not outlive its process.
        if (report.Lost is { } lost) End(worker, (_, _) => $"{lost}; the process that ran it was ended");
        if (answered is null) return;
        if (report.Lost is { } gone) answered.Done.TrySetException(new WorkerEndedException(report.Text ?? gone));
        else if (report.Outcome == WorkerOutcome.Done) answered.Done.TrySetResult(report.Text);
        else answered.Done.TrySetException(new InvalidOperationException(report.Text));
    }

    // By the worker's thread, too.
    private void Ended(WorkerProcess worker, string how, string last) =>
        End(worker, (_, doing) => $"{how} while it {doing}{(last.Length > 0 ? $"; it said last: {last}" : "")}", counts: !worker.Started.IsCompletedSuccessfully);

    private void Mark(long timestamp, long steps)
    {
        if (_stepsBefore + steps > _steps)
        {
            if (_running && _lastMark != 0) _markSeconds = TimeProvider.System.GetElapsedTime(_lastMark, timestamp).TotalSeconds;
            _stepped |= _running;
        }
        (_steps, _lastMark) = (_stepsBefore + steps, timestamp);
        if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
        _marks.Add(new EngineMark(timestamp, _steps));
    }

    /// <summary>How long the worker may be silent now, s; 0 where nothing is owed.</summary>
    private double Bound()
    {
        // Setting a context up anew after a fault takes what a call may take.
        if (_workerFault is not null && _owed.Count > 0) return Math.Max(_options.CallSeconds, _owed.Values.Max(o => o.BoundSeconds));
        var isRunning = (_running && _workerFault is null) || _owed.Values.Any(o => o.BoundSeconds == 0);
        // What was seen counts, and before that what is expected.
        var run = isRunning ? Math.Max(_options.HangSeconds, HangSteps * (_markSeconds > 0 ? _markSeconds : Known(_load?.StepSeconds ?? 0))) : 0;
        return _owed.Count == 0 ? run : Math.Max(run, _owed.Values.Max(o => o.BoundSeconds));
    }

    private void Watch()
    {
        WorkerProcess? worker;
        double bound;
        lock (_gate)
        {
            worker = _worker;
            if (worker is null) return;
            bound = Bound();
            if (bound == 0)
            {
                _silence.Break();
                GiveBackIfIdle(worker);
                return;
            }

            _idle.Break();
            if (_silence.Look() < bound) return;
        }

        End(worker, (what, doing) => string.Create(CultureInfo.InvariantCulture, $"{what} did not return within {bound:G3} s while it {doing}; the process that ran it was ended"));
    }

    private void GiveBackIfIdle(WorkerProcess worker)
    {
        if (_attended || _load is not null)
        {
            _idle.Break();
            return;
        }

        if (_idle.Look() < _options.IdleSeconds) return;
        _ending = null;
        Forget(worker);
        worker.LetGo();
    }

    /// <summary>Ends a worker, or what is left of one, and tells why whoever waits for it. Another one is started when it is needed.</summary>
    /// <param name="worker">Which; nothing is done if it is another one by now.</param>
    /// <param name="why">The reason, by what was at work (a kernel, the driver) and what it did.</param>
    /// <param name="counts">Whether it counts as one that ended in a row though nobody needed it.</param>
    private void End(WorkerProcess worker, Func<string, string, string> why, bool counts = false)
    {
        Owed[] failing;
        string reason;
        lock (_gate)
        {
            // It was given back, or ended before.
            if (!ReferenceEquals(_worker, worker)) return;
            var isBusy = _running || _load is not null || _owed.Count > 0;
            reason = _running && _load is { } load ? why(_target.Runner, $"ran {Name(load.Configuration, load.Layers)}") : why(_target.Host, _owed.Values.LastOrDefault()?.Doing ?? (_isOpen ? "waited" : _target.Opened));
            _ending = reason;
            failing = TakeOwed();
            if (_load is not null) _fault ??= reason;
            if (isBusy || counts) _inRow++;
            if (_inRow >= _options.MostInRow) _lost ??= string.Create(CultureInfo.InvariantCulture, $"{_inRow} processes for its {_target.Work} ended in a row; the last time, {reason}");
            Forget(worker);
        }

        worker.Kill();
        _options.Log(reason);
        foreach (var owed in failing) owed.Done.TrySetException(new WorkerEndedException(reason));
    }

    private void Forget(WorkerProcess worker)
    {
        (_worker, _before, _stepsBefore) = (null, worker.Gone, _steps);
        (_load, _isOpen, _running, _workerFault, _lastMark) = (null, false, false, null, 0);
    }

    private Owed[] TakeOwed()
    {
        Owed[] all = [.. _owed.Values];
        _owed.Clear();
        return all;
    }

    private static string Name(Configuration configuration, int layers) => $"{configuration.Workload} at {StepLayers.Name(layers)}";

    private static double Known(double value) => double.IsFinite(value) && value > 0 ? value : 0;

    /// <summary>What was to be stopped or unloaded went with its worker; the fault tells why.</summary>
    private static async Task Quietly(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
        }
        catch (WorkerEndedException)
        {
        }
    }

    /// <summary>Something that a worker was asked for.</summary>
    /// <param name="BoundSeconds">How long it may take, s; 0: as the steps that are under way.</param>
    /// <param name="Doing">In words, after "it".</param>
    private sealed record Owed(double BoundSeconds, string Doing)
    {
        public TaskCompletionSource<string?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>A worker ended before it answered.</summary>
    private sealed class WorkerEndedException(string reason) : InvalidOperationException(reason);
}
