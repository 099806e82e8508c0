using System.Collections.Immutable;
using EnergyGrid.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>The grid at one instant.</summary>
/// <param name="AtUtc">When it was taken; <see cref="DateTimeOffset.MinValue"/> before the first.</param>
/// <param name="Nodes">What stands where.</param>
/// <param name="Sites">By name.</param>
internal sealed record GridSnapshot(DateTimeOffset AtUtc, ImmutableArray<NodeInventory> Nodes, ImmutableSortedDictionary<string, SiteView> Sites)
{
    public static readonly GridSnapshot None = new(DateTimeOffset.MinValue, [], ImmutableSortedDictionary.Create<string, SiteView>(StringComparer.Ordinal));

    public DeviceInfo? Device(string host, string uuid) => Nodes.FirstOrDefault(n => n.Host == host)?.Devices.FirstOrDefault(d => d.Uuid == uuid);
}

/// <summary>Asks every site for its view once a second; whatever looks at sites looks here, so that viewers never cause grain calls.</summary>
internal sealed partial class SiteSnapshots(IGrainFactory grains, TimeProvider time, ILogger<SiteSnapshots> log) : BackgroundService
{
    /// <summary>A snapshot older than this is not shown as the present: the grid counts as unreachable.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(15);

    private const int InventoryEvery = 5;

    public Latest<GridSnapshot> Current { get; } = new(GridSnapshot.None);

    /// <summary>The latest snapshot.</summary>
    /// <exception cref="UnreachableException">There is none that is fresh enough.</exception>
    public GridSnapshot Fresh()
    {
        var snapshot = Current.Value;
        if (snapshot.AtUtc == DateTimeOffset.MinValue) throw new UnreachableException("The grid has just started and has no view of its sites yet; ask again in a second.");
        var age = time.GetUtcNow() - snapshot.AtUtc;
        return age <= MaxAge ? snapshot : throw new UnreachableException($"The sites have not answered for {age.TotalSeconds:0} s; ask again later.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        var nodes = ImmutableArray<NodeInventory>.Empty;
        for (var tick = 0L; ; tick++)
        {
            try
            {
                if (nodes.IsEmpty || tick % InventoryEvery == 0) nodes = await grains.GetGrain<IInventoryGrain>("grid").Nodes();
                var names = nodes.Select(n => n.Site).Distinct().ToArray();
                var views = await Task.WhenAll(names.Select(n => grains.GetGrain<ISiteGrain>(n).View().AsTask()));
                Current.Set(new(time.GetUtcNow(), nodes, views.ToImmutableSortedDictionary(v => v.Site, v => v, StringComparer.Ordinal)));
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                Unreachable(log, e);
            }
            if (!await timer.WaitForNextTickAsync(stoppingToken)) return;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A site did not answer.")]
    private static partial void Unreachable(ILogger log, Exception error);
}
