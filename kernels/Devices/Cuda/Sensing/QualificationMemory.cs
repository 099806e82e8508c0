using System.Globalization;
using System.Text;
using System.Text.Json;
using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>For which board, in which state, a qualification holds. Whatever changes it may change its sensors.</summary>
/// <param name="Uuid">Of the device.</param>
/// <param name="Driver">Version of the driver; empty if it is not said.</param>
/// <param name="PowerLimitWatts">Enforced limit, W; NaN if it is not said.</param>
/// <param name="Vbios">Version of the board's own program; empty if it is not said.</param>
/// <param name="Serial">Of the board; empty if it is not said.</param>
/// <param name="Method">Version of what is looked at and how.</param>
public sealed record QualificationKey(string Uuid, string Driver, double PowerLimitWatts, string Vbios, string Serial, int Method)
{
    /// <summary>Raised with each change of what a qualification means or of how it is found.</summary>
    public const int CurrentMethod = 1;

    /// <summary>That of a device now.</summary>
    public static QualificationKey Of(NvmlDevice device, string driver) => new(device.Uuid, driver, device.PowerLimitWatts(), device.Vbios ?? "", device.Serial ?? "", CurrentMethod);

    /// <summary>Which part of it is another one now, in words; null if none is.</summary>
    public string? Change(QualificationKey now)
    {
        if (Uuid != now.Uuid) return $"it is of {Uuid}, this is {now.Uuid}";
        if (Method != now.Method) return $"it was found by another program (method {Method}, this one has {now.Method})";
        if (Driver != now.Driver) return $"the driver is {now.Driver}, it was {Driver}";
        if (Vbios != now.Vbios) return $"the VBIOS is {now.Vbios}, it was {Vbios}";
        if (Serial != now.Serial) return $"the board's serial number is {now.Serial}, it was {Serial}";
        return PowerLimitWatts.Equals(now.PowerLimitWatts) || Math.Abs(PowerLimitWatts - now.PowerLimitWatts) < 0.5
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"the power limit is {now.PowerLimitWatts:0.#} W, it was {PowerLimitWatts:0.#} W");
    }
}

/// <summary>What a file of the memory holds.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="Key">For what it holds.</param>
/// <param name="Found">What was found.</param>
public sealed record RememberedQualification(int Format, QualificationKey Key, BoardQualification Found)
{
    /// <summary>Of this program.</summary>
    public const int CurrentFormat = 1;
}

/// <summary>Qualifications from one start to the next: a file a device, written whole or not at all.</summary>
/// <param name="directory">Made with the first file.</param>
public sealed class QualificationMemory(string directory)
{
    private const int MostBytes = 1 << 20;

    /// <summary>Where a device's lies.</summary>
    public string PathOf(string uuid) => Path.Combine(directory, $"{new string([.. uuid.Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '_')])}.json");

    /// <summary>
    /// What is remembered of a device: the qualification, or why there is none that may be used, in words; neither where there never was one.
    /// </summary>
    public (RememberedQualification? Kept, string? Why) Of(string uuid)
    {
        var path = PathOf(uuid);
        try
        {
            if (!File.Exists(path)) return (null, null);
            if (new FileInfo(path).Length > MostBytes) return (null, $"{path} is damaged: it has more than {MostBytes >> 20} MiB");
            var kept = JsonSerializer.Deserialize<RememberedQualification>(File.ReadAllBytes(path), BoardQualification.Json);
            if (kept is not { Key: not null, Found: not null }) return (null, $"{path} is damaged, or of an earlier version: it holds no qualification with its key");
            if (kept.Format != RememberedQualification.CurrentFormat) return (null, $"{path} has format {kept.Format}, this program writes {RememberedQualification.CurrentFormat}");
            return Damage(kept, uuid) is { } damage ? (null, $"{path} is damaged: {damage}") : (kept, null);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            return (null, $"{path} is damaged: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, $"{path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Keeps one in place of an earlier one: another name first, flushed, then renamed over it.</summary>
    /// <exception cref="IOException">The disk is full, or the like.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not write there.</exception>
    public void Keep(QualificationKey key, BoardQualification found)
    {
        Directory.CreateDirectory(directory);
        var path = PathOf(key.Uuid);
        using (var stream = new FileStream(path + ".part", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            stream.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new RememberedQualification(RememberedQualification.CurrentFormat, key, found), BoardQualification.Json) + "\n"));
            stream.Flush(flushToDisk: true);
        }
        File.Move(path + ".part", path, overwrite: true);
    }

    // A file is a user's to edit: nothing in it may make a thread poll without a pause, or a counter be trusted that was not.
    private static string? Damage(RememberedQualification kept, string uuid)
    {
        var found = kept.Found;
        if (kept.Key.Uuid != uuid || found.Uuid != uuid) return $"it is of {found.Uuid}";
        if (found.Metering is not (Metering.Counter or Metering.Integration)) return "it says that the device cannot be metered";
        if (!(found.PollSeconds is > 0 and < 10)) return "its poll period is none";
        if (!double.IsNaN(found.UpdatePeriodSeconds) && !(found.UpdatePeriodSeconds is > 0 and < 60)) return "its update period is none";
        if (found.Checks is null or { Count: 0 } || found.Checks.Any(c => c is null) || found.Alias is null || found.Alias.Any(a => a is null)) return "it lacks what was looked at";
        return found.Metering == Metering.Counter && Math.Abs(found.Residual) > BoardQualification.MostResidual ? "its counter disagrees, and is said to be used" : null;
    }
}
