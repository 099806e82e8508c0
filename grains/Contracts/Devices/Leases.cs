using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>A request to hold devices of one node for a pass.</summary>
/// <param name="Holder">Who asks: the key of a device group, <c>sweep/n</c>.</param>
/// <param name="Fence">The number of the holder's activation: a lower one than was seen is refused.</param>
/// <param name="Pass">For which pass: <c>group/b0/p3</c>.</param>
/// <param name="Devices">UUIDs, the leading one first.</param>
/// <param name="Priority">Of those that want the same devices the higher one has them first.</param>
/// <param name="SinceUtc">Of equal priority, the older sweep.</param>
/// <param name="Seconds">How long without a sign of life until others may take them, s.</param>
[GenerateSerializer, Immutable, Alias("LeaseRequest")]
public sealed record LeaseRequest(
    [property: Id(0)] string Holder,
    [property: Id(1)] long Fence,
    [property: Id(2)] string Pass,
    [property: Id(3)] ImmutableArray<string> Devices,
    [property: Id(4)] int Priority,
    [property: Id(5)] DateTimeOffset SinceUtc,
    [property: Id(6)] double Seconds);

/// <summary>The answer: held under an epoch, or why not.</summary>
/// <param name="Granted">Whether the devices are now held.</param>
/// <param name="Epoch">Of the lease if granted; from one counter a node, so a later holder is never stale.</param>
/// <param name="Why">Who holds them or has precedence; empty if granted.</param>
/// <param name="Devices">The devices as they are now, in the order of the request; if granted.</param>
/// <param name="Gone">Refused because a device is not offered any more: quarantined, or taken out.</param>
[GenerateSerializer, Immutable, Alias("Lease")]
public sealed record Lease(
    [property: Id(0)] bool Granted,
    [property: Id(1)] long Epoch,
    [property: Id(2)] string Why,
    [property: Id(3)] ImmutableArray<DeviceInfo> Devices,
    [property: Id(4)] bool Gone);

/// <summary>Who holds devices of a node.</summary>
/// <param name="Holder">A device group, <c>sweep/n</c>.</param>
/// <param name="Pass">For this pass.</param>
/// <param name="Epoch">Under this epoch.</param>
/// <param name="Devices">UUIDs.</param>
[GenerateSerializer, Immutable, Alias("HeldDevices")]
public sealed record HeldDevices(
    [property: Id(0)] string Holder,
    [property: Id(1)] string Pass,
    [property: Id(2)] long Epoch,
    [property: Id(3)] ImmutableArray<string> Devices);

/// <summary>A node as its leases stand.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Devices">Its devices: those that may be leased.</param>
/// <param name="Held">Leases.</param>
/// <param name="Waiting">Holders that wait, first in line first.</param>
/// <param name="Opening">Whether more devices may come: some are still being looked at since the start.</param>
[GenerateSerializer, Immutable, Alias("NodeView")]
public sealed record NodeView(
    [property: Id(0)] string Host,
    [property: Id(1)] ImmutableArray<DeviceInfo> Devices,
    [property: Id(2)] ImmutableArray<HeldDevices> Held,
    [property: Id(3)] ImmutableArray<string> Waiting,
    [property: Id(4)] bool Opening);
