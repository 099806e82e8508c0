using System.Globalization;

namespace EnergyGrid.Silo.Tests;

/// <summary>State files under kill -9 of the process that writes them.</summary>
public sealed class KillTests
{
    private const int Kills = 24;

    [Fact]
    public async Task State_survives_a_kill_at_any_instant()
    {
        using var directory = new TemporaryDirectory();
        var (last, acknowledgements) = (0, 0);
        for (var kill = 0; kill < Kills; kill++)
        {
            using var writer = Writer.Start(directory.Path);
            var acknowledged = last;
            // Anywhere in its life: at its start, or so many acknowledgements and a moment later.
            for (var left = kill % 6 == 0 ? 0 : Random.Shared.Next(1, 12); left > 0; left--)
            {
                var line = await writer.StandardOutput.ReadLineAsync();
                Assert.NotNull(line);
                (acknowledged, acknowledgements) = (int.Parse(line, CultureInfo.InvariantCulture), acknowledgements + 1);
            }
            Thread.SpinWait(Random.Shared.Next(200_000));
            writer.Kill(); // SIGKILL
            foreach (var line in (await writer.StandardOutput.ReadToEndAsync()).Split('\n').SkipLast(1)) // the last line may be cut
                acknowledged = int.Parse(line, CultureInfo.InvariantCulture);
            await writer.WaitForExitAsync();

            using var files = new StateFiles(directory.Path); // the dead process holds no lock
            var (etag, page) = await files.Read<Page>(Page.Type, Page.Name, Page.Key);
            Assert.True(page is null || page.IsWhole, "The record is torn.");
            Assert.InRange(page?.Number ?? 0, acknowledged, acknowledged + 1); // nothing acknowledged is lost; one more may have been on its way
            Assert.Equal(page is null, etag is null);
            last = page?.Number ?? 0;
        }
        Assert.True(acknowledgements >= Kills / 2);
    }
}

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("energygrid-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
