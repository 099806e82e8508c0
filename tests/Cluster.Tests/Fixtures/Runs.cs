using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>One trial that a device group really ran.</summary>
/// <param name="Life">The process.</param>
/// <param name="Host">The node.</param>
/// <param name="Devices">UUIDs.</param>
/// <param name="Trial">Which.</param>
/// <param name="Attempt">Of its order.</param>
/// <param name="Epoch">Of its order.</param>
/// <param name="StartedUtc">By the wall clock.</param>
/// <param name="EndedUtc">By the wall clock; the end of its process where it came first; null where it still runs.</param>
/// <param name="Outcome">How it ended; null where its process ended first or it still runs.</param>
internal sealed record DeviceRun(SiloLife Life, string Host, ImmutableArray<string> Devices, TrialId Trial, int Attempt, long Epoch, DateTimeOffset StartedUtc, DateTimeOffset? EndedUtc, string? Outcome);

/// <summary>Reads what the silos' run logs say.</summary>
internal static class Runs
{
    private sealed record Line(DateTimeOffset AtUtc, int Process, string Host, ImmutableArray<string> Devices, TrialId Trial, int Attempt, long Epoch, string What, string? Outcome);

    /// <summary>Of all lives of all silos, by their start.</summary>
    public static ImmutableArray<DeviceRun> Of(IEnumerable<SiloProcess> silos) => [.. silos.SelectMany(s => s.Lives).SelectMany(l => Of(l)).OrderBy(r => r.StartedUtc)];

    /// <summary>Of one life.</summary>
    public static ImmutableArray<DeviceRun> Of(SiloLife life)
    {
        if (!File.Exists(life.RunLog)) return [];
        using var reader = new StreamReader(new FileStream(life.RunLog, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var runs = new List<DeviceRun>();
        foreach (var text in reader.ReadToEnd().Split('\n')[..^1])
        {
            var line = JsonSerializer.Deserialize<Line>(text, DocumentJson.Compact)!;
            if (line.What == "start") runs.Add(new(life, line.Host, line.Devices, line.Trial, line.Attempt, line.Epoch, line.AtUtc, life.EndedUtc, null));
            else
            {
                var at = runs.FindLastIndex(r => r.Outcome is null && (r.Host, r.Trial, r.Attempt, r.Epoch) == (line.Host, line.Trial, line.Attempt, line.Epoch));
                runs[at] = runs[at] with { EndedUtc = line.AtUtc, Outcome = line.Outcome };
            }
        }
        return [.. runs];
    }
}
