using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>State that is written whole, under the number of the activation that wrote it.</summary>
public interface IKeptState<out T>
{
    /// <summary>The number of the last activation that took the state up; from 1.</summary>
    long Fence { get; set; }

    /// <summary>A copy that can be changed without changing this.</summary>
    T Copy();
}

/// <summary>
/// The durable state of an actor that may have a stale copy of itself somewhere. Every activation takes it up under a number of its own before it acts;
/// from then on a copy with a lower number cannot write, and finds out.
/// </summary>
internal sealed class Kept<T>(IPersistentState<T> state) where T : class, IKeptState<T>
{
    private readonly SemaphoreSlim _one = new(1, 1);

    private SupersededException? _superseded;

    // Whether the last write took place is unknown: read again before the next.
    private bool _unsure;

    // While a write is on its way, what stood before it.
    private T? _before;

    /// <summary>What is on disk. A change that is being written is not seen before it is there.</summary>
    public T Now => _before ?? state.State;

    public bool Exists => state.RecordExists;

    /// <summary>Whether this activation has its number.</summary>
    public bool Taken { get; private set; }

    /// <summary>Takes a number above all before it, on disk before the answer.</summary>
    /// <exception cref="StorageTroubleException">It could not be kept; try again.</exception>
    public async Task<long> Take()
    {
        if (!Taken) await Change(static s => s.Fence++);
        return Now.Fence;
    }

    /// <summary>Changes the state on disk and in memory, or neither. One change at a time, in the order in which they were asked for.</summary>
    /// <param name="change">May be made twice, after a write of which nobody knows whether it took place: so it sets, it does not add.</param>
    /// <exception cref="StorageTroubleException">It could not be kept.</exception>
    /// <exception cref="SupersededException">Another activation has written since.</exception>
    public async Task Change(Action<T> change)
    {
        await _one.WaitAsync();
        try
        {
            if (_superseded is not null) throw _superseded;
            if (_unsure) await ReadAgain();
            var before = _before = state.State;
            state.State = before.Copy();
            try
            {
                // A first write that was refused took no number yet: the next one takes it together with its change.
                change(state.State);
                await state.WriteStateAsync();
                Taken = true;
                CrashPoint.Pass(CrashPoint.StateWritten);
            }
            catch (InconsistentStateException)
            {
                state.State = before;
                throw Superseded();
            }
            catch
            {
                state.State = before;
                _unsure = true;
                throw;
            }
        }
        finally
        {
            _before = null;
            _one.Release();
        }
    }

    private async Task ReadAgain()
    {
        var mine = state.State;
        await state.ReadStateAsync();
        _unsure = false;
        if (!Taken || state.State.Fence == mine.Fence) return;
        // Its successor's number is not this one's to write under.
        state.State = mine;
        throw Superseded();
    }

    private SupersededException Superseded() => _superseded = new($"A newer activation than number {Now.Fence} has written this state.");
}
