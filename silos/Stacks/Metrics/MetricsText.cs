using System.Globalization;
using System.Text;

namespace EnergyGrid.Stacks;

/// <summary>
/// Prometheus' text format (exposition format 0.0.4), read strictly: <c>name{label="value",…} value [timestamp]</c>, comments and empty lines. One line that is none of these, or one series twice, and
/// nothing of the text is believed.
/// </summary>
internal sealed class MetricsText
{
    private const int LongestLine = 1 << 16, MostSamples = 200_000;

    private readonly Dictionary<string, List<(string Labels, double Value)>> _samples = new(StringComparer.Ordinal);

    private MetricsText()
    {
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="InvalidDataException">It is no such text, with the line.</exception>
    public static MetricsText Parse(ReadOnlySpan<byte> utf8)
    {
        var text = new MetricsText();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var number = 0;
        while (!utf8.IsEmpty)
        {
            number++;
            var end = utf8.IndexOf((byte)'\n');
            var line = end < 0 ? utf8 : utf8[..end];
            utf8 = end < 0 ? [] : utf8[(end + 1)..];
            if (line.Length > LongestLine) throw Wrong(number, $"has more than {LongestLine} bytes");
            line = line.Trim(" \t\r"u8);
            if (line.IsEmpty || line[0] == '#') continue;
            if (seen.Count == MostSamples) throw Wrong(number, $"is one of more than {MostSamples} samples");
            var (name, labels, value) = new Line(Encoding.UTF8.GetString(line), number).Read();
            if (!seen.Add($"{name}{{{labels}}}")) throw Wrong(number, "tells a series a second time");
            if (!text._samples.TryGetValue(name, out var samples)) text._samples[name] = samples = [];
            samples.Add((labels, value));
        }

        return text;
    }

    /// <summary>The values of a name, whatever their labels.</summary>
    /// <param name="name">Of the metric.</param>
    /// <param name="label">Only of series with it, as <c>mode="decode"</c>; null for all.</param>
    public IEnumerable<double> Values(string name, string? label = null) =>
        _samples.TryGetValue(name, out var samples) ? samples.Where(s => label is null || s.Labels.Split('\n').Contains(label)).Select(s => s.Value) : [];

    private static InvalidDataException Wrong(int line, string why) => new(string.Create(CultureInfo.InvariantCulture, $"line {line} of its metrics {why}"));

    /// <summary>One sample's line while it is read.</summary>
    private ref struct Line(string text, int number)
    {
        private int _at;

        public (string Name, string Labels, double Value) Read()
        {
            var name = Name(colons: true);
            var labels = _at < text.Length && text[_at] == '{' ? Labels() : "";
            Blanks(atLeast: 1);
            var value = Value();
            Blanks(atLeast: 0);
            if (_at < text.Length && !long.TryParse(text.AsSpan(_at), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)) throw Wrong(number, "goes on after its value");
            return (name, labels, value);
        }

        private string Name(bool colons)
        {
            var from = _at;
            while (_at < text.Length && (char.IsAsciiLetter(text[_at]) || text[_at] == '_' || (colons && text[_at] == ':') || (_at > from && char.IsAsciiDigit(text[_at])))) _at++;
            return _at > from ? text[from.._at] : throw Wrong(number, "has no name where one belongs");
        }

        // In the order of their names, one a line as name="value": so the same set is the same text.
        private string Labels()
        {
            var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
            _at++;
            Blanks(atLeast: 0);
            while (!Takes('}'))
            {
                var name = Name(colons: false);
                Blanks(atLeast: 0);
                if (!Takes('=')) throw Wrong(number, "has a label without =");
                Blanks(atLeast: 0);
                if (!labels.TryAdd(name, Quoted())) throw Wrong(number, "has a label twice");
                Blanks(atLeast: 0);
                var goesOn = Takes(',');
                Blanks(atLeast: 0);
                if (!goesOn && (_at >= text.Length || text[_at] != '}')) throw Wrong(number, "has labels that do not end");
            }

            return string.Join('\n', labels.Select(l => $"{l.Key}=\"{l.Value}\""));
        }

        // Kept as escaped: a line feed in a value never looks like the end of a label.
        private string Quoted()
        {
            if (!Takes('"')) throw Wrong(number, "has a label's value without quotes");
            var from = _at;
            while (_at < text.Length && text[_at] != '"')
            {
                if (text[_at] == '\\' && (_at + 1 >= text.Length || text[++_at] is not ('\\' or '"' or 'n'))) throw Wrong(number, "has an escape that nobody knows");
                _at++;
            }

            var value = text[from..Math.Min(_at, text.Length)];
            return Takes('"') ? value : throw Wrong(number, "has a label's value that does not end");
        }

        private double Value()
        {
            var from = _at;
            while (_at < text.Length && text[_at] is not (' ' or '\t')) _at++;
            var word = text[from.._at];
            return word switch
            {
                "NaN" or "nan" => double.NaN,
                "+Inf" or "Inf" or "inf" or "+inf" => double.PositiveInfinity,
                "-Inf" or "-inf" => double.NegativeInfinity,
                _ => double.TryParse(word, NumberStyles.Float & ~(NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite), CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
                    ? value
                    : throw Wrong(number, "has no number where its value belongs"),
            };
        }

        private bool Takes(char c)
        {
            if (_at >= text.Length || text[_at] != c) return false;
            _at++;
            return true;
        }

        private void Blanks(int atLeast)
        {
            var from = _at;
            while (_at < text.Length && text[_at] is ' ' or '\t') _at++;
            if (_at - from < atLeast) throw Wrong(number, "has no value");
        }
    }
}
