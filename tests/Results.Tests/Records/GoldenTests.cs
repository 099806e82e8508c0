using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>The form of records as it was first written: what Redis holds must be read by every later version.</summary>
public sealed class GoldenTests
{
    // Every field has a value of its own, so that none can change places unseen. As results were before they held their readings.
    private static readonly TrialResult Before = new(
        new("sweep", "group", "label", "configuration", 1, 2), TrialOutcome.Failed, ["reason"], "host", "site", "rack", ["device"], "model", "driver", 3.5, 4, 5,
        Samples.Start, Samples.Start.AddTicks(6), 7.5,
        [new(8, Samples.Start.AddTicks(9), 10.5, 11.5, 12.5, new(13.5, 14.5, 15.5, 16.5, 17.5, 18.5, "method", Provenance.Declared), new(19.5, 20.5, 21.5, 22.5, 23.5, 24.5, "node", Provenance.Projected),
            25.5, 26, 27, 28.5, 29.5, double.NaN, 31.5, 32.5, 33.5, 34.5, 35.5, ["leg flag"])],
        36.5, ["flag"], "trace", "sha");

    private static readonly Evidence Readings = new(40, 41,
    [
        new("source", "role", "counter", 42.5, 43.5, new(44, 45.5, 46, 47.5), new(48, 49.5, 50, 51.5), 52.5, 53.5, new(54, 55.5, 56, 57.5), new(58, 59.5, 60, 61.5), 62.5, 63.5, 64.5, 65.5, 69.5),
        new("meter", "node", "power", 66.5, 67.5, null, null, 0, null, null, null, null, null, 0, 68.5),
    ]);

    private static readonly TrialResult Unserved = Before with
    {
        Legs = [Before.Legs[0] with { Evidence = Readings }],
        PlanSha256 = "plan",
        OriginUtc = Samples.Start.AddTicks(70),
        TimeScale = 71.5,
        StartedWallUtc = Samples.Start.AddTicks(72),
        EndedWallUtc = Samples.Start.AddTicks(73),
        Idle = Readings with { FromNanoseconds = 74 },
    };

    private static readonly TrialResult Trial = Unserved with { Served = Samples.Served("requests", "requests sha") };

    private static readonly SweepRecord RecordBefore = new(
        "name", SweepPhase.Cancelled, "who", Samples.Start, Samples.Start.AddTicks(1), Samples.Start.AddTicks(2), "version", "runtime", true,
        [new("host", "uuid", "model", DeviceKind.Cuda, "site", "rack", 3, 4.5, 5.5, Provenance.Modelled, 6.5, 7.5, 8.5, "driver", "source", Provenance.Declared)],
        ImmutableSortedDictionary<int, ImmutableArray<string>>.Empty.Add(9, ["host/uuid"]),
        [new("group", 10, 11, PassPhase.Void, 12, "reason")],
        new("ipue", 13.5, 14.5, null, 2, 15, 16, 17.5, 18.5, 19.5, 20.5, ["meter"], ["flag"], Provenance.Projected, "edition"),
        [new("level", 21.5, 22.5)], []);

    private static readonly SweepRecord Record = RecordBefore with
    {
        Devices = [RecordBefore.Devices[0] with { Qualification = new(35.5, 36.5, 37.5, 38.5, "offset source", 39.5, Samples.Start.AddTicks(40), "method", 41.5) }],
        Stretches = [new(23, 24, 25, true, 26.5, 27.5, 28.5, 29.5, 30.5, 31.5, 32.5, 33.5, 34.5)],
    };

    private static readonly EventLine Event = new(0, Samples.Start, "kind", "text", "key");

    private static readonly TraceRecord TraceBefore = new(null, ["a", "b"], ["window", "cool-down"], [3, 2, 1], [100, 100], [0, 1], [TraceRecord.NotANumber, -5], [1, 2], [0, 1]);

    private static readonly TraceRecord Trace = TraceBefore with { Decimals = [0, 2, 1] };

