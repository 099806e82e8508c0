using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Silo.Tests;

/// <summary>State files within one process.</summary>
public sealed class StateFilesTests
{
    [Fact]
    public void A_second_owner_of_the_directory_is_refused_by_its_name()
    {
        using var directory = new TemporaryDirectory();
        using (new StateFiles(directory.Path))
            Assert.Contains(directory.Path, Assert.Throws<InvalidOperationException>(() => new StateFiles(directory.Path)).Message);
        new StateFiles(directory.Path).Dispose();
    }

    [Fact]
    public async Task A_full_disk_is_told_and_leaves_the_old_record_alone()
    {
        using var directory = new TemporaryDirectory();
        using var files = new StateFiles(directory.Path);
        var etag = await files.Write("t", "n", "k", null, 1);
        var next = files.PathOf("t", "n", "k") + StateFiles.Temporary;
        File.CreateSymbolicLink(next, "/dev/full"); // every write to it fails as on a full disk

        await Assert.ThrowsAsync<IOException>(() => files.Write("t", "n", "k", etag, 2));
        Assert.False(Path.Exists(next));
        Assert.Equal((etag, 1), await files.Read<int>("t", "n", "k"));

        await files.Write("t", "n", "k", etag, 3); // there is room again
        Assert.Equal(3, (await files.Read<int>("t", "n", "k")).State);
        Assert.False(Path.Exists(next));
    }

    [Fact]
    public async Task Of_many_writers_with_one_ETag_one_wins()
    {
        using var directory = new TemporaryDirectory();
        using var files = new StateFiles(directory.Path);
        var first = await files.Write("t", "n", "k", null, -1);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(async () =>
        {
            try { return (Writer: i, ETag: (string?)await files.Write("t", "n", "k", first, i)); }
            catch (StaleETagException e) when (e.Offered == first) { return (Writer: i, ETag: (string?)null); }
        })));
        var winner = Assert.Single(outcomes, o => o.ETag is not null);
        Assert.Equal((winner.ETag, winner.Writer), await files.Read<int>("t", "n", "k"));
    }

    [Fact]
    public async Task A_cleared_record_is_gone_and_only_its_ETag_clears_it()
    {
        using var directory = new TemporaryDirectory();
        using var files = new StateFiles(directory.Path);
        var etag = await files.Write("t", "n", "k", null, 1);
        await Assert.ThrowsAsync<StaleETagException>(() => files.Clear("t", "n", "k", "another"));
        await Assert.ThrowsAsync<StaleETagException>(() => files.Clear("t", "n", "k", null));
        await files.Clear("t", "n", "k", etag);
        Assert.Equal((null, 0), await files.Read<int>("t", "n", "k"));
        await files.Clear("t", "n", "k", null);
        Assert.False(File.Exists(files.PathOf("t", "n", "k")));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("files")]
    public async Task Keys_of_any_length_and_kind_are_kept_apart(string? kind)
    {
        using var directory = new TemporaryDirectory();
        using var files = new StateFiles(kind is null ? null : directory.Path);
        var stem = new string('x', 5_000);
        var names = new[] { "a", "A", "a/b", "a%2Fb", "..", ".", "ü", "π…" + stem, stem + "1", stem + "2", new string('x', 245), new string('x', 246), new string('/', 300), "two\nlines", "a.json", "a.json.next" };
        string[] keys = [.. names, .. names.Select(n => Path.GetFileNameWithoutExtension(files.PathOf("t", "n", n))).Where(n => n.Contains('='))];
        foreach (var key in keys) await files.Write("t", "n", key, null, key);
        foreach (var key in keys) Assert.Equal(key, (await files.Read<string>("t", "n", key)).State);
    }

    [Fact]
    public void File_names_fit_and_no_two_keys_share_one()
    {
        using var files = new StateFiles(null);
        var keys = from length in Gen.Choose(0, 400) from characters in Gen.Elements("aZ09/%=~._-é漢 \n".ToCharArray()).ArrayOf(length) select new string(characters);
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(keys.Two().ToArbitrary(), pair =>
        {
            var (one, other) = (files.PathOf("t", "n", pair.Item1), files.PathOf("t", "n", pair.Item2));
            return Path.GetFileName(one + StateFiles.Temporary).Length <= 255 && (one == other) == (pair.Item1 == pair.Item2);
        }));
    }
}
