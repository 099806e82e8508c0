using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>A sweep as its viewers see it: all events so far and its status.</summary>
/// <param name="Events">From sequence 0.</param>
/// <param name="Status">The latest.</param>
/// <param name="Complete">Whether it has ended and every event is there.</param>
internal sealed record SweepFeed(ImmutableList<SweepEvent> Events, SweepStatus Status, bool Complete);

/// <summary>One reader for each sweep that is being watched, however many watch; none for the others.</summary>
internal sealed partial class SweepFeeds(SweepSnapshots sweeps, IResultFiles files, TimeProvider time, IHostApplicationLifetime life, ILogger<SweepFeeds> log)
{
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Pump> _pumps = new(StringComparer.Ordinal);

    /// <summary>Joins the viewers of a sweep. Dispose to leave.</summary>
    /// <exception cref="UnknownException">There is no such sweep.</exception>
    public async Task<Viewer> Join(string id, CancellationToken stop)
    {
        var status = await sweeps.Status(id, stop);
        lock (_gate)
        {
            if (!_pumps.TryGetValue(id, out var pump))
            {
                pump = new(new(new([], status, false)), CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping));
                _pumps[id] = pump;
                _ = Run(id, pump);
            }
            pump.Viewers++;
            return new(pump.Feed, () => Leave(id, pump));
        }
    }

    private void Leave(string id, Pump pump)
    {
        lock (_gate)
        {
            if (--pump.Viewers > 0) return;
            if (_pumps.GetValueOrDefault(id) == pump) _pumps.Remove(id);
            pump.Stop.Cancel();
        }
    }

    private async Task Run(string id, Pump pump)
    {
        try
        {
            using var timer = new PeriodicTimer(Period, time);
            do
            {
                try
                {
                    var before = pump.Feed.Value;
                    // Status first: what had happened when it was read has its event by the time that events are.
                    var status = await sweeps.Status(id, pump.Stop.Token);
                    var news = await files.Events(id, before.Events.Count, pump.Stop.Token);
                    // One more round after the end: the last event may follow the phase.
                    var complete = status.HasEnded && before.Status.HasEnded && news.IsEmpty;
                    if (!news.IsEmpty || complete || !ReferenceEquals(status, before.Status)) pump.Feed.Set(new(before.Events.AddRange(news), status, complete));
                    if (complete) return;
                }
                catch (Exception e) when (e is not OperationCanceledException || !pump.Stop.IsCancellationRequested)
                {
                    Unreadable(log, e, id);
                }
            }
            while (await timer.WaitForNextTickAsync(pump.Stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Nobody watches any more.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Events of sweep {Sweep} could not be read.")]
    private static partial void Unreadable(ILogger log, Exception error, string sweep);

    private sealed class Pump(Latest<SweepFeed> feed, CancellationTokenSource stop)
    {
        public readonly Latest<SweepFeed> Feed = feed;
        public readonly CancellationTokenSource Stop = stop;
        public int Viewers;
    }

    internal sealed class Viewer(Latest<SweepFeed> feed, Action leave) : IDisposable
    {
        private int _left;

        public Latest<SweepFeed> Feed { get; } = feed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) leave();
        }
    }
}
