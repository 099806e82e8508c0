using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class EquivalenceTests
{
    [Fact]
    public void Resolution_is_the_larger_of_repeatability_and_twice_the_type_B_term()
    {
        Assert.Equal(0.01, Equivalence.Resolution(0.004, 0.005));
        Assert.Equal(0.02, Equivalence.Resolution(0.02, 0.005));
        Assert.True(double.IsNaN(Equivalence.Resolution(double.NaN, 0.005)));
    }

    [Fact]
    public void A_pair_passes_if_its_90_percent_interval_lies_within_delta()
    {
        // Mean 0.004, standard error 0.003, 9 degrees of freedom: t(0.95, 9) = 1.8331, so −0.0015 … 0.0095.
        var estimate = new NestedEstimate(0.004, IntervalScope.ThisDevice, 10, 9, 0.003 * Math.Sqrt(10), 0.003, 10, 1, 1);
        var result = Equivalence.Test(estimate);
        Assert.True(result.Passed);
        Assert.Equal(0.0095, result.Interval90!.High, 5e-5);
        Assert.Equal(2.2622 * 0.003, result.HalfWidth95, 1e-6);
        Assert.False(Equivalence.Test(estimate, 0.009).Passed);
        Assert.Null(Equivalence.Test(new NestedEstimate(0, IntervalScope.None, 1, 0, double.NaN, double.NaN, 1, 1, 1)).Passed);
        Assert.Throws<ArgumentOutOfRangeException>(() => Equivalence.Test(estimate, 0));
    }

    [Fact]
    public void The_interval_and_the_p_value_of_equivalence_agree()
    {
        var arbitrary = (from mean in Gen.Choose(-2000, 2000)
                         from error in Gen.Choose(1, 1000)
                         from df in Gen.Choose(1, 30)
                         select new NestedEstimate(mean / 1e5, IntervalScope.ThisDevice, df + 1, df, 1, error / 1e5, df + 1, 1, 1)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, estimate =>
        {
            var result = Equivalence.Test(estimate);
            return Math.Abs(result.PValue - 0.05) < 1e-9 || result.Passed == result.PValue <= 0.05;
        }));
    }
}
