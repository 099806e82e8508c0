using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>Cosines and sines of one position, as the reference implementation rounds them.</summary>
internal static class AngleTable
{
    /// <summary>FP32 [width / 2] each.</summary>
    public static (Place Cosine, Place Sine) At(PlanBuilder plan, long position, int width)
    {
        var table = plan.Table($"angles of {width} at {position}", () =>
        {
            var both = new float[width];
            Elementwise.Angles(position, width, both.AsSpan(0, width / 2), both.AsSpan(width / 2));
            return both;
        });
        return (table, table + 2L * width);
    }
}
