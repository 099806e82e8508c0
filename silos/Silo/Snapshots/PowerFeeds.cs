using System.Threading.Channels;
using EnergyGrid.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>One power stream for each device that is being watched, however many watch. A viewer that is slow loses its oldest readings.</summary>
internal sealed partial class PowerFeeds(IGrainFactory grains, IHostApplicationLifetime life, ILogger<PowerFeeds> log)
{
    /// <summary>Readings a second: sensors step at 10 Hz.</summary>
    public const double Hertz = 10;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Pump> _pumps = new(StringComparer.Ordinal);

    /// <summary>Readings of <c>host/uuid</c> from now on, until the stream or the caller ends.</summary>
    public async IAsyncEnumerable<PowerSample> Watch(string key, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        var mine = Channel.CreateBounded<PowerSample>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        Pump pump;
        lock (_gate)
        {
            if (!_pumps.TryGetValue(key, out pump!))
            {
                pump = new(CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping));
                _pumps[key] = pump;
                _ = Run(key, pump);
            }
            pump.Viewers.Add(mine);
        }
        try
        {
            await foreach (var sample in mine.Reader.ReadAllAsync(stop)) yield return sample;
        }
        finally
        {
            lock (_gate)
            {
                pump.Viewers.Remove(mine);
                if (pump.Viewers.Count == 0)
                {
                    if (_pumps.GetValueOrDefault(key) == pump) _pumps.Remove(key);
                    pump.Stop.Cancel();
                }
            }
        }
    }

    private async Task Run(string key, Pump pump)
    {
        Exception? end = null;
        try
        {
            await foreach (var sample in grains.GetGrain<IGpuGrain>(key).WatchPower(Hertz, pump.Stop.Token))
                lock (_gate)
                    foreach (var viewer in pump.Viewers) viewer.Writer.TryWrite(sample);
        }
        catch (Exception e)
        {
            if (!pump.Stop.IsCancellationRequested) Broken(log, end = e, key);
        }
        lock (_gate)
        {
            if (_pumps.GetValueOrDefault(key) == pump) _pumps.Remove(key);
            foreach (var viewer in pump.Viewers) viewer.Writer.TryComplete(end);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The power stream of {Device} broke.")]
    private static partial void Broken(ILogger log, Exception error, string device);

    private sealed class Pump(CancellationTokenSource stop)
    {
        public readonly CancellationTokenSource Stop = stop;
        public readonly List<Channel<PowerSample>> Viewers = [];
    }
}
