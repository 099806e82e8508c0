using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// The pool of history tokens of a layer: 64 activations, projected by a stored matrix on the device. What FP16 loses of an activation is projected apart, so that the
/// projections have 22 bits of it.
/// </summary>
internal sealed class History
{
    private readonly PlanBuilder _plan;
    private readonly StoredMatrix _matrix;
    private readonly Place _projected, _rest;

    /// <summary>Plans the projections. They hold until the next pool is projected.</summary>
    public History(PlanBuilder plan, StoredMatrix matrix)
    {
        (_plan, _matrix) = (plan, matrix);
        const int tokens = TokenPool.Tokens;
        var panel = new Panel(matrix.Layout.Inputs, tokens);
        var activations = plan.Shared("pool activations", panel, BufferUse.Scratch);
        var lost = plan.Shared("pool activations, what FP16 lost", panel, BufferUse.Scratch);
        var bytes = 4L * tokens * matrix.Layout.Rows;
        _projected = plan.Shared("pool projections", bytes, BufferUse.Scratch);
        _rest = plan.Shared("pool projections, what FP16 lost", bytes, BufferUse.Scratch);
        var keys = plan.Keys(Enumerable.Range(0, tokens).Select(t => Noise.Key((long)Key, t)));
        FillNormal.Add(plan, $"layer {matrix.Layer}: pool activations", keys, tokens, matrix.Layout.Inputs, 1, panel: activations, rest: lost, columnTiles: panel.ColumnTiles);
        Product.Add(plan, $"layer {matrix.Layer}: project pool", matrix, panel, activations, Place.Nowhere, [new Segment(SegmentKind.Raw, 0, _projected, matrix.Layout.Rows)], isFill: true);
        Product.Add(plan, $"layer {matrix.Layer}: project what FP16 lost", matrix, panel, lost, Place.Nowhere, [new Segment(SegmentKind.Raw, 0, _rest, matrix.Layout.Rows)], isFill: true);
    }

    private ulong Key => _plan.Key(_matrix.Layer, "history");

    /// <summary>The pool as a fill kernel takes it, columns being those of a source matrix.</summary>
    public Func<BufferAddresses, HistoryPool> Of(int source)
    {
        var columns = _plan.Table($"columns of {_matrix.Sources[source].Name} in {_matrix.Name}", () => _matrix.Columns(source));
        return at => new HistoryPool { Projected = at[_projected], Rest = at[_rest], Columns = at[columns], Key = Key, Stride = (uint)_matrix.Layout.Rows };
    }

    /// <summary>Cosine and sine of every position, in two factors: multiples of 1024, and the rest. Doubles.</summary>
    public static Func<BufferAddresses, HistoryTurns> Turns(PlanBuilder plan, int width, long positions)
    {
        const int turn = 1024;
        var coarse = plan.Table($"coarse turns of {width} for {positions}", () => Angles((positions + turn - 1) / turn, turn));
        var fine = plan.Table($"fine turns of {width}", () => Angles(turn, 1));
        return at => new HistoryTurns { Coarse = at[coarse], Fine = at[fine] };

        double[] Angles(long count, int stride)
        {
            var pairs = width / 2;
            var angles = new double[count * pairs * 2];
            for (var p = 0L; p < count; p++)
            {
                for (var i = 0; i < pairs; i++)
                {
                    (angles[(p * pairs + i) * 2 + 1], angles[(p * pairs + i) * 2]) = Math.SinCos(p * stride * Math.Pow(Elementwise.RopeBase, -2.0 * i / width));
                }
            }

            return angles;
        }
    }
}

/// <summary>Normal numbers by key: kernels/fill_normal.cu.</summary>
internal static class FillNormal
{
    private const int Threads = 256;

    public static void Add(
        PlanBuilder plan, string name, Place keys, int rows, int width, float deviation, float mean = 0, Place numbers = default, Place panel = default, Place rest = default,
        int columnTiles = 0, bool roundToHalf = false)
    {
        var items = (long)rows * ((width + 15) / 16) * 8;
        plan.Fill(name, "fill_normal", plan.Blocks("fill_normal", Threads, 0, (items + Threads - 1) / Threads), 1, Threads, 0, at => new FillNormalArguments
        {
            Numbers = at[numbers],
            Panel = at[panel],
            PanelRest = at[rest],
            Keys = at[keys],
            Rows = (uint)rows,
            Width = (uint)width,
            Deviation = deviation,
            Mean = mean,
            RoundToHalf = roundToHalf ? 1u : 0,
            ColumnTiles = (uint)columnTiles,
        });
    }
}
