using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// One NVIDIA GPU: it executes the decode steps of the <c>cuda</c> stack, a graph a step, on a thread of its own that owns the context. Steps are counted by events
/// that the device stamps. A kernel that faults ends the trial with the driver's error, and the context is set up anew; a board that does not answer is quarantined.
/// </summary>
public sealed class CudaDevice : IDevice
{
    /// <summary>Steps that fill less than this are enqueued together: finer marks tell nothing and cost time.</summary>
    private const double MarkSeconds = 0.002;

    /// <summary>Marked bundles under way at once: the device never waits for the host.</summary>
    private const int Depth = 4;

    private const int MostPending = 100_000;

    private readonly CudaBoard _board;
    private readonly BoardSensor _sensor;
    private readonly NvmlSession _nvml;
    private readonly NodeClock _clock;
    private readonly Lock _gate = new();
    private readonly List<StepMark> _marks = [];
    private readonly Queue<Action> _jobs = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _worker;
    private volatile bool _running;
    private volatile bool _ending;
    private volatile string? _fault;
    private volatile string? _quarantine;
    private PrimaryContext? _context;
    private KernelLibrary? _library;
    private CudaStream? _stream;
    private ResidentStep? _step;
    private long _steps;
    private long _lastMark;

    /// <summary>Opens the board's context and loads what a plan asks of its kernels.</summary>
    /// <param name="board">Which.</param>
    /// <param name="sensor">Its own; disposed with the device.</param>
    /// <param name="nvml">The sensor's; disposed with the device.</param>
    /// <param name="info">What it is called in the grid, and its ceilings.</param>
    /// <param name="clock">The node's, which stamps the readings too.</param>
    /// <exception cref="CudaException">The driver gives no context.</exception>
    /// <exception cref="KernelRefusedException">The board is too old.</exception>
    public CudaDevice(CudaBoard board, BoardSensor sensor, NvmlSession nvml, DeviceInfo info, NodeClock clock)
    {
        (_board, _sensor, _nvml, Info, _clock) = (board, sensor, nvml, info, clock);
        _worker = new Thread(Work) { IsBackground = true, Name = $"gpu {board.Index}" };
        _worker.Start();
        _opened.Task.GetAwaiter().GetResult();
    }

    public DeviceInfo Info { get; }

    public DeviceSensor Sensor => _sensor.Sensor;

    public string? Quarantine => _quarantine;

    public Task<bool> Revive()
    {
        if (_quarantine is null || _ending) return Task.FromResult(!_ending);
        var done = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _jobs.Enqueue(() => done.SetResult(OpenAgain()));
        _wake.Release();
        return done.Task;
    }

    public DeviceCondition Condition()
    {
        ThrowIfLost();
        try
        {
            var now = _sensor.Condition();
            return _fault is { } fault ? now with { Hindrance = fault } : now;
        }
        catch (DeviceLostException lost)
        {
            Lose(lost.Message);
            throw;
        }
    }

    public string? Refusal(Configuration configuration, StepCost cost, int layers)
    {
        ThrowIfLost();
        if (configuration.Stack is not "cuda") return $"stack '{configuration.Stack}' does not run here; a GPU runs 'cuda'";
        // What is loaded makes room first.
        return OnWorker(() => StepPlan.Refusal(configuration, layers, Roomy())).GetAwaiter().GetResult();
    }

    public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => OnWorker(() =>
    {
        stop.ThrowIfCancellationRequested();
        Drop();
        var device = _library!.Device();
        if (StepPlan.Refusal(configuration, layers, device) is { } refusal) throw new InvalidOperationException(refusal);
        _step = ResidentStep.Create(StepPlan.Create(configuration, layers, device), _library, _stream!);
        return true;
    });

    public void Start()
    {
        lock (_gate) _marks.Add(new StepMark(_lastMark = Math.Max(NowNanoseconds(), _lastMark + 1), _steps));
        _running = true;
        _wake.Release();
    }

    public Task Stop()
    {
        _running = false;
        // Its turn comes after the steps that are under way.
        return Quietly(OnWorker(static () => true));
    }

