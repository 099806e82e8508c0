using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>A directory of its own.</summary>
public sealed class FileBed : IStoreBed
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-results-");
    private FileResultStore _store;

    public FileBed() => _store = Make();

    public string Root => _directory.FullName;

    public IResultStore Store => _store;

    public IResultFiles Files => _store;

    public ITrialFiles Traces => _store;

    public IResultRetention Retention => _store;

    public async Task Reopen()
    {
        await _store.DisposeAsync();
        _store = Make();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private FileResultStore Make() => new(Path.Combine(_directory.FullName, "results"), new StillClock());
}
