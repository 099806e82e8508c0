using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>How a configuration becomes a <see cref="StepPlan"/>: apart from the plan itself, which the chains that it is made of build.</summary>
public static class StepPlanning
{
    extension(StepPlan)
    {
        /// <summary>Plans <paramref name="layers"/> layers.</summary>
        /// <param name="c">Resolved: see <see cref="Catalogue.Resolve"/>.</param>
        /// <param name="layers">L', 0 for the LM head alone. Kinds repeat the unit in order.</param>
        /// <param name="device">On which it will run.</param>
        /// <exception cref="ConfigurationRefusedException">The kernels do not cover the shape; key and limit are named.</exception>
        public static StepPlan Create(Configuration c, int layers, PlanDevice device)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(layers);
            if (Refusal(c, layers) is var (key, message))
            {
                throw new ConfigurationRefusedException(key, message);
            }

            return layers == StepLayers.HeadAlone ? HeadChain.Plan(StepLayers.Executed(c, layers), device) : DecoderChain.Plan(c, layers, device);
        }

        /// <summary>Why these kernels cannot run that on the device, or null: a shape that they do not cover, or by how much it does not fit and the L' that fits.</summary>
        public static string? Refusal(Configuration c, int layers, PlanDevice device)
        {
            if (layers < StepLayers.HeadAlone)
            {
                return StepLayers.Refusal(c, layers);
            }

            if (Refusal(c, layers) is var (_, message))
            {
                return message;
            }

            var plan = Create(c, layers, device);
            if (plan.Launches.Concat(plan.Fills).MaxBy(l => l.SharedBytes) is { } largest && largest.SharedBytes > device.SharedBytesPerBlock)
            {
                return $"kernel {largest.Kernel} of {c.Workload} needs {largest.SharedBytes} bytes of shared memory a block; {device.Name} has {device.SharedBytesPerBlock}";
            }

            var needed = plan.ResidentBytes;
            if (needed <= device.FreeBytes)
            {
                return null;
            }

            var tooLittle = string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"{needed / 1e9:F2} GB are needed for {StepLayers.Name(layers)} of {c.Workload} at batch {c.Batch} and context {c.Context}; {device.Name} has {device.FreeBytes / 1e9:F2} GB free, {(needed - device.FreeBytes) / 1e9:F2} GB too little");
            if (layers == StepLayers.HeadAlone)
            {
                return tooLittle;
            }

            // Every unit of layers takes as much as the one before: two plans give the rest.
            var unit = Catalogue.UnitSize(c);
            var one = Create(c, unit, device).ResidentBytes;
            var more = Create(c, 2 * unit, device).ResidentBytes - one;
            var fits = device.FreeBytes < one ? 0 : (int)((device.FreeBytes - one) / more + 1) * unit;
            return $"{tooLittle}: " + (fits == 0 ? "not one unit of layers fits, take a smaller batch or context" : $"the L' that fits is {fits}");
        }
    }

    private static (string Key, string Message)? Refusal(Configuration c, int layers)
    {
        if (c.Data is not ("normal" or "zeros"))
        {
            return ("data", $"data '{c.Data}': the CUDA kernels make their data on the device, normal or zeros; weights from a file run on the cpu");
        }

        if (c.Batch > Panel.MostColumns)
        {
            return ("batch", $"batch {c.Batch}: the CUDA kernels decode up to {Panel.MostColumns} sequences at once");
        }

        if (layers == StepLayers.HeadAlone)
        {
            return StepLayers.Refusal(c, layers) is { } reason ? ("vocabulary", reason) : null;
        }

        foreach (var kind in Catalogue.Unit(c).Distinct())
        {
            var most = kind switch
            {
                LayerKind.MultiHead or LayerKind.Grouped or LayerKind.NativeSparse => 16 * c.KeyValueHeads,
                LayerKind.Latent or LayerKind.CompressedSparse or LayerKind.HeavilyCompressed => 64,
                _ => 1024,
            };
            if (c.Heads > most)
            {
                return ("heads", kind is LayerKind.Latent or LayerKind.CompressedSparse or LayerKind.HeavilyCompressed
                    ? $"heads {c.Heads}: the CUDA kernel of {c.Workload} takes up to {most}"
                    : $"heads {c.Heads}: the CUDA kernels take up to 16 query heads for each of the {c.KeyValueHeads} KV heads");
            }

            if (kind is LayerKind.MultiHead or LayerKind.Grouped or LayerKind.NativeSparse && 128.0 * c.KeyValueHeads * c.Context >= uint.MaxValue)
            {
                return ("context", $"context {c.Context}: one layer's keys of a sequence with {c.KeyValueHeads} KV heads exceed the 2^32 elements that the CUDA kernels address");
            }
        }

        return null;
    }
}
