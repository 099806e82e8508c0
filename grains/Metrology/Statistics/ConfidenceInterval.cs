namespace EnergyGrid.Metrology;

/// <summary>Over what an interval generalises: its units are passes of this device, device means of this node, or node means.</summary>
public enum IntervalScope
{
    /// <summary>One pass on one device: there is no interval.</summary>
    None,

    /// <summary>Units are passes.</summary>
    ThisDevice,

    /// <summary>Units are device means.</summary>
    ThisNode,

    /// <summary>Units are node means.</summary>
    Nodes,
}

/// <summary>The printed names of scopes.</summary>
public static class IntervalScopes
{
    /// <summary><c>none</c>, <c>this device</c>, <c>this node</c> or <c>nodes</c>.</summary>
    public static string Text(this IntervalScope scope) => scope switch
    {
        IntervalScope.Nodes => "nodes",
        IntervalScope.ThisNode => "this node",
        IntervalScope.ThisDevice => "this device",
        _ => "none",
    };
}

/// <summary>A two-sided Student-t interval with its scope.</summary>
/// <param name="Low">Lower end, in the unit of the value it belongs to.</param>
/// <param name="High">Upper end.</param>
/// <param name="Level">For example 0.95.</param>
/// <param name="Scope">Over what it generalises.</param>
/// <param name="Units">Independent units behind it.</param>
/// <param name="DegreesOfFreedom">Of its t quantile.</param>
public sealed record ConfidenceInterval(double Low, double High, double Level, IntervalScope Scope, int Units, int DegreesOfFreedom)
{
    /// <summary>(high − low) / 2.</summary>
    public double HalfWidth => (High - Low) / 2;

    /// <summary>Whether it contains the value.</summary>
    public bool Contains(double value) => Low <= value && value <= High;

    /// <summary>The same interval of a logarithm, printed as its exponential.</summary>
    public ConfidenceInterval Exponential() => this with { Low = Math.Exp(Low), High = Math.Exp(High) };
}
