using System.Globalization;
using System.Text;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>
/// A trace in columns, from which the very bytes of its CSV are made again. Numbers are integers at the column's decimals (<c>12.34</c> is 1234 at 2), each
/// as the difference to the one before; <see cref="NotANumber"/> stands for <c>NaN</c> and changes no difference. A CSV that is of any other form is
/// kept as it is.
/// </summary>
/// <param name="Raw">The CSV itself; null where the columns say it all.</param>
/// <param name="Devices">Names in the order of their first row.</param>
/// <param name="Phases">Names in the order of their first row.</param>
/// <param name="Decimals">Of time, watts and joules.</param>
/// <param name="Seconds">Time: differences.</param>
/// <param name="Device">Index into <paramref name="Devices"/>.</param>
/// <param name="Watts">Differences.</param>
/// <param name="Joules">Differences.</param>
/// <param name="Phase">Index into <paramref name="Phases"/>.</param>
[MessagePackObject]
public sealed record TraceRecord(
    [property: Key(0)] byte[]? Raw,
    [property: Key(1)] string[] Devices,
    [property: Key(2)] string[] Phases,
    [property: Key(3)] int[] Decimals,
    [property: Key(4)] long[] Seconds,
    [property: Key(5)] int[] Device,
    [property: Key(6)] long[] Watts,
    [property: Key(7)] long[] Joules,
    [property: Key(8)] int[] Phase)
{
    public const long NotANumber = long.MinValue;

    private const string Header = "nanoseconds,source,watts,joules,phase";

    // Of traces of before: their first column has decimals, and whole nanoseconds have none.
    private const string OldHeader = "seconds,device,watts,joules,phase";
    private const int MostDecimals = 9;

    public static TraceRecord Of(ReadOnlySpan<byte> csv)
    {
        var columns = Columns(csv);
        return columns is not null && columns.ToCsv().AsSpan().SequenceEqual(csv) ? columns : new(csv.ToArray(), [], [], [], [], [], [], [], []);
    }

    /// <summary>The CSV. Throws <see cref="InvalidDataException"/> where the columns do not fit together.</summary>
    public byte[] ToCsv()
    {
        if (Raw is not null) return Raw;
        if (Decimals.Length != 3 || Decimals.Any(d => d is < 0 or > MostDecimals) || new[] { Device.Length, Watts.Length, Joules.Length, Phase.Length }.Any(n => n != Seconds.Length))
            throw new InvalidDataException("the columns of the trace do not fit together");
        var text = new StringBuilder(Decimals[0] > 0 ? OldHeader : Header).Append('\n');
        var (seconds, watts, joules) = (0L, 0L, 0L);
        for (var row = 0; row < Seconds.Length; row++)
        {
            if ((uint)Device[row] >= Devices.Length || (uint)Phase[row] >= Phases.Length) throw new InvalidDataException($"row {row + 1} of the trace names a device or phase that it does not have");
            Write(text, Seconds[row], ref seconds, Decimals[0]);
            text.Append(',').Append(Devices[Device[row]]).Append(',');
            Write(text, Watts[row], ref watts, Decimals[1]);
            text.Append(',');
            Write(text, Joules[row], ref joules, Decimals[2]);
            text.Append(',').Append(Phases[Phase[row]]).Append('\n');
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // Null for what is not of this form; whether it comes out the same is then still to be seen.
    private static TraceRecord? Columns(ReadOnlySpan<byte> csv)
    {
        var text = Encoding.UTF8.GetString(csv);
        var header = text.StartsWith(OldHeader + "\n", StringComparison.Ordinal) ? OldHeader : Header;
        if (!text.StartsWith(header + "\n", StringComparison.Ordinal) || text[^1] != '\n') return null;
        var (devices, phases) = (new List<string>(), new List<string>());
        var (seconds, device, watts, joules, phase) = (new Numbers(), new List<int>(), new Numbers(), new Numbers(), new List<int>());
        Span<Range> fields = stackalloc Range[6];
        var rows = text.AsSpan(header.Length + 1);
        foreach (var range in rows.Split('\n'))
        {
            var line = rows[range];
            if (line.IsEmpty) continue;
            if (line.Split(fields, ',') != 5 || !seconds.Add(line[fields[0]]) || !watts.Add(line[fields[2]]) || !joules.Add(line[fields[3]])) return null;
            device.Add(Place(devices, line[fields[1]]));
            phase.Add(Place(phases, line[fields[4]]));
        }
        return new(null, [.. devices], [.. phases], [seconds.Decimals, watts.Decimals, joules.Decimals], [.. seconds.Differences], [.. device], [.. watts.Differences], [.. joules.Differences], [.. phase]);
    }

    private static int Place(List<string> names, ReadOnlySpan<char> name)
    {
        // The last one first: rows of one device and phase follow each other.
        for (var i = names.Count - 1; i >= 0; i--)
            if (name.SequenceEqual(names[i])) return i;
        names.Add(name.ToString());
        return names.Count - 1;
    }

    private static void Write(StringBuilder text, long difference, ref long value, int decimals)
    {
        if (difference == NotANumber)
        {
            text.Append("NaN");
            return;
        }
        value = unchecked(value + difference);
        var digits = Math.Abs((decimal)value).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        if (value < 0) text.Append('-');
        text.Append(digits.AsSpan(0, digits.Length - decimals));
        if (decimals > 0) text.Append('.').Append(digits.AsSpan(digits.Length - decimals));
    }

    private sealed class Numbers
    {
        private bool _seen;
        private long _last;

        public int Decimals { get; private set; }

        public List<long> Differences { get; } = [];

        /// <summary>Takes <c>NaN</c> or a decimal number with as many decimals as those before it.</summary>
        public bool Add(ReadOnlySpan<char> field)
        {
            if (field.SequenceEqual("NaN"))
            {
                Differences.Add(NotANumber);
                return true;
            }
            var point = field.IndexOf('.');
            var decimals = point < 0 ? 0 : field.Length - point - 1;
            if (decimals > MostDecimals || field.Length > 18) return false;
            // A column that began with NaN has shown no decimals yet.
            if (!_seen) (_seen, Decimals) = (true, decimals);
            if (decimals != Decimals || !long.TryParse(point < 0 ? field.ToString() : string.Concat(field[..point], field[(point + 1)..]), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)) return false;
            Differences.Add(value - _last);
            _last = value;
            return true;
        }
    }
}
