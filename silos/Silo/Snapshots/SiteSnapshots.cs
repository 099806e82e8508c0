using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>The grid at one instant.</summary>
/// <param name="AtUtc">When it was taken; <see cref="DateTimeOffset.MinValue"/> before the first.</param>
/// <param name="Nodes">What stands where, and whether it is up.</param>
/// <param name="Sites">By name.</param>
internal sealed record GridSnapshot(DateTimeOffset AtUtc, ImmutableArray<NodeStanding> Nodes, ImmutableSortedDictionary<string, SiteView> Sites)
{
    public static readonly GridSnapshot None = new(DateTimeOffset.MinValue, [], ImmutableSortedDictionary.Create<string, SiteView>(StringComparer.Ordinal));

    /// <summary>Devices of the nodes that are up.</summary>
    public IEnumerable<DeviceInfo> DevicesUp => Nodes.Where(n => n.Up).SelectMany(n => n.Inventory.Devices);

    public DeviceInfo? Device(string host, string uuid) => Nodes.FirstOrDefault(n => n.Inventory.Host == host)?.Inventory.Devices.FirstOrDefault(d => d.Uuid == uuid);
}

/// <summary>
/// Asks every site for its view once a second; whatever looks at sites looks here, so that viewers never cause grain calls. A snapshot counts only if the inventory was read
/// and every site that it names has answered: after a failover nobody is shown an empty grid.
/// </summary>
internal sealed partial class SiteSnapshots(IGrainFactory grains, TimeProvider time, ILogger<SiteSnapshots> log) : BackgroundService
{
    /// <summary>A snapshot older than this is not shown as the present: the grid counts as unreachable.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(15);

    /// <summary>A site that has moved and was told nothing of the present yet is waited for so long; then it is shown as it is.</summary>
    public static readonly TimeSpan SitePatience = TimeSpan.FromSeconds(5);

    private const int InventoryEvery = 5;

    private volatile string _missing = "the inventory has not answered yet";
    private bool _isTold;

    public Latest<GridSnapshot> Current { get; } = new(GridSnapshot.None);

    /// <summary>The latest snapshot.</summary>
    /// <exception cref="UnreachableException">There is none that is fresh enough: the message says why, and how old the latest is.</exception>
    public GridSnapshot Fresh()
    {
        var snapshot = Current.Value;
        if (snapshot.AtUtc == DateTimeOffset.MinValue) throw new UnreachableException($"This silo has no view of the grid yet: {_missing}; ask again in a second.");
        var age = time.GetUtcNow() - snapshot.AtUtc;
        return age <= MaxAge ? snapshot : throw new UnreachableException($"The latest view of the grid is {age.TotalSeconds:0} s old: {_missing}; ask again later.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var period = TimeSpan.FromSeconds(1);
        var nodes = ImmutableArray<NodeStanding>.Empty;
        var silent = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var tick = 0L; ; tick++)
        {
            try
            {
                if (nodes.IsEmpty || tick % InventoryEvery == 0) nodes = await Ask("the inventory", grains.GetGrain<IInventoryGrain>("grid").Nodes());
                var names = nodes.Select(n => n.Inventory.Site).Distinct().ToArray();
                var views = await Task.WhenAll(names.Select(n => Ask($"site '{n}'", grains.GetGrain<ISiteGrain>(n).View().AsTask())));
                foreach (var view in views) if (view.Window > 0) silent.Remove(view.Site);
                if (views.FirstOrDefault(v => v.Window == 0 && IsAwaited(v, nodes, silent)) is { } awaited) throw new UnreachableException($"site '{awaited.Site}' has not been told anything by its racks yet");
                Current.Set(new(time.GetUtcNow(), nodes, views.ToImmutableSortedDictionary(v => v.Site, v => v, StringComparer.Ordinal)));
                Lag(views);
                (_missing, _isTold) = ("", false);
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                _missing = e.Message.TrimEnd('.');
                // Once, and not while a grid begins: then there is nothing to miss.
                if (!_isTold && Current.Value.AtUtc > DateTimeOffset.MinValue && time.GetUtcNow() - Current.Value.AtUtc > MaxAge)
                {
                    Unreachable(log, _missing);
                    _isTold = true;
                }
            }
            // What is missing is asked for at once; what is there, when all have spoken.
            await Task.Delay(_missing.Length > 0 ? period / 4 : Beat.Wait(time.GetUtcNow(), period, Beat.Reader), time, stoppingToken);
        }
    }

    // A site that has just moved knows nothing of the present until its racks speak; a new one has nothing to miss, and one whose sensors are dumb never speaks.
    private bool IsAwaited(SiteView view, ImmutableArray<NodeStanding> nodes, Dictionary<string, long> silent)
    {
        var site = view.Site;
        if (view.Windows == 0 && !(Current.Value.Sites.TryGetValue(site, out var before) && before.Window > 0)) return false;
        if (!nodes.Any(n => n.Up && n.Inventory.Site == site && (n.Inventory.Devices.Length > 0 || n.Inventory.Meters.Length > 0))) return false;
        if (!silent.TryGetValue(site, out var since)) silent[site] = since = time.GetTimestamp();
        return time.GetElapsedTime(since) < SitePatience;
    }

    private static async Task<T> Ask<T>(string who, Task<T> call)
    {
        try { return await call; }
        catch (Exception e) when (e is not OperationCanceledException) { throw new UnreachableException($"{who} does not answer: {FaultText.Of(e)}"); }
    }

    private void Lag(IEnumerable<SiteView> views)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds() / 1e3;
        foreach (var view in views) if (view.Window > 0) GridTelemetry.SiteLag.Record(now - view.Window - 1);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "No view of the grid: {Reason}.")]
    private static partial void Unreachable(ILogger log, string reason);
}
