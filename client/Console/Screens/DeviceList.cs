using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>Devices as a list, or one of them with everything that is known of it.</summary>
internal static class DeviceList
{
    private static readonly Column[] All =
    [
        new("device", Rank: 0), new("power", Right: true, Rank: 1), new("limit", Right: true, Rank: 5), new("temp", Right: true, Rank: 3), new("clock", Right: true, Rank: 6), new("util", Right: true, Rank: 5), new("used", Right: true, Rank: 8), new("memory", Right: true, Rank: 9),
        new("energy is", Rank: 4), new("doing", Rank: 2), new("cell", Rank: 8, Least: 12), new("sweep", Rank: 10), new("model", Rank: 7), new("rack", Rank: 11), new("energy source", Rank: 12, Least: 16),
    ];

    /// <param name="devices">Of the whole grid, or what short names should tell apart.</param>
    /// <param name="screen">Where; on a terminal with short names, elsewhere with whole ones.</param>
    public static void Show(IReadOnlyList<DeviceLine> devices, Screen screen)
    {
        var names = DeviceNames.Short(devices.Select(d => d.Device.Uuid));
        screen.List(All, [.. devices.Select(l => (string[])
        [
            screen.IsTerminal ? $"{l.Device.Host}/{names[l.Device.Uuid]}" : l.Device.Key, Say.Watts(l.Watts), Say.Watts(l.Device.PowerLimitWatts), Celsius(l), Megahertz(l), Share(l), Used(l), Say.Bytes(l.Device.MemoryBytes),
            l.Device.EnergyProvenance.ToString().ToLowerInvariant(), DoingOrDown(l), l.Trial is { } trial ? SweepText.Cell(trial) : "", l.Sweep ?? "", l.Device.Model, l.Device.Rack, l.Device.EnergySource,
        ])]);
    }

    public static void ShowOne(DeviceLine line, string shortName, Screen screen)
    {
        var d = line.Device;
        screen.Say($"{d.Key}  ({d.Host}/{shortName}, {d.Host}/{d.Index.ToString(CultureInfo.InvariantCulture)})");
        screen.Say($"  model     {d.Model}, {Say.Bytes(d.MemoryBytes)}, {d.Driver}");
        screen.Say($"  place     {d.Site}/{d.Rack}");
        screen.Say($"  doing     {DoingOrDown(line)}{(line.Trial is { } trial ? $"  {trial} of {line.Sweep}" : "")}");
        screen.Say($"  power     {Say.Watts(line.Watts)} of {Say.Watts(d.PowerLimitWatts)}, rated {Say.Watts(d.RatedWatts)}");
        screen.Say($"  energy    {d.EnergyProvenance.ToString().ToLowerInvariant()}: {d.EnergySource}");
        screen.Say($"  sensors   {Celsius(line)}, {Megahertz(line)}, at work {Share(line)}, {Used(line)} of {Say.Bytes(d.MemoryBytes)} in use");
    }

    private static string DoingOrDown(DeviceLine line) => line.Up ? Doing(line) : $"DOWN since {line.DownSinceUtc?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)}";

    private static string Celsius(DeviceLine line) => line.Celsius is { } celsius ? string.Create(CultureInfo.InvariantCulture, $"{celsius:0} °C") : Say.Absent;

    private static string Megahertz(DeviceLine line) => line.Megahertz is { } megahertz ? string.Create(CultureInfo.InvariantCulture, $"{megahertz:0} MHz") : Say.Absent;

    /// <summary>Share of the last second in which it was at work.</summary>
    public static string Share(DeviceLine line) => line.Utilisation is { } share ? string.Create(CultureInfo.InvariantCulture, $"{share * 100:0} %") : Say.Absent;

    /// <summary>Memory that is taken.</summary>
    public static string Used(DeviceLine line) => line.MemoryUsedBytes is { } bytes ? bytes > 0 ? Say.Bytes(bytes) : "0 MB" : Say.Absent;

    /// <summary>What a device does, and how far it is.</summary>
    public static string Doing(DeviceLine line) => !line.Up ? "DOWN" : line.Trial is null ? "idle"
        : Tables.Phase(line.Phase) + (line.Fraction is { } share ? string.Create(CultureInfo.InvariantCulture, $" {share * 100:0} %") : "");
}
