using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Orleans.Storage;

namespace EnergyGrid.Grid.Tests.State;

/// <summary>State that is written whole under the number of its activation, with a store that can fail in every way.</summary>
public sealed class KeptTests
{
    [Fact]
    public async Task A_change_is_seen_when_it_is_on_disk_and_not_before()
    {
        var disk = new Disk();
        var kept = new Kept<Number>(disk.Open());
        await kept.Change(s => s.Value = 1);
        var write = new TaskCompletionSource();
        disk.Before = () => write.Task;
        var change = kept.Change(s => s.Value = 2);
        Assert.Equal((1, 1), (kept.Now.Value, disk.Content!.Value));
        write.SetResult();
        await change;
        Assert.Equal((2, 2), (kept.Now.Value, disk.Content!.Value));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_write_of_unknown_outcome_the_disk_is_read_before_the_next(bool tookPlace)
    {
        var disk = new Disk();
        var kept = new Kept<Number>(disk.Open());
        await kept.Take();
        (disk.FailBefore, disk.FailAfter) = (!tookPlace, tookPlace);
        await Assert.ThrowsAsync<StorageTroubleException>(() => kept.Change(s => s.Value = 7));
        (disk.FailBefore, disk.FailAfter) = (false, false);
        var seen = -1;
        await kept.Change(s =>
        {
            seen = s.Value;
            s.Value = 8;
        });
        Assert.Equal((tookPlace ? 7 : 0, 8), (seen, disk.Content!.Value));
    }

    [Fact]
    public async Task A_copy_that_finds_a_successor_keeps_its_own_number_and_never_writes_again()
    {
        var disk = new Disk();
        var old = new Kept<Number>(disk.Open());
        await old.Take();
        disk.FailAfter = true;
        await Assert.ThrowsAsync<StorageTroubleException>(() => old.Change(s => s.Value = 1));
        disk.FailAfter = false;
        var next = new Kept<Number>(disk.Open());
        await next.Take();
        await next.Change(s => s.Value = 2);
        for (var times = 0; times < 3; times++) await Assert.ThrowsAsync<SupersededException>(() => old.Change(s => s.Value = 3));
        Assert.Equal((1, 2, 2), (old.Now.Fence, next.Now.Fence, disk.Content!.Value));
        await next.Change(s => s.Value = 4);
        Assert.Equal(4, disk.Content!.Value);
    }

    private sealed class Number : IKeptState<Number>
    {
        public long Fence { get; set; }
        public int Value { get; set; }
        public Number Copy() => (Number)MemberwiseClone();
    }

    /// <summary>One record, with a version as an ETag.</summary>
    private sealed class Disk
    {
        private int _version;

        public Number? Content { get; private set; }
        public bool FailBefore { get; set; }
        public bool FailAfter { get; set; }
        public Func<Task> Before { get; set; } = () => Task.CompletedTask;

        public IPersistentState<Number> Open() => new Handle(this) { State = Content?.Copy() ?? new Number(), Version = _version };

        private sealed class Handle(Disk disk) : IPersistentState<Number>
        {
            public int Version { get; set; }
            public Number State { get; set; } = new();
            public string Etag => $"{Version}";
            public bool RecordExists => Version > 0;

            public async Task WriteStateAsync()
            {
                await disk.Before();
                if (disk.FailBefore) throw new StorageTroubleException("not written");
                if (Version != disk._version) throw new InconsistentStateException($"{Version} is not {disk._version}");
                (disk.Content, disk._version) = (State.Copy(), disk._version + 1);
                if (disk.FailAfter) throw new StorageTroubleException("written, and the answer was lost");
                Version = disk._version;
            }

            public Task ReadStateAsync()
            {
                (State, Version) = (disk.Content?.Copy() ?? new Number(), disk._version);
                return Task.CompletedTask;
            }

            public Task ClearStateAsync() => throw new NotSupportedException();
        }
    }
}
