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
            double HalfWidth(Func<Ratio, ConfidenceInterval> of) => ours.Select(r => Math.Log(of(r).High / of(r).Low) / 2).Order().ElementAt(Seeds / 2);
            output.WriteLine($"{cell}/A, {(worst ? "worst" : "drawn")}: the scatter between passes covers {scatter} of {Seeds}, with the sensor's bounds {allowed}; B / se {ours.Average(r => r.Bias / r.StandardError):F1}, median half-width {HalfWidth(r => r.Allowing):P3} against {HalfWidth(r => r.TypeA):P3}, median error {ours.Select(r => Math.Abs(r.Value / r.True - 1)).Order().ElementAt(Seeds / 2):P3}");
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
            Configuration[][] orders = [[A, C, F], [C, F, A], [F, A, C], [A, F, C], [F, C, A], [C, A, F]];
            for (var pass = 0; pass < Passes; pass++)
            {
                foreach (var c in orders[(int)((seed + (ulong)pass) % 6)])
                {
                    var result = await lab.Run(lab.Order(c, pass));
                    Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
                    observations.Add(new Observation(result.Host, lead.Info.Uuid, pass, c.Workload, Laboratory.TokenLayerJoules(result, c.Batch), true, "",
                        [.. result.Legs.Select(l => new EnergyPoint(l.Layers, l.Gpu.Joules / l.Steps, l.WindowSeconds / l.Steps))]));
                }
            }
            // What the sensor's maker says of it bounds what it may hide; the truth is the simulator's own.
            var sensor = lead.Info.Qualification!;
            var bounds = SensorBounds.None with { OffsetWatts = sensor.OffsetWatts, NonLinearityWatts = sensor.NonLinearityWatts, RatedWatts = sensor.RatedWatts, Source = sensor.OffsetSource };
            var analysis = MatchGroupAnalysis.Run(observations, "A", new AnalysisSettings(new Replication(Passes, Passes, 0.01), bounds));
            var ratios = analysis.Ratios.ToDictionary(r => r.Cell, r => new Ratio(
                r.Ratio, r.Log!.Interval(AnalysisSettings.Level)!.Exponential(), r.Interval!, Laboratory.Truth(lead, r.Cell == "C" ? C : F) / Laboratory.Truth(lead, A), r.TypeA.StandardError, r.TypeB.Bound));
            var naiveA = await Naive(lab, lead, A);
            return new Sweep(ratios, new() { ["C"] = await Naive(lab, other, C) / naiveA, ["F"] = await Naive(lab, other, F) / naiveA });
        });
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

    /// <param name="Value">The ratio.</param>
    /// <param name="TypeA">From the scatter between passes alone.</param>
    /// <param name="Allowing">Allowing for what the sensor's bounds leave open.</param>
    /// <param name="True">What is true.</param>
    /// <param name="StandardError">Of the log ratio.</param>
    /// <param name="Bias">Its bound.</param>
    private sealed record Ratio(double Value, ConfidenceInterval TypeA, ConfidenceInterval Allowing, double True, double StandardError, double Bias);

    private sealed record Sweep(Dictionary<string, Ratio> Ratios, Dictionary<string, double> Naive);
}
