using System.IO.Pipelines;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Devices.Workers;

namespace EnergyGrid.Devices.Tests.Workers;

/// <summary>What a silo and a worker say to each other, without a process between them.</summary>
public sealed class WorkerSpeechTests
{
    private static readonly Configuration H = new("H", "FP16", 2, 2048, 256, 8, 8, 292, 8, 1, 2, 7, "cuda", -5, "normal", 3, "/somewhere/ä");

    [Fact(Timeout = 60_000)]
    public async Task Every_mark_of_the_engine_arrives_unchanged_and_in_order_before_the_answer_that_follows_it()
    {
        var (down, up) = (new Pipe(), new Pipe());
        await using var requests = down.Writer.AsStream();
        await using var asked = down.Reader.AsStream();
        await using var reports = up.Reader.AsStream();
        await using var told = up.Writer.AsStream();
        var engine = new ScriptedEngine();
        var serving = Task.Factory.StartNew(() => StepWorker.Serve(asked, told, board => board == "GPU-1" ? engine : throw new InvalidOperationException("another board")), TaskCreationOptions.LongRunning);

        Frames.Write(requests, new WorkerRequest(1, WorkerAct.Open, "GPU-1", StepWorker.Build));
        Assert.Equal((1, WorkerOutcome.Done), await Answer());
        Frames.Write(requests, new WorkerRequest(2, WorkerAct.Refusal, Configuration: ConfigurationMessage.Of(H), Layers: 3));
        Assert.Equal($"no {H} at 3", (await Read()).Text);
        Frames.Write(requests, new WorkerRequest(3, WorkerAct.Load, Configuration: ConfigurationMessage.Of(H), Layers: 2));
        Assert.Equal((3, WorkerOutcome.Done), await Answer());
        Assert.Equal((H, 2), engine.Loaded);

        var random = new Random(7);
        var expected = new List<EngineMark>();
        var heard = new List<EngineMark>();
        Frames.Write(requests, new WorkerRequest(4, WorkerAct.Start));
        for (var i = 0; i < 5000; i++)
        {
            expected.Add(new EngineMark(expected.Count == 0 ? long.MaxValue / 3 : expected[^1].Timestamp + random.NextInt64(1, 1 << 40), i * 3L));
            engine.Mark(expected[^1]);
            // Somebody listens all the while, so that reports overlap with the marks.
            if (i % 1000 == 999) heard.AddRange(MarksOf(await Read()));
        }

        Frames.Write(requests, new WorkerRequest(5, WorkerAct.Stop));
        WorkerReport report;
        do heard.AddRange(MarksOf(report = await Read()));
        while (report.Id != 5);
        Assert.Equal(expected, heard);

        engine.Fails = true;
        Frames.Write(requests, new WorkerRequest(6, WorkerAct.Unload));
        // That it broke may be told before the answer.
        do report = await Read();
        while (report.Id != 6);
        Assert.Equal((6, WorkerOutcome.Failed, "it broke", "a fault"), (report.Id, report.Outcome, report.Text, report.Fault));
        requests.Dispose();
        await serving.WaitAsync(TimeSpan.FromSeconds(30));

        async Task<WorkerReport> Read()
        {
            var read = Task.Run(() => Frames.Read<WorkerReport>(reports)!);
            // Who serves no more tells nothing more.
            await Task.WhenAny(read, serving).WaitAsync(TimeSpan.FromSeconds(30));
            if (serving.IsFaulted) await serving;
            return await read.WaitAsync(TimeSpan.FromSeconds(30));
        }

        async Task<(long, WorkerOutcome)> Answer() => await Read() is var r ? (r.Id, r.Outcome) : default;
        static IEnumerable<EngineMark> MarksOf(WorkerReport r) => r.Timestamps.Zip(r.Steps, (t, s) => new EngineMark(t, s));
    }

