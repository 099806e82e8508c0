using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;
using Xunit.Abstractions;

namespace EnergyGrid.Devices.Tests;

/// <summary>Whole simulated sweeps over many seeds, from the sensor's defects to the printed interval, against the known truth.</summary>
public sealed class SeededSweepTests(ITestOutputHelper output)
{
    private const int Seeds = 500;
    private const int Passes = 5;
    private static readonly Configuration A = Laboratory.Resolve("A");

    // C draws about as much as A, so that an offset nearly cancels in their ratio; F draws half as much again, and it does not.
    private static readonly Configuration C = Laboratory.Resolve("C");
    private static readonly Configuration F = Laboratory.Resolve("F");

    // Loads that repeat well: the scatter between passes is what many passes would leave of a larger one, and far below what the sensor hides.
    private static readonly SimulatedDefects Repeatable = new() { PowerVariation = 0.0004, SpeedVariation = 0.0002 };

    [Fact]
    public void Over_500_seeds_the_intervals_cover_the_true_ratios_at_their_nominal_rate_and_the_naive_method_misses()
    {
        var sweeps = RunSweeps(_ => new() { Sensor = SensorDesign.Straight });
        foreach (var cell in (string[])["C", "F"])
        {
            var ours = sweeps.Select(s => s.Ratios[cell]).ToArray();
            var covered = ours.Count(r => r.TypeA.Contains(r.True));
            var errors = ours.Select(r => Math.Abs(r.Value / r.True - 1)).Order().ToArray();
            var naive = sweeps.Select(s => Math.Abs(s.Naive[cell] / s.Ratios[cell].True - 1)).Order().ToArray();
            output.WriteLine($"{cell}/A: covered {covered} of {Seeds}; median |error| {errors[Seeds / 2]:P3}, 95th percentile {errors[Seeds * 95 / 100]:P3}; naive median {naive[Seeds / 2]:P2}, 95th percentile {naive[Seeds * 95 / 100]:P2}");

            // 95 % nominal: 475 ± 3.3 standard deviations of the binomial (σ = 4.87), two-sided p = 0.001.
            Assert.InRange(covered, 459, 491);
            Assert.True(errors[Seeds / 2] < 0.005, $"median error of {cell}/A is {errors[Seeds / 2]:P3}");
            // The naive method is off by more than our worst twentieth in most sweeps.
            Assert.True(naive[Seeds / 2] > 0.02, $"the naive median error of {cell}/A is {naive[Seeds / 2]:P2}");
            Assert.True(naive.Count(n => n > errors[Seeds * 95 / 100]) > Seeds * 3 / 4);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Over_500_seeds_a_sensors_offset_and_curve_escape_the_scatter_between_passes_and_not_the_interval_that_allows_for_them(bool worst)
    {
        // The worst: every part at its limit. At these powers offset and curve shift the ratio the same way where their signs agree.
        var sweeps = RunSweeps(seed => Repeatable with { Sensor = worst ? SensorDesign.Worst(seed % 2 == 0 ? 1 : -1, seed % 2 == 0 ? 1 : -1) : new() });
        foreach (var cell in (string[])["C", "F"])
        {
            var ours = sweeps.Select(s => s.Ratios[cell]).ToArray();
            var scatter = ours.Count(r => r.TypeA.Contains(r.True));
            var allowed = ours.Count(r => r.Allowing.Contains(r.True));
            output.WriteLine($"{cell}/A, {(worst ? "worst" : "drawn")}: the scatter between passes covers {scatter} of {Seeds}, with the sensor's bounds {allowed}; B / se {ours.Average(r => r.Bias / r.StandardError):F1}, median error {ours.Select(r => Math.Abs(r.Value / r.True - 1)).Order().ElementAt(Seeds / 2):P3}");
            // At the bound itself the level is exact (475 and 3.3 standard deviations of the binomial above); within it, it is at least that.
            Assert.InRange(allowed, 0.94 * Seeds, worst ? 491 : Seeds);
            if (cell == "F") Assert.True(scatter < (worst ? 0.1 : 0.7) * Seeds, $"{cell}/A: the scatter alone covers {scatter} of {Seeds}: there was nothing to allow for");
        }
    }

    private static Sweep[] RunSweeps(Func<ulong, SimulatedDefects> defects)
    {
        var sweeps = new Sweep[Seeds];
        Parallel.For(0, Seeds, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(2, Environment.ProcessorCount) }, i => sweeps[i] = RunSweep((ulong)i + 1, defects((ulong)i + 1)));
        return sweeps;
    }

    private static Sweep RunSweep(ulong seed, SimulatedDefects defects)
    {
        // Two devices: the sweep blocks on the first; the naive user takes whichever is free.
        var lab = new Laboratory(seed, gpus: 2, defects);
        var (lead, other) = (lab.Gpus[0], lab.Gpus[1]);
        return lab.Time.Run(async () =>
        {
            var observations = new List<Observation>();
            var sensitivities = new List<(string Cell, Sensitivity Of)>();
            Configuration[][] orders = [[A, C, F], [C, F, A], [F, A, C], [A, F, C], [F, C, A], [C, A, F]];
            for (var pass = 0; pass < Passes; pass++)
            {
                foreach (var c in orders[(int)((seed + (ulong)pass) % 6)])
                {
                    var result = await lab.Run(lab.Order(c, pass));
                    Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
                    observations.Add(new Observation(result.Host, lead.Info.Uuid, pass, c.Workload, Laboratory.TokenLayerJoules(result, c.Batch), true, "", result.Legs[0].Gpu.Joules / result.Legs[0].WindowSeconds));
                    sensitivities.Add((c.Workload, Sensitivity.Of(result, lead.Info.Qualification!.RatedWatts)));
                }
            }
            var analysis = MatchGroupAnalysis.Run(observations, "A", new AnalysisSettings(new Replication(Passes, Passes, 0.01)));
            var ratios = analysis.Ratios.ToDictionary(r => r.Cell, r =>
            {
                var log = r.Log!;
                var bias = Sensitivity.Mean(sensitivities, r.Cell).BiasAgainst(Sensitivity.Mean(sensitivities, "A"), lead.Info.Qualification!);
                var half = HalfWidthAllowing(log.StandardError, log.DegreesOfFreedom, bias);
                return new Ratio(
                    r.Ratio, r.Interval!, new ConfidenceInterval(Math.Exp(log.Mean - half), Math.Exp(log.Mean + half), AnalysisSettings.Level, log.Scope, log.Units, log.DegreesOfFreedom),
                    Laboratory.Truth(lead, r.Cell == "C" ? C : F) / Laboratory.Truth(lead, A), log.StandardError, bias);
            });
            var naiveA = await Naive(lab, lead, A);
            return new Sweep(ratios, new() { ["C"] = await Naive(lab, other, C) / naiveA, ["F"] = await Naive(lab, other, F) / naiveA });
        });
    }

    /// <summary>
    /// Half-width of the interval of a mean whose bias lies within ± <paramref name="bias"/>: se times the quantile of |T + bias/se| (Armstrong and Kolesár, "Optimal inference in a
    /// class of regression models", with t for the normal). Found by halving from the distribution alone.
    /// </summary>
    private static double HalfWidthAllowing(double standardError, int degreesOfFreedom, double bias)
    {
        var shift = bias / standardError;
        double Below(double t) => t < 0 ? StudentDistribution.TwoSided(t, degreesOfFreedom) / 2 : 1 - StudentDistribution.TwoSided(t, degreesOfFreedom) / 2;
        var (low, high) = (0.0, shift + 1000);
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (Below(middle - shift) - Below(-middle - shift) < AnalysisSettings.Level) low = middle;
            else high = middle;
        }
        return standardError * high;
    }

