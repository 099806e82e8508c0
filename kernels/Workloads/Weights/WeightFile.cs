using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>
/// A <see cref="Configuration.Data"/> that names a file: <c>safetensors:SHA256:PATTERN</c>. The hash says which bytes, the pattern which of its tensors; where the file lies on a
/// node is no part of the identity.
/// </summary>
/// <param name="Sha256">Of the whole file, 64 lower-case hex digits.</param>
/// <param name="Pattern">Of tensor names; <c>*</c> stands for any run of characters, none included.</param>
public sealed partial record WeightFile(string Sha256, string Pattern)
{
    /// <summary>What such data begin with.</summary>
    public const string Prefix = "safetensors:";

    /// <summary>What a pattern may be, as a regular expression: the characters of tensors' names, and <c>*</c>.</summary>
    public const string PatternForm = "[A-Za-z0-9_./:@+*-]{1,256}";

    /// <summary>Whether data name a file, well or badly.</summary>
    public static bool IsOne(string data) => data.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The file that data name; null if they name none, or not in this form.</summary>
    public static WeightFile? Of(string data) => Form().Match(data) is { Success: true } m ? new(m.Groups[1].Value, m.Groups[2].Value) : null;

    /// <summary>Takes the parts.</summary>
    /// <exception cref="WeightsRefusedException">Data of another form.</exception>
    public static WeightFile Parse(string data) => Of(data) ?? throw new WeightsRefusedException(
        $"data '{Shown(data)}' must be {Prefix}SHA256:PATTERN, the hash in 64 lower-case hex digits and a pattern of tensor names of 1 to 256 letters, digits and _ . / : @ + - *");

    /// <summary><c>safetensors:SHA256:PATTERN</c>, the form in a configuration.</summary>
    public override string ToString() => $"{Prefix}{Sha256}:{Pattern}";

    /// <summary>Whether a tensor is meant.</summary>
    public bool Means(string name)
    {
        // Only the last star's run is ever lengthened: no pattern takes more than its length times the name's.
        int p = 0, n = 0, star = -1, run = 0;
        while (n < name.Length)
        {
            if (p < Pattern.Length && Pattern[p] == '*')
            {
                (star, run, p) = (p, n, p + 1);
            }
            else if (p < Pattern.Length && Pattern[p] == name[n])
            {
                (p, n) = (p + 1, n + 1);
            }
            else if (star >= 0)
            {
                run++;
                (p, n) = (star + 1, run);
            }
            else
            {
                return false;
            }
        }

        return Pattern.AsSpan(p).IndexOfAnyExcept('*') < 0;
    }

    /// <summary>What others wrote, short enough for a sentence.</summary>
    internal static string Shown(string text) => text.Length <= 100 ? text : text[..97] + "…";

    [GeneratedRegex(@"\Asafetensors:([0-9a-f]{64}):(" + PatternForm + @")\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
