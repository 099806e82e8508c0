using System.Collections.Concurrent;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Workers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>
/// Looks at this machine's GPUs once the silo is a member of the grid, all at the same time, and offers each as soon as it is found fit. The grid does not wait for them, and a
/// host that is slow to know its GPUs is not taken for dead. The work on each runs in a process of its own.
/// </summary>
/// <param name="boards">Those that are to be looked at.</param>
/// <param name="options">How they become devices.</param>
/// <param name="workers">What runs the work on them; null: this process.</param>
/// <param name="node">Whose they are; null where there are none.</param>
/// <param name="log">The silo's.</param>
internal sealed partial class GpuOpening(IReadOnlyList<CudaBoard> boards, LocalGpuOptions options, WorkerOptions? workers, LocalNode? node, ILogger<GpuOpening> log) : BackgroundService
{
    private readonly LocalGpuOptions _options = workers is null ? options : options with { Steps = (board, time) => new WorkerEngine(BoardWorker.Target(board), time, workers with { Log = line => WorkerSaid(log, line) }) };
    private readonly ConcurrentDictionary<string, string> _said = new();
    private int _left = boards.Count;

    /// <summary>How many have been neither offered nor refused.</summary>
    public int Left => Math.Max(0, Volatile.Read(ref _left));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        bool[] opened = [];
        try
        {
            opened = await Task.WhenAll(boards.Select(b => Task.Factory.StartNew(() => Open(b), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        }
        finally
        {
            if (node is not null) node.IsOpening = false;
        }
        await LocalGpus.LookAgain(boards.Where((_, i) => !opened[i]), Open, TimeProvider.System, stoppingToken);
    }

    public override void Dispose()
    {
        node?.Dispose();
        base.Dispose();
    }

    private bool Open(CudaBoard board)
    {
        try
        {
            node!.Offer(LocalGpus.OpenOne(board, _options, node.Clock));
            if (_said.ContainsKey(board.Uuid)) OfferedAfterAll(log, board.BusIndex, board.Uuid);
            return true;
        }
        catch (Exception e) when (e is GpuRefusedException or DriverMissingException)
        {
            // Said again only where it is another reason.
            if (_said.GetValueOrDefault(board.Uuid) != e.Message) NotOffered(log, board.BusIndex, board.Uuid, e.Message);
            _said[board.Uuid] = e.Message;
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _left);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "worker of {Line}")]
    private static partial void WorkerSaid(ILogger log, string line);

    [LoggerMessage(Level = LogLevel.Error, Message = "gpu {Index} ({Uuid}) is not offered to the grid, and looked at again now and then: {Reason}")]
    private static partial void NotOffered(ILogger log, int index, string uuid, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "gpu {Index} ({Uuid}) answers now and is offered to the grid")]
    private static partial void OfferedAfterAll(ILogger log, int index, string uuid);
}
