using System.Text.RegularExpressions;

namespace EnergyGrid.Workloads;

/// <summary>Weights that are read from a safetensors file instead of drawn from a distribution.</summary>
/// <param name="Sha256">Of the whole file, 64 lower-case hexadecimal digits: what is read must be what was disclosed.</param>
/// <param name="Pattern">Which tensors of it: their name, in which <c>*</c> stands for any characters, none included.</param>
public sealed partial record WeightFile(string Sha256, string Pattern)
{
    /// <summary>What a pattern may be, as a regular expression: the characters of tensors' names, and <c>*</c>.</summary>
    public const string PatternForm = "[A-Za-z0-9_./:@+*-]{1,256}";

    /// <summary>What <see cref="Contracts.Configuration.Data"/> names; null if it names no file.</summary>
    public static WeightFile? Of(string data) => Form().Match(data) is { Success: true } m ? new(m.Groups[1].Value, m.Groups[2].Value) : null;

    /// <summary><c>safetensors:SHA256:PATTERN</c>, the form in a configuration.</summary>
    public override string ToString() => $"safetensors:{Sha256}:{Pattern}";

    [GeneratedRegex(@"\Asafetensors:([0-9a-f]{64}):(" + PatternForm + @")\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
