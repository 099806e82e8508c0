using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>Directories from before events had keys, and directories that somebody has been at.</summary>
public sealed class OldDirectoryTests : IAsyncLifetime
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-old-");
    private FileResultStore _store = null!;

    private string Sweep => Path.Combine(_directory.FullName, "s");

    public Task InitializeAsync()
    {
        _store = new(_directory.FullName, new StillClock());
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Lines_without_a_key_are_read_and_the_journal_goes_on_after_them()
    {
        Directory.CreateDirectory(Sweep);
        var old = "{\"sequence\":0,\"atUtc\":\"2026-11-20T10:00:00+00:00\",\"kind\":\"submitted\",\"text\":\"kept\"}";
        var line = JournalLine.Of(old);
        await File.WriteAllBytesAsync(Path.Combine(Sweep, "events.ndjson"), line);
        await File.WriteAllBytesAsync(Path.Combine(Sweep, "trials.ndjson"), Journals.Trials([Samples.Trial("s", 0)]));
        Assert.Equal("kept", Assert.Single(await _store.Events("s", 0)).Text);
        Assert.Equal(0, (await _store.Append("s", new("sweep", 1), "submitted", "submitted", "kept")).Sequence); // the same that was said last
        Assert.Equal(1, (await _store.Append("s", new("sweep", 1), "p", "paused", "")).Sequence);
        Assert.Single(await _store.Results("s"));
        await _store.DisposeAsync();
        var bytes = await File.ReadAllBytesAsync(Path.Combine(Sweep, "events.ndjson"));
        Assert.True(bytes.AsSpan().StartsWith(line));
        Assert.EndsWith(",\"kind\":\"paused\",\"text\":\"\",\"key\":\"p\"}}\n", Encoding.UTF8.GetString(bytes));
        Assert.Equal(old, Journals.Document(Journals.Event(old))); // an event without a key is written as it was
    }

    [Fact]
    public async Task A_damaged_line_is_told_with_file_and_line_until_it_is_mended()
    {
        Directory.CreateDirectory(Sweep);
        var path = Path.Combine(Sweep, "trials.ndjson");
        var sound = Journals.Trials([Samples.Trial("s", 0), Samples.Trial("s", 1), Samples.Trial("s", 2)]);
        var damaged = sound.ToArray();
        damaged[damaged.AsSpan().IndexOf((byte)'\n') + 300] ^= 1;
        await File.WriteAllBytesAsync(path, damaged);
        Assert.Contains("trials.ndjson:2: the line is damaged", (await Assert.ThrowsAsync<StorageTroubleException>(() => _store.Results("s"))).Message);
        Assert.Contains("trials.ndjson:2: the line is damaged", (await Assert.ThrowsAsync<StorageTroubleException>(() => _store.Commit("s", "o", Samples.Trial("s", 3)))).Message);
        await File.WriteAllBytesAsync(path, sound);
        Assert.Equal(3, (await _store.Results("s")).Length);
    }

    [Fact]
    public async Task A_directory_that_is_gone_is_made_again_and_reading_makes_none()
    {
        Assert.Empty(await _store.Results("s"));
        Assert.Empty(await _store.Events("s", 0));
        Assert.False(Directory.Exists(Sweep));
        await _store.Register("s", new("b0", 1), "o");
        var (name, sha256) = await _store.Write("s", Samples.Trial("s", 0).Trial, TrialFileKind.Trace, Samples.Trace(3), default);
        Assert.Equal(CommitAnswer.Committed, await _store.Commit("s", "o", Samples.Trial("s", 0) with { Trace = name, TraceSha256 = sha256 }));
        Directory.Delete(Path.Combine(Sweep, "traces"), recursive: true);
        await _store.Create("s", Samples.PlanText, Samples.Plan);
        await _store.Publish("s", new("sweep", 1), Samples.Record());
        Assert.NotNull(await _store.Matrix("s"));
    }

    [Fact]
    public async Task What_cannot_be_written_is_told_with_its_path_and_tried_again()
    {
        await _store.Create("s", Samples.PlanText, Samples.Plan);
        // Where the documents should go lies a directory.
        var obstacle = Directory.CreateDirectory(Path.Combine(Sweep, "cells.csv.next", "x"));
        Assert.Contains("cells.csv.next", (await Assert.ThrowsAsync<StorageTroubleException>(() => _store.Publish("s", new("sweep", 1), Samples.Record(SweepPhase.Finished)))).Message);
        Assert.Null(await _store.Manifest("s"));
        // It has not ended: it goes on.
        await _store.Append("s", new("sweep", 1), "k", "trial", "");
        obstacle.Parent!.Delete(recursive: true);
        await _store.Publish("s", new("sweep", 1), Samples.Record(SweepPhase.Finished));
        Assert.Equal(SweepPhase.Finished, (await _store.Manifest("s"))!.Phase);
    }
}
