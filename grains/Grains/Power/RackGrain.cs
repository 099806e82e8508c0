using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>How long windows wait for what is late, in windows of one second of the data's own time.</summary>
/// <param name="RackLateness">A rack closes a window without a silent node after so many.</param>
/// <param name="SiteLateness">A site closes one without a silent rack after so many: more than the racks'.</param>
/// <param name="Kept">How many windows can still be revised.</param>
public sealed record WindowPace(int RackLateness = 3, int SiteLateness = 5, int Kept = 64)
{
    /// <summary>The same patience by the wall clock where the data's time runs faster.</summary>
    public static WindowPace Scaled(double timeScale)
    {
        var (rack, site) = ((int)Math.Ceiling(3 + 0.5 * timeScale), (int)Math.Ceiling(5 + timeScale));
        return timeScale <= 1 ? new WindowPace() : new WindowPace(rack, site, 2 * site + 64);
    }
}

/// <summary>One rack: merges what its nodes report, and tells its site what it closed. Keeps nothing on disk: what it missed is missing.</summary>
[ControlPlacement, KeepAlive]
public sealed partial class RackGrain(WindowPace pace, ILogger<RackGrain> log) : Grain, IRackGrain
{
    private const int Remembered = 120;

    private readonly Queue<RackWindow> _recent = new();
    private RackMerge _merge = null!;
    private ISiteGrain _site = null!;
    private ImmutableArray<RackWindow> _unsent = [];
    private bool _announced;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        var slash = key.IndexOf('/');
        if (slash <= 0) throw new RefusedException($"'{key}' is no key of a rack: it must be 'site/rack'.");
        _merge = new RackMerge(key, pace.RackLateness, pace.Kept);
        _site = GrainFactory.GetGrain<ISiteGrain>(key[..slash]);
        return Task.CompletedTask;
    }

    public async ValueTask Announce(NodeInventory node)
    {
        _merge.SetInventory(node);
        if (_announced) return;
        await _site.Announce(this.GetPrimaryKeyString());
        _announced = true;
    }

    public async ValueTask Report(NodeReport report)
    {
        _merge.Apply(report);
        if (_merge.TakeReport() is { } closed)
        {
            foreach (var window in closed.Windows)
            {
                _recent.Enqueue(window);
                if (_recent.Count > Remembered) _recent.Dequeue();
            }
            _unsent = _unsent.AddRange(closed.Windows);
        }
        if (_unsent.IsEmpty) return;
        var sending = new RackReport(this.GetPrimaryKeyString(), _unsent);
        try
        {
            await _site.Report(sending);
            _unsent = [];
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Told again with the next report; the site knows a window that it has heard before. Bounded: the site could not take older ones.
            LogUntold(e, sending.Rack, sending.Windows.Length);
            if (_unsent.Length > pace.Kept) _unsent = _unsent.RemoveRange(0, _unsent.Length - pace.Kept);
        }
    }

    public ValueTask<RackReport> Recent(int windows) => ValueTask.FromResult(new RackReport(this.GetPrimaryKeyString(), [.. _recent.TakeLast(Math.Clamp(windows, 0, Remembered))]));

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rack {Rack}: {Count} windows could not be told to the site yet")]
    private partial void LogUntold(Exception error, string rack, int count);
}
