using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class NestedSampleTests
{
    [Theory]
    [InlineData(0.975, 1, 12.7062)]
    [InlineData(0.975, 3, 3.1824)]
    [InlineData(0.975, 4, 2.7764)]
    [InlineData(0.95, 7, 1.8946)]
    [InlineData(0.975, 1000, 1.9623)]
    public void Quantiles_are_those_of_the_tables(double probability, int degreesOfFreedom, double expected)
    {
        Assert.Equal(expected, StudentDistribution.Quantile(probability, degreesOfFreedom), 1e-4);
        Assert.Equal(2 * (1 - probability), StudentDistribution.TwoSided(StudentDistribution.Quantile(probability, degreesOfFreedom), degreesOfFreedom), 1e-9);
    }

    [Fact]
    public void Quantiles_invert_the_distribution_however_far_out()
    {
        var arbitrary = (from exponent in Gen.Choose(30, 1200) from df in Gen.Choose(1, 300) select (Tail: Math.Pow(10, -exponent / 100.0), df)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, drawn =>
        {
            var t = StudentDistribution.Quantile(1 - drawn.Tail / 2, drawn.df);
            // 1 − p carries a rounding error of 1e-16.
            return Math.Abs(StudentDistribution.TwoSided(t, drawn.df) - drawn.Tail) < 1e-9 * drawn.Tail + 1e-15
                && StudentDistribution.Quantile(drawn.Tail / 2, drawn.df) == -t;
        }));
    }

    [Fact]
    public void Devices_count_alike_within_a_node_and_nodes_alike_whatever_their_passes()
    {
        var sample = NestedSample.Of(
        [
            new("n1", "a", 0, 1), new("n1", "a", 1, 3), new("n1", "a", 2, 5), // 3
            new("n1", "b", 0, 7), // 7, so n1 is 5
            new("n2", "c", 0, 9), new("n2", "c", 1, 9), // 9
        ]);
        var estimate = sample.Summarise()!;
        Assert.Equal(7, estimate.Mean);
        Assert.Equal((IntervalScope.Nodes, 2, 1), (estimate.Scope, estimate.Units, estimate.DegreesOfFreedom));
        Assert.Equal((6, 3, 2), (estimate.Passes, estimate.Devices, estimate.Nodes));
        // Node means 5 and 9: s = √8, s/√2 = 2.
        Assert.Equal(12.7062 * 2, estimate.Interval(0.95)!.HalfWidth, 1e-3);
    }

    [Fact]
    public void Units_and_scope_are_nodes_then_devices_then_passes_then_none()
    {
        static NestedEstimate Of(params PassValue[] values) => NestedSample.Of(values).Summarise()!;

        var nodes = Of(new("n1", "a", 0, 1), new("n2", "b", 0, 2), new("n3", "c", 0, 3));
        Assert.Equal(("nodes", 3, 2), (nodes.Scope.Text(), nodes.Units, nodes.DegreesOfFreedom));
        var devices = Of(new("n", "a", 0, 1), new("n", "a", 1, 1), new("n", "b", 0, 2));
        Assert.Equal(("this node", 2, 1), (devices.Scope.Text(), devices.Units, devices.DegreesOfFreedom));
        var passes = Of(new("n", "a", 0, 1), new("n", "a", 1, 2), new("n", "a", 2, 4), new("n", "a", 3, 4));
        Assert.Equal(("this device", 4, 3), (passes.Scope.Text(), passes.Units, passes.DegreesOfFreedom));
        var none = Of(new PassValue("n", "a", 0, 1));
        Assert.Equal(("none", 1), (none.Scope.Text(), none.Passes));
        Assert.Null(none.Interval(0.95));
        Assert.True(double.IsNaN(none.PValue(0)));
        Assert.Equal(new Contracts.Estimate(Math.E, null, null, "none", 1), none.ToEstimate(0.95, 0));
        Assert.Null(NestedSample.Of([]).Summarise());
    }

    [Fact]
    public void With_passes_as_units_the_interval_keeps_the_first_stages_spread_and_degrees_of_freedom()
    {
        PassValue[] first = [new("n", "a", 0, 1), new("n", "a", 1, 2), new("n", "a", 2, 3), new("n", "a", 4, 4), new("n", "a", 7, 5)];
        PassValue[] second = [new("n", "a", 8, 100), new("n", "a", 9, -97), new("n", "a", 10, 3), new("n", "a", 11, 3)];
        var estimate = NestedSample.Of([.. second, .. first]).Summarise(5)!;
        Assert.Equal((9, 4), (estimate.Units, estimate.DegreesOfFreedom));
        Assert.Equal(24.0 / 9, estimate.Mean, 1e-12);
        Assert.Equal(Math.Sqrt(2.5), estimate.UnitDeviation, 1e-12);
        Assert.Equal(2.7764 * Math.Sqrt(2.5) / 3, estimate.Interval(0.95)!.HalfWidth, 1e-3);
    }

    [Fact]
    public void A_pass_given_twice_a_device_on_two_nodes_and_a_value_that_is_not_finite_are_refused()
    {
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => NestedSample.Of([new("n", "a", 1, 1), new("n", "a", 1, 2)])).Message);
        Assert.Contains("more than one node", Assert.Throws<ArgumentException>(() => NestedSample.Of([new("n", "a", 1, 1), new("m", "a", 2, 2)])).Message);
        Assert.Contains("finite", Assert.Throws<ArgumentException>(() => NestedSample.Of([new("n", "a", 1, double.NaN)])).Message);
    }

    [Fact]
    public void A_shift_moves_the_interval_and_a_scale_stretches_it()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Nested.ToArbitrary(), values =>
        {
            if (NestedSample.Of(values).Summarise()!.Interval(0.95) is not { } interval)
            {
                return true;
            }
            var moved = NestedSample.Of(values.Select(v => v with { Value = 2 * v.Value + 10 })).Summarise()!.Interval(0.95)!;
            return Math.Abs(moved.Low - (2 * interval.Low + 10)) < 1e-9 && Math.Abs(moved.High - (2 * interval.High + 10)) < 1e-9;
        }));
    }

    [Fact]
    public void Balanced_components_are_those_of_the_analysis_of_variance_table()
    {
        // 2 nodes × 2 devices × 2 passes. Device means 1, 3 | 7, 9; within every device ±0.5 around its mean.
        var values = new (string Node, string Device, double Mean)[] { ("n", "a", 1), ("n", "b", 3), ("m", "c", 7), ("m", "d", 9) }
            .SelectMany(d => new[] { new PassValue(d.Node, d.Device, 0, d.Mean - 0.5), new PassValue(d.Node, d.Device, 1, d.Mean + 0.5) });
        var components = VarianceComponents.Of(NestedSample.Of(values));
        // MS: pass 2/4 = 0.5; device 8/2 = 4; node 72/1 = 72. (4 − 0.5)/2 and (72 − 4)/4.
        Assert.Equal(0.5, components.Pass!.Value, 1e-12);
        Assert.Equal(1.75, components.Device!.Value, 1e-12);
        Assert.Equal(17, components.Node!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(17), components.ToSpread().Node!.Value, 1e-12);
    }

    [Fact]
    public void Components_of_a_level_with_one_member_are_absent_and_negative_ones_show_as_zero_spread()
    {
        Assert.Equal(
            new VarianceComponents(null, null, null, null), VarianceComponents.Of(NestedSample.Of([new("n", "a", 0, 1), new("n", "b", 0, 2)])));
        Assert.Equal(new VarianceComponents(0.5, null, null, null), VarianceComponents.Of(NestedSample.Of([new("n", "a", 0, 1), new("n", "a", 1, 2)])));
        var same = VarianceComponents.Of(NestedSample.Of([new("n", "a", 0, 1), new("n", "a", 1, 2), new("n", "b", 0, 1), new("n", "b", 1, 2)]));
        Assert.Equal(-0.25, same.Device!.Value, 1e-12);
        Assert.Equal(0, same.ToSpread().Device);
    }

    [Fact]
    public void With_one_device_group_a_node_device_and_node_are_one_component()
    {
        // Device means 1, 5 with ±0.5 within: MS pass 1/2, MS between 16/1; (16 − 0.5)/2.
        PassValue[] single = [new("n", "a", 0, 0.5), new("n", "a", 1, 1.5), new("m", "b", 0, 4.5), new("m", "b", 1, 5.5)];
        Assert.Equal(new VarianceComponents(0.5, null, null, 7.75), VarianceComponents.Of(NestedSample.Of(single)));
        Assert.Equal(Math.Sqrt(7.75), VarianceComponents.Of(NestedSample.Of(single)).ToSpread().DeviceAndNode!.Value, 1e-12);
        // One node, or no second pass: nothing to tell apart, or nothing to tell it from.
        Assert.Null(VarianceComponents.Of(NestedSample.Of(single.Where(v => v.Node == "n"))).DeviceAndNode);
        Assert.Null(VarianceComponents.Of(NestedSample.Of(single.Where(v => v.Pass == 0))).DeviceAndNode);
    }

    [Fact]
    public void The_pooled_component_never_stands_beside_the_separate_ones()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Nested.ToArbitrary(), values =>
        {
            var sample = NestedSample.Of(values);
            var components = VarianceComponents.Of(sample);
            var inseparable = sample.Nodes.Length > 1 && sample.Nodes.All(node => node.Devices.Length == 1) && components.Pass is not null;
            return (components.DeviceAndNode is not null) == inseparable && (!inseparable || (components.Device ?? components.Node) is null);
        }));
    }

    [Fact]
    public void The_pooled_component_is_unbiased_with_unequal_numbers()
    {
        var random = new Gaussian(13);
        const int Sweeps = 4000;
        var pooled = 0.0;
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var values = new List<PassValue>();
            for (var n = 0; n < 5; n++)
            {
                var both = 3 * random.Next() + 2 * random.Next();
                for (var p = 0; p < 1 + n; p++)
                {
                    values.Add(new PassValue($"n{n}", $"d{n}", p, both + random.Next()));
                }
            }
            pooled += VarianceComponents.Of(NestedSample.Of(values)).DeviceAndNode!.Value / Sweeps;
        }
        Assert.Equal(13, pooled, 0.6);
    }

    [Fact]
    public void Components_are_unbiased_with_unequal_numbers()
    {
        var random = new Gaussian(11);
        double pass = 0, device = 0, node = 0;
        const int Sweeps = 4000;
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var values = new List<PassValue>();
            for (var n = 0; n < 5; n++)
            {
                var ofNode = 3 * random.Next();
                for (var d = 0; d < 1 + n % 3; d++)
                {
                    var ofDevice = 2 * random.Next();
                    for (var p = 0; p < 2 + (n + 2 * d) % 4; p++)
                    {
                        values.Add(new PassValue($"n{n}", $"n{n}d{d}", p, ofNode + ofDevice + random.Next()));
                    }
                }
            }
            var components = VarianceComponents.Of(NestedSample.Of(values));
            pass += components.Pass!.Value / Sweeps;
            device += components.Device!.Value / Sweeps;
            node += components.Node!.Value / Sweeps;
        }
        Assert.Equal(1, pass, 0.03);
        Assert.Equal(4, device, 0.25);
        Assert.Equal(9, node, 0.6);
    }
}
