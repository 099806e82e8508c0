using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What one request asks.</summary>
/// <param name="Number">Of the request, from 0.</param>
/// <param name="Prompt">Text, the trial's salt in it.</param>
/// <param name="OutputTokens">Of its answer at most.</param>
public readonly record struct DrawnRequest(long Number, string Prompt, int OutputTokens);

/// <summary>
/// What is asked, request by request. A base prompt and the length of its answer follow from the plan's seed, the pass and the request's number alone: they are the same in every arm of a pass, and others
/// in another pass. The trial's salt in front, <c>abcd[number-salt] </c>, makes each new to any prefix cache (letters of a hash first: two seldom begin alike even by one); where a share is common to all requests of a trial it comes first, begins with the salt alone, and
/// is new to an engine with the trial's first request only.
/// </summary>
/// <remarks>
/// A synthetic prompt has tokens × bytes a token in bytes, its salt included, but is never shorter than its salt. How many tokens that makes is the engine's to count. Prompts of a file are asked whole,
/// behind their salt, in an order of seed and pass, and again from the first once all were asked. Safe to use from many tasks.
/// </remarks>
public sealed class Prompts
{
    /// <summary>Tokens of a prompt or an answer at most.</summary>
    public const int MostTokens = 1 << 20;

    private const int LongestSalt = 64;
    private const double MostBytesPerToken = 32;

    private readonly PromptMix _mix;
    private readonly double _bytesPerToken;
    private readonly long _seed;
    private readonly int _pass;
    private readonly string _salt;
    private readonly PromptFile? _file;
    private readonly int[] _order;
    private readonly TraceFile? _trace;
    private readonly string _shared;

    /// <param name="mix">What the plan says.</param>
    /// <param name="bytesPerToken">Of synthetic text in the model's tokenizer.</param>
    /// <param name="seed">The plan's.</param>
    /// <param name="pass">Which pass.</param>
    /// <param name="salt">Of the trial: printable ASCII; empty for none, and then an engine may have seen every prompt before.</param>
    /// <param name="file">Prompts, where the mix has a file.</param>
    /// <param name="trace">Lengths, where a trace gives them.</param>
    /// <exception cref="ArgumentException">It cannot be.</exception>
    public Prompts(PromptMix mix, double bytesPerToken, long seed, int pass, string salt, PromptFile? file = null, TraceFile? trace = null)
    {
        if (Refusal(mix, bytesPerToken, salt) is { } refusal) throw new ArgumentException(refusal, nameof(mix));
        (_mix, _bytesPerToken, _seed, _pass, _salt, _file, _trace) = (mix, bytesPerToken, seed, pass, salt, file, trace);
        _order = file is null ? [] : new CountedDraws(seed, "order", pass).Order(file.Prompts.Length);
        var longest = mix.SharedShare > 0 && file is null ? (trace is null ? mix.Input.Most : trace.Requests.Max(r => r.InputTokens)) * mix.SharedShare : 0;
        _shared = longest > 0 ? Salted(salt.Length > 0 ? $"[{salt}] " : "", new CountedDraws(seed, "shared", pass), Bytes(longest)) : "";
    }

    /// <summary>How many there are: a trace has an end.</summary>
    public long Count => _trace?.Requests.Length ?? long.MaxValue;

    /// <summary>What request <paramref name="number"/> asks, from 0.</summary>
    public DrawnRequest Request(long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        var inputs = new CountedDraws(_seed, "input", _pass, number);
        var outputs = new CountedDraws(_seed, "output", _pass, number);
        var output = _trace is null ? _mix.Output.Draw(ref outputs) : _trace.Requests[(int)number].OutputTokens;
        if (_file is not null)
        {
            var (text, told) = _file.Prompts[_order[number % _order.Length]];
            return new DrawnRequest(number, Mark(number) + text, _trace is null ? told ?? output : output);
        }

        var input = _trace is null ? _mix.Input.Draw(ref inputs) : _trace.Requests[(int)number].InputTokens;
        var bytes = Bytes(input);
        var shared = Math.Min(Bytes(input * _mix.SharedShare), _shared.Length);
        return new DrawnRequest(number, string.Concat(_shared.AsSpan(0, shared), Salted(Mark(number), new CountedDraws(_seed, "text", _pass, number), bytes - shared)), output);
    }

    private string Mark(long number)
    {
        if (_salt.Length == 0) return "";
        var mark = FormattableString.Invariant($"[{number}-{_salt}] ");
        return string.Concat(SHA256.HashData(Encoding.ASCII.GetBytes(mark)).Take(MarkLetters).Select(b => Letters[b % Letters.Length])) + mark;
    }

    private const int MarkLetters = 4;
    private const string Letters = "abcdefghijklmnopqrstuvwxyz234567";

    private static string Salted(string mark, CountedDraws text, int bytes) => mark.Length >= bytes ? mark : mark + SyntheticText.Draw(text, bytes - mark.Length);

    private int Bytes(double tokens) => (int)Math.Round(tokens * _bytesPerToken);

    private static string? Refusal(PromptMix mix, double bytesPerToken, string salt)
    {
        if (!(bytesPerToken > 0 && bytesPerToken <= MostBytesPerToken)) return FormattableString.Invariant($"{bytesPerToken} bytes a token: not within 0 … {MostBytesPerToken}");
        if (!(mix.SharedShare >= 0 && mix.SharedShare <= 1)) return FormattableString.Invariant($"a shared share of {mix.SharedShare}: not within 0 … 1");
        if (salt.Length > LongestSalt || !Ascii.IsValid(salt) || salt.Any(c => c is < '!' or > '~' or ']')) return $"a salt is printable ASCII without blanks and ']', at most {LongestSalt} of it, and not '{Unprintable.Clean(salt)}'";
        return mix.Input.Refusal("prompts") ?? mix.Output.Refusal("answers");
    }
}
