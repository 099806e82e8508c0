using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>How far what a kernel left is from the reference implementation's.</summary>
/// <param name="Kernel">Which.</param>
/// <param name="What">What it left.</param>
/// <param name="RelativeError">‖device − reference‖ / ‖reference‖; NaN where the device left one.</param>
public sealed record StageError(string Kernel, string What, double RelativeError);

/// <summary>Compares a step on a device with the reference implementation's, kernel by kernel.</summary>
public static class StepComparison
{
    /// <summary>
    /// Runs both once and compares what the kernels of the last layer left: queries, attention, hidden activations, the residual stream. With as many layers as the
    /// unit, every kind of layer is last once for some L': H's CSA at L' = 1, its HCA at 2.
    /// </summary>
    /// <param name="step">Filled from the same configuration and as many layers, and run as often, as <paramref name="reference"/>.</param>
    /// <param name="reference">With rounded activations.</param>
    /// <returns>In the order of the kernels; the last is the step's output.</returns>
    public static unsafe IReadOnlyList<StageError> Run(ResidentStep step, DecodeStep reference)
    {
        if (step.Plan.Configuration != reference.Configuration || step.Plan.Layers != reference.Layers)
        {
            throw new ArgumentException("the reference implementation has another configuration or number of layers", nameof(reference));
        }

        step.Run();
        reference.Run();
        var batch = reference.Configuration.Batch;
        var errors = new List<StageError>();
        foreach (var stage in step.Plan.Stages.Where(s => s.Layer == step.Plan.Layers - 1))
        {
            var device = Read(step, stage, batch);
            var expected = stage.Reference is null ? reference.Output : new ReadOnlySpan<float>(reference.Context.Buffer(stage.Reference, stage.Width), batch * stage.Width);
            errors.Add(new StageError(stage.Kernel, stage.What, RelativeError(device, expected)));
        }

        return errors;
    }

    /// <summary>‖actual − expected‖ / ‖expected‖ in double precision; of zeros, 0 where both are.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(actual.Length, expected.Length);
        var (difference, size) = (0.0, 0.0);
        for (var i = 0; i < actual.Length; i++)
        {
            difference += ((double)actual[i] - expected[i]) * ((double)actual[i] - expected[i]);
            size += (double)expected[i] * expected[i];
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / size);
    }

    private static float[] Read(ResidentStep step, StepStage stage, int batch)
    {
        float[] values = stage.Format switch
        {
            StageFormat.Single => step.Read<float>(stage.Place, (long)batch * stage.Width),
            StageFormat.Half => [.. step.Read<Half>(stage.Place, (long)batch * stage.Width).Select(h => (float)h)],
            _ => Unpack(step, stage.Place),
        };
        if (stage.Squares.Buffer is not null)
        {
            var squares = step.Read<float>(stage.Squares, batch);
            for (var i = 0; i < values.Length; i++)
            {
                values[i] /= MathF.Sqrt(squares[i / stage.Width] / stage.Width + Elementwise.Epsilon);
            }
        }

        return values;
    }

    private static float[] Unpack(ResidentStep step, Place place)
    {
        var panel = step.Plan.PanelShapes[place.Buffer!.Index];
        return panel.Unpack(step.Read<Half>(place, panel.Bytes / 2));
    }
}