    public Task Unload() => Quietly(OnWorker(() =>
    {
        Drop();
        _fault = null;
        return true;
    }));

    public void Drain(List<DeviceReading> readings, List<StepMark> steps)
    {
        _sensor.Drain(readings);
        lock (_gate)
        {
            steps.AddRange(_marks);
            _marks.Clear();
        }
    }

    public void Dispose()
    {
        if (_ending) return;
        (_running, _ending) = (false, true);
        _wake.Release();
        _worker.Join();
        _sensor.Dispose();
        _nvml.Dispose();
    }

    private void Work()
    {
        try
        {
            Open();
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
            else if (_running && _fault is null && _quarantine is null && _step is { } step) RunSteps(step);
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
            var clock = new StepClock(NowNanoseconds());
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
                Mark(clock.Map(elapsed * 1e9, NowNanoseconds()), oldest.Steps);
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
        if (fault is not null) _fault = Recover(fault);
    }

    private void Mark(long nanoseconds, int steps)
    {
        lock (_gate)
        {
            _steps += steps;
            // The mapping to the node's clock may move back by more than a short step takes: marks must not.
            _lastMark = nanoseconds = Math.Max(nanoseconds, _lastMark + 1);
            if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
            _marks.Add(new StepMark(nanoseconds, _steps));
        }
    }

    // After a fault nothing in the context works any more: everything in it goes, and it is set up anew. What happened, in words; null if that failed.
    private string? Recover(CudaException error)
    {
        _running = false;
        var doing = _step is { } step ? $" while it ran {step.Plan.Configuration.Workload} at {StepLayers.Name(step.Plan.Layers)}" : "";
        try
        {
            _sensor.Condition();
        }
        catch (DeviceLostException lost)
        {
            Lose($"{lost.Message} ({error.Message})");
            return null;
        }

        try
        {
            Close();
            PrimaryContext.Reset(_board.Index);
            Open();
            return $"{error.Message}{doing}; the context was set up anew";
        }
        catch (Exception again) when (again is CudaException or PtxRefusedException)
        {
            Lose($"{error.Message}{doing}, and its context cannot be set up anew: {again.Message}");
            return null;
        }
    }

    private void Lose(string reason)
    {
        _running = false;
        _quarantine ??= $"{Info.Uuid} is quarantined until it answers again: {reason}";
    }

    // On the worker. First the sensors, which need no context; then everything that was in the context anew.
    private bool OpenAgain()
    {
        try
        {
            _sensor.Condition();
            Close();
            PrimaryContext.Reset(_board.Index);
            Open();
        }
        catch (Exception still) when (still is DeviceLostException or CudaException or PtxRefusedException or NvmlException)
        {
            return false;
        }
        (_fault, _quarantine) = (null, null);
        return true;
    }

    private void ThrowIfLost()
    {
        if (_quarantine is { } reason) throw new DeviceLostException(reason);
    }

    private void Open()
    {
        _context = CudaDriver.Open(_board.Index);
        _library = new KernelLibrary(_context, _board);
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

    private Task<T> OnWorker<T>(Func<T> job)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_ending) return Task.FromException<T>(new DeviceLostException($"{Info.Uuid} is closed."));
        lock (_gate)
        {
            _jobs.Enqueue(() =>
            {
                try
                {
                    ThrowIfLost();
                    done.SetResult(job());
                }
                catch (OperationCanceledException cancelled)
                {
                    done.SetCanceled(cancelled.CancellationToken);
                }
                catch (CudaException error) when (error.CudaError != CUResult.ErrorOutOfMemory)
                {
                    Recover(error);
                    done.SetException(_quarantine is { } reason ? new DeviceLostException(reason, error) : error);
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

    /// <summary>Stopping and unloading what is gone is no failure.</summary>
    private static async Task Quietly(Task task)
    {
        try
        {
            await task;
        }
        catch (DeviceLostException)
        {
        }
    }

    private long NowNanoseconds() => _clock.NowNanoseconds;
}
