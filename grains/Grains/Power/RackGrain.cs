using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>
/// One rack: merges what its nodes report, and tells its site what it closed. Keeps nothing on disk: what should stand here it reads from the inventory, and what was
/// measured its nodes say again when they find that they speak to a new activation.
/// </summary>
[ControlPlacement, KeepAlive]
public sealed partial class RackGrain(WindowPace pace, TimeProvider time, ILogger<RackGrain> log) : Grain, IRackGrain
{
    private readonly SortedDictionary<long, RackWindow> _recent = [];
    private RackMerge _merge = null!;
    private ISiteGrain _site = null!;
    private ImmutableArray<RackWindow> _unsent = [];
    private long _siteIncarnation;
    private bool _announced;
    private bool _untold;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        var slash = key.IndexOf('/');
        if (slash <= 0) throw new RefusedException($"'{key}' is no key of a rack: it must be 'site/rack'.");
        // Later activations have higher numbers, as far as clocks agree.
        _merge = new RackMerge(key, pace.RackLateness, pace.Kept, time.GetUtcNow().ToUnixTimeMilliseconds(), pace.Ahead);
        _site = GrainFactory.GetGrain<ISiteGrain>(key[..slash]);
        try
        {
            // A node that is down is expected as well: its silence must show in the coverage.
            foreach (var node in await GrainFactory.GetGrain<IInventoryGrain>("grid").InRack(key[..slash], key[(slash + 1)..])) _merge.SetInventory(node);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Then nodes announce themselves when they report.
            LogNoInventory(key, FaultText.Of(e));
        }
    }

    public async ValueTask Announce(NodeInventory node)
    {
        _merge.SetInventory(node);
        if (_announced) return;
        await _site.Announce(this.GetPrimaryKeyString());
        _announced = true;
    }

    public ValueTask Forget(string host)
    {
        _merge.RemoveNode(host);
        return default;
    }

    public async ValueTask<ReportAnswer> Report(NodeReport report)
    {
        GridTelemetry.Reports.Add(1);
        var incarnation = _merge.Incarnation;
        if (pace.IsOfTheWall) _merge.WallWindow = time.GetUtcNow().ToUnixTimeSeconds();
        var known = _merge.Apply(report);
        if (_merge.Incarnation != incarnation)
        {
            LogMoved(this.GetPrimaryKeyString(), report.Node);
            _recent.Clear();
        }
        if (_merge.TakeReport() is { } closed)
        {
            foreach (var window in closed.Windows) _recent[window.Window] = window;
            while (_recent.Count > pace.ToldAgain) _recent.Remove(_recent.Keys.First());
            _unsent = _unsent.AddRange(closed.Windows);
        }
        if (!_unsent.IsEmpty) await Tell();
        return new ReportAnswer(!known, _merge.Incarnation);
    }

    public ValueTask<RackReport> Recent(int windows) => ValueTask.FromResult(new RackReport(this.GetPrimaryKeyString(), [.. _recent.Values.TakeLast(Math.Clamp(windows, 0, pace.ToldAgain))]));

    private async Task Tell()
    {
        try
        {
            var answer = await _site.Report(new RackReport(this.GetPrimaryKeyString(), _unsent));
            var moved = _siteIncarnation != 0 && answer.Incarnation != _siteIncarnation;
            _siteIncarnation = answer.Incarnation;
            // What the site had not kept when it ended, it is told again; what it had, it knows.
            if (moved) await _site.Report(new RackReport(this.GetPrimaryKeyString(), [.. _recent.Values]));
            (_unsent, _untold) = ([], false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Told again with the next report; the site knows a window that it has heard before. Bounded: the site could not take older ones.
            if (!_untold) LogUntold(this.GetPrimaryKeyString(), _unsent.Length, FaultText.Of(e));
            _untold = true;
            if (_unsent.Length > pace.Kept) _unsent = _unsent.RemoveRange(0, _unsent.Length - pace.Kept);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rack {Rack}: most of its nodes speak of another time than before, '{Host}' the last of them; it follows them")]
    private partial void LogMoved(string rack, string host);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rack {Rack}: {Count} windows could not be told to the site yet: {Reason}")]
    private partial void LogUntold(string rack, int count, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rack {Rack} could not read what stands in it, and waits for its nodes to say so: {Reason}")]
    private partial void LogNoInventory(string rack, string reason);
}
