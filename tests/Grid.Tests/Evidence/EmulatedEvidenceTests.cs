using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Devices.Tests.Cuda;

namespace EnergyGrid.Grid.Tests.Evidence;

/// <summary><c>gpu-evidence</c> in its two parts on the emulated GPU: the unmodified path, with kernels that really run.</summary>
[Collection("cuda")]
public sealed class EmulatedEvidenceTests(EmulatedLibraries libraries) : IDisposable
{
    private readonly DirectoryInfo _scratch = Directory.CreateTempSubdirectory("energygrid-evidence-");

    public void Dispose() => _scratch.Delete(recursive: true);

    [Fact]
    public async Task Both_parts_write_every_section_and_name_what_their_time_was_too_short_for()
    {
        var into = Path.Combine(_scratch.FullName, "out");
        for (var part = 1; part <= EvidenceParts.Count; part++)
        {
            var (code, said, error) = await Run("--out", into, "--part", $"{part}", "--deadline", part == 1 ? "8" : "30");
            Assert.True(code == 0, $"{code}: {said}{error}");
            foreach (var section in EvidenceParts.Sections(part))
            {
                using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(into, $"{section}.json")));
                Assert.True(section == "sweep" || file.RootElement.GetProperty("units").EnumerateObject().Any(), section);
                Assert.All(file.RootElement.GetProperty("units").EnumerateObject(), u => Assert.False(u.Value.TryGetProperty("fault", out _), $"{section}/{u.Name}: {u.Value}"));
                Assert.StartsWith("# ", File.ReadAllText(Path.Combine(into, $"{section}.md")));
                if (!file.RootElement.GetProperty("finished").GetBoolean()) Assert.Matches($"(?m)^{section} +unfinished +[0-9]+ of [0-9]+ units; it would still need ", said);
            }
        }
        var summary = File.ReadAllText(Path.Combine(into, "summary.md"));
        Assert.Contains(SummaryPage.EmulatedBanner, summary);
        Assert.DoesNotContain("has not run", summary);
        // What the section found about the sensors is what the sweep went by.
        Assert.Single(Directory.GetFiles(Path.Combine(into, "devices"), "GPU-*.json"));
        Assert.True(File.Exists(Path.Combine(into, "sweep", "manifest.json")) || summary.Contains("| sweep | unfinished", StringComparison.Ordinal), summary);
    }

    private async Task<(int Code, string Out, string Error)> Run(params string[] arguments)
    {
        var script = Path.Combine(_scratch.FullName, "sensors.txt");
        await File.WriteAllTextAsync(script, "power 0 140\n");
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(EnergyGrid.Console.GridCommand).Assembly.Location, "gpu-evidence", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [NativeLibraries.CudaVariable] = libraries.CudaLibrary, [NativeLibraries.NvmlVariable] = libraries.NvmlLibrary, ["EMULATED_NVML_SCRIPT"] = script },
        };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
