using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>
/// Wakes every sweep of the index that has not ended: at the start of the silo, when the cluster changes, and every ten seconds. A sweep that lost its process goes on
/// without anybody asking for it. One silo is enough for it: the one that all others take for the first.
/// </summary>
internal sealed partial class Watchdog(IGrainFactory grains, IClusterMembershipService membership, ILocalSiloDetails silo, TimeProvider time, ILogger<Watchdog> log) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(NowAndThen(stoppingToken), OnChange(stoppingToken));

    private async Task NowAndThen(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Period, time);
        await WakeAll(stop);
        while (await timer.WaitForNextTickAsync(stop))
            if (IsFirst()) await WakeAll(stop);
    }

    private async Task OnChange(CancellationToken stop)
    {
        await foreach (var _ in membership.MembershipUpdates.WithCancellation(stop))
            if (IsFirst()) await WakeAll(stop);
    }

    private bool IsFirst() => membership.CurrentSnapshot.Members.Values.Where(m => m.Status == SiloStatus.Active).Min(m => m.SiloAddress)?.Equals(silo.SiloAddress) ?? true;

    private async Task WakeAll(CancellationToken stop)
    {
        try
        {
            foreach (var line in await grains.GetGrain<ISweepIndexGrain>("grid").List())
                if (!line.Ended) await Wake(line.Id);
        }
        catch (Exception e) when (e is not OperationCanceledException || !stop.IsCancellationRequested)
        {
            IndexUnreachable(log, FaultText.Of(e));
        }
    }

    private async Task Wake(string id)
    {
        try
        {
            await grains.GetGrain<ISweepGrain>(id).Wake();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            SweepUnreachable(log, id, FaultText.Of(e));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The sweep index did not answer: {Reason}.")]
    private static partial void IndexUnreachable(ILogger log, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep} did not answer: {Reason}.")]
    private static partial void SweepUnreachable(ILogger log, string sweep, string reason);
}
