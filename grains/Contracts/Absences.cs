using System.Collections.Immutable;
using System.Text.Json;

namespace EnergyGrid.Contracts;

/// <summary>Why numbers of a document are null. JSON has no NaN: what is absent is null, with the reason beside it under the same name.</summary>
public static class Absences
{
    /// <summary>Those of the numbers that are not finite, by their JSON names.</summary>
    public static ImmutableSortedDictionary<string, string> Of(params ReadOnlySpan<(string Name, double? Value, string Reason)> numbers)
    {
        var absent = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var (name, value, reason) in numbers)
            if (!(value is { } number && double.IsFinite(number))) absent[JsonNamingPolicy.CamelCase.ConvertName(name)] = reason;
        return absent.ToImmutable();
    }
}
