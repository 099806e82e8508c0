using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>What executes a workload.</summary>
[GenerateSerializer, Alias("DeviceKind")]
public enum DeviceKind { Simulated, Cpu, Cuda }

/// <summary>One device as its node knows it.</summary>
/// <param name="Host">The node's name; the first part of the device's grain key.</param>
/// <param name="Uuid">Unique within the host and stable across restarts.</param>
/// <param name="Model">The hardware class that plans name, for example <c>H100-SXM-80GB</c>.</param>
/// <param name="Kind">What executes.</param>
/// <param name="Site">Where it stands.</param>
/// <param name="Rack">Where it stands.</param>
/// <param name="Index">Position in the node, from 0.</param>
/// <param name="MemoryBytes">Device memory, B.</param>
/// <param name="BandwidthBytesPerSecond">Stream bandwidth that phi_mem divides by, B/s.</param>
/// <param name="BandwidthProvenance">Declared (datasheet), measured here, or modelled.</param>
/// <param name="PeakFlopsPerSecond">Dense peak of the precision that the matrix units execute, FLOP/s.</param>
/// <param name="RatedWatts">Board power rating, W.</param>
/// <param name="PowerLimitWatts">Enforced limit, W.</param>
/// <param name="Driver">Driver and its version, or the runtime.</param>
/// <param name="EnergySource">For example <c>nvml energy counter</c>, <c>rapl package-0</c>, <c>declared idle/max power × time</c>.</param>
/// <param name="EnergyProvenance">Of energy from that source.</param>
/// <param name="Qualification">What is known of the sensor behind that source; null where nothing is.</param>
/// <param name="TimeScale">How many times as fast as the wall's its time runs; null where it is the wall's.</param>
[GenerateSerializer, Immutable, Alias("DeviceInfo")]
public sealed record DeviceInfo(
    [property: Id(0)] string Host,
    [property: Id(1)] string Uuid,
    [property: Id(2)] string Model,
    [property: Id(3)] DeviceKind Kind,
    [property: Id(4)] string Site,
    [property: Id(5)] string Rack,
    [property: Id(6)] int Index,
    [property: Id(7)] double MemoryBytes,
    [property: Id(8)] double BandwidthBytesPerSecond,
    [property: Id(9)] Provenance BandwidthProvenance,
    [property: Id(10)] double PeakFlopsPerSecond,
    [property: Id(11)] double RatedWatts,
    [property: Id(12)] double PowerLimitWatts,
    [property: Id(13)] string Driver,
    [property: Id(14)] string EnergySource,
    [property: Id(15)] Provenance EnergyProvenance,
    [property: Id(16)] SensorQualification? Qualification = null,
    [property: Id(17), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? TimeScale = null)
{
    /// <summary>The key of its grain: <c>host/uuid</c>.</summary>
    public string Key => $"{Host}/{Uuid}";
}

/// <summary>What a source of power readings is in the meter tree.</summary>
[GenerateSerializer, Alias("SourceKind")]
public enum SourceKind
{
    /// <summary>One accelerator board.</summary>
    Gpu,

    /// <summary>The processors of a node (RAPL package).</summary>
    Cpu,

    /// <summary>The memory of a node (RAPL dram), where it is not inside the package.</summary>
    Dram,

    /// <summary>The whole node at its power input.</summary>
    NodeInput,

    /// <summary>A rack at its PDU.</summary>
    RackInput,

    /// <summary>The whole facility.</summary>
    FacilityInput,
}

/// <summary>A source of power readings and its place in the meter tree.</summary>
/// <param name="Source">As in <see cref="PowerWindow.Source"/>.</param>
/// <param name="Kind">What it measures.</param>
/// <param name="Accounting">Whether it is the one accounting meter on its path from facility to device.</param>
/// <param name="RatedWatts">For coverage weights and gap bounds, W.</param>
[GenerateSerializer, Immutable, Alias("MeterInfo")]
public sealed record MeterInfo(
    [property: Id(0)] string Source,
    [property: Id(1)] SourceKind Kind,
    [property: Id(2)] bool Accounting,
    [property: Id(3)] double RatedWatts);

/// <summary>A serving engine that a node may run, as its <c>stacks.yaml</c> has it.</summary>
/// <param name="Name">As plans name it.</param>
/// <param name="Engine">Which engine: <c>vllm</c>, <c>llama.cpp</c>, …; <c>endpoint</c> for one that already runs.</param>
/// <param name="Models">What it may serve, as plans name them.</param>
/// <param name="Parameters">What a plan may set.</param>
[GenerateSerializer, Immutable, Alias("StackOffer")]
public sealed record StackOffer(
    [property: Id(0)] string Name,
    [property: Id(1)] string Engine,
    [property: Id(2)] ImmutableArray<string> Models,
    [property: Id(3)] ImmutableArray<string> Parameters);

/// <summary>What stands in one node. Sent on start and whenever it changes.</summary>
[GenerateSerializer, Immutable, Alias("NodeInventory")]
public sealed record NodeInventory(
    [property: Id(0)] string Host,
    [property: Id(1)] string Site,
    [property: Id(2)] string Rack,
    [property: Id(3)] ImmutableArray<DeviceInfo> Devices,
    [property: Id(4)] ImmutableArray<MeterInfo> Meters)
{
    /// <summary>Serving engines that may run there.</summary>
    [Id(5)]
    public ImmutableArray<StackOffer> Stacks { get; init; } = [];
}

/// <summary>A node and whether it is there now.</summary>
/// <param name="Inventory">What it last said it consists of.</param>
/// <param name="Up">Whether the process that said so is an active member of the cluster.</param>
/// <param name="SinceUtc">Since when it is up or down, as far as was seen.</param>
[GenerateSerializer, Immutable, Alias("NodeStanding")]
public sealed record NodeStanding(
    [property: Id(0)] NodeInventory Inventory,
    [property: Id(1)] bool Up,
    [property: Id(2)] DateTimeOffset SinceUtc);
