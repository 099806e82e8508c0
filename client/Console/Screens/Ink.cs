using System.Collections.Immutable;
using System.Text;

namespace EnergyGrid.Console;

/// <summary>How a piece of a line stands out.</summary>
internal enum Tone { Plain, Strong, Dim, Good, Warning, Bad, Bar }

/// <summary>A piece of a line.</summary>
internal readonly record struct Ink(string Text, Tone Tone = Tone.Plain);

/// <summary>A line of a screen, drawn by whoever knows what the terminal can.</summary>
internal sealed record InkLine(ImmutableArray<Ink> Pieces)
{
    public static InkLine Of(string text, Tone tone = Tone.Plain) => new([new Ink(text, tone)]);

    /// <summary>The text alone.</summary>
    public string Text => string.Concat(Pieces.Select(p => p.Text));

    /// <summary>With the escape sequences of a terminal.</summary>
    /// <param name="colours">Whether it may have colours; weight and reverse are none.</param>
    public string Painted(bool colours)
    {
        var painted = new StringBuilder();
        foreach (var (text, tone) in Pieces)
        {
            var code = tone switch { Tone.Strong => "1", Tone.Dim => "2", Tone.Bar => "7", Tone.Good when colours => "32", Tone.Warning when colours => "33", Tone.Bad => colours ? "31" : "1", _ => "" };
            if (code.Length == 0 || text.Length == 0) painted.Append(text);
            else painted.Append("\e[").Append(code).Append('m').Append(text).Append("\e[0m");
        }
        return painted.ToString();
    }
}
