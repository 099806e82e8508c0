using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// How much of the scatter lies between passes, between devices of a node and between nodes, as variances of the (log) value.
/// Method: nested analysis of variance by moments with unequal numbers (Searle, Casella, McCulloch, <i>Variance Components</i>, 1992, §5.3).
/// Reported only; intervals never use it. A component is null where its level has one member; a negative estimate is kept raw, its SD is 0.
/// </summary>
/// <param name="Pass">Variance between passes of one device; null if no device has two.</param>
/// <param name="Device">Variance between devices of one node; null if no node has two, or if pass and device cannot be told apart.</param>
/// <param name="Node">Variance between nodes; null with one node, or if devices and nodes cannot be told apart.</param>
/// <param name="DeviceAndNode">Variance between devices of different nodes, both levels in one, where every node has one device group and so neither stands alone;
/// null otherwise, or if pass and device cannot be told apart.</param>
public sealed record VarianceComponents(double? Pass, double? Device, double? Node, double? DeviceAndNode)
{
    /// <summary>The method's name, to be printed beside the numbers.</summary>
    public const string Method = "nested ANOVA by moments, unequal numbers";

    /// <summary>Standard deviations, negative variances shown as 0.</summary>
    public Spread ToSpread() => new(Deviation(Pass), Deviation(Device), Deviation(Node), Deviation(DeviceAndNode));

    /// <summary>Splits a sample's variance.</summary>
    public static VarianceComponents Of(NestedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        double total = sample.PassCount;
        int nodes = sample.Nodes.Length, devices = sample.DeviceCount;
        double within = 0, betweenDevices = 0, betweenNodes = 0;
        double sumOfShares = 0, sumOfSquares = 0, sumOfNodeSquares = 0;
        var grand = sample.Nodes.Sum(node => node.Devices.Sum(device => device.Values.Sum())) / total;
        foreach (var node in sample.Nodes)
        {
            double count = node.Devices.Sum(device => device.Values.Length);
            var nodeMean = node.Devices.Sum(device => device.Values.Sum()) / count;
            betweenNodes += count * Square(nodeMean - grand);
            sumOfNodeSquares += count * count;
            foreach (var device in node.Devices)
            {
                double passes = device.Values.Length;
                betweenDevices += passes * Square(device.Mean - nodeMean);
                sumOfShares += passes * passes / count;
                sumOfSquares += passes * passes;
                within += device.Values.Sum(value => Square(value - device.Mean));
            }
        }
        double? pass = total > devices ? within / (total - devices) : null;
        double? between = null;
        if (pass is { } error && devices > nodes)
        {
            var passesPerDevice = (total - sumOfShares) / (devices - nodes);
            between = (betweenDevices / (devices - nodes) - error) / passesPerDevice;
        }
        double? betweenNodeVariance = null;
        double? pooled = null;
        if (pass is { } pure && nodes > 1)
        {
            var ofNode = (total - sumOfNodeSquares / total) / (nodes - 1);
            if (between is { } deviceVariance)
            {
                var ofDevice = (sumOfShares - sumOfSquares / total) / (nodes - 1);
                betweenNodeVariance = (betweenNodes / (nodes - 1) - pure - ofDevice * deviceVariance) / ofNode;
            }
            else
            {
                pooled = (betweenNodes / (nodes - 1) - pure) / ofNode;
            }
        }
        return new VarianceComponents(pass, between, betweenNodeVariance, pooled);
    }

    private static double Square(double x) => x * x;

    private static double? Deviation(double? variance) => variance is { } v ? Math.Sqrt(Math.Max(0, v)) : null;
}
