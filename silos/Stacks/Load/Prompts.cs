using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What one request asks, before its engine's dialect.</summary>
/// <param name="Text">The prompt, its salt in front.</param>
/// <param name="MostTokens">Output tokens that it asks for.</param>
public readonly record struct PromptText(string Text, int MostTokens);

/// <summary>
/// The prompts of one trial. A request's base prompt and the length of its answer follow from seed, pass and its number: they are the same in every arm of a pass. The salt in front is the trial's and the
/// request's, and differs from its first character on, so that no engine finds a beginning that it has seen.
/// </summary>
public sealed class Prompts
{
    private const int SaltLength = 10;
    private const string SaltLetters = "abcdefghijklmnopqrstuvwxyz234567";

    private static readonly ImmutableArray<string> Words =
    [
        .. ("the of and to in is was for it with as his on be at by had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its "
            + "about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way well down "
            + "should because each just those people how too little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come "
            + "since against go came right used take three water light house river stone green north music paper field early story clear heart order point table voice power plant small large short night").Split(' '),
    ];

    private readonly PromptMix _mix;
    private readonly double _bytesPerToken;
    private readonly long _seed;
    private readonly int _pass;
    private readonly string _salt;
    private readonly PromptFile? _file;

    /// <param name="mix">What is asked.</param>
    /// <param name="bytesPerToken">Of synthetic text with the model's tokenizer, B.</param>
    /// <param name="seed">The plan's.</param>
    /// <param name="pass">Which pass.</param>
    /// <param name="salt">The trial's; empty for none.</param>
    /// <exception cref="InvalidDataException">The file of prompts is not there, is another one or holds none.</exception>
    public Prompts(PromptMix mix, double bytesPerToken, long seed, int pass, string salt)
    {
        (_mix, _bytesPerToken, _seed, _pass, _salt) = (mix, bytesPerToken, seed, pass, salt);
        _file = mix.FileSha256.Length > 0 ? PromptFile.Read(mix.FilePath, mix.FileSha256) : null;
    }

    /// <summary>What request <paramref name="number"/> asks.</summary>
    /// <param name="number">From 0.</param>
    /// <param name="inputTokens">Its prompt's length where a trace says it; null for the mix's.</param>
    /// <param name="outputTokens">Its answer's length likewise.</param>
    public PromptText At(long number, int? inputTokens = null, int? outputTokens = null)
    {
        var output = outputTokens ?? Length(_mix.Output, new Draws(_seed, _pass, DrawPurpose.OutputLength, number));
        if (_file is not null)
        {
            var (prompt, own) = _file.At(number, _seed, _pass);
            return new(Salted(number) + prompt, outputTokens ?? own ?? output);
        }

        var bytes = (int)Math.Max(1, Math.Round((inputTokens ?? Length(_mix.Input, new Draws(_seed, _pass, DrawPurpose.InputLength, number))) * _bytesPerToken));
        var shared = (int)Math.Round(_mix.SharedShare * bytes);
        var text = new StringBuilder(bytes + 16);
        if (shared > 0)
        {
            // One salt for what all requests of the trial share: the next trial shares nothing with it.
            text.Append(Salted(-1));
            Fill(text, shared, new Draws(_seed, _pass, DrawPurpose.SharedText, 0));
        }

        if (shared < bytes)
        {
            text.Append(Salted(number));
            Fill(text, bytes, new Draws(_seed, _pass, DrawPurpose.Text, number));
        }

        if (text.Length > bytes) text.Length = bytes;
        return new(text.ToString(), output);
    }

    /// <summary>A length of a distribution.</summary>
    internal static int Length(LengthSpread lengths, Draws draws)
    {
        var length = lengths.Kind switch
        {
            LengthKind.Constant => lengths.Least,
            LengthKind.Uniform => lengths.Least + draws.Below(lengths.Most - lengths.Least + 1),
            LengthKind.Normal => lengths.Mean + lengths.Deviation * draws.Normal(),
            _ => LogNormal(lengths.Mean, lengths.Deviation, draws.Normal()),
        };
        return (int)Math.Clamp(Math.Round(length), lengths.Least, lengths.Most);
    }

    // Mean and deviation are those of the length itself.
    private static double LogNormal(double mean, double deviation, double normal)
    {
        var variance = Math.Log(1 + deviation / mean * (deviation / mean));
        return Math.Exp(Math.Log(mean) - variance / 2 + Math.Sqrt(variance) * normal);
    }

    private string Salted(long number)
    {
        if (_salt.Length == 0) return "";
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{_salt}/{number}")), hash);
        Span<char> letters = stackalloc char[SaltLength + 1];
        for (var i = 0; i < SaltLength; i++) letters[i] = SaltLetters[hash[i] % SaltLetters.Length];
        letters[SaltLength] = ' ';
        return new string(letters);
    }

    private static void Fill(StringBuilder text, int bytes, Draws draws)
    {
        while (text.Length < bytes) text.Append(Words[draws.Below(Words.Length)]).Append(' ');
        text.Length = bytes;
    }
}