    private static Dictionary<string, byte[]> Written => new()
    {
        ["trial"] = Sealed.Put(RecordKind.Trial, 4, TrialRecord.Of(Trial)),
        ["event"] = Sealed.Put(RecordKind.Event, 5, EventRecord.Of(Event)),
        ["standing"] = Sealed.Put(RecordKind.Standing, 6, StandingRecord.Of(Record)),
        ["trace"] = Sealed.Put(RecordKind.Trace, 7, Trace),
    };

    private static Dictionary<string, byte[]> Golden()
    {
        using var reader = new StreamReader(typeof(GoldenTests).Assembly.GetManifestResourceStream("golden.txt")!);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')).ToDictionary(p => p[0], p => Convert.FromHexString(p[1]));
    }

    [Fact]
    public void Records_are_written_as_they_were_first_written()
        => Assert.Equal(string.Join('\n', Golden().Where(g => !g.Key.EndsWith("-before", StringComparison.Ordinal)).Select(g => $"{g.Key} {Convert.ToHexStringLower(g.Value)}")), string.Join('\n', Written.Select(w => $"{w.Key} {Convert.ToHexStringLower(w.Value)}")));

    [Fact]
    public void What_was_first_written_is_read_with_every_field_in_its_place()
    {
        var golden = Golden();
        Assert.Equal(Journals.Document(Trial), Journals.Document(Sealed.Open<TrialRecord>(RecordKind.Trial, golden["trial"], "").ToResult()));
        Assert.Equal(Event, Sealed.Open<EventRecord>(RecordKind.Event, golden["event"], "").ToLine(0));
        Assert.Equal(Json(Record), Json(Sealed.Open<StandingRecord>(RecordKind.Standing, golden["standing"], "").ToRecord()));
        Assert.Equal("seconds,device,watts,joules,phase\n0.100,a,NaN,0.1,window\n0.200,b,-0.05,0.3,cool-down\n",
            Text(Sealed.Open<TraceRecord>(RecordKind.Trace, golden["trace-before"], "")));
        Assert.Equal("nanoseconds,source,watts,joules,phase\n100,a,NaN,0.1,window\n200,b,-0.05,0.3,cool-down\n", Text(Sealed.Open<TraceRecord>(RecordKind.Trace, golden["trace"], "")));
    }

    [Fact]
    public void What_was_written_before_results_held_their_readings_or_engines_served_is_read_still()
    {
        var golden = Golden();
        Assert.Equal(Journals.Document(Before), Journals.Document(Sealed.Open<TrialRecord>(RecordKind.Trial, golden["trial-before"], "").ToResult()));
        Assert.Equal(Journals.Document(Unserved), Journals.Document(Sealed.Open<TrialRecord>(RecordKind.Trial, golden["trial-unserved-before"], "").ToResult()));
        Assert.Equal(Json(RecordBefore), Json(Sealed.Open<StandingRecord>(RecordKind.Standing, golden["standing-before"], "").ToRecord()));
    }

    private static string Text(TraceRecord trace) => System.Text.Encoding.UTF8.GetString(trace.ToCsv());

    [Fact]
    public void A_newer_form_and_another_kind_are_told_as_what_they_are()
    {
        var golden = Golden();
        Assert.Contains("of kind 2, not 1", Assert.Throws<InvalidDataException>(() => Sealed.Open<TrialRecord>(RecordKind.Trial, golden["event"], "x")).Message);
        var newer = golden["event"].ToArray();
        newer[1] = Sealed.Current + 1; // the version, first in the envelope
        Assert.Contains($"has form {Sealed.Current + 1}", Assert.Throws<InvalidDataException>(() => Sealed.Open<EventRecord>(RecordKind.Event, newer, "x")).Message);
        Assert.Throws<InvalidDataException>(() => Sealed.Open<EventRecord>(RecordKind.Event, Array.Empty<byte>(), "x"));
        Assert.Throws<InvalidDataException>(() => Sealed.Open<EventRecord>(RecordKind.Event, new byte[] { 0xc0 }, "x"));
    }

    private static string Json(SweepRecord record) => System.Text.Json.JsonSerializer.Serialize(record, DocumentJson.Compact);
}
