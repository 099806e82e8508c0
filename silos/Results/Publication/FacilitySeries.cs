using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Results;

/// <summary><c>facility.csv</c>: the sums that a sweep's facility ratio follows from.</summary>
public static class FacilitySeries
{
    public const string Name = "facility.csv";

    private const string Header = "from_window,to_window,windows,whole,facility_joules,facility_low_joules,facility_high_joules,facility_covered_weight,facility_weight,it_joules,it_low_joules,it_high_joules,it_unmetered_rated_joules";

    public static byte[] Csv(ImmutableArray<FacilityStretch> stretches)
    {
        var text = new StringBuilder(Header).Append('\n');
        foreach (var s in stretches)
            text.Append(CultureInfo.InvariantCulture, $"{s.FromWindow},{s.ToWindow},{s.Windows},{(s.Whole ? 1 : 0)},{Number(s.FacilityJoules)},{Number(s.FacilityLowJoules)},{Number(s.FacilityHighJoules)},{Number(s.FacilityCoveredWeight)},{Number(s.FacilityWeight)},")
                .Append(CultureInfo.InvariantCulture, $"{Number(s.ItJoules)},{Number(s.ItLowJoules)},{Number(s.ItHighJoules)},{Number(s.ItUnmeteredRatedJoules)}\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>What was written. Throws <see cref="InvalidDataException"/> for what is none.</summary>
    public static ImmutableArray<FacilityStretch> Parse(string csv)
    {
        var lines = csv.Split('\n');
        if (lines[0] != Header || lines[^1].Length > 0) throw new InvalidDataException($"{Name}: it does not begin with its header, or does not end with a line break");
        return [.. lines[1..^1].Select((line, i) =>
        {
            var f = line.Split(',');
            try
            {
                if (f.Length != 13) throw new FormatException($"{f.Length} fields");
                double D(int at) => f[at].Length == 0 ? double.PositiveInfinity : double.Parse(f[at], CultureInfo.InvariantCulture);
                long L(int at) => long.Parse(f[at], CultureInfo.InvariantCulture);
                return new FacilityStretch(L(0), L(1), L(2), L(3) == 1, D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12));
            }
            catch (Exception e) when (e is FormatException or OverflowException) { throw new InvalidDataException($"{Name}:{i + 2}: {e.Message}", e); }
        })];
    }

    // Without a bound there is no number: empty.
    private static string Number(double value) => double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture) : "";
}
