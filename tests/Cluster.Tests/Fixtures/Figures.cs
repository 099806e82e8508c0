using System.Globalization;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>Prints figures, one a line with its unit: with the test's own output, and into <c>cluster-figures.txt</c> beside the tests, where a quiet run leaves them too.</summary>
internal sealed class Figures(ITestOutputHelper output)
{
    private static readonly Lock Gate = new();

    public void Say(string name, double value, string unit)
    {
        var line = string.Create(CultureInfo.InvariantCulture, $"{name}: {value:F2} {unit}");
        output.WriteLine(line);
        lock (Gate) File.AppendAllText(Path.Combine(AppContext.BaseDirectory, "cluster-figures.txt"), line + "\n");
    }
}
