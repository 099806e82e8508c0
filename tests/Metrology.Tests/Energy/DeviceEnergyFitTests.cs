using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public sealed class DeviceEnergyFitTests
{
    // A device of the simulator's kind: 120 W, 10 pJ/bit, 0.7 pJ/FLOP, 3.2 TB/s and 700 TFLOP/s.
    private static readonly double[] Truth = [120, 10e-12, 0.7e-12];
    private const double StreamBitsPerSecond = 8 * 3.2e12;
    private const double MatrixFlopsPerSecond = 700e12;
    private const double MatrixBitsPerSecond = 8 * 0.05e12;
    private static readonly double[] Levels = [0.2, 0.4, 0.6, 0.8, 1.0];

    private static IEnumerable<DutyWindow> Windows(double[] truth, Func<double> noise, double seconds = 6, double[]? levels = null)
    {
        foreach (var duty in levels ?? Levels)
        {
            yield return Window("stream", duty, seconds, duty * seconds * StreamBitsPerSecond, 0, truth, noise);
            yield return Window("matrix", duty, seconds, duty * seconds * MatrixBitsPerSecond, duty * seconds * MatrixFlopsPerSecond, truth, noise);
        }
    }

    private static DutyWindow Window(string kernel, double duty, double seconds, double bits, double flops, double[] truth, Func<double> noise) =>
        new(kernel, duty, seconds, bits, flops, truth[0] * seconds + truth[1] * bits + truth[2] * flops + noise());

    private static double[] Values(DeviceEnergyFit fit) => [fit.StaticWatts.Value, fit.JoulesPerBit.Value, fit.JoulesPerFlop.Value];

    [Fact]
    public void Coefficients_are_recovered_exactly_from_energies_without_noise()
    {
        var truths = from watts in Gen.Choose(10, 400) from bit in Gen.Choose(1, 300) from flop in Gen.Choose(1, 300) select new[] { watts, bit * 1e-13, flop * 1e-14 };
        Prop.ForAll(truths.ToArbitrary(), truth =>
        {
            var fit = DeviceEnergyFit.Fit([.. Windows(truth, () => 0)]);
            for (var j = 0; j < 3; j++) Assert.Equal(1, Values(fit)[j] / truth[j], 1e-9);
            Assert.InRange(fit.ResidualJoules, 0, 1e-6);
            Assert.Empty(fit.Flags);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Each_interval_covers_its_coefficient_at_the_nominal_rate_and_the_covariance_is_the_scatter_of_the_estimates()
    {
        const int Runs = 3000;
        var noise = new Gaussian(20260511);
        var covered = new int[3];
        var estimates = new double[Runs][];
        var reported = new double[9];
        for (var run = 0; run < Runs; run++)
        {
            // 20 J: two edges of 40 ms at some 350 W.
            var fit = DeviceEnergyFit.Fit([.. Windows(Truth, () => 20 * noise.Next())]);
            estimates[run] = Values(fit);
            FittedCoefficient[] coefficients = [fit.StaticWatts, fit.JoulesPerBit, fit.JoulesPerFlop];
            for (var j = 0; j < 3; j++)
            {
                if (coefficients[j].Interval.Contains(Truth[j])) covered[j]++;
                Assert.Equal(Math.Sqrt(fit.Covariance[4 * j]), coefficients[j].StandardError);
            }
            for (var k = 0; k < 9; k++) reported[k] += fit.Covariance[k] / Runs;
        }
        // Four standard errors of a share of 0.95 over 3000 runs are 1.6 points.
        Assert.All(covered, count => Assert.InRange((double)count / Runs, 0.934, 0.966));
        for (var i = 0; i < 3; i++)
        {
            for (var j = 0; j < 3; j++)
            {
                var scatter = estimates.Average(e => (e[i] - Truth[i]) * (e[j] - Truth[j]));
                var unit = Math.Sqrt(reported[4 * i] * reported[4 * j]);
                Assert.Equal(reported[3 * i + j] / unit, scatter / unit, 0.1);
            }
        }
    }

    [Fact]
    public void Static_power_and_energy_per_bit_are_anticorrelated_and_a_prediction_inside_the_data_is_surer_than_its_parts()
    {
        var noise = new Gaussian(7);
        var fit = DeviceEnergyFit.Fit([.. Windows(Truth, () => 5 * noise.Next())]);
        Assert.True(fit.Covariance[1] < 0 && fit.Covariance[2] < 0);
        for (var k = 0; k < 9; k++) Assert.Equal(fit.Covariance[k % 3 * 3 + k / 3], fit.Covariance[k], Math.Abs(fit.Covariance[k]) * 1e-9);
        var (seconds, bits) = (6.0, 0.6 * 6 * StreamBitsPerSecond);
        var (joules, error) = fit.Predict(seconds, bits, 0);
        Assert.Equal(fit.StaticWatts.Value * seconds + fit.JoulesPerBit.Value * bits, joules, 1e-9);
        Assert.True(error < Math.Sqrt(Math.Pow(fit.StaticWatts.StandardError * seconds, 2) + Math.Pow(fit.JoulesPerBit.StandardError * bits, 2)));
    }

    [Fact]
    public void A_gain_of_the_sensor_scales_everything_and_the_order_of_windows_changes_nothing()
    {
        var noise = new Gaussian(3);
        var windows = Windows(Truth, () => 10 * noise.Next()).ToArray();
        var fit = DeviceEnergyFit.Fit(windows);
        var gained = DeviceEnergyFit.Fit([.. windows.Select(w => w with { Joules = 1.05 * w.Joules }).Reverse()]);
        for (var j = 0; j < 3; j++) Assert.Equal(1.05, Values(gained)[j] / Values(fit)[j], 1e-9);
        Assert.Equal(1.05, gained.JoulesPerFlop.StandardError / fit.JoulesPerFlop.StandardError, 1e-9);
        Assert.Equal(fit.Condition, gained.Condition, 1e-9);
    }

    [Fact]
    public void Fewer_than_four_levels_or_a_single_kernel_is_refused_with_what_there_is()
    {
        var few = Assert.Throws<ArgumentException>(() => DeviceEnergyFit.Fit([.. Windows(Truth, () => 0, levels: [0.3, 0.6, 1])]));
        Assert.Contains("3 of matrix, 3 of stream", few.Message);
        var one = Assert.Throws<ArgumentException>(() => DeviceEnergyFit.Fit([.. Windows(Truth, () => 0).Where(w => w.Kernel == "stream")]));
        Assert.Contains("5 of stream", one.Message);
        Assert.Throws<ArgumentException>(() => DeviceEnergyFit.Fit([]));
    }

    [Fact]
    public void Windows_at_full_rate_alone_are_refused_as_collinear()
    {
        // Called four levels, but each runs at full rate: time, and bits or FLOP, grow together.
        var full = Windows(Truth, () => 0).Select(w => Window(w.Kernel, w.Duty, 6, w.Kernel == "stream" ? 6 * StreamBitsPerSecond : 0, w.Kernel == "matrix" ? 6 * MatrixFlopsPerSecond : 0, Truth, () => 0));
        Assert.Contains("collinear", Assert.Throws<ArgumentException>(() => DeviceEnergyFit.Fit([.. full])).Message);
    }

    [Fact]
    public void A_window_that_is_no_window_is_refused()
    {
        var windows = Windows(Truth, () => 0).ToArray();
        foreach (var wrong in new[] { windows[0] with { Joules = double.NaN }, windows[0] with { Seconds = 0 }, windows[0] with { Bits = -1 }, windows[0] with { Flops = double.PositiveInfinity } })
            Assert.Throws<ArgumentException>(() => DeviceEnergyFit.Fit([wrong, .. windows[1..]]));
    }

    [Fact]
    public void What_the_model_does_not_describe_is_flagged()
    {
        // At full duty the power cap lowers the clocks, and with them the voltage: FLOP become cheaper.
        var windows = Windows(Truth, () => 0).Select(w => w is { Kernel: "matrix", Duty: 1 } ? w with { Joules = 0.7 * w.Joules } : w);
        Assert.Contains(DeviceEnergyFit.PoorFit, DeviceEnergyFit.Fit([.. windows]).Flags);
        var negative = Windows([120, -1e-12, 0.7e-12], () => 0);
        Assert.Contains(DeviceEnergyFit.NegativeCoefficient, DeviceEnergyFit.Fit([.. negative]).Flags);
    }
}
