using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>The LM-head step: vocabulary × d_model in FP16, whatever the layers' format. Measured apart from the layers.</summary>
public static class LmHead
{
    /// <summary>One step of the whole batch; all zero where the plan says no vocabulary.</summary>
    public static StepCost Cost(Configuration c)
    {
        var parameters = (double)c.Vocabulary * c.ModelWidth;
        return new StepCost(parameters, 2 * parameters, 0, 2 * parameters * c.Batch, 0, 2 * parameters);
    }

    /// <summary>The head's weight bytes as a share of the layers' weight bytes.</summary>
    public static double ShareOfWeightBytes(Configuration c) => Cost(c).WeightBytes / (c.ModelLayers * Catalogue.Cost(c).WeightBytes);
}
