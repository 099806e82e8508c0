using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Results.Tests;

/// <summary>Traces in columns.</summary>
public sealed class TraceTests
{
    [Fact]
    public void Any_text_comes_back_as_the_same_bytes()
    {
        var field = Gen.OneOf(
            Gen.Elements("NaN", "", "-0.00", "0", "1.5", "-0.05", "-12.345", "99999999.999", "9999999999999999999", "1e5", " 1", "+1", "ü", "."),
            Gen.Choose(-1_000_000, 1_000_000).Select(n => (n / 100.0).ToString("F2", CultureInfo.InvariantCulture)));
        var line = Gen.ArrayOf(field, 5).Select(f => string.Join(',', f));
        var text = Gen.ArrayOf(line).Select(lines => "seconds,device,watts,joules,phase\n" + string.Concat(lines.Select(l => l + "\n")));
        Prop.ForAll(text.ToArbitrary(), csv =>
        {
            var bytes = Encoding.UTF8.GetBytes(csv);
            return TraceRecord.Of(bytes).ToCsv().AsSpan().SequenceEqual(bytes) && PackedRecord.Of(TraceRecord.Of(bytes)).Trace().ToCsv().AsSpan().SequenceEqual(bytes);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void What_a_node_writes_is_kept_in_columns_and_in_a_quarter_of_the_bytes()
    {
        var csv = Samples.Trace(2000);
        var columns = TraceRecord.Of(csv);
        Assert.Null(columns.Raw);
        Assert.Equal([3, 2, 3], columns.Decimals);
        Assert.Equal(csv, columns.ToCsv());
        Assert.InRange(PackedRecord.Of(columns).Brotli.Length, 1, csv.Length / 4);
    }
}
