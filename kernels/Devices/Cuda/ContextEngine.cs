using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// Executes decode steps in this process, a graph a step, on a thread of its own that owns the context. Steps are counted by events that the device stamps. After a kernel that
/// faults the context is set up anew. A kernel that never returns holds the thread for ever: only the end of the process cures that.
/// </summary>
/// <param name="board">On which.</param>
/// <param name="time">Stamps the marks.</param>
public sealed class ContextEngine(CudaBoard board, TimeProvider time) : IStepEngine
{
    /// <summary>Steps that fill less than this are enqueued together: finer marks tell nothing and cost time.</summary>
    private const double MarkSeconds = 0.002;

    /// <summary>Marked bundles under way at once: the device never waits for the host.</summary>
    private const int Depth = 4;

    private const int MostPending = 100_000;

    private readonly Lock _gate = new();
    private readonly List<EngineMark> _marks = [];
    private readonly Queue<Action> _jobs = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Marks are apart by what the node's clock can tell apart: 100 ns.
    private readonly long _apart = Math.Max(1, time.TimestampFrequency / 10_000_000);
    private Thread? _thread;
    private volatile bool _running;
    private volatile bool _ending;
    private volatile string? _fault;
    private volatile string? _lost;
    private PrimaryContext? _context;
    private KernelLibrary? _library;
    private CudaStream? _stream;
    private ResidentStep? _step;
    private long _steps;
    private long _lastMark;

    public string? Fault => _fault;

    public string? Lost => _lost;

    public IReadOnlyList<int> Processes => [Environment.ProcessId];

    /// <inheritdoc/>
    /// <exception cref="CudaException">The driver gives no context.</exception>
    /// <exception cref="KernelRefusedException">The board is too old.</exception>
    public Task Open()
    {
        lock (_gate)
        {
            if (_thread is not null) return _opened.Task;
            _thread = new Thread(Work) { IsBackground = true, Name = $"gpu {board.Index}" };
        }
        _thread.Start();
        return _opened.Task;
    }

    public Task<bool> Revive()
    {
        if (_lost is null || _ending) return Task.FromResult(!_ending);
        var done = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _jobs.Enqueue(() => done.SetResult(OpenAgain()));
        _wake.Release();
        return done.Task;
    }

    // What is loaded makes room first.
    public Task<string?> Refusal(Configuration configuration, int layers) => OnThread(() => StepPlan.Refusal(configuration, layers, Roomy()));

    public Task Load(StepLoad load, CancellationToken stop) => OnThread(() =>
    {
        stop.ThrowIfCancellationRequested();
        Drop();
        var device = _library!.Device();
        if (StepPlan.Refusal(load.Configuration, load.Layers, device) is { } refusal) throw new InvalidOperationException(refusal);
        _step = ResidentStep.Create(StepPlan.Create(load.Configuration, load.Layers, device), _library, _stream!);
        return true;
    });

    public void Start()
    {
        lock (_gate) Mark(time.GetTimestamp(), 0);
        _running = true;
        _wake.Release();
    }

    public Task Stop()
    {
        _running = false;
        // Its turn comes after the steps that are under way.
        return OnThread(static () => true);
    }

