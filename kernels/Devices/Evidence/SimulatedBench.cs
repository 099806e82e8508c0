using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>
/// A bench whose every figure is modelled: the energy model of the simulated board, steps at a share of their floor, sensors with noise at the edges of a
/// window. It shows what the evidence looks like and how it is resumed; it compares no kernel.
/// </summary>
public sealed class SimulatedBench : IEvidenceBench
{
    /// <summary>Standard deviation of a window's energy, J: two edges of some 20 ms.</summary>
    private const double EdgeJoules = 8;

    /// <summary>Standard deviation of the logarithm of a stretch's time.</summary>
    private const double TimeVariation = 5e-4;

    private readonly SimulatedProfile _profile;
    private SeededRandom _random;
    private (Configuration Configuration, int Layers)? _loaded;

    /// <param name="profile">The board.</param>
    /// <param name="pace">Seconds of its time in one second of the wall.</param>
    /// <param name="seed">Of its noise.</param>
    public SimulatedBench(SimulatedProfile profile, double pace, ulong seed)
    {
        (_profile, Pace, _random) = (profile, pace, new SeededRandom(seed));
        var info = Site("bench", TimeProvider.System).Nodes[0].Devices[0].Info;
        Identity = new BenchIdentity(
            BenchKind.Simulated, info.Uuid, info.Model, $"simulated {info.Model}", 0, info.Driver, "", "", 132, profile.Shape.MemoryBytes, profile.Shape.CacheBytes, profile.RatedWatts, info.EnergySource, "");
    }

    public BenchIdentity Identity { get; }

    public double Pace { get; }

    /// <summary>None: there is no kernel to compare.</summary>
    public ImmutableArray<string> Comparisons => [];

    public ImmutableArray<string> Kernels => [];

    public string? Hindrance() => null;

    public SensorFindings Qualify(CancellationToken stop)
    {
        Pass(20, stop);
        var defects = new SimulatedDefects();
        return new(
            [
                new("update period", defects.StepSeconds, "s", "modelled"),
                new("integrated part of it", defects.IntegratedSeconds, "s", "modelled"),
                new("idle with a context", _profile.IdleContextWatts, "W", "modelled"),
                new("idle without a context", _profile.IdleWatts, "W", "modelled"),
            ],
            "Modelled sensors: nothing was qualified.");
    }

    public CeilingWindow RunCeiling(CeilingKernel kernel, double duty, double seconds, CancellationToken stop)
    {
        Pass(seconds, stop);
        var busy = duty * seconds;
        var bytes = kernel == CeilingKernel.Matrix ? 0 : busy * 0.93 * _profile.Shape.BandwidthBytesPerSecond;
        var flops = kernel == CeilingKernel.Matrix ? busy * 0.95 * _profile.Shape.PeakFlopsPerSecond : 0;
        var joules = _profile.StaticWatts * seconds + _profile.JoulesPerBit * 8 * bytes + _profile.JoulesPerFlop * flops + EdgeJoules * _random.Normal();
        return new(kernel, duty, seconds, busy, bytes, flops, joules, 55, _profile.BoostMegahertz, 0);
    }

    public KernelComparison Compare(string name, ulong seed, CancellationToken stop) => throw new EvidenceFaultException("A simulated device has no kernels.");

    public string? Refusal(Configuration configuration, int layers)
    {
        var bytes = Catalogue.ResidentBytes(configuration, layers);
        return bytes <= _profile.Shape.UsableBytes ? null
            : $"{configuration.Workload}: {layers} layers need {bytes / 1e9:F1} GB, {(bytes - _profile.Shape.UsableBytes) / 1e9:F1} GB more than there are; L' up to {LayerPairs.Fitting(configuration, _profile.Shape, Catalogue.UnitSize(configuration))} fits";
    }

    public void Load(Configuration configuration, int layers, CancellationToken stop)
    {
        if (_loaded == (configuration, layers)) return;
        Pass(5, stop);
        _loaded = (configuration, layers);
    }

    public StepStretch RunSteps(double seconds, bool metered, CancellationToken stop)
    {
        if (_loaded is not var (configuration, layers)) throw new InvalidOperationException("Nothing is loaded.");
        Pass(seconds, stop);
        var step = layers * Catalogue.FloorPhasesSeconds(configuration, _profile.Shape) / _profile.AchievedFraction + _profile.LaunchSeconds;
        var steps = Math.Max(1, (long)(seconds / step));
        var took = steps * step * Math.Exp(TimeVariation * _random.Normal()) * (metered ? 1.0005 : 1);
        return new(layers, steps, took, took / steps, 1.01 * took / steps, metered ? 450 + 5 * _random.Normal() : double.NaN, 58, _profile.BoostMegahertz, 0);
    }

    public void Release() => _loaded = null;

    public (INode Node, TimeProvider Time) OpenNode(string host)
    {
        var time = new ScaledTimeProvider(Pace);
        return (Site(host, time).Nodes[0], time);
    }

    public void Dispose()
    {
    }

    private SimulatedSite Site(string host, TimeProvider time) =>
        SimulatedSite.Create(new SimulatedSiteOptions { Name = "simulated", Silo = host, Racks = 1, NodesPerRack = 1, GpusPerNode = 1, Profile = _profile }, time);

    private void Pass(double seconds, CancellationToken stop)
    {
        stop.WaitHandle.WaitOne(TimeSpan.FromSeconds(seconds / Pace));
        stop.ThrowIfCancellationRequested();
    }
}
