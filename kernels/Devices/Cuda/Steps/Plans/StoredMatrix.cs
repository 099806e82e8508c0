using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>A matrix of the reference implementation, by name.</summary>
/// <param name="Name">As it is keyed there.</param>
/// <param name="Rows">Outputs.</param>
internal sealed record SourceMatrix(string Name, int Rows);

/// <summary>One stored weight matrix of a layer: fused matrices under each other, in a row order of our choice.</summary>
/// <param name="Layer">Which.</param>
/// <param name="Name">What the order is called: layers that share the name share it.</param>
/// <param name="Sources">What it fuses.</param>
/// <param name="Rows">Which source row each stored row holds.</param>
/// <param name="Layout">Where weights lie.</param>
/// <param name="Units">The weight units.</param>
internal sealed record StoredMatrix(int Layer, string Name, IReadOnlyList<SourceMatrix> Sources, IReadOnlyList<SourceRow> Rows, WeightLayout Layout, Place Units)
{
    private const int FillThreads = 256;

    /// <summary>Plans the matrix and the kernel that fills it; with zero data it stays as allocated.</summary>
    public static StoredMatrix Add(PlanBuilder plan, int layer, string name, int inputs, IReadOnlyList<SourceMatrix> sources, IEnumerable<SourceRow> rows)
    {
        SourceRow[] order = [.. rows];
        var format = plan.Configuration.Weights;
        var layout = new WeightLayout(format, order.Length, inputs);
        var stored = new StoredMatrix(layer, name, sources, order, layout, plan.Own(layer, name, layout.Bytes, BufferUse.Weights));
        plan.Matrices.Add(stored);
        if (!plan.IsZero)
        {
            // −1 is the kernel's mark of a row of zeros.
            var table = plan.Table($"rows of {name}", () => order.SelectMany(r => new[] { (uint)r.Matrix, (uint)r.Row }).ToArray());
            var keys = plan.Keys(sources.Select(s => plan.Key(layer, s.Name)));
            var kernel = "fill_weights_" + format.ToLowerInvariant();
            var pieces = (long)order.Length / WeightLayout.TileRows * (layout.PaddedInputs / WeightFormat.Group);
            plan.Fill($"layer {layer}: fill {name}", kernel, plan.Blocks(kernel, FillThreads, 0, (pieces + 7) / 8), 1, FillThreads, 0, at => new FillWeightsArguments
            {
                Units = at[stored.Units],
                Rows = at[table],
                Keys = at[keys],
                RowCount = (uint)order.Length,
                Inputs = (uint)inputs,
            });
        }

        return stored;
    }

    /// <summary>Where each row of a source stands among the stored rows.</summary>
    public uint[] Columns(int source)
    {
        var columns = new uint[Sources[source].Rows];
        for (var n = 0; n < Rows.Count; n++)
        {
            if (Rows[n].Matrix == source)
            {
                columns[Rows[n].Row] = (uint)n;
            }
        }

        return columns;
    }
}
