using System.Collections.Immutable;
using System.Globalization;

namespace EnergyGrid.Report;

/// <summary>One raw reading of one source during a trial.</summary>
/// <param name="Seconds">Since the trial's origin, s.</param>
/// <param name="Source">A device's UUID, or a meter's name.</param>
/// <param name="Watts">W; NaN if power was not read.</param>
/// <param name="Joules">Energy counter, J; NaN if it was not read.</param>
/// <param name="Phase">What the trial did: <c>waiting</c>, <c>loading</c>, <c>warm-up</c>, <c>lead</c>, <c>window</c>, <c>idle</c>, <c>cool-down</c>, <c>after</c>.</param>
public sealed record TracePoint(double Seconds, string Source, double Watts, double Joules, string Phase);

/// <summary>
/// The power trace of one trial: CSV with the header <c>nanoseconds,source,watts,joules,phase</c>, readings of several sources in any order. Traces of formats 1 and 2
/// say <c>seconds,device</c> instead.
/// </summary>
/// <param name="Name">Which trial, for people: group, label, pass.</param>
/// <param name="Points">In the order of the file.</param>
public sealed record PowerTrace(string Name, ImmutableArray<TracePoint> Points)
{
    private const string Header = "nanoseconds,source,watts,joules,phase";
    private const string OldHeader = "seconds,device,watts,joules,phase";

    /// <summary>Reads a trace file. A last line that was cut off by a crash (no line end) is left out if it is not whole.</summary>
    /// <param name="name">Which trial.</param>
    /// <param name="csv">The file's text.</param>
    /// <exception cref="FormatException">The header is another one, or a line has not five fields or no number where one must be; names the line.</exception>
    public static PowerTrace Parse(string name, string csv)
    {
        var points = ImmutableArray.CreateBuilder<TracePoint>();
        var number = 0;
        var nanoseconds = true;
        foreach (var range in csv.AsSpan().Split('\n'))
        {
            var line = csv.AsSpan(range).TrimEnd('\r');
            number++;
            if (number == 1)
            {
                var header = line.TrimStart('\uFEFF');
                nanoseconds = header.SequenceEqual(Header);
                if (!nanoseconds && !header.SequenceEqual(OldHeader))
                {
                    throw new FormatException($"trace {name}, line 1: the header must be '{Header}'");
                }

                continue;
            }

            if (line.IsEmpty)
            {
                continue;
            }

            if (Point(line, nanoseconds) is { } point)
            {
                points.Add(point);
            }
            else if (range.End.GetOffset(csv.Length) < csv.Length)
            {
                throw new FormatException($"trace {name}, line {number}: expected {(nanoseconds ? Header : OldHeader)}, found '{line}'");
            }
        }

        return new PowerTrace(name, points.ToImmutable());
    }

    private static TracePoint? Point(ReadOnlySpan<char> line, bool nanoseconds)
    {
        Span<Range> fields = stackalloc Range[6];
        if (line.Split(fields, ',') != 5
            || !Time(line[fields[0]], nanoseconds, out var seconds)
            || !Optional(line[fields[2]], out var watts)
            || !Optional(line[fields[3]], out var joules))
        {
            return null;
        }

        return new TracePoint(seconds, line[fields[1]].ToString(), watts, joules, line[fields[4]].ToString());
    }

    private static bool Time(ReadOnlySpan<char> text, bool nanoseconds, out double seconds)
    {
        if (nanoseconds)
        {
            var whole = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count);
            seconds = count / 1e9;
            return whole;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) && double.IsFinite(seconds);
    }

    private static bool Optional(ReadOnlySpan<char> text, out double value)
    {
        value = double.NaN;
        return text.IsEmpty || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
