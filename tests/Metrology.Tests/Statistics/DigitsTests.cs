using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class DigitsTests
{
    [Theory]
    [InlineData(41.6, 0.52, 2)]
    [InlineData(0.71298, 0.00033, 5)]
    [InlineData(1.1, 0.0996, 2)] // ± 0.10, not ± 0.100
    [InlineData(1.1, 0.0994, 3)] // ± 0.099
    [InlineData(1.1, 0.1, 2)]
    [InlineData(1.1, 0.01, 3)]
    [InlineData(937, 12, 0)]
    [InlineData(93712, 345, 0)] // digits before the point are always written
    [InlineData(1, 1e-300, 15)]
    public void A_value_is_written_to_the_second_significant_digit_of_its_half_width(double value, double halfWidth, int decimals) =>
        Assert.Equal(decimals, Digits.Of(value, halfWidth));

    [Theory]
    [InlineData(0.02417, double.NaN, 3)]
    [InlineData(-24.17, 0, 0)]
    [InlineData(2.417, double.PositiveInfinity, 1)]
    [InlineData(0, double.NaN, 0)]
    [InlineData(double.NaN, double.NaN, 0)]
    public void Without_a_half_width_two_digits_of_the_value_are_left(double value, double halfWidth, int decimals) =>
        Assert.Equal(decimals, Digits.Of(value, halfWidth));

    [Fact]
    public void Rounding_loses_less_than_a_twentieth_of_the_half_width_and_one_decimal_less_would_lose_more()
    {
        var arbitrary = (from mantissa in Gen.Choose(1000, 9999) from exponent in Gen.Choose(-13, -4) select mantissa * Math.Pow(10, exponent)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, halfWidth =>
        {
            var decimals = Digits.Of(1, halfWidth);
            var step = Math.Pow(10, -decimals);
            var written = decimal.Parse(halfWidth.ToString($"F{decimals}", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) / (decimal)step;
            // Two significant digits: 10 … 99 steps.
            return (decimals == 0 || written is >= 9.999m and <= 99.001m) && step / 2 <= halfWidth / 19;
        }));
    }
}
