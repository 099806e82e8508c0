using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using MathNet.Numerics;

namespace EnergyGrid.Metrology.Tests;

/// <summary>The interval of a mean whose bias is bounded: X = truth + bias + σZ, |bias| ≤ B, and an independent estimate s of σ with ν degrees of freedom.</summary>
public class BoundedBiasTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private static readonly int[] Freedoms = [1, 3, 4, 7, 31];
    private static readonly double[] TypeBShares = [0, 0.1, 0.25, 0.5, 1, 2, 5, 20];

    [Theory]
    [InlineData(0, 1.960)]
    [InlineData(0.1, 1.970)]
    [InlineData(0.2, 1.999)]
    [InlineData(0.5, 2.181)]
    [InlineData(1, 2.646)]
    [InlineData(1.5, 3.145)]
    [InlineData(2, 3.645)]
    public void With_a_known_standard_error_critical_values_are_quantiles_of_the_folded_normal(double ratio, double expected) =>
        Assert.Equal(expected, BoundedBias.CriticalValue(0.95, 100_000_000, ratio), 6e-4);

    [Fact]
    public void A_tail_near_the_middle_keeps_what_a_small_t_takes_from_it()
    {
        foreach (var t in new[] { 0, 1e-12, 3e-9, 1e-6, 9.99e-4, 1.001e-3, 0.02, -1e-9, -9.99e-4 })
        {
            Assert.Equal(0.5 - Math.Atan(t) / Math.PI, StudentDistribution.UpperTail(t, 1), 1e-13);
            // With two degrees of freedom: t / (2·√(2 + t²)).
            Assert.Equal(0.5 - t / (2 * Math.Sqrt(2 + t * t)), StudentDistribution.UpperTail(t, 2), 1e-13);
        }
    }

    [Fact]
    public void With_one_degree_of_freedom_critical_values_solve_the_folded_Cauchy()
    {
        foreach (var ratio in new[] { 0, 0.1, 1, 3, 40, 1e6 })
        {
            foreach (var miss in new[] { 0.5, 0.05, 0.05 / 18, 0.05 / 1000 })
            {
                // arctan(c + r) + arctan(c − r) = π·(1 − miss), hence 2c = tan(π·miss)·(c² − 1 − r²).
                var tangent = Math.Tan(Math.PI * miss);
                var c = miss == 0.5 ? Math.Sqrt(1 + ratio * ratio) : 1 / tangent + Math.Sqrt(1 / (tangent * tangent) + 1 + ratio * ratio);
                Assert.Equal(1, BoundedBias.CriticalValue(1 - miss, 1, ratio) / c, 1e-9);
            }
        }
    }

    [Fact]
    public void Without_a_bound_it_is_Students_interval_bit_for_bit()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Nested.ToArbitrary(), values =>
        {
            var estimate = NestedSample.Of(values).Summarise()!;
            var half = estimate.Scope == IntervalScope.None ? 0 : StudentDistribution.Quantile(0.975, estimate.DegreesOfFreedom) * estimate.StandardError;
            return estimate.Interval(0.95, 0) == estimate.Interval(0.95)
                && (estimate.Scope == IntervalScope.None || (estimate.Interval(0.95)!.Low == estimate.Mean - half && estimate.Interval(0.95)!.High == estimate.Mean + half));
        }));
    }

    [Fact]
    public void It_lies_between_the_bound_with_a_one_sided_and_with_a_two_sided_quantile_and_grows_with_each_of_its_parts()
    {
        var arbitrary = (from error in Gen.Choose(0, 60)
                         from bound in Gen.Choose(0, 60)
                         from df in Gen.Choose(1, 200)
                         from level in Gen.Choose(0, 40)
                         select (Error: Decades(error), Bound: Decades(bound), df, Level: 1 - 0.5 * Math.Pow(10, -level / 10.0))).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(arbitrary, drawn =>
        {
            var (error, bound, df, level) = drawn;
            double Half(double e, double b, double l) => BoundedBias.HalfWidth(e, df, b, l);
            var half = Half(error, bound, level);
            const double Rounding = 1 + 1e-10;
            return half * Rounding >= bound + error * StudentDistribution.Quantile(level, df)
                && half * Rounding >= error * StudentDistribution.Quantile((1 + level) / 2, df)
                && half <= Rounding * (bound + error * StudentDistribution.Quantile((1 + level) / 2, df))
                && half <= Rounding * Half(error * 1.1, bound, level)
                && half <= Rounding * Half(error, bound * 1.1, level)
                && half <= Rounding * Half(error, bound, (1 + level) / 2);
        }));

        // From 1e-6 to 1, and 0.
        static double Decades(int step) => step == 0 ? 0 : Math.Pow(10, (step - 60) / 10.0);
    }

    [Theory]
    [InlineData(0, 0.3, 0.3)]
    [InlineData(0, 0, 0)]
    [InlineData(1e-310, 0.3, 0.3)]
    [InlineData(0.1, double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(0.1, double.NaN, double.NaN)]
    public void Without_scatter_the_bound_is_left_and_without_a_bound_nothing(double standardError, double bound, double expected)
    {
        Assert.Equal(expected, BoundedBias.HalfWidth(standardError, 1, bound, 0.95));
        var estimate = new NestedEstimate(1, IntervalScope.ThisDevice, 2, 1, standardError, standardError, 2, 1, 1);
        Assert.Equal(double.IsFinite(bound), estimate.Interval(0.95, bound) is not null);
        Assert.Equal(double.IsFinite(bound), !double.IsNaN(estimate.PValue(bound)));
    }

    [Fact]
    public void Negative_parts_and_impossible_levels_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(-1, 1, 0, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(double.NaN, 1, 0, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(1, 1, -0.1, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(1, 0, 0.1, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(1, 1, 0.1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => BoundedBias.HalfWidth(1, 1, 0.1, 0.4));
    }

    [Fact]
    public void The_p_value_is_the_smallest_miss_whose_interval_excludes_zero()
    {
        var arbitrary = (from mean in Gen.Choose(-1000, 1000)
                         from error in Gen.Choose(0, 100)
                         from bound in Gen.Choose(0, 300)
                         from df in Gen.Choose(1, 30)
                         from miss in Gen.Choose(4, 40)
                         select (Estimate: new NestedEstimate(mean / 100.0, IntervalScope.ThisNode, df + 1, df, 1, error / 100.0, 9, df + 1, 1),
                             Bound: bound / 100.0, Miss: Math.Pow(10, -miss / 10.0))).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(arbitrary, drawn =>
        {
            var p = drawn.Estimate.PValue(drawn.Bound);
            return Math.Abs(p / drawn.Miss - 1) < 1e-9 || (p <= drawn.Miss) == !drawn.Estimate.Interval(1 - drawn.Miss, drawn.Bound)!.Contains(0);
        }));
    }

    /// <summary>
    /// By quadrature over s/σ; the miss at the worst bias. For a given s the miss grows with |bias| (a normal leaves a symmetric interval the more the further its
    /// centre is off), so the worst bias is ±B.
    /// </summary>
    [Fact]
    public void At_the_worst_bias_no_interval_misses_more_often_than_its_level_says()
    {
        foreach (var miss in new[] { 0.5, 0.2, 0.05, 0.05 / 18, 0.05 / 1000 })
        {
            var worst = 0.0;
            foreach (var df in new[] { 1, 2, 3, 4, 5, 7, 11, 31, 100, 300 })
            {
                foreach (var ratio in new[] { 0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1, 1.7, 3, 6, 15, 60 })
                {
                    worst = Math.Max(worst, MissAtTheBound(df, ratio, (s, bound) => BoundedBias.HalfWidth(s, df, bound, 1 - miss)) / miss);
                }
            }
            output.WriteLine($"level {1 - miss}: misses at most {worst:F5} of what it may");
            Assert.InRange(worst, 0.999, 1.0005);
        }
    }

    /// <summary>6,000 draws a point, the worst bias on either side counted together: standard error 0.2 %.</summary>
    [Fact]
    public void It_covers_at_the_worst_bias_and_for_uniform_biases_whatever_the_share_of_type_B()
    {
        const int Draws = 6000;
        output.WriteLine("freedom  u_B/u_A   at ±B    uniform  half-width/Student's (median)");
        foreach (var df in Freedoms)
        {
            foreach (var share in TypeBShares)
            {
                var bound = Math.Sqrt(3) * share;
                var random = new Gaussian(SplitMix64.Derive(17, $"{df}", (int)(100 * share)));
                var (atBound, uniform, widths) = (0, 0, new double[Draws]);
                for (var draw = 0; draw < Draws; draw++)
                {
                    var (z, squares) = (random.Next(), 0.0);
                    for (var i = 0; i < df; i++)
                    {
                        squares += Math.Pow(random.Next(), 2);
                    }
                    var s = Math.Sqrt(squares / df);
                    var half = BoundedBias.HalfWidth(s, df, bound, 0.95);
                    widths[draw] = half / BoundedBias.HalfWidth(s, df, 0, 0.95);
                    atBound += (Math.Abs(z + bound) <= half ? 1 : 0) + (Math.Abs(z - bound) <= half ? 1 : 0);
                    uniform += Math.Abs(z + random.Uniform(-bound, bound)) <= half ? 1 : 0;
                }
                Array.Sort(widths);
                var (worst, mean) = (atBound / (2.0 * Draws), uniform / (double)Draws);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{df,7}  {share,7}  {worst,7:P2}  {mean,7:P2}  {widths[Draws / 2],6:F2}"));
                Assert.True(worst >= 0.943, $"{worst:P2} at ±B with {df} degrees of freedom and u_B/u_A = {share}");
                Assert.True(mean >= 0.943, $"{mean:P2} for uniform biases with {df} degrees of freedom and u_B/u_A = {share}");
                Assert.True(worst <= 0.968, $"{worst:P2} at ±B is more than need be");
            }
        }
    }

    [Theory]
    [InlineData(4, 1, 0.85)]
    [InlineData(4, 2, 0.82)]
    [InlineData(31, 2, 0.82)]
    [InlineData(1, 1.5, 0.805)]
    public void Uncertainties_joined_in_quadrature_would_not_cover_at_the_worst_bias(int df, double share, double expected)
    {
        // GUM G.4: t(ν_eff)·√(u_A² + u_B²), ν_eff by Welch and Satterthwaite with the type B term known, truncated.
        var coverage = 1 - MissAtTheBound(df, Math.Sqrt(3) * share, (s, bound) =>
        {
            var combined = Math.Sqrt(s * s + bound * bound / 3);
            var effective = Math.Clamp(df * Math.Pow(combined / s, 4), 1, 1e6);
            return StudentDistribution.Quantile(0.975, (int)effective) * combined;
        });
        output.WriteLine($"{df} degrees of freedom, u_B/u_A = {share}: {coverage:P1}");
        Assert.Equal(expected, coverage, 0.005);
    }

    // The miss at bias +B (or −B, which is the same), of σ = 1: the trapezoidal rule over ln s, whose density falls exponentially downwards and faster upwards.
    private static double MissAtTheBound(int df, double bound, Func<double, double, double> halfWidth)
    {
        const int Steps = 160;
        var low = Math.Max(-32.0 / df, -32);
        var high = 0.5 * Math.Log((df + 12 * Math.Sqrt(2 * df) + 60) / df);
        var constant = Math.Log(2) + 0.5 * df * Math.Log(0.5 * df) - SpecialFunctions.GammaLn(0.5 * df);
        double miss = 0, total = 0;
        for (var i = 0; i <= Steps; i++)
        {
            var y = low + (high - low) * i / Steps;
            var weight = Math.Exp(constant + df * y - 0.5 * df * Math.Exp(2 * y));
            var half = halfWidth(Math.Exp(y), bound);
            miss += weight * 0.5 * (SpecialFunctions.Erfc((half - bound) / Math.Sqrt(2)) + SpecialFunctions.Erfc((half + bound) / Math.Sqrt(2)));
            total += weight;
        }
        return miss / total;
    }
}
