using System.Text.RegularExpressions;

namespace EnergyGrid.Plans;

/// <summary>What a scalar without quotes is to a reader of YAML 1.2 (the core schema, YAML 1.2.2 section 10.3.2).</summary>
internal static partial class CoreSchema
{
    public static bool IsNull(string text) => text is "" or "~" or "null" or "Null" or "NULL";

    /// <summary>True, false, or null where it is neither: yes, no, on and off are text.</summary>
    public static bool? Boolean(string text) => text switch
    {
        "true" or "True" or "TRUE" => true,
        "false" or "False" or "FALSE" => false,
        _ => null,
    };

    /// <summary>Decimal, octal and hexadecimal integers, floats, the infinite ones and not-a-number.</summary>
    public static bool IsNumber(string text) => Number().IsMatch(text);

    /// <summary>Whether decimal digits begin with a zero that is not the number's only one: octal to readers of YAML 1.1, decimal to those of 1.2.</summary>
    public static bool HasLeadingZero(string text) => IsNumber(text) && LeadingZero().IsMatch(text);

    [GeneratedRegex(@"\A(?:[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\z", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"\A[-+]?0[0-9]", RegexOptions.CultureInvariant)]
    private static partial Regex LeadingZero();
}
