using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>A value of one pass on one device group.</summary>
public sealed record PassValue(string Node, string Device, int Pass, double Value);

/// <summary>The values of one device group in pass order.</summary>
public sealed record DeviceSample(string Device, ImmutableArray<double> Values)
{
    /// <summary>Mean over its passes.</summary>
    public double Mean { get; } = NestedSample.MeanOf(Values);
}

/// <summary>The device groups of one node, in ordinal order of their names.</summary>
public sealed record NodeSample(string Node, ImmutableArray<DeviceSample> Devices)
{
    /// <summary>Unweighted mean over its devices' means.</summary>
    public double Mean { get; } = NestedSample.MeanOf(Devices.Select(device => device.Mean));
}

/// <summary>
/// Passes within devices within nodes (measurement.md, "Estimate"): averaged within a device, unweighted across the devices of a node, then across nodes.
/// Everything is sorted first, so the order in which observations arrive changes no bit of a result.
/// </summary>
public sealed class NestedSample
{
    private NestedSample(ImmutableArray<NodeSample> nodes) => Nodes = nodes;

    /// <summary>In ordinal order of their names.</summary>
    public ImmutableArray<NodeSample> Nodes { get; }

    /// <summary>Device groups over all nodes.</summary>
    public int DeviceCount => Nodes.Sum(node => node.Devices.Length);

    /// <summary>Passes over all devices.</summary>
    public int PassCount => Nodes.Sum(node => node.Devices.Sum(device => device.Values.Length));

    /// <summary>Builds the tree. Throws <see cref="ArgumentException"/> for a pass given twice, a device on two nodes or a value that is not finite.</summary>
    public static NestedSample Of(IEnumerable<PassValue> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var sorted = values.ToArray();
        Array.Sort(sorted, ByPlace);
        var nodes = ImmutableArray.CreateBuilder<NodeSample>();
        var devices = ImmutableArray.CreateBuilder<DeviceSample>();
        var passes = ImmutableArray.CreateBuilder<double>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < sorted.Length; i++)
        {
            var value = sorted[i];
            if (!double.IsFinite(value.Value))
            {
                throw new ArgumentException($"The value of pass {value.Pass} on {value.Device} is {value.Value}; it must be finite.", nameof(values));
            }
            passes.Add(value.Value);
            var next = i + 1 < sorted.Length ? sorted[i + 1] : null;
            var sameNode = next is not null && next.Node == value.Node;
            var sameDevice = sameNode && next!.Device == value.Device;
            if (sameDevice && next!.Pass == value.Pass)
            {
                throw new ArgumentException($"Pass {value.Pass} on {value.Device} is given twice.", nameof(values));
            }
            if (sameDevice)
            {
                continue;
            }
            if (!seen.Add(value.Device))
            {
                throw new ArgumentException($"Device group {value.Device} appears on more than one node.", nameof(values));
            }
            devices.Add(new DeviceSample(value.Device, passes.ToImmutable()));
            passes.Clear();
            if (!sameNode)
            {
                nodes.Add(new NodeSample(value.Node, devices.ToImmutable()));
                devices.Clear();
            }
        }
        return new NestedSample(nodes.ToImmutable());
    }

    /// <summary>
    /// The mean and the spread of its independent units.
    /// With passes as the units, the spread is that of the first <paramref name="firstStagePasses"/> of them (Stein): later ones narrow the
    /// interval through n alone. Null if there is no value at all.
    /// </summary>
    public NestedEstimate? Summarise(int firstStagePasses = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(firstStagePasses, 2);
        if (Nodes.IsEmpty)
        {
            return null;
        }
        var mean = MeanOf(Nodes.Select(node => node.Mean));
        var (scope, units) = Nodes.Length > 1
            ? (IntervalScope.Nodes, Nodes.Select(node => node.Mean).ToArray())
            : Nodes[0].Devices.Length > 1
                ? (IntervalScope.ThisNode, Nodes[0].Devices.Select(device => device.Mean).ToArray())
                : (IntervalScope.ThisDevice, Nodes[0].Devices[0].Values.ToArray());
        if (units.Length < 2)
        {
            return new NestedEstimate(mean, IntervalScope.None, units.Length, 0, double.NaN, double.NaN, PassCount, DeviceCount, Nodes.Length);
        }
        var first = scope == IntervalScope.ThisDevice ? units.AsSpan(0, Math.Min(firstStagePasses, units.Length)) : units;
        var deviation = DeviationOf(first);
        return new NestedEstimate(
            mean, scope, units.Length, first.Length - 1, deviation, deviation / Math.Sqrt(units.Length), PassCount, DeviceCount, Nodes.Length);
    }

    private static int ByPlace(PassValue a, PassValue b)
    {
        var node = string.CompareOrdinal(a.Node, b.Node);
        var device = node != 0 ? node : string.CompareOrdinal(a.Device, b.Device);
        return device != 0 ? device : a.Pass.CompareTo(b.Pass);
    }

    internal static double MeanOf(IEnumerable<double> values)
    {
        var (sum, count) = (0.0, 0);
        foreach (var value in values)
        {
            sum += value;
            count++;
        }
        return sum / count;
    }

    internal static double DeviationOf(ReadOnlySpan<double> values)
    {
        var mean = 0.0;
        foreach (var value in values)
        {
            mean += value;
        }
        mean /= values.Length;
        var squares = 0.0;
        foreach (var value in values)
        {
            squares += (value - mean) * (value - mean);
        }
        return Math.Sqrt(squares / (values.Length - 1));
    }
}

