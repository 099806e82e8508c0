using EnergyGrid.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>
/// Pokes every sweep of the index that has not ended, at the start of the silo and every ten seconds: a sweep that lost its process goes on
/// without anybody asking for it.
/// </summary>
internal sealed partial class Watchdog(IGrainFactory grains, TimeProvider time, ILogger<Watchdog> log) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        do
        {
            try
            {
                foreach (var line in await grains.GetGrain<ISweepIndexGrain>("grid").List())
                    if (!line.Ended) await Poke(line.Id);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                IndexUnreachable(log, e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task Poke(string id)
    {
        try
        {
            await grains.GetGrain<ISweepGrain>(id).Wake();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            SweepUnreachable(log, e, id);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The sweep index did not answer.")]
    private static partial void IndexUnreachable(ILogger log, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep} did not answer.")]
    private static partial void SweepUnreachable(ILogger log, Exception error, string sweep);
}
