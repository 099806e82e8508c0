namespace EnergyGrid.Silo;

/// <summary>Names that become parts of keys, paths and metrics: of a cluster, a site, a rack, a silo.</summary>
internal static class PlainName
{
    public const int Longest = 100;

    /// <summary>Letters, digits, '-', '_' and '.', not first a '.', at most <see cref="Longest"/>.</summary>
    public static bool Is(string name) => name.Length is > 0 and <= Longest && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    /// <exception cref="SiloRefusedException">It is none.</exception>
    public static string Of(string name, string what, string option) => Is(name)
        ? name
        : throw new SiloRefusedException($"'{name}' is no name of a {what}: letters, digits, '-', '_' and '.', not first a '.', at most {Longest}. Choose another with {option}.");
}
