namespace EnergyGrid.Engine.Embedded;

/// <summary>
/// Runs code as turns, one at a time, in order; a turn is what runs between two awaits.
/// The law: there is one work item, queued or running, exactly while there is a turn to run. Two would run two turns at once; none would lose one.
/// </summary>
internal abstract class TurnScheduler : TaskScheduler, IThreadPoolWorkItem
{
    /// <summary>Turns that one work item runs before it lets others have the thread.</summary>
    internal const int Budget = 64;

    private readonly Queue<Task> _turns = [];
    private bool _scheduled;

    protected object Gate => _turns;

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Runs code as a turn. The caller's AsyncLocals stay with the caller, as they would between processes.</summary>
    public Task Turn(Func<Task> code)
    {
        if (ExecutionContext.IsFlowSuppressed()) return Task.Factory.StartNew(code, default, TaskCreationOptions.DenyChildAttach, this).Unwrap();
        using (ExecutionContext.SuppressFlow()) return Task.Factory.StartNew(code, default, TaskCreationOptions.DenyChildAttach, this).Unwrap();
    }

    /// <summary>Has <see cref="IThreadPoolWorkItem.Execute"/> called once, soon.</summary>
    protected virtual void Schedule(bool local) => ThreadPool.UnsafeQueueUserWorkItem(this, local);

    protected override void QueueTask(Task task)
    {
        lock (_turns)
        {
            _turns.Enqueue(task);
            if (_scheduled) return;
            _scheduled = true;
        }
        Schedule(local: true);
    }

    void IThreadPoolWorkItem.Execute()
    {
        for (var left = Budget; left > 0; left--)
        {
            Task? turn;
            lock (_turns)
            {
                if (!_turns.TryDequeue(out turn))
                {
                    _scheduled = false;
                    return;
                }
            }
            TryExecuteTask(turn);
        }
        Schedule(local: false); // still scheduled: the next work item finds out whether anything is left
    }

    // Inlining is safe only inside a turn of this same scheduler.
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
        => !taskWasPreviouslyQueued && Current == this && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_turns) return [.. _turns];
    }
}
