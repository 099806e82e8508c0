using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Evidence;

/// <summary><c>state.json</c>: what a directory of evidence belongs to and how far it is. Written whole after every change.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="StartedUtc">First call.</param>
/// <param name="Software">Version and build of this program.</param>
/// <param name="Seed">Of all data, drawn afresh for this directory; below 2⁵³.</param>
/// <param name="Host">The machine.</param>
/// <param name="Device">The device.</param>
/// <param name="Sections">By name, those that have begun.</param>
/// <param name="Calls">Every call of the command.</param>
/// <param name="Brief">Whether it is collected by the two short parts.</param>
public sealed record EvidenceState(
    int Format, DateTimeOffset StartedUtc, string Software, ulong Seed, string Host, BenchIdentity Device,
    ImmutableSortedDictionary<string, SectionState> Sections, ImmutableArray<EvidenceCall> Calls, bool Brief = false)
{
    /// <summary>Of this program.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Why this device and program may not add to this directory, or null: evidence of two of them is not one run.</summary>
    public string? Mismatch(BenchIdentity device, string software, bool brief)
    {
        if (Brief != brief) return Brief ? "it was begun with --part, this is without" : "it was begun without --part, this is with it";
        if (Device.Kind != device.Kind) return $"it holds evidence of a device that is {Of(Device.Kind)}, this one is {Of(device.Kind)}";
        if (Device.Uuid != device.Uuid) return $"it holds evidence of {Device.Uuid} ({Device.Name}), this is {device.Uuid} ({device.Name})";
        if (Device.Driver != device.Driver) return $"it was begun with driver {Device.Driver}, this is driver {device.Driver}";
        if (Software != software) return $"it was begun by {Software}, this is {software}";
        if (Device.KernelsSha256 != device.KernelsSha256) return $"it was begun with other kernels (SHA-256 {Short(Device.KernelsSha256)}, these are {Short(device.KernelsSha256)})";
        if (Math.Abs(Device.PowerLimitWatts - device.PowerLimitWatts) > 0.5) return $"it was begun at a power limit of {Text.Number(Device.PowerLimitWatts)} W, this is {Text.Number(device.PowerLimitWatts)} W";
        return null;
    }

    private static string Of(BenchKind kind) => kind switch { BenchKind.Gpu => "a GPU", BenchKind.Emulated => "emulated", _ => "simulated" };

    private static string Short(string sha256) => sha256.Length > 12 ? sha256[..12] : sha256.Length == 0 ? "none" : sha256;
}

/// <summary>How a section stands.</summary>
/// <param name="StartedUtc">First unit.</param>
/// <param name="FinishedUtc">Last unit and report; null while units are missing.</param>
/// <param name="Units">Units done.</param>
/// <param name="Verdict">Of a finished one.</param>
/// <param name="Sha256">Of a finished one's file.</param>
public sealed record SectionState(DateTimeOffset StartedUtc, DateTimeOffset? FinishedUtc, int Units, SectionVerdict? Verdict, string? Sha256);

/// <summary>One call of the command.</summary>
/// <param name="StartedUtc">When.</param>
/// <param name="EndedUtc">When it last wrote.</param>
/// <param name="Command">As it was given.</param>
/// <param name="Units">What it did, <c>section/unit</c>.</param>
/// <param name="Hindrance">What stood in the way at its start (another process on the device, ECC off); null if nothing.</param>
public sealed record EvidenceCall(DateTimeOffset StartedUtc, DateTimeOffset EndedUtc, string Command, ImmutableArray<string> Units, string? Hindrance);
