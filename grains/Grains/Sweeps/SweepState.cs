using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>How a pass stands.</summary>
[GenerateSerializer, Alias("PassPhase")]
public enum PassPhase { Open, Done, Void }

/// <summary>One run of every configuration of a match group on one device group.</summary>
/// <param name="Group">The match group.</param>
/// <param name="Block">Which device group.</param>
/// <param name="Pass">Its number there; a voided pass keeps it.</param>
/// <param name="Phase">How it stands.</param>
/// <param name="Leases">How often its devices were leased for it: the attempt of its trials is one less.</param>
/// <param name="Reason">Why it is void.</param>
[GenerateSerializer, Immutable, Alias("PassRow")]
public sealed record PassRow(
    [property: Id(0)] string Group,
    [property: Id(1)] int Block,
    [property: Id(2)] int Pass,
    [property: Id(3)] PassPhase Phase,
    [property: Id(4)] int Leases,
    [property: Id(5)] string Reason);

/// <summary>A device group of a sweep.</summary>
/// <param name="Block">Its number.</param>
/// <param name="Devices">Keys <c>host/uuid</c>, all of one host, the first one leading.</param>
/// <param name="Binding">Driver and power limits when it was taken: a change voids the pass that is open there.</param>
/// <param name="Lost">Given up: its host did not come back.</param>
[GenerateSerializer, Immutable, Alias("BlockRow")]
public sealed record BlockRow(
    [property: Id(0)] int Block,
    [property: Id(1)] ImmutableArray<string> Devices,
    [property: Id(2)] string Binding,
    [property: Id(3)] bool Lost)
{
    /// <summary>The node it is in.</summary>
    public string Host => HostPlacement.Split(Devices[0]).Host;
}

/// <summary>What a sweep must remember. Results are not here: they are in the result store, and what is committed there is the truth.</summary>
[GenerateSerializer, Alias("SweepState")]
public sealed class SweepState
{
    [Id(0)] public string PlanText { get; set; } = "";
    [Id(1)] public string Name { get; set; } = "";
    [Id(2)] public string SubmittedBy { get; set; } = "";
    [Id(3)] public DateTimeOffset SubmittedUtc { get; set; }
    [Id(4)] public SweepPhase Phase { get; set; }
    [Id(5)] public string Reason { get; set; } = "";
    [Id(6)] public int Stage { get; set; } = 1;
    [Id(7)] public DateTimeOffset? EndedUtc { get; set; }

    /// <summary>The last moment at which the sweep is known to have been driven, to a minute.</summary>
    [Id(8)] public DateTimeOffset SeenUtc { get; set; }
    [Id(9)] public ImmutableArray<BlockRow> Blocks { get; set; } = [];
    [Id(10)] public ImmutableArray<PassRow> Passes { get; set; } = [];

    /// <summary>Passes wanted on each block, by match group.</summary>
    [Id(11)] public ImmutableDictionary<string, int> Targets { get; set; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>The devices that were used, as they described themselves.</summary>
    [Id(12)] public ImmutableArray<DeviceInfo> Devices { get; set; } = [];

    public SweepState Copy() => (SweepState)MemberwiseClone();
}