    /// <summary>What a script around a run gets: the mean of the polled one-second average power, from start to end, times the duration, over the tokens.</summary>
    private static async Task<double> Naive(Laboratory lab, SimulatedGpu gpu, Configuration c)
    {
        await gpu.Load(c, Catalogue.Cost(c), c.LongLayers, default);
        var (readings, marks, polled) = (new List<DeviceReading>(), new List<StepMark>(), new List<double>());
        gpu.Drain(readings, marks);
        marks.Clear();
        gpu.Start();
        const int seconds = 10;
        for (var i = 0; i < seconds; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
            gpu.Drain(readings, marks);
            polled.Add(readings[^1].AverageWatts);
        }
        await gpu.Stop();
        gpu.Drain(readings, marks);
        await gpu.Unload();
        var steps = marks[^1].Steps - marks[0].Steps;
        return polled.Average() * seconds / (steps * c.Batch * c.LongLayers);
    }

    /// <summary>
    /// By how much the logarithm of a cell's slope is off for each W that the sensor is: a W of offset adds the difference of the step times at the two L' to the difference of the
    /// step energies, a W of n the same weighted by the curve at each window's power.
    /// </summary>
    /// <param name="Offset">Δt/ΔE, 1/W.</param>
    /// <param name="NonLinearity">Σ ± 4·(P/P_max)·(1 − P/P_max)·t / ΔE, 1/W.</param>
    private readonly record struct Sensitivity(double Offset, double NonLinearity)
    {
        public static Sensitivity Of(TrialResult result, double ratedWatts)
        {
            var legs = result.Legs.OrderBy(l => l.Layers).ToArray();
            var (shorter, longer) = (legs[0], legs[^1]);
            var joules = longer.Gpu.Joules / longer.Steps - shorter.Gpu.Joules / shorter.Steps;
            return new((Seconds(longer) - Seconds(shorter)) / joules, (Curve(longer) * Seconds(longer) - Curve(shorter) * Seconds(shorter)) / joules);

            static double Seconds(Leg leg) => leg.WindowSeconds / leg.Steps;
            double Curve(Leg leg) => 4 * (leg.Gpu.Joules / leg.WindowSeconds / ratedWatts) * (1 - leg.Gpu.Joules / leg.WindowSeconds / ratedWatts);
        }

        public static Sensitivity Mean(IEnumerable<(string Cell, Sensitivity Of)> all, string cell)
        {
            var own = all.Where(s => s.Cell == cell).Select(s => s.Of).ToArray();
            return new(own.Average(s => s.Offset), own.Average(s => s.NonLinearity));
        }

        /// <summary>Bound of the bias of the log ratio of two cells of one sensor: b·|Δs_o| + n·|Δs_n|.</summary>
        public double BiasAgainst(Sensitivity baseline, SensorQualification sensor) =>
            sensor.OffsetWatts * Math.Abs(Offset - baseline.Offset) + sensor.NonLinearityWatts * Math.Abs(NonLinearity - baseline.NonLinearity);
    }

    /// <param name="Value">The ratio.</param>
    /// <param name="TypeA">From the scatter between passes alone.</param>
    /// <param name="Allowing">Allowing for what the sensor's bounds leave open.</param>
    /// <param name="True">What is true.</param>
    /// <param name="StandardError">Of the log ratio.</param>
    /// <param name="Bias">Its bound.</param>
    private sealed record Ratio(double Value, ConfidenceInterval TypeA, ConfidenceInterval Allowing, double True, double StandardError, double Bias);

    private sealed record Sweep(Dictionary<string, Ratio> Ratios, Dictionary<string, double> Naive);
}
