using System.Collections.Concurrent;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Node;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>Agents of the nodes on which something goes wrong.</summary>
/// <param name="inner">The agents themselves.</param>
/// <param name="fault">Called before every run with its order and number (1 is the first): throws, if this run fails.</param>
/// <param name="seenBeforeResult">Whether a run answers only once somebody has looked at its device.</param>
/// <param name="amend">What becomes of a result.</param>
internal sealed class FaultyAgents(INodeAgents inner, Action<TrialOrder, int> fault, bool seenBeforeResult = false, Func<TrialResult, TrialResult>? amend = null) : INodeAgents
{
    private readonly bool _seenBeforeResult = seenBeforeResult;
    private readonly Func<TrialResult, TrialResult> _amend = amend ?? (static r => r);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _seen = [];
    private int _runs;

    public INodeAgent? Find(string host) => inner.Find(host) is { } agent ? new Faulty(this, agent) : null;

    private sealed class Faulty(FaultyAgents all, INodeAgent agent) : INodeAgent
    {
        public string Host => agent.Host;

        public NodeInventory Inventory => agent.Inventory;

        public bool IsOpening => agent.IsOpening;

        public async Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop)
        {
            all.Fault(order);
            var run = await agent.Run(order, report, stop);
            if (all._seenBeforeResult) await all.Seen(order.Devices[0]).WaitAsync(stop);
            return run with { Result = all._amend(run.Result) };
        }

        // Asked at every look at the device.
        public LatestReading Latest(string uuid)
        {
            if (all._seen.TryRemove(uuid, out var seen)) seen.SetResult();
            return agent.Latest(uuid);
        }

        public IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop) => agent.Watch(uuid, hertz, stop);
    }

    private Task Seen(string device) => _seen.GetOrAdd(device, _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    private void Fault(TrialOrder order) => fault(order, Interlocked.Increment(ref _runs));
}
