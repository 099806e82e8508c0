using EnergyGrid.Devices.Engines;

namespace EnergyGrid.Devices;

/// <summary>The stacks of one processor as one engine: each is opened when it is first needed, one at a time has something loaded, and steps are counted on from one to the next.</summary>
/// <param name="stacks">By their names.</param>
/// <param name="time">Stamps the marks.</param>
internal sealed class CpuEngines(IReadOnlyList<CpuStack> stacks, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, IStepEngine> _opened = [];
    private readonly Dictionary<IStepEngine, long> _counted = [];
    private readonly List<EngineMark> _drained = [];
    private readonly SemaphoreSlim _opening = new(1);
    private IStepEngine? _active;
    private long _steps;
    private bool _closely;
    private bool _closed;

    public IEnumerable<string> Names => stacks.Select(s => s.Name);

    /// <summary>Why the trial that runs cannot go on, or null.</summary>
    public string? Fault
    {
        get { lock (_gate) return _active?.Fault; }
    }

    /// <summary>Why one of them must be looked at before anything runs, or null.</summary>
    public string? Lost
    {
        get { lock (_gate) return _opened.Values.Select(e => e.Lost).FirstOrDefault(l => l is not null); }
    }

    /// <summary>Processes that work for the device.</summary>
    public IReadOnlyList<int> Processes
    {
        get { lock (_gate) return [.. _opened.Values.SelectMany(e => e.Processes).Distinct()]; }
    }

    public CpuStack? Stack(string name) => stacks.FirstOrDefault(s => s.Name == name);

    public async Task<bool> Revive()
    {
        IStepEngine[] lost;
        lock (_gate)
        {
            if (_closed) return false;
            lost = [.. _opened.Values.Where(e => e.Lost is not null)];
        }
        var revived = await Task.WhenAll(lost.Select(e => e.Revive()));
        return revived.All(r => r);
    }

    /// <exception cref="InvalidOperationException">The stack does not run here, or cannot be opened.</exception>
    public async Task Load(StepLoad load, CancellationToken stop)
    {
        var before = Active;
        var engine = await Opened(load.Configuration.Stack).ConfigureAwait(false);
        if (before is not null && before != engine) await before.Unload().ConfigureAwait(false);
        await engine.Load(load, stop).ConfigureAwait(false);
    }

    public void Start() => Active?.Start();

    public Task Stop() => Active?.Stop() ?? Task.CompletedTask;

    public Task Unload() => Active?.Unload() ?? Task.CompletedTask;

    public void Attend(bool closely)
    {
        lock (_gate)
        {
            _closely = closely;
            foreach (var engine in _opened.Values) engine.Attend(closely);
        }
    }

    /// <summary>Appends the marks since the last drain, by the node's clock.</summary>
    public void Drain(List<StepMark> marks, NodeClock clock)
    {
        lock (_gate)
        {
            if (_active is null) return;
            _drained.Clear();
            _active.Drain(_drained);
            foreach (var mark in _drained)
            {
                _steps += mark.Steps - _counted.GetValueOrDefault(_active);
                _counted[_active] = mark.Steps;
                marks.Add(new StepMark(clock.At(mark.Timestamp), _steps));
            }
        }
    }

    public void Dispose()
    {
        IStepEngine[] opened;
        lock (_gate)
        {
            if (_closed) return;
            (_closed, _active) = (true, null);
            opened = [.. _opened.Values];
        }
        foreach (var engine in opened) engine.Dispose();
    }

    private IStepEngine? Active
    {
        get { lock (_gate) return _active; }
    }

    private async Task<IStepEngine> Opened(string name)
    {
        var stack = Stack(name) ?? throw new InvalidOperationException($"stack '{name}' does not run here");
        await _opening.WaitAsync().ConfigureAwait(false);
        try
        {
            IStepEngine engine;
            lock (_gate)
            {
                if (_closed) throw new DeviceLostException("The cpu device is closed.");
                if (!_opened.TryGetValue(name, out engine!)) (_opened[name] = engine = stack.Engine(time)).Attend(_closely);
            }
            await engine.Open().ConfigureAwait(false);
            Activate(engine);
            return engine;
        }
        finally
        {
            _opening.Release();
        }
    }

    // What it did before belongs to trials that have ended.
    private void Activate(IStepEngine engine)
    {
        lock (_gate)
        {
            if (engine == _active) return;
            _drained.Clear();
            engine.Drain(_drained);
            if (_drained.Count > 0) _counted[engine] = _drained[^1].Steps;
            _active = engine;
        }
    }
}
