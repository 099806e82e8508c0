using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>
/// A <see cref="Configuration.Data"/> that names a file: <c>safetensors:SHA256:PATTERN</c>. The hash says which bytes, the pattern which of its tensors; where the file lies on a
/// node is no part of the identity.
/// </summary>
/// <param name="Sha256">Of the whole file, 64 lower-case hex digits.</param>
/// <param name="Pattern">Of tensor names; <c>*</c> stands for any run of characters, none included.</param>
public sealed record WeightsChoice(string Sha256, string Pattern)
{
    /// <summary>What such data begin with.</summary>
    public const string Prefix = "safetensors:";

    /// <summary>Characters of the longest pattern.</summary>
    public const int MostPattern = 256;

    private const int HashDigits = 64;

    /// <summary>Whether data name a file, well or badly.</summary>
    public static bool IsOne(string data) => data.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Takes the parts.</summary>
    /// <exception cref="WeightsRefusedException">Data of another form.</exception>
    public static WeightsChoice Parse(string data)
    {
        var rest = IsOne(data) ? data[Prefix.Length..] : "";
        if (rest.IndexOf(':') != HashDigits || rest.AsSpan(0, HashDigits).ContainsAnyExcept("0123456789abcdef"))
        {
            throw new WeightsRefusedException($"data '{Shown(data)}' must be {Prefix}SHA256:PATTERN, the hash in {HashDigits} lower-case hex digits");
        }

        var pattern = rest[(HashDigits + 1)..];
        return pattern.Length is > 0 and <= MostPattern
            ? new WeightsChoice(rest[..HashDigits], pattern)
            : throw new WeightsRefusedException($"data '{Shown(data)}' must end with a pattern of tensor names, 1 to {MostPattern} characters long");
    }

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
}
