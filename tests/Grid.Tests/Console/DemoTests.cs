using System.Globalization;
using System.Text.RegularExpressions;
using EnergyGrid.Grid.Tests.Faults;

namespace EnergyGrid.Grid.Tests;

/// <summary>The README's first command, and what two programs that share no code find in what it leaves.</summary>
[Collection("faults")]
public sealed partial class DemoTests
{
    [Fact]
    public async Task The_demo_ends_well_and_both_of_its_directories_hold_by_both_programs()
    {
        using var scratch = new Scratch();
        var (code, said, error) = await SiloProcess.Command("demo", "--out", scratch.Path);
        Assert.True(code == 0, said + error);
        Assert.Contains("MODELLED", said);
        var sweeps = Directory.GetDirectories(Path.Combine(scratch.Path, "results"));
        Assert.Equal(["table3", "this-machine"], sweeps.Select(d => Sweep().Match(Path.GetFileName(d)).Groups[1].Value).Order(StringComparer.Ordinal));
        foreach (var directory in sweeps)
        {
            var ours = await SiloProcess.Command("verify", directory);
            Assert.True(ours.Code == 0, ours.Error);
            var (other, found) = await PythonReader.Verify(directory);
            Assert.True(other == 0, found);
            // Every number, and not none of them.
            Assert.True(int.Parse(Numbers().Match(found).Groups[1].Value, CultureInfo.InvariantCulture) > 1000, found);
        }
    }

    [GeneratedRegex("^(.+)-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}$")]
    private static partial Regex Sweep();

    [GeneratedRegex(", numbers ([0-9]+),")]
    private static partial Regex Numbers();
}