    public Task Unload() => OnThread(() =>
    {
        Drop();
        _fault = null;
        return true;
    });

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
        if (_ending) return;
        (_running, _ending) = (false, true);
        _wake.Release();
        _thread?.Join();
    }

    private void Work()
    {
        try
        {
            SetUp();
            _opened.SetResult();
        }
        catch (Exception error)
        {
            _opened.SetException(error);
            Close();
            return;
        }

        while (!_ending)
        {
            Action? job;
            lock (_gate) _jobs.TryDequeue(out job);
            if (job is not null) job();
            else if (_running && _fault is null && _lost is null && _step is { } step) RunSteps(step);
            else _wake.Wait();
        }

        Action? left;
        while ((left = Next()) is not null) left();
        Close();
    }

    private Action? Next()
    {
        lock (_gate) return _jobs.TryDequeue(out var job) ? job : null;
    }

    private bool HasJobs()
    {
        lock (_gate) return _jobs.Count > 0;
    }

    private void RunSteps(ResidentStep step)
    {
        var free = new Stack<CudaEvent>();
        var under = new Queue<(CudaEvent End, int Steps)>();
        CudaEvent? begin = null;
        // Neither among those that are free nor among those that are under way.
        CudaEvent? taken = null;
        CudaException? fault = null;
        try
        {
            for (var i = 0; i < Depth; i++) free.Push(new CudaEvent(CUEventFlags.BlockingSync));
            begin = new CudaEvent(CUEventFlags.BlockingSync);
            begin.Record(_stream!.Stream);
            begin.Synchronize();
            var clock = new StepClock(time.GetTimestamp());
            var (bundle, last) = (1, 0.0);
            while (true)
            {
                while (free.Count > 0 && _running && !HasJobs())
                {
                    for (var i = 0; i < bundle; i++) step.Enqueue(_stream);
                    taken = free.Pop();
                    taken.Record(_stream.Stream);
                    under.Enqueue((taken, bundle));
                    taken = null;
                }

                if (!under.TryDequeue(out var oldest)) return;
                taken = oldest.End;
                oldest.End.Synchronize();
                var elapsed = CudaEvent.ElapsedTime(begin, oldest.End) / 1e3;
                var at = clock.Map(elapsed * time.TimestampFrequency, time.GetTimestamp());
                lock (_gate) Mark(at, oldest.Steps);
                bundle = Math.Clamp((int)Math.Ceiling(MarkSeconds / Math.Max(1e-6, (elapsed - last) / oldest.Steps)), 1, 256);
                last = elapsed;
                free.Push(oldest.End);
                taken = null;
            }
        }
        catch (CudaException error)
        {
            fault = error;
        }
        finally
        {
            begin?.Dispose();
            taken?.Dispose();
            foreach (var e in free) e.Dispose();
            foreach (var (e, _) in under) e.Dispose();
        }

        // Only now: what is destroyed with a context is no handle any more that the driver may be given.
        // Nobody waits for a running step: the trial finds the fault when it looks at the device's condition.
        // Told before the context is set up anew, which may take long: from here on no kernel is waited for.
        if (fault is null) return;
        _fault = fault.Message;
        _fault = Recover(fault);
    }

    // Under the gate.
    private void Mark(long timestamp, int steps)
    {
        _steps += steps;
        // The mapping to the clock may move back by more than a short step takes: marks must not.
        _lastMark = Math.Max(timestamp, _lastMark + _apart);
        if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
        _marks.Add(new EngineMark(_lastMark, _steps));
    }

    // After a fault nothing in the context works any more: everything in it goes, and it is set up anew. What happened, in words; null if that failed.
    private string? Recover(CudaException error)
    {
        _running = false;
        var doing = _step is { } step ? $" while it ran {step.Plan.Configuration.Workload} at {StepLayers.Name(step.Plan.Layers)}" : "";
        try
        {
            Close();
            PrimaryContext.Reset(board.Index);
            SetUp();
            return $"{error.Message}{doing}; the context was set up anew";
        }
        catch (Exception again) when (again is CudaException or PtxRefusedException)
        {
            _lost ??= $"{error.Message}{doing}, and its context cannot be set up anew: {again.Message}";
            return null;
        }
    }

    private bool OpenAgain()
    {
        try
        {
            Close();
            PrimaryContext.Reset(board.Index);
            SetUp();
        }
        catch (Exception still) when (still is CudaException or PtxRefusedException)
        {
            return false;
        }
        (_fault, _lost) = (null, null);
        return true;
    }

    private void SetUp()
    {
        _context = CudaDriver.Open(board.Index);
        _library = new KernelLibrary(_context, board);
        _stream = new CudaStream(CUStreamFlags.NonBlocking);
    }

    private void Close()
    {
        Attempt(Drop);
        Attempt(() => _stream?.Dispose());
        Attempt(() => _library?.Dispose());
        Attempt(() => _context?.Dispose());
        (_stream, _library, _context) = (null, null, null);

        // What fails in a broken context goes with it.
        static void Attempt(Action give)
        {
            try
            {
                give();
            }
            catch (CudaException)
            {
            }
        }
    }

    private void Drop()
    {
        var step = _step;
        _step = null;
        step?.Dispose();
    }

    private PlanDevice Roomy()
    {
        var device = _library!.Device();
        return _step is null ? device : device with { FreeBytes = device.FreeBytes + _step.Plan.ResidentBytes };
    }

    private Task<T> OnThread<T>(Func<T> job)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_ending) return Task.FromException<T>(new DeviceLostException($"{board.Uuid} is closed."));
        lock (_gate)
        {
            _jobs.Enqueue(() =>
            {
                try
                {
                    if (_lost is { } reason) throw new DeviceLostException(reason);
                    done.SetResult(job());
                }
                catch (OperationCanceledException cancelled)
                {
                    done.SetCanceled(cancelled.CancellationToken);
                }
                catch (CudaException error) when (error.CudaError != CUResult.ErrorOutOfMemory)
                {
                    Recover(error);
                    done.SetException(_lost is { } reason ? new DeviceLostException(reason, error) : error);
                }
                catch (Exception error)
                {
                    done.SetException(error);
                }
            });
        }
        _wake.Release();
        return done.Task;
    }
}
