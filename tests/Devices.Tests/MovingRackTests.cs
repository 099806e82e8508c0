using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Node;

namespace EnergyGrid.Devices.Tests;

/// <summary>A node whose rack begins anew, and whose devices come, go and come back.</summary>
public sealed class MovingRackTests
{
    [Fact]
    public void A_node_announces_itself_where_it_is_asked_to_and_tells_a_new_rack_what_the_old_one_knew()
    {
        var lab = new Laboratory(31, gpus: 2, defects: new() { PollSeconds = 0, ClockErrorSeconds = 0 });
        var rack = new RackMerge("simulated/r1", 3, 128, 1);
        var (incarnation, moved) = (1L, 0L);
        var old = new List<RackWindow>();
        var grid = new Grid();
        grid.Answer = report =>
        {
            foreach (var node in grid.ToRack) rack.SetInventory(node);
            return new(!rack.Apply(report), incarnation);
        };
        using var stop = new CancellationTokenSource();
        lab.Time.Run(async () =>
        {
            var serving = lab.Agent.Serve(grid.Factory, stop.Token);
            await Task.Delay(TimeSpan.FromSeconds(50.5), lab.Time);
            if (rack.TakeReport() is { } told) old.AddRange(told.Windows);
            // The rack is gone with everything it knew, what stands in it included.
            (rack, incarnation, moved) = (new RackMerge("simulated/r1", 3, 128, 2), 2, lab.Time.GetUtcNow().ToUnixTimeSeconds());
            grid.ToRack.Clear();
            await Task.Delay(TimeSpan.FromSeconds(6), lab.Time);
            stop.Cancel();
            await serving;
        });
        rack.SetInventory(Assert.Single(grid.ToRack.DistinctBy(n => n.Host)));
        var again = rack.TakeReport()!.Windows.ToDictionary(w => w.Window);
        // All that the old one had closed, the new one says too, and to the joule.
        Assert.InRange(old.Count, 40, 50);
        // The last few may still have been revised by readings that came after.
        var revised = old.Where(w => w.Window < moved - 5).GroupBy(w => w.Window).Select(g => g.MaxBy(w => w.Revision)!).ToArray();
        Assert.All(revised, w => Assert.Equal(w.ItJoules, again[w.Window].ItJoules, 1e-6));
        Assert.All(revised, w => Assert.Equal(2, again[w.Window].Incarnation));
        Assert.Contains(again.Keys, w => w >= moved);
        Assert.Equal(0, rack.DroppedUnknown);
    }

    [Fact]
    public void A_device_that_comes_later_is_announced_and_metered_and_one_that_was_lost_is_taken_back_when_it_answers()
    {
        var lab = new Laboratory(32, gpus: 3);
        var (first, later) = (new Losable(lab.Gpus[0]), new Losable(lab.Gpus[1]));
        using var node = new LocalNode("local", "here", "r1", [first], new NodeClock(TimeProvider.System));
        var agent = new NodeAgent(node, lab.Time);
        var grid = new Grid();
        using var stop = new CancellationTokenSource();
        string[] Offered() => [.. grid.Announced[^1].Devices.Select(d => d.Uuid)];
        lab.Time.Run(async () =>
        {
            var serving = agent.Serve(grid.Factory, stop.Token);
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            Assert.Equal([first.Info.Uuid], Offered());
            node.Offer(later);
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            Assert.Equal([first.Info.Uuid, later.Info.Uuid], Offered());
            Assert.Contains(grid.Announced[^1].Meters, m => m.Source == later.Info.Key && m.Accounting);
            Assert.Contains(grid.Reports[^1].Windows, w => w.Source == later.Info.Key);

            first.Quarantine = "it fell off the bus";
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            Assert.Equal([later.Info.Uuid], Offered());
            // Its meter stays: its silence must show.
            Assert.Contains(grid.Announced[^1].Meters, m => m.Source == first.Info.Key);
            await Task.Delay(TimeSpan.FromSeconds(200), lab.Time);
            Assert.InRange(first.Looks, 1, 4);
            Assert.Equal([later.Info.Uuid], Offered());

            first.Answers = true;
            for (var s = 0; s < 200 && Offered().Length < 2; s++) await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
            Assert.Equal([first.Info.Uuid, later.Info.Uuid], Offered());
            stop.Cancel();
            await serving;
        });
        Assert.Equal(0, later.Looks);
    }

    /// <summary>A device that can be lost and found.</summary>
    private sealed class Losable(IDevice inner) : IDevice
    {
        public DeviceInfo Info { get; } = inner.Info with { Host = "local" };
        public DeviceSensor Sensor => inner.Sensor;
        public string? Quarantine { get; set; }
        public bool Answers { get; set; }
        public int Looks { get; private set; }

        public Task<bool> Revive()
        {
            Looks++;
            if (Answers) Quarantine = null;
            return Task.FromResult(Answers);
        }

        public DeviceCondition Condition() => inner.Condition();
        public string? Refusal(Configuration configuration, StepCost cost, int layers) => inner.Refusal(configuration, cost, layers);
        public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => inner.Load(configuration, cost, layers, stop);
        public void Start() => inner.Start();
        public Task Stop() => inner.Stop();
        public Task Unload() => inner.Unload();
        public void Drain(List<DeviceReading> readings, List<StepMark> steps) => inner.Drain(readings, steps);
        public void Dispose() { }
    }
}
