using System.Collections.Immutable;
using System.Globalization;

namespace EnergyGrid.Report;

/// <summary>One raw sample of a device during a trial.</summary>
/// <param name="Seconds">Since the trial's start, s.</param>
/// <param name="Device">Its UUID or key.</param>
/// <param name="Watts">W; NaN if power was not read.</param>
/// <param name="Joules">Energy counter, J; NaN if it was not read.</param>
/// <param name="Phase">What the trial did: warm-up, window, cool-down …</param>
public sealed record TracePoint(double Seconds, string Device, double Watts, double Joules, string Phase);

/// <summary>The power trace of one trial: CSV with the header <c>seconds,device,watts,joules,phase</c>.</summary>
/// <param name="Name">Which trial, for people: group, label, pass.</param>
/// <param name="Points">In the order of the file.</param>
public sealed record PowerTrace(string Name, ImmutableArray<TracePoint> Points)
{
    private const string Header = "seconds,device,watts,joules,phase";

    /// <summary>Reads a trace file. A last line that was cut off by a crash (no line end) is left out if it is not whole.</summary>
    /// <param name="name">Which trial.</param>
    /// <param name="csv">The file's text.</param>
    /// <exception cref="FormatException">The header is another one, or a line has not five fields or no number where one must be; names the line.</exception>
    public static PowerTrace Parse(string name, string csv)
    {
        var points = ImmutableArray.CreateBuilder<TracePoint>();
        var number = 0;
        foreach (var range in csv.AsSpan().Split('\n'))
        {
            var line = csv.AsSpan(range).TrimEnd('\r');
            number++;
            if (number == 1)
            {
                if (!line.TrimStart('\uFEFF').SequenceEqual(Header))
                {
                    throw new FormatException($"trace {name}, line 1: the header must be '{Header}'");
                }

                continue;
            }

            if (line.IsEmpty)
            {
                continue;
            }

            if (Point(line) is { } point)
            {
                points.Add(point);
            }
            else if (range.End.GetOffset(csv.Length) < csv.Length)
            {
                throw new FormatException($"trace {name}, line {number}: expected {Header}, found '{line}'");
            }
        }

        return new PowerTrace(name, points.ToImmutable());
    }

    private static TracePoint? Point(ReadOnlySpan<char> line)
    {
        Span<Range> fields = stackalloc Range[6];
        if (line.Split(fields, ',') != 5
            || !double.TryParse(line[fields[0]], NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
            || !double.IsFinite(seconds)
            || !Optional(line[fields[2]], out var watts)
            || !Optional(line[fields[3]], out var joules))
        {
            return null;
        }

        return new TracePoint(seconds, line[fields[1]].ToString(), watts, joules, line[fields[4]].ToString());
    }

    private static bool Optional(ReadOnlySpan<char> text, out double value)
    {
        value = double.NaN;
        return text.IsEmpty || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
