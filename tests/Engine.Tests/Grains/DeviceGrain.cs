using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Engine.Tests;

/// <summary>The hardware of one host: devices <c>d-0</c> and <c>d-1</c>, which spend 2 J a token.</summary>
public sealed class Hardware(string host)
{
    private static readonly ConcurrentDictionary<string, ManualResetEventSlim> Gates = [];

    public string Host => host;

    public bool Has(string device) => device is "d-0" or "d-1";

    /// <summary>The work of a gated order ends when its gate is set, or it is stopped.</summary>
    public static ManualResetEventSlim GateOf(string order) => Gates.GetOrAdd(order, _ => new ManualResetEventSlim());

    /// <summary>Blocks the caller's thread for as long as the work lasts. Returns J.</summary>
    public static double Run(Order order, CancellationToken stop)
    {
        if (order.Gated) GateOf(order.Name).Wait(stop);
        stop.ThrowIfCancellationRequested();
        return 2.0 * order.Tokens;
    }
}

[GenerateSerializer, Immutable, Alias("Test.Order")]
public sealed record Order([property: Id(0)] string Name, [property: Id(1)] long Epoch, [property: Id(2)] int Tokens, [property: Id(3)] bool Gated = false);

[GenerateSerializer, Alias("Test.Phase")]
public enum Phase { Idle, Running, Finished, Cancelled }

[GenerateSerializer, Immutable, Alias("Test.Standing")]
public sealed record Standing([property: Id(0)] string Host, [property: Id(1)] string? Order, [property: Id(2)] long Epoch, [property: Id(3)] Phase Phase, [property: Id(4)] double? Joules, [property: Id(5)] int Launches);

[GenerateSerializer, Immutable, Alias("Test.Reading")]
public readonly record struct Reading([property: Id(0)] DateTimeOffset At, [property: Id(1)] double Watts);

[GenerateSerializer, Alias("Test.DeviceState")]
public sealed class DeviceState
{
    [Id(0)] public long Epoch { get; set; }
}

/// <summary>A device pinned to its host. Key: <c>host/device</c>.</summary>
[Alias("Test.IDeviceGrain")]
public interface IDeviceGrain : IGrainWithStringKey
{
    /// <summary>Starts and returns at once. The same order again changes nothing; a lower epoch is refused.</summary>
    [Alias("Start"), ResponseTimeout("00:00:05")] Task<Standing> Start(Order order);
    [Alias("Look"), AlwaysInterleave] Task<Standing> Look();
    [Alias("Stop"), AlwaysInterleave] Task<bool> Stop(long epoch);
    [Alias("Completion"), AlwaysInterleave] Task<Standing> Completion(CancellationToken cancellationToken = default);
    [Alias("Watch"), AlwaysInterleave] IAsyncEnumerable<Reading> Watch(int hertz, CancellationToken cancellationToken = default);
}

[HostPlacement, Immovable, KeepAlive]
public sealed class DeviceGrain(Hardware hardware, TimeProvider time, [PersistentState("device", "grid")] IPersistentState<DeviceState> state) : Grain, IDeviceGrain
{
    private Order? _order;
    private Phase _phase;
    private double? _joules;
    private int _launches;
    private CancellationTokenSource? _stop;
    private Task _work = Task.CompletedTask;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var (host, device) = HostPlacement.Split(this.GetPrimaryKeyString());
        return HostPlacement.SiloOf(this.GetPrimaryKeyString()) == hardware.Host && hardware.Has(device)
            ? Task.CompletedTask
            : throw new HostUnavailableException($"Device '{device}' of host '{host}' is not on '{hardware.Host}'.");
    }

    public async Task<Standing> Start(Order order)
    {
        var highest = state.State.Epoch;
        if (order.Epoch < highest) throw new StaleEpochException($"Epoch {order.Epoch} is below {highest}, the highest that was obeyed.", order.Epoch, highest);
        if (_order is { } known && (known.Name, known.Epoch) == (order.Name, order.Epoch)) return Standing();
        state.State.Epoch = order.Epoch; // on disk before the device moves
        await state.WriteStateAsync();
        _stop?.Cancel();
        await _work;
        Launch(order);
        return Standing();
    }

    public Task<Standing> Look() => Task.FromResult(Standing());

    public Task<bool> Stop(long epoch)
    {
        var running = _phase == Phase.Running && _order?.Epoch == epoch;
        if (running) _stop!.Cancel();
        return Task.FromResult(running);
    }

    public async Task<Standing> Completion(CancellationToken cancellationToken)
    {
        await _work.WaitAsync(cancellationToken);
        return Standing();
    }

    public async IAsyncEnumerable<Reading> Watch(int hertz, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / hertz), time);
        while (await tick.WaitForNextTickAsync(cancellationToken))
            yield return new Reading(time.GetUtcNow(), 300);
    }

    private void Launch(Order order)
    {
        (_order, _phase, _joules, _stop) = (order, Phase.Running, null, new CancellationTokenSource());
        _launches++;
        var stop = _stop.Token;
        var run = new TaskCompletionSource<double>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try { run.SetResult(Hardware.Run(order, stop)); }
            catch (OperationCanceledException) { run.SetCanceled(stop); }
        })
        { IsBackground = true, Name = $"device {this.GetPrimaryKeyString()}" }.Start();
        _work = Watch(run.Task);
    }

    // Back on the grain's own scheduler: fields are touched in turns only.
    private async Task Watch(Task<double> run)
    {
        try
        {
            _joules = await run;
            _phase = Phase.Finished;
        }
        catch (OperationCanceledException)
        {
            _phase = Phase.Cancelled;
        }
    }

    private Standing Standing() => new(hardware.Host, _order?.Name, state.State.Epoch, _phase, _joules, _launches);
}

/// <summary>Drives the same order over several devices and keeps what came of it.</summary>
[Alias("Test.IDriverGrain")]
public interface IDriverGrain : IGrainWithStringKey
{
    /// <summary>J per token of each device.</summary>
    [Alias("Drive")] Task<ImmutableDictionary<string, double>> Drive(ImmutableArray<string> devices, long epoch, int tokens, CancellationToken cancellationToken = default);
}

public sealed class DriverGrain : Grain, IDriverGrain
{
    public async Task<ImmutableDictionary<string, double>> Drive(ImmutableArray<string> devices, long epoch, int tokens, CancellationToken cancellationToken)
    {
        var ends = await Task.WhenAll(devices.Select(async device =>
        {
            var grain = GrainFactory.GetGrain<IDeviceGrain>(device);
            await grain.Start(new Order($"{this.GetPrimaryKeyString()}/{device}", epoch, tokens));
            return (device, await grain.Completion(cancellationToken));
        }));
        return ends.ToImmutableDictionary(e => e.device, e => e.Item2.Joules!.Value / tokens);
    }
}
