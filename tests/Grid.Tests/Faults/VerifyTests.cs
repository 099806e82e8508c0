using System.Security.Cryptography;
using EnergyGrid.Console;
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
        // Another place in each run: where a flipped bit lands decides which reader meets it first.
        var seed = Environment.TickCount;
        var random = new Random(seed);
        foreach (var name in names)
        {
            var path = Path.Combine(directory, name);
            var sound = File.ReadAllBytes(path);
            for (var time = 0; time < 60; time++)
            {
                var changed = sound.ToArray();
                var at = random.Next(changed.Length);
                changed[at] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(path, changed);
                var where = $"seed {seed}, {name}, byte {at}: {(char)sound[at]} became {(char)changed[at]}";
                var found = Verification.Of(directory, CancellationToken.None).Discrepancies;
                Assert.True(found.Length > 0, where);
                Assert.All(found, d => Assert.True(d.File == name, $"{where}\n{d.File}: {d.What}"));
                Assert.All(found, d => Assert.False(d.What.Any(char.IsControl), $"{where}\n{d.What}"));
                if (name == "manifest.json") Assert.Matches("SHA-256 of what it says is [0-9a-f]{64}, its seal says .{64}", Assert.Single(found).What);
                else Assert.Contains(found, d => d.What.Contains(Sha256(sound), StringComparison.Ordinal) && d.What.Contains(Sha256(changed), StringComparison.Ordinal));
                if (time == 0)
                {
                    var (code, error) = await Verify(directory);
                    Assert.True(code == 1, $"{where}: exit {code}\n{error}");
                    Assert.Equal([.. found.Select(d => $"{d.File}: {d.What}")], error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[..^1]); // the last line counts them
                }
            }
            File.WriteAllBytes(path, sound);
        }
        // A finished sweep's journals do not grow any more, not even by something sound.
        File.AppendAllText(Path.Combine(directory, "events.ndjson"), File.ReadLines(Path.Combine(directory, "events.ndjson")).Last() + "\n");
        Assert.Equal(1, (await Verify(directory)).Code);
    }

    [Fact]
    public async Task Results_of_the_first_format_still_verify_and_make_a_report_and_a_matrix()
    {
        using var scratch = new Scratch();
        var directory = Path.Combine(AppContext.BaseDirectory, "Faults", "Format1");
        Assert.Contains("\"format\": 1,", File.ReadAllText(Path.Combine(directory, "manifest.json")));
        Assert.Equal((0, ""), await Verify(directory));
        Assert.Equal(0, (await SiloProcess.Command("report", directory, "--out", Path.Combine(scratch.Path, "report.html"))).Code);
        Assert.Contains("GPU-sim", File.ReadAllText(Path.Combine(scratch.Path, "report.html")));
        Assert.Contains("A/A A (twin) / A", (await SiloProcess.Command("matrix", directory)).Out);
    }

    private static async Task<(int Code, string Error)> Verify(string directory)
    {
        var (code, _, error) = await SiloProcess.Command("verify", directory);
        return (code, error);
    }

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