    [Fact]
    public void Another_build_of_the_program_is_refused()
    {
        var up = new Pipe();
        using var reports = up.Reader.AsStream();
        using var told = up.Writer.AsStream();
        using var requests = new MemoryStream();
        Frames.Write(requests, new WorkerRequest(1, WorkerAct.Open, "GPU-1", "another"));
        requests.Position = 0;
        StepWorker.Serve(requests, told, _ => throw new InvalidOperationException("opened"));
        var answer = Frames.Read<WorkerReport>(reports)!;
        Assert.Equal(WorkerOutcome.Failed, answer.Outcome);
        Assert.Contains("the silo must be started again", answer.Text);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0 })]
    [InlineData(new byte[] { 255, 255, 255, 127 })]
    [InlineData(new byte[] { 255, 255, 255, 255 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 0xc0 })]
    [InlineData(new byte[] { 3, 0, 0, 0, 0xa2, 65, 66 })]
    public void What_is_no_message_is_refused(byte[] bytes) => Assert.Throws<InvalidDataException>(() => Frames.Read<WorkerReport>(new MemoryStream(bytes)));

    [Fact]
    public void A_message_that_was_cut_off_is_the_end()
    {
        using var whole = new MemoryStream();
        Frames.Write(whole, new WorkerReport(1, WorkerOutcome.Done, "text", [1, 2], [3, 4], null, null));
        for (var length = 0; length < whole.Length; length++) Assert.Null(Frames.Read<WorkerReport>(new MemoryStream(whole.ToArray()[..length])));
        Assert.NotNull(Frames.Read<WorkerReport>(new MemoryStream(whole.ToArray())));
    }

    [Fact]
    public void What_a_worker_complains_of_is_clean_short_and_not_much()
    {
        var lines = new List<string>();
        var complaints = new Complaints(lines.Add);
        complaints.Add("fi");
        complaints.Add("rst\r\n\n\u001b[2J\u0007\u009b31m\u202e\u2066x\n");
        complaints.Add(new string('y', 100_000));
        complaints.Add("\n");
        for (var i = 0; i < 1000; i++) complaints.Add("more\n");
        complaints.Add("last");
        complaints.Close();
        Assert.Equal("first", lines[0]);
        Assert.Equal("?[2J??31m??x", lines[1]);
        Assert.Equal(new string('y', Complaints.LongestLine), lines[2]);
        Assert.Equal(Complaints.MostLines + 1, lines.Count);
        Assert.Equal("… and 954 more lines", lines[^1]);
    }

    [Fact]
    public void Silence_counts_no_time_in_which_nobody_looked()
    {
        var time = new Hands();
        var silence = new Silence(time, 0.5);
        for (var i = 1; i <= 8; i++)
        {
            time.Seconds += 0.25;
            Assert.Equal(0.25 * i, silence.Look(), 1e-9);
        }

        // Held for an hour: it is as if half a second had passed.
        time.Seconds += 3600;
        Assert.Equal(2.5, silence.Look(), 1e-9);
        silence.Break();
        Assert.Equal(0, silence.Look(), 1e-9);
    }

    private sealed class Hands : TimeProvider
    {
        public double Seconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => (long)(Seconds * 1000);
    }

    private sealed class ScriptedEngine : IStepEngine
    {
        private readonly Lock _gate = new();
        private readonly List<EngineMark> _marks = [];

        public bool Fails { get; set; }

        public (Configuration, int) Loaded { get; private set; }

        public string? Fault => Fails ? "a fault" : null;

        public string? Lost => null;

        public IReadOnlyList<int> Processes => [];

        public void Mark(EngineMark mark)
        {
            lock (_gate) _marks.Add(mark);
        }

        public Task Open() => Task.CompletedTask;

        public Task<string?> Refusal(Configuration configuration, int layers) => Task.FromResult<string?>($"no {configuration} at {layers}");

        public Task Load(StepLoad load, CancellationToken stop)
        {
            Loaded = (load.Configuration, load.Layers);
            return Task.CompletedTask;
        }

        public void Start()
        {
        }

        public Task Stop() => Task.CompletedTask;

        public Task Unload() => Fails ? Task.FromException(new InvalidOperationException("it broke")) : Task.CompletedTask;

        public Task<bool> Revive() => Task.FromResult(true);

        public void Drain(List<EngineMark> marks)
        {
            lock (_gate)
            {
                marks.AddRange(_marks);
                _marks.Clear();
            }
        }

        public void Dispose()
        {
        }
    }
}
