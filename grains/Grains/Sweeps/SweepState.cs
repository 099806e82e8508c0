using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>A device group that a sweep has taken.</summary>
/// <param name="Number">Its number: the last part of its key.</param>
/// <param name="Devices">Its devices as they described themselves, the leading one first.</param>
/// <param name="Retired">Another took its place: what it has done stays, and it does no more.</param>
[GenerateSerializer, Immutable, Alias("GroupRow")]
public sealed record GroupRow(
    [property: Id(0)] int Number,
    [property: Id(1)] ImmutableArray<DeviceInfo> Devices,
    [property: Id(2)] bool Retired)
{
    /// <summary>The node it is in.</summary>
    public string Host => Devices[0].Host;
}

/// <summary>What a sweep must remember: written when it is submitted, paused, enters its second stage, takes a device group, ends. Never once a trial or a pass.</summary>
[GenerateSerializer, Alias("SweepState")]
public sealed class SweepState : IKeptState<SweepState>
{
    [Id(0)] public long Fence { get; set; }
    [Id(1)] public string PlanText { get; set; } = "";
    [Id(2)] public string Name { get; set; } = "";
    [Id(3)] public string SubmittedBy { get; set; } = "";
    [Id(4)] public DateTimeOffset SubmittedUtc { get; set; }
    [Id(5)] public int Priority { get; set; }
    [Id(6)] public SweepPhase Phase { get; set; }
    [Id(7)] public string Reason { get; set; } = "";
    [Id(8)] public int Stage { get; set; } = 1;
    [Id(9)] public DateTimeOffset? EndedUtc { get; set; }
    [Id(10)] public ImmutableArray<GroupRow> Groups { get; set; } = [];

    /// <summary>Passes wanted on each device group, by match group.</summary>
    [Id(11)] public ImmutableDictionary<string, int> Targets { get; set; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>How often somebody has seen to devices that were given up.</summary>
    [Id(12)] public int Tries { get; set; }

    /// <summary>What it had done when it ended: results committed, of them valid, passes voided.</summary>
    [Id(13)] public int Committed { get; set; }
    [Id(14)] public int Valid { get; set; }
    [Id(15)] public int Voided { get; set; }

    /// <summary>How it is being ended, once that is decided: a crash on the way ends it likewise.</summary>
    [Id(16)] public SweepPhase? Ending { get; set; }

    /// <summary>The plan with nothing left to a default: what later versions take for one does not change a sweep that is under way. Empty in states from before it was kept.</summary>
    [Id(17)] public string ResolvedText { get; set; } = "";

    /// <summary>Trials that were planned when its end was decided; 0 in states from before it was kept.</summary>
    [Id(18)] public int Planned { get; set; }

    public SweepState Copy() => (SweepState)MemberwiseClone();
}
