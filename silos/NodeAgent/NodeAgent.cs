using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Stacks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EnergyGrid.Node;

/// <summary>One node: samples its sensors, reports once a tick to its rack, runs trials on its devices.</summary>
public sealed partial class NodeAgent : INodeAgent
{
    private readonly NodeSampler _sampler;
    private readonly TrialRunner _runner;
    private readonly TimeProvider _time;
    private readonly NodeAgentOptions _options;
    private readonly ILogger _log;
    private readonly List<PowerWindow> _unsent = [];
    private ImmutableArray<PowerWindow> _returned;
    private readonly ToldWindows _told;
    private long _sequence;
    private bool _wasSilent;
    private readonly Dictionary<string, (bool Silent, bool Away)> _standing = new(StringComparer.Ordinal);
    private Task _reviving = Task.CompletedTask;
    private long _revived;

    /// <param name="node">What it serves.</param>
    /// <param name="time">The node's time.</param>
    /// <param name="options">Its pace; by the scale of <paramref name="time"/> when null.</param>
    /// <param name="log">Its log.</param>
    /// <param name="stacks">Serving engines that may run on it; none when null.</param>
    public NodeAgent(INode node, TimeProvider time, NodeAgentOptions? options = null, ILogger? log = null, ServingStacks? stacks = null)
    {
        _time = time;
        _options = options ?? NodeAgentOptions.For(time);
        _log = log ?? NullLogger.Instance;
        _sampler = new NodeSampler(node, time, _options.TickSeconds) { Stacks = (stacks ?? ServingStacks.None).Offers };
        _runner = new TrialRunner(_sampler, _options, stacks ?? ServingStacks.None);
        (_told, _revived) = (new ToldWindows(_options.RememberedSeconds), time.GetTimestamp());
    }

    public string Host => _sampler.Node.Host;

    public bool IsOpening => _sampler.Node.IsOpening;

    public NodeInventory Inventory => _sampler.Inventory;

    /// <summary>Windows that were dropped because the rack did not answer for too long.</summary>
    public long DroppedWindows { get; private set; }

