using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>
/// <c>cells.csv</c>: the columns of <see cref="CellsTable"/>, a line a cell, SI units, full precision, invariant culture (RFC 4180, LF).
/// Empty means absent. Text that a spreadsheet would take for a formula is preceded by an apostrophe: plans are not trusted.
/// </summary>
public static class CellsCsv
{
    /// <summary>The header line and a line per cell, in the matrix's order.</summary>
    public static string Write(Matrix matrix)
    {
        var columns = CellsTable.Of(matrix);
        var csv = new StringBuilder();
        Line(csv, columns.Select(c => c.Name));
        for (var i = 0; i < columns[0].Values.Length; i++)
        {
            Line(csv, columns.Select(c => Field(c.Values[i])));
        }

        return csv.ToString();
    }

    private static string Field(object? value) => value switch
    {
        null => "",
        double number => NumberText.Exact(number),
        bool flag => flag ? "true" : "false",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        string text => Words(text),
        _ => throw new ArgumentException($"A {value.GetType().Name} has no form in cells.csv.", nameof(value)),
    };

    private static string Words(string text) => text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' ? "'" + text : text;

    private static void Line(StringBuilder csv, IEnumerable<string> fields) => csv.AppendJoin(',', fields.Select(Quote)).Append('\n');

    private static string Quote(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") >= 0 ? "\"" + field.Replace("\"", "\"\"") + "\"" : field;
}
