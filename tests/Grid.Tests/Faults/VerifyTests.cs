using System.Security.Cryptography;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>energygrid verify</c> on the directory of a finished sweep.</summary>
[Collection("faults")]
public sealed class VerifyTests
{
    [Fact]
    public async Task One_changed_byte_in_any_file_is_found_and_named_with_both_checksums_and_nothing_else_is()
    {
        using var scratch = new Scratch();
        await using (var grid = await SimulatedGrid.Start(directory: scratch.Path))
        {
            await grid.Sweep("s").Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2, more: "traces: first-pass"), "tests");
            Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        }
        var directory = Path.Combine(scratch.Path, "results", "s");
        Assert.Equal((0, ""), await Verify(directory));

        var names = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(directory, p)).Order(StringComparer.Ordinal).ToArray();
        Assert.Contains(names, n => n.StartsWith("traces/", StringComparison.Ordinal));
        var random = new Random(4);
        foreach (var name in names)
        {
            var path = Path.Combine(directory, name);
            var sound = File.ReadAllBytes(path);
            var changed = sound.ToArray();
            changed[random.Next(changed.Length)] ^= 1;
            File.WriteAllBytes(path, changed);
            var (code, error) = await Verify(directory);
            Assert.True(code == 1, $"{name}: exit {code}\n{error}");
            var complaints = error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[..^1]; // the last line counts them
            Assert.NotEmpty(complaints);
            Assert.All(complaints, c => Assert.StartsWith($"{name}: ", c));
            if (name == "manifest.json") Assert.Matches("SHA-256 of what it says is [0-9a-f]{64}, its seal says .{64}", Assert.Single(complaints));
            else Assert.Contains(complaints, c => c.Contains(Sha256(sound), StringComparison.Ordinal) && c.Contains(Sha256(changed), StringComparison.Ordinal));
            File.WriteAllBytes(path, sound);
        }
        // A finished sweep's journals do not grow any more, not even by something sound.
        File.AppendAllText(Path.Combine(directory, "events.ndjson"), File.ReadLines(Path.Combine(directory, "events.ndjson")).Last() + "\n");
        Assert.Equal(1, (await Verify(directory)).Code);
    }

    private static async Task<(int Code, string Error)> Verify(string directory)
    {
        var (code, _, error) = await SiloProcess.Command("verify", directory);
        return (code, error);
    }

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