    public Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop) =>
        // The work is long and not the caller's turn: a grain's scheduler is left behind.
        TaskScheduler.Current == TaskScheduler.Default ? Traced(order, report, stop) : Task.Run(() => Traced(order, report, stop), CancellationToken.None);

    public LatestReading Latest(string uuid) => _sampler.Find(uuid)?.Latest ?? LatestReading.None(uuid);

    public async IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, [EnumeratorCancellation] CancellationToken stop)
    {
        if (_sampler.Find(uuid) is not { } device) throw new HostUnavailableException($"{Host} has no device {uuid}.");
        var period = hertz > 0 ? 1 / hertz : 1;
        var wait = TimeSpan.FromSeconds(Math.Max(period, _options.TickSeconds / 20));
        var queue = device.Watch();
        try
        {
            var next = DateTimeOffset.MinValue;
            while (!stop.IsCancellationRequested)
            {
                device.Pump(_sampler.Node.ClockErrorSeconds);
                while (device.TryNext(queue, out var sample))
                {
                    // What is far before it bears another clock.
                    if (sample.At < next && next - sample.At <= TimeSpan.FromSeconds(2 * period)) continue;
                    next = sample.At.AddSeconds(period);
                    yield return sample;
                }
                await Task.Delay(wait, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
        finally
        {
            device.Unwatch(queue);
        }
    }

    /// <summary>
    /// Announces the node, then samples and reports until stopped. A rack that does not answer is told again at the next tick; one that has begun anew is told what its
    /// predecessor was.
    /// </summary>
    public async Task Serve(IGrainFactory grains, CancellationToken stop)
    {
        var rack = grains.GetGrain<IRackGrain>($"{Inventory.Site}/{Inventory.Rack}");
        var inventory = grains.GetGrain<IInventoryGrain>("grid");
        NodeInventory? listed = null, announced = null;
        var (call, listing) = (Task.CompletedTask, Task.CompletedTask);
        var (period, place) = (TimeSpan.FromSeconds(_options.TickSeconds), Beat.Of(Host));
        // Nodes do not all speak at once, not even the first time.
        await Pause(period * place, stop);
        for (var tick = 0L; !stop.IsCancellationRequested; tick++)
        {
            if (_sampler.FollowClock() is { } step)
            {
                LogStepped(Host, $"{step}");
                _told.Forget();
            }
            _sampler.Sample(_unsent);
            SayStanding();
            var again = tick % NodeAgentOptions.AnnounceTicks == 0;
            // The inventory waits for what keeps it, and power must not wait for that.
            if (listing.IsCompleted && (again || !ReferenceEquals(listed, Inventory))) listing = List();
            // Never more than one call to the rack in flight.
            if (call.IsCompleted)
            {
                TakeBack();
                call = ReferenceEquals(announced, Inventory) && !again ? Report(rack) : Announce();
            }
            Bound();
            Revive();
            await Pause(Beat.Wait(_time.GetUtcNow(), period, place), stop);
        }
        _sampler.Sample(_unsent);
        await call;
        TakeBack();
        if (announced is not null) await Report(rack);

        async Task List()
        {
            try
            {
                var offered = Inventory;
                await inventory.Announce(offered);
                listed = offered;
            }
            catch (Exception error)
            {
                Silent(error);
            }
        }

        async Task Announce()
        {
            try
            {
                var offered = Inventory;
                await rack.Announce(offered);
                announced = offered;
            }
            catch (Exception error)
            {
                Silent(error);
                return;
            }
            await Report(rack);
        }
    }

    private async Task Report(IRackGrain rack)
    {
        if (_unsent.Count == 0) return;
        var windows = _unsent.ToImmutableArray();
        _unsent.Clear();
        try
        {
            var answer = await rack.Report(new NodeReport(Host, _sequence++, windows));
            if (answer.WantsInventory)
            {
                await rack.Announce(Inventory);
                await rack.Report(new NodeReport(Host, _sequence++, windows));
            }
            if (_told.MustTellAgain(answer)) await rack.Report(new NodeReport(Host, _sequence++, [.. _told.All]));
            _told.Knows(answer);
            _told.Add(windows);
            _wasSilent = false;
        }
        catch (Exception error)
        {
            // Unknown whether it came through: windows replace, they never add, so saying them again is safe.
            _returned = windows;
            Silent(error);
        }
    }

    // A device that was lost is looked at again now and then, beside everything else: it may take long.
    private void Revive()
    {
        if (!_reviving.IsCompleted || _time.GetElapsedTime(_revived) < TimeSpan.FromSeconds(_options.ReviveSeconds)) return;
        _revived = _time.GetTimestamp();
        _reviving = ReviveLost();
    }

    private async Task ReviveLost()
    {
        foreach (var device in _sampler.Devices.Select(d => d.Device).Where(d => d.Quarantine is not null).ToArray())
            await device.Revive();
    }

    // Once for each change: what cannot be read, what is not offered any more, and what is again.
    private void SayStanding()
    {
        foreach (var device in _sampler.Devices)
        {
            var uuid = device.Device.Info.Uuid;
            var (silence, quarantine) = (device.Silence, device.Quarantine);
            var was = _standing.GetValueOrDefault(uuid);
            if (quarantine is not null && !was.Away) LogAway(Host, uuid, quarantine);
            else if (quarantine is null && was.Away) LogRevived(Host, uuid);
            else if (silence is not null && !was.Silent) LogUnread(Host, uuid, silence);
            else if (silence is null && was.Silent && !was.Away) LogRead(Host, uuid);
            _standing[uuid] = (silence is not null, quarantine is not null);
        }
    }

    private async Task<TrialRun> Traced(TrialOrder order, Action<TrialProgress> report, CancellationToken stop)
    {
        using var span = GridTelemetry.Start("trial", order.Trial.Sweep);
        if (span is null) return await _runner.Run(order, report, stop);
        span.SetTag("energygrid.sweep", order.Trial.Sweep).SetTag("energygrid.trial", $"{order.Trial}").SetTag("energygrid.host", Host).SetTag("energygrid.attempt", order.Attempt);
        var (phase, part) = (TrialPhase.Idle, (System.Diagnostics.Activity?)null);
        try
        {
            var run = await _runner.Run(order, Follow, stop);
            span.SetTag("energygrid.outcome", $"{run.Result.Outcome}");
            return run;
        }
        catch (Exception error)
        {
            span.SetStatus(System.Diagnostics.ActivityStatusCode.Error, error.Message);
            throw;
        }
        finally
        {
            part?.Stop();
        }

        void Follow(TrialProgress progress)
        {
            if (progress.Phase != phase)
            {
                part?.Stop();
                phase = progress.Phase;
                part = phase == TrialPhase.Ended ? null : GridTelemetry.Begin($"trial {phase}", order.Trial.Sweep);
            }
            report(progress);
        }
    }

    private void TakeBack()
    {
        if (_returned.IsDefaultOrEmpty) return;
        _unsent.InsertRange(0, _returned);
        _returned = default;
    }

    private void Bound()
    {
        var excess = _unsent.Count - _options.MostUnsentWindows;
        if (excess <= 0) return;
        _unsent.RemoveRange(0, excess);
        DroppedWindows += excess;
    }

    private void Silent(Exception error)
    {
        if (!_wasSilent) LogSilent(Host, FaultText.Of(error));
        _wasSilent = true;
    }

    private Task Pause(TimeSpan period, CancellationToken stop) => AwaitQuietly(Task.Delay(period, _time, stop));

    private static async Task AwaitQuietly(Task task) =>
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host} could not report: {Reason}. Its windows are kept and said again.")]
    private partial void LogSilent(string host, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host}: {Step}. Trials that ran are not valid; the next ones bear the new time.")]
    private partial void LogStepped(string host, string step);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host}: device {Device} is not read: {Reason}. Its power is unknown until it is.")]
    private partial void LogUnread(string host, string device, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host}: device {Device} is read again.")]
    private partial void LogRead(string host, string device);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host}: device {Device} is not offered any more: {Reason}. It is looked at again.")]
    private partial void LogAway(string host, string device, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Host}: device {Device} answers again and is offered again.")]
    private partial void LogRevived(string host, string device);
}
