using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What a device group must remember. Results are not here: what is committed in the result store is the truth.</summary>
[GenerateSerializer, Alias("DeviceGroupState")]
public sealed class DeviceGroupState : IKeptState<DeviceGroupState>
{
    [Id(0)] public long Fence { get; set; }

    /// <summary>The highest number of an activation of the sweep that has given orders.</summary>
    [Id(1)] public long SweepFence { get; set; }
    [Id(2)] public GroupPhase Phase { get; set; }

    /// <summary>Why it is away, sick or ended.</summary>
    [Id(3)] public string Reason { get; set; } = "";

    /// <summary>Driver and power limits of the devices: a change voids the pass that is open.</summary>
    [Id(4)] public string Binding { get; set; } = "";
    [Id(5)] public ImmutableArray<PassRow> Passes { get; set; } = [];

    /// <summary>The last moment at which the open pass is known to have been driven, to a minute.</summary>
    [Id(6)] public DateTimeOffset SeenUtc { get; set; }

    /// <summary>How often somebody has seen to devices that were given up.</summary>
    [Id(7)] public int Tries { get; set; }

    /// <summary>Keys of its devices, all of one host, the leading one first.</summary>
    [Id(8)] public ImmutableArray<string> Devices { get; set; } = [];

    public DeviceGroupState Copy() => (DeviceGroupState)MemberwiseClone();
}
