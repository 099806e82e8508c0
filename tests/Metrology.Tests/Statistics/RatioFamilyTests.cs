using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class RatioFamilyTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const int Ratios = 18;

    [Fact]
    public void Holms_p_values_are_those_of_the_textbook()
    {
        Assert.Equal([0.03, 0.06, 0.06, 0.02], Holm.AdjustPValues([0.01, 0.04, 0.03, 0.005]).Select(p => Math.Round(p, 12)));
    }

    [Fact]
    public void Holm_never_lowers_a_p_value_keeps_their_order_and_is_never_stricter_than_Bonferroni()
    {
        var arbitrary = Gen.Choose(0, 1000).Select(x => x / 1000.0).NonEmptyListOf().ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, raw =>
        {
            var adjusted = Holm.AdjustPValues([.. raw]);
            return raw.Zip(adjusted).All(pair => pair.Second >= pair.First && pair.Second <= Math.Min(1, raw.Count * pair.First))
                && Enumerable.Range(0, raw.Count).All(i => Enumerable.Range(0, raw.Count).All(j => raw[i] > raw[j] || adjusted[i] <= adjusted[j]));
        }));
    }

    [Fact]
    public void A_simultaneous_interval_contains_the_pairwise_one_and_what_it_excludes_Holm_rejects()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Members.NonEmptyListOf().ToArbitrary(), members =>
        {
            var counted = members.Count(member => member.Log is { Scope: not IntervalScope.None } && double.IsFinite(member.Bound));
            return members.Zip(RatioFamily.Adjust([.. members])).All(pair =>
            {
                var ((log, bound), ratio) = pair;
                if (log is null || log.Scope == IntervalScope.None || !double.IsFinite(bound))
                {
                    return ratio.Simultaneous is null && double.IsNaN(ratio.PValue) && double.IsNaN(ratio.HolmPValue);
                }
                var pairwise = log.Interval(0.95, bound)!;
                return ratio.PValue == log.PValue(bound)
                    && ratio.Simultaneous == log.Interval(1 - (1 - 0.95) / counted, bound)
                    && pairwise.HalfWidth <= ratio.Simultaneous!.HalfWidth * (1 + 1e-9)
                    && (Math.Abs(ratio.HolmPValue - 0.05) < 1e-9 || ratio.Simultaneous.Contains(0) || ratio.HolmPValue < 0.05)
                    && (Math.Abs(ratio.HolmPValue - 0.05) < 1e-9 || ratio.HolmPValue > 0.05 || !pairwise.Contains(0));
            });
        }));
    }

    [Fact]
    public void The_order_of_a_family_changes_no_bit_and_a_family_of_one_is_not_adjusted()
    {
        var arbitrary = (from members in Members.NonEmptyListOf()
                         from order in Gen.Shuffle(Enumerable.Range(0, members.Count).ToArray())
                         select (Members: members.ToArray(), order)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, drawn =>
        {
            var forward = RatioFamily.Adjust(drawn.Members);
            var shuffled = RatioFamily.Adjust([.. drawn.order.Select(i => drawn.Members[i])]);
            var alone = RatioFamily.Adjust([drawn.Members[0]])[0];
            return Enumerable.Range(0, drawn.order.Length).All(k => shuffled[k] == forward[drawn.order[k]])
                && alone.PValue.Equals(alone.HolmPValue)
                && alone.Simultaneous?.HalfWidth is var half && (half is null || Math.Abs(half.Value - drawn.Members[0].Log!.Interval(0.95, drawn.Members[0].Bound)!.HalfWidth) <= 1e-9 * half);
        }));
    }

    /// <summary>
    /// 18 ratios of one device share a baseline, hence its scatter; 8 passes; true differences that every test finds. 4,000 sweeps: standard error 0.3 % at 95 %.
    /// With a bound every ratio's bias is the worst, all on one side or on alternating ones.
    /// </summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(5, false)]
    public void Simultaneous_intervals_hold_together_for_ratios_that_share_a_baseline(double typeBShare, bool alternating)
    {
        const int Sweeps = 4000;
        var random = new Gaussian(SplitMix64.Derive(23, $"{alternating}", (int)(10 * typeBShare)));
        int simultaneous = 0, pairwise = 0;
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var (family, truths) = Draw(random, typeBShare, alternating, sharedBaseline: true);
            simultaneous += RatioFamily.Adjust(family).Zip(truths).All(pair => pair.First.Simultaneous!.Contains(pair.Second)) ? 1 : 0;
            pairwise += family.Zip(truths).All(pair => pair.First.Log!.Interval(0.95, pair.First.Bound)!.Contains(pair.Second)) ? 1 : 0;
        }
        output.WriteLine($"u_B/u_A = {typeBShare}: all {Ratios} hold in {simultaneous / (double)Sweeps:P1} (simultaneous), {pairwise / (double)Sweeps:P1} (pairwise)");
        Assert.True(simultaneous >= 0.94 * Sweeps);
        Assert.True(pairwise < 0.75 * Sweeps);
    }

    [Theory]
    [InlineData(true, 0.87)]
    [InlineData(false, 0.84)]
    public void Intervals_at_the_levels_of_Holms_steps_do_not_hold_together(bool sharedBaseline, double expected)
    {
        const int Sweeps = 4000;
        var random = new Gaussian(29);
        var joint = 0;
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var (family, truths) = Draw(random, 0, false, sharedBaseline);
            var byEvidence = Enumerable.Range(0, Ratios).OrderBy(i => family[i].Log!.PValue(0)).ToArray();
            // All hypotheses fall, so the steps are at 0.05/18, 0.05/17, … 0.05/1.
            Assert.True(family[byEvidence[^1]].Log!.PValue(0) < 0.05 / Ratios);
            joint += byEvidence.Select((i, rank) => family[i].Log!.Interval(1 - 0.05 / (Ratios - rank))!.Contains(truths[i])).All(holds => holds) ? 1 : 0;
        }
        output.WriteLine($"all {Ratios} intervals at the steps' levels hold in {joint / (double)Sweeps:P1}");
        Assert.Equal(expected, joint / (double)Sweeps, 0.02);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Holm_keeps_the_family_wise_error_at_its_level_at_the_worst_bias(double typeBShare)
    {
        const int Sweeps = 4000;
        var random = new Gaussian(SplitMix64.Derive(5, "no difference", (int)typeBShare));
        int pairwise = 0, holm = 0, simultaneous = 0;
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            // Six independent ratios of six passes without any difference but the bias; the standard error is 1/√6.
            var bound = Math.Sqrt(3) * typeBShare / Math.Sqrt(6);
            var family = Enumerable.Range(0, 6)
                .Select(_ => (NestedSample.Of(Enumerable.Range(0, 6).Select(pass => new PassValue("n", "d", pass, bound + random.Next()))).Summarise(), bound)).ToArray();
            var adjusted = RatioFamily.Adjust(family);
            pairwise += adjusted.Any(ratio => ratio.PValue <= 0.05) ? 1 : 0;
            holm += adjusted.Any(ratio => ratio.HolmPValue <= 0.05) ? 1 : 0;
            simultaneous += adjusted.Any(ratio => !ratio.Simultaneous!.Contains(0)) ? 1 : 0;
        }
        output.WriteLine($"some true 'no difference' rejected: pairwise {pairwise / (double)Sweeps:P1}, Holm {holm / (double)Sweeps:P1}");
        Assert.InRange(pairwise / (double)Sweeps, 0.2, 0.32);
        Assert.InRange(holm / (double)Sweeps, 0.03, 0.06);
        Assert.Equal(simultaneous, holm);
    }

    private static Gen<(NestedEstimate? Log, double Bound)> Members =>
        from mean in Gen.Choose(-500, 500)
        from df in Gen.Choose(-1, 20)
        from bound in Gen.Choose(-1, 200)
        select (df switch
        {
            -1 => null,
            0 => new NestedEstimate(mean, IntervalScope.None, 1, 0, double.NaN, double.NaN, 1, 1, 1),
            _ => new NestedEstimate(mean / 100.0, IntervalScope.ThisNode, df + 1, df, 1, 1, 9, df + 1, 1),
        }, bound < 0 ? double.NaN : bound / 100.0);

    // Of unit scatter in every cell, so that a mean log ratio has the standard error √(2/8). True log ratios are 30, 60, 120, …, so that they, and not a scatter
    // that happens to look small, say which falls first.
    private static ((NestedEstimate? Log, double Bound)[] Family, double[] Truths) Draw(Gaussian random, double typeBShare, bool alternating, bool sharedBaseline)
    {
        const int Passes = 8;
        var bound = Math.Sqrt(3) * typeBShare * Math.Sqrt(2.0 / Passes);
        var baseline = Enumerable.Range(0, Passes).Select(_ => random.Next()).ToArray();
        var truths = Enumerable.Range(0, Ratios).Select(i => 30 * Math.Pow(2, i)).ToArray();
        var family = truths.Select((truth, i) =>
        {
            var bias = alternating && i % 2 == 1 ? -bound : bound;
            return (NestedSample.Of(baseline.Select((b, pass) => new PassValue("n", "d", pass, truth + bias + random.Next() - (sharedBaseline ? b : random.Next())))).Summarise(), bound);
        }).ToArray();
        return (family, truths);
    }
}
