using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Sdk;

/// <summary>What answers.</summary>
/// <param name="Product">EnergyGrid.</param>
/// <param name="Version">Its version.</param>
/// <param name="Runtime">.NET and operating system.</param>
/// <param name="Silo">The silo's name.</param>
/// <param name="Clock">The silo's clock now, UTC.</param>
/// <param name="Storage">Whether what keeps the grid's state answers this silo.</param>
public sealed record VersionInfo(string Product, string Version, string Runtime, string Silo, DateTimeOffset Clock, StorageInfo? Storage = null);

/// <summary>What keeps the grid's state, as one silo sees it.</summary>
/// <param name="Kind"><c>redis</c> or <c>files</c>.</param>
/// <param name="Answers">Whether it can be written.</param>
/// <param name="SinceUtc">Since when that is so.</param>
/// <param name="Says">One line for people: while it is away, why, what goes on and what waits.</param>
public sealed record StorageInfo(string Kind, bool Answers, DateTimeOffset SinceUtc, string Says);

/// <summary>A node of the grid.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Site">Where it stands.</param>
/// <param name="Rack">Where it stands.</param>
/// <param name="Up">Whether the process that serves it is a member of the cluster.</param>
/// <param name="SinceUtc">Since when it is up or down.</param>
/// <param name="Devices">How many devices it offered last.</param>
public sealed record NodeLine(string Host, string Site, string Rack, bool Up, DateTimeOffset SinceUtc, int Devices);

/// <summary>A serving engine that a node may run.</summary>
/// <param name="Host">The node.</param>
/// <param name="Up">Whether it is up.</param>
/// <param name="Stack">What it may run.</param>
public sealed record StackLine(string Host, bool Up, StackOffer Stack);

/// <summary>A process of the grid as the one that was asked knows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Where the others reach it.</param>
/// <param name="Status">Created, joining, active, shuttingdown, stopping or dead.</param>
/// <param name="Generation">Grows with every start at the same address.</param>
public sealed record SiloLine(string Name, string Address, string Status, int Generation);

/// <summary>Grains of one kind that a silo has in memory.</summary>
/// <param name="Silo">Its name.</param>
/// <param name="Kind">For example <c>SweepGrain</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="Keys">Which; empty for kinds whose place follows from their key.</param>
public sealed record ActivationLine(string Silo, string Kind, int Count, ImmutableArray<string> Keys);

/// <summary>A device with what the grid saw of it last.</summary>
/// <param name="Device">What it is.</param>
/// <param name="Watts">Latest power, W, at work and at rest; null where nothing is known.</param>
/// <param name="Celsius">Latest temperature, °C; null where nothing is known.</param>
/// <param name="Phase">Idle unless a sweep runs a trial on it.</param>
/// <param name="Sweep">The sweep that holds it; null if none.</param>
/// <param name="Trial">The trial that runs; null if none.</param>
/// <param name="Up">Whether its host is up.</param>
/// <param name="DownSinceUtc">Since when its host is down; null while it is up.</param>
/// <param name="Megahertz">Latest clock of the processing units, MHz; null where nothing is known.</param>
/// <param name="Fraction">How much of the trial is done, over all of its L', 0–1: it never falls; null if no trial runs.</param>
/// <param name="Utilisation">Share of the last second or so in which the device was at work, whoever's it was, 0–1; null where nothing is known.</param>
/// <param name="MemoryUsedBytes">Memory of the device that is taken, by whomever, B; null where nothing is known.</param>
public sealed record DeviceLine(
    DeviceInfo Device, double? Watts, double? Celsius, TrialPhase Phase, string? Sweep, string? Trial, bool Up = true, DateTimeOffset? DownSinceUtc = null,
    double? Megahertz = null, double? Fraction = null, double? Utilisation = null, double? MemoryUsedBytes = null);

/// <summary>Something wrong with a plan, like a compiler's message.</summary>
/// <param name="File">The file as it was given, or <c>plan</c> where only text was sent.</param>
/// <param name="Line">From 1; 0 where the place is unknown.</param>
/// <param name="Column">From 1; 0 where the place is unknown.</param>
/// <param name="Key">Path of the key, for example <c>trial.window_s</c>; empty for the whole document.</param>
/// <param name="Wrong">What is wrong.</param>
/// <param name="Right">What would be right.</param>
public sealed record PlanFault(string File, int Line, int Column, string Key, string Wrong, string Right)
{
    /// <summary><c>file:line:column: key: what is wrong; right: what would be right</c>.</summary>
    public override string ToString()
    {
        var place = Line > 0 ? $"{File}:{Line}:{Math.Max(1, Column)}: " : $"{File}: ";
        var key = Key.Length > 0 ? $"{Key}: " : "";
        return Right.Length > 0 ? $"{place}{key}{Wrong}; right: {Right}" : $"{place}{key}{Wrong}";
    }
}

/// <summary>What a plan comes to once nothing is left open.</summary>
/// <param name="Name">The plan's name.</param>
/// <param name="Sha256">Its identity.</param>
/// <param name="Hardware">Hardware class it asks for.</param>
/// <param name="Groups">Match groups.</param>
/// <param name="Cells">Cells over all groups, A/A twins included.</param>
/// <param name="FirstStageTrialsPerDeviceGroup">Trials on each device group in the first stage where there are several; a single device group runs at least five passes.</param>
/// <param name="FirstStageSecondsPerDeviceGroup">Time of them on one device group, in device time, without load and preconditions, s.</param>
public sealed record PlanSummary(
    string Name, string Sha256, string Hardware, ImmutableArray<PlanGroupLine> Groups, int Cells,
    int FirstStageTrialsPerDeviceGroup, double FirstStageSecondsPerDeviceGroup)
{
    /// <summary>What the grid that was asked has to say of it: more devices than it has, for example.</summary>
    public ImmutableArray<PlanFault> Warnings { get; init; } = [];

    /// <summary>Of a resolved plan.</summary>
    public static PlanSummary Of(ResolvedPlan plan)
    {
        var cells = plan.Groups.Sum(g => g.Cells.Length);
        var seconds = plan.Groups.Sum(g => g.Cells.Sum(c => LayerLegs.Of(c.Configuration).Length
            * (plan.Timing.MinWarmupSeconds + plan.Timing.WindowSeconds) + plan.Timing.CooldownSeconds)) * plan.Replication.Min;
        return new(plan.Name, plan.Sha256, plan.Hardware.Model,
            [.. plan.Groups.Select(g => new PlanGroupLine(g.Name, g.Baseline, [.. g.Cells.Select(c => c.Label)]))],
            cells, cells * plan.Replication.Min, seconds);
    }
}

/// <summary>A match group by the names of its cells.</summary>
public sealed record PlanGroupLine(string Name, string? Baseline, ImmutableArray<string> Cells);

/// <summary>A file of a sweep's results.</summary>
public sealed record FileLine(string Name, long Bytes);

/// <summary>One thing said by a sweep's event stream: exactly one of the two is present.</summary>
/// <param name="Event">A line of <c>events.ndjson</c>.</param>
/// <param name="Status">How the sweep stands, whenever that changed.</param>
public sealed record SweepNews(SweepEvent? Event, SweepStatus? Status);
