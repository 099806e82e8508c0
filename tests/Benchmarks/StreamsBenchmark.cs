using System.Diagnostics;
using System.Globalization;
using System.Net;
using EnergyGrid.Benchmarks.Streams;
using EnergyGrid.Contracts;
using EnergyGrid.Stacks;

namespace EnergyGrid.Benchmarks;

/// <summary>
/// What the client of serving engines adds to the times that it measures: its stamps against those of a server that sends at fixed times, on the same clock, in a process beside it on the same
/// cores. 500 streams at once, each slot taking its next one when its last has ended, so that beginnings and ends are among the tokens. An error is what a user of the client would be told too much:
/// of the time to the first token (sending of the request included) and of each gap between tokens, either sign. The knee is the highest load at which 99 % of both are
/// within 2 ms.
/// </summary>
public static class StreamsBenchmark
{
    private const int Slots = 500;
    private const double Bar = 2;
    private const long Rest = 200 << 20;

    private static readonly TimeSpan Stream = TimeSpan.FromSeconds(2);

    public static async Task Run(bool quick)
    {
        int[] loads = quick ? [2_500, 20_000] : [2_500, 5_000, 10_000, 20_000, 40_000];
        var span = TimeSpan.FromSeconds(quick ? 2 : 8);
        // As a process does that is there to measure; DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=0 shows what one is like that does not.
        InlineSockets.Prefer();
        using var server = new PacedProcess();
        Console.WriteLine($"sockets are {(InlineSockets.ArePreferred ? "" : "not ")}read inline; the collector rests for {Rest >> 20} MB at a time");
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            await Step(server, version, 2_500, TimeSpan.FromSeconds(quick ? 1 : 4));
            var knee = 0;
            foreach (var load in loads)
            {
                var figures = await Step(server, version, load, span);
                // Others on the machine are no fault of the client's; who they were shows in the thread that only sleeps.
                for (var again = quick ? 0 : 2; again > 0 && figures.IsDisturbed; again--)
                    if (await Step(server, version, load, span) is var next && next.Disturbance < figures.Disturbance) figures = next;
                figures.Print(string.Create(CultureInfo.InvariantCulture, $"HTTP/{version}, {Slots} streams, {load:N0} tokens/s"));
                if (figures.IsWithinBar) knee = load;
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"HTTP/{version}, knee: {knee:N0} tokens/s, the highest of {string.Join(", ", loads.Select(l => l.ToString("N0", CultureInfo.InvariantCulture)))} at which p99 of both errors is at most {Bar} ms"));
        }
    }

    private static async Task<Figures> Step(PacedProcess server, Version version, int load, TimeSpan span)
    {
        var interval = (long)(1e6 * Slots / load);
        var tokens = (int)(Stream.TotalMicroseconds / interval);
        using var client = new EngineClient(server.Address, Dialect.Vllm, new EngineClientOptions { Version = version });
        var (began, numbers) = (Stopwatch.GetTimestamp(), 0);
        long Since(TimeSpan time) => began + (long)(time.TotalSeconds * Stopwatch.Frequency);
        var (from, to) = (Since(Stream), Since(Stream + span));
        using var rest = CollectorRest.Begin(Rest);
        var slots = Enumerable.Range(0, Slots).Select(i => Task.Run(async () =>
        {
            var records = new List<RequestRecord>();
            await Task.Delay(Stream * i / Slots);
            while (Stopwatch.GetTimestamp() < to)
            {
                var number = Interlocked.Increment(ref numbers);
                var ask = new GenerationRequest("paced", PacedServer.Prompt(number, tokens, interval), tokens, GenerationApi.Chat);
                records.Add(await client.Generate(number.ToString(CultureInfo.InvariantCulture), ask, Stopwatch.GetTimestamp(), CancellationToken.None));
            }

            return records;
        })).ToArray();
        await Task.Delay(Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), from));
        var (spent, served, allocated, clock, pauses) = (Environment.CpuUsage.TotalTime, server.Processor, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp(), GC.GetTotalPauseDuration());
        var collections = GC.CollectionCount(0);
        var machine = Wakes(to);
        await Task.Delay(Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), to));
        var wall = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        var wakes = await machine;
        var (cores, serverCores) = ((Environment.CpuUsage.TotalTime - spent).TotalSeconds / wall, (server.Processor - served).TotalSeconds / wall);
        (allocated, pauses) = (GC.GetTotalAllocatedBytes() - allocated, GC.GetTotalPauseDuration() - pauses);
        var records = (await Task.WhenAll(slots)).SelectMany(r => r).ToArray();
        return Compare(records, server.Take(), tokens, from, to) with { Cores = cores, ServerCores = serverCores, Allocated = allocated, Pauses = pauses.TotalMilliseconds / wall, Collections = (GC.CollectionCount(0) - collections) / wall, Wakes = wakes };
    }

    /// <summary>How late a thread of this process is that does nothing but sleep for a millisecond, ms: what the machine does to anybody, whoever else works on it.</summary>
    private static Task<double[]> Wakes(long to) => Task.Factory.StartNew(() =>
    {
        var late = new List<double>();
        for (long before; (before = Stopwatch.GetTimestamp()) < to;)
        {
            Thread.Sleep(1);
            late.Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds - 1);
        }

        return late.Order().ToArray();
    }, TaskCreationOptions.LongRunning);

    private static Figures Compare(RequestRecord[] records, Dictionary<int, PacedStamps> stamps, int tokens, long from, long to)
    {
        var (late, first, gaps) = (new List<double>(), new List<double>(), new List<double>());
        var lost = 0;
        foreach (var record in records)
        {
            var arrivals = record.Output.Arrivals;
            if (record.Outcome != RequestOutcome.Ended || record.Output is not { Timing: TokenTiming.Chunks } || record.Output.Tokens != tokens || arrivals.Length != tokens
                || !stamps.TryGetValue(int.Parse(record.Id, CultureInfo.InvariantCulture), out var sent) || sent.Sent.Length != tokens)
            {
                if (lost++ == 0) Console.Error.WriteLine($"lost: {record}");
                continue;
            }

            if (record.Sent >= from && record.Sent < to) first.Add(Milliseconds(arrivals[0].Timestamp - record.Sent - (sent.Sent[0] - sent.Read)));
            for (var i = 0; i < tokens; i++)
            {
                if (sent.Sent[i] < from || sent.Sent[i] >= to) continue;
                late.Add(Milliseconds(arrivals[i].Timestamp - sent.Sent[i]));
                if (i > 0) gaps.Add(Math.Abs(Milliseconds(arrivals[i].Timestamp - arrivals[i - 1].Timestamp - (sent.Sent[i] - sent.Sent[i - 1]))));
            }
        }

        return new Figures(first.Order().ToArray(), gaps.Order().ToArray(), late.Order().ToArray(), records.Length, lost, new TimeSpan((to - from) * TimeSpan.TicksPerSecond / Stopwatch.Frequency));
    }

    private static double Milliseconds(long ticks) => 1e3 * ticks / Stopwatch.Frequency;

    private sealed record Figures(double[] First, double[] Gaps, double[] Late, int Streams, int Lost, TimeSpan Span)
    {
        public double Cores { get; init; }

        public double ServerCores { get; init; }

        public long Allocated { get; init; }

        public double Pauses { get; init; }

        public double Collections { get; init; }

        public double[] Wakes { get; init; } = [];

        public bool IsWithinBar => Lost == 0 && At(First, 0.99) <= Bar && At(Gaps, 0.99) <= Bar;

        /// <summary>How late 1 of 100 was that did nothing, ms.</summary>
        public double Disturbance => At(Wakes, 0.99);

        public bool IsDisturbed => Disturbance > Bar / 2;

        public void Print(string name)
        {
            foreach (var (what, sorted) in new[] { ("time to first token, error", First), ("between tokens, error", Gaps), ("token read after it was sent", Late), ("a thread that only sleeps, late", Wakes) })
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, {what}: p50 {At(sorted, 0.5):F3}, p99 {At(sorted, 0.99):F3}, max {At(sorted, 1):F3} ms, of {sorted.Length:N0}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name}, client{(IsDisturbed ? " on a busy machine" : "")}: {Late.Length / Span.TotalSeconds:N0} tokens/s, {Streams:N0} streams, {Lost} lost, {Cores:F2} cores (server {ServerCores:F2}), {(double)Allocated / Math.Max(1, Late.Length):N0} B allocated a token, {Collections:F1} collections and {Pauses:F1} ms of pauses a second"));
        }

        private static double At(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(share * sorted.Length) - 1)];
    }
}
