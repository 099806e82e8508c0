using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Plans;

namespace EnergyGrid.Stacks;

/// <summary>What kind of value a parameter of a serving engine has.</summary>
public enum ParameterType
{
    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A finite number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Boolean,

    /// <summary>One of a few words.</summary>
    Text,
}

/// <summary>One thing that a plan may set of a serving engine, and how its command line says it. Nothing of a plan reaches a command line but numbers within a range and texts that the node's owner wrote.</summary>
/// <param name="Name">As plans write it.</param>
/// <param name="Flag">Of the engine, for example <c>--max-num-seqs</c>.</param>
/// <param name="Type">Which kind.</param>
/// <param name="Least">Of numbers, included.</param>
/// <param name="Most">Of numbers, included.</param>
/// <param name="Texts">Of text: by the word that a plan says, what the engine is told.</param>
/// <param name="OffFlag">What is said for false; null where false is said by saying nothing.</param>
/// <param name="Default">What is launched where a plan says nothing, as plans write it; null leaves it to the engine.</param>
public sealed record StackParameter(
    string Name, string Flag, ParameterType Type, double Least, double Most, ImmutableSortedDictionary<string, string> Texts, string? OffFlag = null, string? Default = null)
{
    /// <summary>Largest whole number that a parameter may be.</summary>
    internal const double MostOfAll = 1L << 53;

    /// <summary>What would be right, for example <c>a whole number from 1 to 64</c>.</summary>
    public string Says => Type switch
    {
        ParameterType.Integer => string.Create(CultureInfo.InvariantCulture, $"a whole number from {Least} to {Most}"),
        ParameterType.Number => string.Create(CultureInfo.InvariantCulture, $"a finite number from {Least} to {Most}"),
        ParameterType.Boolean => "true or false",
        _ => $"one of {string.Join(", ", Texts.Keys)}",
    };

    internal static StackParameter Integer(string name, string flag, long least, long most) => new(name, flag, ParameterType.Integer, least, most, Nothing);

    internal static StackParameter Number(string name, string flag, double least, double most) => new(name, flag, ParameterType.Number, least, most, Nothing);

    internal static StackParameter Boolean(string name, string flag, string? offFlag = null) => new(name, flag, ParameterType.Boolean, 0, 0, Nothing, offFlag);

    internal static StackParameter Text(string name, string flag, params string[] words) => new(name, flag, ParameterType.Text, 0, 0, words.ToImmutableSortedDictionary(w => w, w => w, StringComparer.Ordinal));

    private static ImmutableSortedDictionary<string, string> Nothing { get; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>The one way to write a value, so that equal ones are equal texts; null if it is none of this parameter's.</summary>
    public string? Canonical(string value)
    {
        if (Type != ParameterType.Text && CoreSchema.HasLeadingZero(value)) return null;
        switch (Type)
        {
            case ParameterType.Integer:
                return long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) && whole >= Least && whole <= Most ? whole.ToString(CultureInfo.InvariantCulture) : null;
            case ParameterType.Number:
                return CoreSchema.IsNumber(value) && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= Least && number <= Most
                    ? (number == 0 ? 0 : number).ToString("R", CultureInfo.InvariantCulture)
                    : null;
            case ParameterType.Boolean:
                return CoreSchema.Boolean(value) switch { true => "true", false => "false", null => null };
            default:
                return Texts.ContainsKey(value) ? value : null;
        }
    }

    /// <summary>As the command line says it.</summary>
    /// <param name="canonical">One that <see cref="Canonical"/> gave.</param>
    internal ImmutableArray<string> Arguments(string canonical) => Type switch
    {
        ParameterType.Boolean => canonical == "true" ? [Flag] : OffFlag is { } off ? [off] : [],
        ParameterType.Text => [Flag, Texts[canonical]],
        _ => [Flag, canonical],
    };
}
