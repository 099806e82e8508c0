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
    private static readonly Configuration C = Laboratory.Resolve("C");
    private static readonly Configuration D = Laboratory.Resolve("D");

    [Fact]
    public void Over_500_seeds_the_intervals_cover_the_true_ratios_at_their_nominal_rate_and_the_naive_method_misses()
    {
        var sweeps = new Sweep[Seeds];
        Parallel.For(0, Seeds, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(2, Environment.ProcessorCount) }, i => sweeps[i] = RunSweep((ulong)i + 1));

        foreach (var cell in (string[])["C", "D"])
        {
            var ours = sweeps.Select(s => s.Ratios[cell]).ToArray();
            var covered = ours.Count(r => r.Low <= r.True && r.True <= r.High);
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

    private static Sweep RunSweep(ulong seed)
    {
        // Two devices: the sweep blocks on the first; the naive user takes whichever is free.
        var lab = new Laboratory(seed, gpus: 2);
        var (lead, other) = (lab.Gpus[0], lab.Gpus[1]);
        return lab.Time.Run(async () =>
        {
            var observations = new List<Observation>();
            Configuration[][] orders = [[A, C, D], [C, D, A], [D, A, C], [A, D, C], [D, C, A], [C, A, D]];
            for (var pass = 0; pass < Passes; pass++)
            {
                foreach (var c in orders[(int)((seed + (ulong)pass) % 6)])
                {
                    var result = await lab.Run(lab.Order(c, pass));
                    Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
                    observations.Add(new Observation(result.Host, lead.Info.Uuid, pass, c.Workload, Laboratory.TokenLayerJoules(result, c.Batch), true, "", result.Legs[0].Gpu.Joules / result.Legs[0].WindowSeconds));
                }
            }
            var analysis = MatchGroupAnalysis.Run(observations, "A", new AnalysisSettings(new Replication(Passes, Passes, 0.01)));
            var ratios = analysis.Ratios.ToDictionary(
                r => r.Cell,
                r => new Ratio(r.Ratio, r.Interval!.Low, r.Interval.High, Laboratory.Truth(lead, r.Cell == "C" ? C : D) / Laboratory.Truth(lead, A)));
            var naiveA = await Naive(lab, lead, A);
            return new Sweep(ratios, new() { ["C"] = await Naive(lab, other, C) / naiveA, ["D"] = await Naive(lab, other, D) / naiveA });
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

    private sealed record Ratio(double Value, double Low, double High, double True);

    private sealed record Sweep(Dictionary<string, Ratio> Ratios, Dictionary<string, double> Naive);
}
