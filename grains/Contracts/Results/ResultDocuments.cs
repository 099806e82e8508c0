using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>A file of a sweep's directory and its checksum.</summary>
public sealed record ManifestFile(string Name, long Bytes, string Sha256);

/// <summary>A pass of a sweep.</summary>
/// <param name="Group">The match group.</param>
/// <param name="Block">Which device group.</param>
/// <param name="Pass">Its number there.</param>
/// <param name="State">open, done or void.</param>
/// <param name="Reason">Why it is void.</param>
/// <param name="Devices">Keys of its devices.</param>
public sealed record ManifestPass(string Group, int Block, int Pass, string State, string Reason, ImmutableArray<string> Devices);

/// <summary><c>manifest.json</c>: what ran where, with which versions, and the checksum of every other file.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="Sweep">Its id.</param>
/// <param name="Plan">The plan's name.</param>
/// <param name="PlanSha256">Identity of the resolved plan.</param>
/// <param name="Version">EnergyGrid's.</param>
/// <param name="Runtime">.NET and operating system.</param>
/// <param name="Phase">How the sweep stands.</param>
/// <param name="SubmittedBy">Who.</param>
/// <param name="SubmittedUtc">When.</param>
/// <param name="EndedUtc">When; null while it runs.</param>
/// <param name="Devices">Every device used, with driver and limits.</param>
/// <param name="Disclosure">The six dimensions.</param>
/// <param name="Passes">Every pass with its devices: trials of a voided one are kept and not used.</param>
/// <param name="Files">Every other file.</param>
public sealed record Manifest(
    int Format,
    string Sweep,
    string Plan,
    string PlanSha256,
    string Version,
    string Runtime,
    SweepPhase Phase,
    string SubmittedBy,
    DateTimeOffset SubmittedUtc,
    DateTimeOffset? EndedUtc,
    ImmutableArray<DeviceInfo> Devices,
    Disclosure Disclosure,
    ImmutableArray<ManifestPass> Passes,
    ImmutableArray<ManifestFile> Files);

/// <summary>A line of <c>events.ndjson</c> and of the event stream.</summary>
/// <param name="Sequence">Grows by one within a sweep.</param>
/// <param name="AtUtc">When.</param>
/// <param name="Kind">submitted, started, trial, void, stage, paused, resumed, cancelled, finished.</param>
/// <param name="Text">One line for people.</param>
public sealed record SweepEvent(long Sequence, DateTimeOffset AtUtc, string Kind, string Text);

/// <summary>How every document is written: camelCase, enumerations by name, null for a number that is not there (NaN).</summary>
public static class DocumentJson
{
    /// <summary>One line a document.</summary>
    public static JsonSerializerOptions Compact { get; } = Make(indented: false);

    /// <summary>For files that people read.</summary>
    public static JsonSerializerOptions Indented { get; } = Make(indented: true);

    private static JsonSerializerOptions Make(bool indented)
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            WriteIndented = indented,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase), new AbsentNumber() },
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}

/// <summary>A number that may not be there: NaN in memory, null in a document. Documents of before named it <c>"NaN"</c>, which is read still.</summary>
internal sealed class AbsentNumber : JsonConverter<double>
{
    public override bool HandleNull => true;

    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Null => double.NaN,
        JsonTokenType.Number => reader.GetDouble(),
        JsonTokenType.String when reader.ValueTextEquals("NaN"u8) => double.NaN,
        JsonTokenType.String when reader.ValueTextEquals("Infinity"u8) => double.PositiveInfinity,
        JsonTokenType.String when reader.ValueTextEquals("-Infinity"u8) => double.NegativeInfinity,
        _ => throw new JsonException("A number or null is expected."),
    };

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }
}
