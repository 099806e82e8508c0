using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Report.Tests;

public sealed class NumberTextTests
{
    [Theory]
    [InlineData(0.123456, 0.1217, 0.1252, "0.1235")] // half-width 0.00175: 0.0018
    [InlineData(0.123456, 0.1185, 0.1285, "0.1235")] // 0.0050
    [InlineData(35.2217, 34.1, 36.3, "35.2")] // 1.1
    [InlineData(35.2217, 25.3, 45.3, "35")] // 10
    [InlineData(0.5, 0.4004, 0.5996, "0.50")] // 0.0996 is written 0.10, not 0.100
    [InlineData(1234.4, 1034.4, 1434.4, "1234")]
    public void A_value_has_the_digits_that_its_interval_supports(double value, double low, double high, string text) =>
        Assert.Equal(text, NumberText.Ratio(value, low, high));

    [Fact]
    public void A_half_width_below_a_hundred_is_written_with_two_significant_digits()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Gen.Choose(1, 99_949).ToArbitrary(), Gen.Choose(-3, 3).ToArbitrary(), (mantissa, exponent) =>
        {
            var half = mantissa * Math.Pow(10, exponent - 3);
            var written = NumberText.Fixed(half, NumberText.Decimals(1, 1 - half, 1 + half)).Replace(".", "").TrimStart('0');
            return half >= 99.5 || half < 2e-7 || written.Length == 2;
        }));
    }

    [Fact]
    public void A_value_with_its_interval_is_written_with_one_number_of_decimals()
    {
        Assert.Equal("1.97 (1.88–2.06)", NumberText.WithInterval(1.9712, 1.8803, 2.0581));
        Assert.Equal("1.97", NumberText.WithInterval(1.9712, null, null));
        Assert.Equal("—", NumberText.WithInterval(double.NaN, null, null));
    }

    [Theory]
    [InlineData(0.00004, "<0.0001")]
    [InlineData(0.0312, "0.031")]
    [InlineData(1.0, "1.0")]
    [InlineData(null, "—")]
    public void A_p_value_is_never_written_as_nothing(double? p, string text) => Assert.Equal(text, NumberText.Probability(p));

    [Fact]
    public void Without_an_interval_a_value_has_three_digits() => Assert.Equal("0.123", NumberText.Ratio(0.123456, null, null));

    [Theory]
    [InlineData(double.NaN, "—")]
    [InlineData(0, "0")]
    [InlineData(-2.5, "−2.50")]
    [InlineData(0.00001234, "1.23e−5")]
    [InlineData(123456, "123456")]
    [InlineData(double.PositiveInfinity, "∞")]
    public void Significant_digits_read_well_at_any_size(double value, string text) => Assert.Equal(text, NumberText.Significant(value));

    [Fact]
    public void Minus_nothing_is_nothing() => Assert.Equal("0.0", NumberText.Fixed(-0.01, 1));

    [Fact]
    public void A_column_keeps_one_prefix_by_its_median()
    {
        var scale = SiScale.Of([0.031, 0.0284, 0.9, double.NaN, 0]);
        Assert.Equal("m", scale.Prefix);
        Assert.Equal("31.0", scale.Significant(0.031));
        Assert.Equal("900", scale.Significant(0.9));
        Assert.Equal("", SiScale.Of([]).Prefix);
        Assert.Equal("p", SiScale.Of([1e-30]).Prefix);
        Assert.Equal("E", SiScale.Of([1e30]).Prefix);
    }

    [Fact]
    public void Exact_numbers_read_back_as_the_same_number()
    {
        foreach (var value in new[] { 0.1, 1 / 3.0, 6.02e23, -1e-300 })
        {
            Assert.Equal(value, double.Parse(NumberText.Exact(value), System.Globalization.CultureInfo.InvariantCulture));
        }

        Assert.Equal("", NumberText.Exact(double.NaN));
        Assert.Equal("", NumberText.Exact(null));
    }

    [Fact]
    public void Text_from_outside_can_neither_command_a_terminal_nor_turn_its_direction()
    {
        var clean = NumberText.Clean("a\u001b[2J\u202Eb\0\r\n\uD800c");
        Assert.DoesNotContain(clean, c => char.IsControl(c) || c == '\u202E' || char.IsSurrogate(c));
        Assert.StartsWith("a", clean);
        Assert.EndsWith("c", clean);
    }

    [Fact]
    public void Every_step_of_the_heat_scale_has_readable_ink_and_the_scale_is_symmetric_in_the_logarithm()
    {
        foreach (var dark in new[] { false, true })
        {
            Assert.All(HeatScale.Colours(dark), c => Assert.True(HeatScale.Contrast(Convert.ToInt32(c.Background[1..], 16), Convert.ToInt32(c.Ink[1..], 16)) >= 4.5));
        }

        var scale = HeatScale.For([0.14, 0.9, 1.2, double.NaN]);
        Assert.Equal(10, scale.Limit);
        Assert.Equal(HeatScale.Half, scale.Step(1));
        Assert.Equal(2 * HeatScale.Half, scale.Step(2.5) + scale.Step(1 / 2.5));
        Assert.Equal(0, scale.Step(1e-9));
        Assert.Null(scale.Step(double.NaN));
        Assert.Null(scale.Step(0));
    }
}
