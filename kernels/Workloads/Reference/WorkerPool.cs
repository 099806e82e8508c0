using System.Runtime.ExceptionServices;

namespace EnergyGrid.Workloads;

/// <summary>
/// Threads that live as long as a decode step. <see cref="For"/> hands out items one by one, so that a busy core delays the others by one item at most;
/// the caller works too. Which thread takes an item never changes its result: items write to places of their own.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    private readonly Thread[] _threads;
    private readonly AlignedBuffer<float>?[] _scratch;
    private readonly SemaphoreSlim _start = new(0);
    private readonly ManualResetEventSlim _done = new(true, 200);
    private AlignedBuffer<float>? _shared;
    private Action<int, int>? _body;
    private ExceptionDispatchInfo? _fault;
    private int _items;
    private int _next;
    private int _running;
    private volatile bool _stop;

    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _scratch = new AlignedBuffer<float>?[threads];
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"decode {worker}" };
            _threads[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Calls body(worker, item) for each item once; returns when all are done. Not reentrant.</summary>
    public void For(int items, Action<int, int> body)
    {
        if (_threads.Length == 0 || items == 1)
        {
            for (var i = 0; i < items; i++)
            {
                body(0, i);
            }

            return;
        }

        (_body, _items, _next, _fault) = (body, items, 0, null);
        _running = _threads.Length;
        _done.Reset();
        _start.Release(_threads.Length);
        Take(0);
        _done.Wait();
        _body = null;
        _fault?.Throw();
    }

    /// <summary>Memory of the worker's own, at least that many floats; what it holds is undefined.</summary>
    public float* Scratch(int worker, int floats)
    {
        var have = _scratch[worker];
        if (have is null || have.Length < floats)
        {
            have?.Dispose();
            _scratch[worker] = have = new AlignedBuffer<float>(floats);
        }

        return have.Pointer;
    }

    /// <summary>Memory that all workers see, at least that many floats; what it holds is undefined. Not while items run.</summary>
    public float* Shared(int floats)
    {
        if (_shared is null || _shared.Length < floats)
        {
            _shared?.Dispose();
            _shared = new AlignedBuffer<float>(floats);
        }

        return _shared.Pointer;
    }

    public void Dispose()
    {
        _stop = true;
        if (_threads.Length > 0)
        {
            _start.Release(_threads.Length);
        }

        foreach (var thread in _threads)
        {
            thread.Join();
        }

        foreach (var buffer in _scratch)
        {
            buffer?.Dispose();
        }

        _shared?.Dispose();
        _start.Dispose();
        _done.Dispose();
    }

    private void Work(int worker)
    {
        while (true)
        {
            _start.Wait();
            if (_stop)
            {
                return;
            }

            Take(worker);
            if (Interlocked.Decrement(ref _running) == 0)
            {
                _done.Set();
            }
        }
    }

    private void Take(int worker)
    {
        try
        {
            while (true)
            {
                var item = Interlocked.Increment(ref _next) - 1;
                if (item >= _items)
                {
                    return;
                }

                _body!(worker, item);
            }
        }
        catch (Exception e)
        {
            // The first fault is kept; the rest of the items are not handed out.
            Interlocked.CompareExchange(ref _fault, ExceptionDispatchInfo.Capture(e), null);
            Volatile.Write(ref _next, int.MaxValue / 2);
        }
    }
}
