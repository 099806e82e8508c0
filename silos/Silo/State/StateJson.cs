using System.Text.Json;
using System.Text.Json.Serialization;

namespace EnergyGrid.Silo;

/// <summary>State as JSON that people can read in an emergency, the same in files and in Redis. Orleans' default is Newtonsoft with type names inside.</summary>
internal sealed class StateJson : IGrainStorageSerializer
{
    public static JsonSerializerOptions Options { get; } = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public BinaryData Serialize<T>(T? input) => new(JsonSerializer.SerializeToUtf8Bytes(input, Options));

    public T? Deserialize<T>(BinaryData input) => JsonSerializer.Deserialize<T>(input.ToMemory().Span, Options);
}