/// <summary>A nested mean with what its interval needs.</summary>
/// <param name="Mean">Over nodes of devices of passes.</param>
/// <param name="Scope">The kind of its independent units.</param>
/// <param name="Units">How many units the mean is over.</param>
/// <param name="DegreesOfFreedom">Of <paramref name="UnitDeviation"/>; 0 without an interval.</param>
/// <param name="UnitDeviation">SD of the units (of the first stage, where passes are the units); NaN without an interval.</param>
/// <param name="StandardError">UnitDeviation / √Units; NaN without an interval.</param>
/// <param name="Passes">All passes used.</param>
/// <param name="Devices">All device groups used.</param>
/// <param name="Nodes">All nodes used.</param>
public sealed record NestedEstimate(
    double Mean,
    IntervalScope Scope,
    int Units,
    int DegreesOfFreedom,
    double UnitDeviation,
    double StandardError,
    int Passes,
    int Devices,
    int Nodes)
{
    /// <summary>The two-sided Student-t interval at that level, type A alone; null without one.</summary>
    public ConfidenceInterval? Interval(double level) => Interval(level, 0);

    /// <summary>
    /// The two-sided interval at that level of a mean that may be off by up to <paramref name="bound"/> (<see cref="BoundedBias"/>); Student's at a bound of 0.
    /// Null without scatter's estimate, or if the bound is unknown or infinite.
    /// </summary>
    public ConfidenceInterval? Interval(double level, double bound)
    {
        if (!(level > 0 && level < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(level), level, "A level lies between 0 and 1.");
        }
        if (Scope == IntervalScope.None || !double.IsFinite(bound))
        {
            return null;
        }
        var half = BoundedBias.HalfWidth(StandardError, DegreesOfFreedom, bound, level);
        return new ConfidenceInterval(Mean - half, Mean + half, level, Scope, Units, DegreesOfFreedom);
    }

    /// <summary>As the matrix prints it: the exponential of the mean and of its interval at that level and bound. For means of logarithms.</summary>
    public Estimate ToEstimate(double level, double bound)
    {
        var interval = Interval(level, bound)?.Exponential();
        return new Estimate(Math.Exp(Mean), interval?.Low, interval?.High, Scope.Text(), Units);
    }

    /// <summary>
    /// Two-sided p-value of a mean of zero that may be off by up to <paramref name="bound"/>: the smallest α whose interval excludes zero. NaN where there is no interval.
    /// </summary>
    public double PValue(double bound) => Scope == IntervalScope.None || !double.IsFinite(bound)
        ? double.NaN
        : BoundedBias.PValue(Mean, StandardError, DegreesOfFreedom, bound);
}
