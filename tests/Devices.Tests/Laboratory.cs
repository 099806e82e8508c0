using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Metrology;
using EnergyGrid.Node;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

/// <summary>One simulated node in virtual time, with its agent.</summary>
internal sealed class Laboratory
{
    public static readonly DateTimeOffset Start = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    public Laboratory(ulong seed = 1, int gpus = 1, SimulatedDefects? defects = null, SimulatedProfile? profile = null)
    {
        Time = new JumpingTimeProvider(Start);
        Site = SimulatedSite.Create(
            new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = gpus, Seed = seed, Defects = defects ?? new(), Profile = profile ?? SimulatedProfile.H100 }, Time);
        Agent = new NodeAgent(Node, Time);
    }

    public JumpingTimeProvider Time { get; }

    public SimulatedSite Site { get; }

    public SimulatedNode Node => Site.Nodes[0];

    public IReadOnlyList<SimulatedGpu> Gpus => Node.Gpus;

    public NodeAgent Agent { get; }

    public static TrialTiming Timing { get; } = new(20, 180, 30, 10, null, null, 60);

    public static TrialGuards Guards { get; } = new(0.99, 0.01, 0.01, 0.03);

    public static Configuration Resolve(string code, int batch = 8) => Catalogue.Resolve(new ConfigurationRequest(code, Batch: batch)) with { ShortLayers = 8, LongLayers = 16 };

    public TrialOrder Order(Configuration configuration, int pass = 0, string label = "", int devices = 1, TrialTiming? timing = null, TrialGuards? guards = null) => new(
        new TrialId("test", "group", label.Length > 0 ? label : configuration.Workload, ConfigurationIdentity.Sha256(configuration), 0, pass),
        [.. Gpus.Take(devices).Select(g => g.Info.Uuid)], 1, 0, configuration, Catalogue.Cost(configuration),
        // The order of the legs alternates with the pass, as a sweep's does: what drifts falls on both.
        pass % 2 == 0 ? [configuration.ShortLayers, configuration.LongLayers] : [configuration.LongLayers, configuration.ShortLayers],
        timing ?? Timing, guards ?? Guards, KeepTrace: false);

    public async Task<TrialResult> Run(TrialOrder order, CancellationToken stop = default) => (await Agent.Run(order, static _ => { }, stop)).Result;

    public TrialResult RunAlone(TrialOrder order) => Time.Run(() => Run(order));

    /// <summary>J per token and layer of a trial: the slope over its two L'.</summary>
    public static double TokenLayerJoules(TrialResult result, int batch) =>
        LayerSlope.Fit([.. result.Legs.Select(l => new LayerPoint(l.Layers, l.Gpu.Joules / l.Steps))], batch).JoulesPerTokenLayer;

    public static double Truth(SimulatedGpu gpu, Configuration c) => gpu.TrueTokenLayerJoules(Catalogue.Cost(c), c.Batch, c.ShortLayers, c.LongLayers);
}
