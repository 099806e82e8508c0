using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Workloads;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Devices.Tests;

public sealed class NodeAgentTests
{
    private static readonly Configuration A = Laboratory.Resolve("A");

    [Fact]
    public void Reported_windows_add_up_to_what_the_devices_sensor_saw_whatever_the_rack_refuses()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(25), Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), seed =>
        {
            var lab = new Laboratory((ulong)seed, gpus: 2, defects: new() { PollSeconds = 0, ClockErrorSeconds = 0 });
            var random = new Random(seed);
            var grid = new Grid { Fails = () => random.Next(3) == 0, Delay = () => Task.Delay(TimeSpan.FromSeconds(random.Next(4)), lab.Time) };
            using var stop = new CancellationTokenSource();
            var truths = lab.Time.Run(async () =>
            {
                var serving = lab.Agent.Serve(grid.Factory, stop.Token);
                await lab.Gpus[0].Load(A, Catalogue.Cost(A), 8, default);
                lab.Gpus[0].Start();
                await Task.Delay(Laboratory.Start.AddSeconds(10) - lab.Time.GetUtcNow(), lab.Time);
                var before = lab.Gpus.Select(g => g.Truth.SensedJoules).ToArray();
                await Task.Delay(TimeSpan.FromSeconds(50), lab.Time);
                await lab.Gpus[0].Stop();
                await Task.Delay(TimeSpan.FromSeconds(30), lab.Time);
                var after = lab.Gpus.Select(g => g.Truth.SensedJoules).ToArray();
                await Task.Delay(TimeSpan.FromSeconds(3), lab.Time);
                grid.Fails = static () => false;
                await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
                stop.Cancel();
                await serving;
                return (before, after);
            });
            var (from, to) = (Laboratory.Start.ToUnixTimeSeconds() + 10, Laboratory.Start.ToUnixTimeSeconds() + 90);
            for (var i = 0; i < 2; i++)
            {
                var windows = grid.Latest.Where(w => w.Source == lab.Gpus[i].Info.Key && w.Window >= from && w.Window < to).ToArray();
                Assert.Equal(80, windows.Length);
                Assert.All(windows, w => Assert.Equal(1, w.CoveredSeconds, 1e-9));
                var expected = truths.after[i] - truths.before[i];
                Assert.Equal(1, windows.Sum(w => w.Joules) / expected, 2e-4);
            }
            Assert.Equal(1, grid.MostInFlight);
            Assert.NotEmpty(grid.Announced);
        }));
    }

    [Fact]
    public void A_node_report_holds_boards_processors_memory_input_and_the_racks_meter_and_they_close()
    {
        var lab = new Laboratory(21, gpus: 8, defects: new() { GainSpread = 0 });
        var grid = new Grid();
        using var stop = new CancellationTokenSource();
        lab.Time.Run(async () =>
        {
            var serving = Task.WhenAll(lab.Agent.Serve(grid.Factory, stop.Token), new FacilityAgent("simulated", [lab.Site.Facility], lab.Time).Serve(grid.Factory, stop.Token));
            foreach (var gpu in lab.Gpus)
            {
                await gpu.Load(A, Catalogue.Cost(A), 8, default);
                gpu.Start();
            }
            await Task.Delay(TimeSpan.FromSeconds(60), lab.Time);
            stop.Cancel();
            await serving;
        });
        var window = Laboratory.Start.ToUnixTimeSeconds() + 50;
        double Joules(SourceKind kind) => grid.Latest.Where(w => w.Window == window && w.Kind == kind).Sum(w => w.Joules);
        Assert.Equal(8, grid.Latest.Count(w => w.Window == window && w.Kind == SourceKind.Gpu));
        var (gpus, cpu, dram, input, rack) = (Joules(SourceKind.Gpu), Joules(SourceKind.Cpu), Joules(SourceKind.Dram), Joules(SourceKind.NodeInput), Joules(SourceKind.RackInput));
        var facility = Assert.Single(grid.Facility, w => w.Window == window && w.Revision == 0).Joules;
        Assert.InRange(input, 1.05 * (gpus + cpu + dram), 1.4 * (gpus + cpu + dram));
        Assert.Equal(input / 0.985, rack, 0.005 * rack);
        Assert.InRange(facility / input, 1.1, 1.6);
        Assert.Equal("simulated/local/facility", Assert.Single(grid.FacilityMeters).Source);
        Assert.All(grid.Latest, w => Assert.Equal(Provenance.Modelled, w.Provenance));
        var inventory = grid.Announced[0];
        Assert.Equal("local~r1n1", inventory.Host);
        Assert.Equal(8, inventory.Devices.Length);
        Assert.Equal(SourceKind.NodeInput, Assert.Single(inventory.Meters, m => m.Accounting).Kind);
    }

    [Fact]
    public void Pue_of_the_simulated_facility_falls_with_its_load()
    {
        double Pue(double load) => SimulatedSite.FacilityWatts(load * 1e5, 1e5) / (load * 1e5);
        Assert.True(Pue(0.1) > Pue(0.3) && Pue(0.3) > Pue(0.6));
        Assert.InRange(Pue(0.8), 1.1, 1.5);
    }

    [Fact]
    public void A_group_of_eight_fills_the_node_and_its_energies_add_over_one_window()
    {
        var lab = new Laboratory(22, gpus: 8, defects: new() { Sensor = SensorDesign.Straight });
        var result = lab.RunAlone(lab.Order(A, devices: 8));
        Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
        foreach (var leg in result.Legs)
        {
            Assert.Equal((8, 8), (leg.NodeGpus, leg.SameCellGpus));
            Assert.Equal(1, leg.Gpu.Coverage, 1e-9);
            Assert.Equal(leg.NodeGpuJoules, leg.Gpu.Joules, 1e-6 * leg.Gpu.Joules);
            var expected = lab.Gpus.Sum(g => g.Truth.Curve.Gain * g.TrueStepJoules(Catalogue.Cost(A), leg.Layers)) / 8;
            Assert.Equal(1, leg.Gpu.Joules / leg.Steps / expected, 0.004);
            Assert.NotNull(leg.Node);
            Assert.InRange(leg.Node.Coverage, 0.999, 1);
            Assert.InRange(leg.Node.Joules / leg.Gpu.Joules, 1.1, 1.5);
        }
        Assert.InRange(result.IdleContextWatts, 8 * 95, 8 * 115);
    }

    [Fact]
    public void One_of_eight_devices_knows_what_its_neighbours_drew_for_attribution()
    {
        var lab = new Laboratory(23, gpus: 8);
        var leg = lab.RunAlone(lab.Order(A)).Legs[0];
        Assert.Equal((8, 1), (leg.NodeGpus, leg.SameCellGpus));
        // Seven idle boards at 70 W beside it, as their sensors tell them.
        var idle = lab.Gpus.Skip(1).Sum(g => g.Truth.Curve.Reads(70)) * leg.WindowSeconds;
        Assert.Equal(idle, leg.NodeGpuJoules - leg.Gpu.Joules, 1e-3 * idle);
    }

    [Fact]
    public void Watching_gives_readings_in_order_and_no_more_than_asked_for()
    {
        var lab = new Laboratory(24);
        var samples = lab.Time.Run(async () =>
        {
            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20), lab.Time);
            var seen = new List<PowerSample>();
            await foreach (var sample in lab.Agent.Watch(lab.Gpus[0].Info.Uuid, 2, stop.Token)) seen.Add(sample);
            return seen;
        });
        Assert.InRange(samples.Count, 30, 41);
        Assert.All(samples.Zip(samples.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= TimeSpan.FromSeconds(0.5)));
        Assert.Equal(lab.Gpus[0].Truth.Curve.Reads(70), lab.Agent.Latest(lab.Gpus[0].Info.Uuid).Watts, 2.0);
        Assert.True(double.IsNaN(lab.Agent.Latest("none").Watts));
    }

    [Fact]
    public void A_trace_holds_every_reading_of_the_windows_and_a_thin_picture_of_the_rest()
    {
        var lab = new Laboratory(25, gpus: 2);
        var run = lab.Time.Run(() => lab.Agent.Run(lab.Order(A, devices: 2) with { KeepTrace = true }, static _ => { }, default));
        Assert.Equal(("", ""), (run.Result.Trace, run.Result.TraceSha256)); // named by whoever keeps it
        var text = System.Text.Encoding.UTF8.GetString(run.Trace.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("nanoseconds,source,watts,joules,phase", text[0]);
        var rows = text.Skip(1).Select(r => r.Split(',')).Select(r => (At: long.Parse(r[0], System.Globalization.CultureInfo.InvariantCulture), Source: r[1], Phase: r[4])).ToArray();
        foreach (var phase in (string[])["loading", "warm-up", "window", "cool-down"]) Assert.Contains(rows, r => r.Phase == phase);
        foreach (var gpu in lab.Gpus)
        {
            var own = rows.Where(r => r.Source == gpu.Info.Uuid).ToArray();
            foreach (var leg in run.Result.Legs)
            {
                var (from, to) = (leg.Evidence!.FromNanoseconds, leg.Evidence.ToNanoseconds);
                var within = own.Where(r => from <= r.At && r.At <= to).ToArray();
                Assert.All(within, r => Assert.Equal("window", r.Phase));
                // As often as the sensor is polled, from edge to edge.
                var longest = within.Select(r => r.At).Append(to).Aggregate((Longest: 0L, Last: from), (a, at) => (Math.Max(a.Longest, at - a.Last), at)).Longest;
                Assert.InRange(longest / 1e9, 0.001, 3 * Math.Max(gpu.Sensor.PollSeconds, gpu.Sensor.Profile.NominalPeriodSeconds));
            }
            var outside = own.Count(r => run.Result.Legs.Select(l => l.Evidence!).Append(run.Result.Idle!).All(e => r.At < e.FromNanoseconds - 2_000_000_000 || e.ToNanoseconds + 2_000_000_000 < r.At));
            Assert.InRange(outside, 20, 251);
        }
    }
}
