namespace EnergyGrid.Devices.Engines;

/// <summary>A decode step that is resident and can be run.</summary>
public interface ILoadedStep : IDisposable
{
    /// <summary>All layers once for the whole batch.</summary>
    void Run();
}

/// <summary>How a stack that runs on the processor makes its steps. All of it is called by one thread.</summary>
public interface IStepMaker : IDisposable
{
    /// <summary>Loads what every step needs.</summary>
    /// <exception cref="InvalidOperationException">It cannot be had: the message says why.</exception>
    void Open();

    /// <summary>Why it cannot make this, or null.</summary>
    string? Refusal(Contracts.Configuration configuration, int layers);

    /// <summary>Makes it resident.</summary>
    /// <exception cref="OperationCanceledException">It was not waited for.</exception>
    ILoadedStep Make(StepLoad load, CancellationToken stop);
}

/// <summary>Runs steps back to back on a thread of its own in this process and marks the end of each.</summary>
public sealed class ThreadEngine : IStepEngine
{
    private const int MostPending = 20_000;

    private readonly TimeProvider _time;
    private readonly IStepMaker _maker;
    private readonly string _name;
    private readonly Lock _gate = new();
    private readonly List<EngineMark> _marks = [];
    private readonly Queue<Action> _jobs = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Thread _thread;
    private volatile bool _running;
    private volatile bool _ending;
    private volatile string? _fault;
    private ILoadedStep? _step;
    private long _steps;

    /// <param name="maker">Makes the steps; disposed with the engine.</param>
    /// <param name="time">Stamps the marks.</param>
    /// <param name="name">Of its thread, and of itself in what is said when it is closed.</param>
    public ThreadEngine(IStepMaker maker, TimeProvider time, string name)
    {
        (_maker, _time, _name) = (maker, time, name);
        _thread = new Thread(Work) { IsBackground = true, Name = name };
        _thread.Start();
    }

    public string? Fault => _fault;

    public string? Lost => null;

    public IReadOnlyList<int> Processes => [Environment.ProcessId];

    public Task Open() => OnThread<object?>(() =>
    {
        _maker.Open();
        return null;
    });

    public Task<string?> Refusal(Contracts.Configuration configuration, int layers) => OnThread(() => _maker.Refusal(configuration, layers));

    public Task Load(StepLoad load, CancellationToken stop) => OnThread<object?>(() =>
    {
        stop.ThrowIfCancellationRequested();
        Drop();
        _step = _maker.Make(load, stop);
        return null;
    });

    public void Start()
    {
        Mark();
        _running = true;
        _wake.Release();
    }

    public Task Stop()
    {
        _running = false;
        // Its turn comes after the running step.
        return OnThread<object?>(static () => null);
    }

    public Task Unload() => OnThread<object?>(() =>
    {
        Drop();
        _fault = null;
        return null;
    });

    public Task<bool> Revive() => Task.FromResult(!_ending);

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
        _thread.Join();
    }

    private void Work()
    {
        while (!_ending)
        {
            if (Next() is { } job) job();
            else if (_running && _fault is null && _step is { } step) RunOnce(step);
            else _wake.Wait();
        }

        while (Next() is { } left) left();
        Drop();
        _maker.Dispose();
    }

    // Nobody waits for a running step: the trial finds the fault when it looks at the device's condition.
    private void RunOnce(ILoadedStep step)
    {
        try
        {
            step.Run();
            _steps++;
            Mark();
        }
        catch (Exception error)
        {
            _fault = error.Message;
        }
    }

    private void Mark()
    {
        lock (_gate)
        {
            if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
            _marks.Add(new EngineMark(_time.GetTimestamp(), _steps));
        }
    }

    private Action? Next()
    {
        lock (_gate) return _jobs.TryDequeue(out var job) ? job : null;
    }

    private void Drop()
    {
        _step?.Dispose();
        _step = null;
    }

    private Task<T> OnThread<T>(Func<T> job)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_ending) return Task.FromException<T>(new DeviceLostException($"{_name} is closed."));
        lock (_gate)
        {
            _jobs.Enqueue(() =>
            {
                try
                {
                    done.SetResult(job());
                }
                catch (OperationCanceledException cancelled)
                {
                    done.SetCanceled(cancelled.CancellationToken);
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
