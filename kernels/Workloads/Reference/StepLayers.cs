using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>What the L' of a leg stands for: so many layers or, where it is 0, the LM head alone, one product of d_model × vocabulary for the batch, in FP16 whatever the layers' format (<see cref="LmHead"/>).</summary>
public static class StepLayers
{
    /// <summary>The L' of a leg that runs the LM head alone.</summary>
    public const int HeadAlone = LayerLegs.Head;

    /// <summary>What is executed at this L': the head's weights are FP16 beside layers of any format.</summary>
    public static Configuration Executed(Configuration c, int layers) => layers == HeadAlone ? c with { Weights = WeightFormat.Fp16 } : c;

    /// <summary>For messages: <c>8 layers</c>, <c>the LM head</c>.</summary>
    public static string Name(int layers) => layers == HeadAlone ? "the LM head" : $"{layers} layers";

    /// <summary>Why no device can run that, or null.</summary>
    public static string? Refusal(Configuration c, int layers) => layers switch
    {
        < HeadAlone => $"{layers} layers: at least one is needed, or 0 for the LM head alone",
        HeadAlone when c.Vocabulary < 1 => "the configuration names no vocabulary: there is no LM head to run",
        _ => null,
    };

    /// <summary>Rows of the head as it is stored: the vocabulary up to a multiple of 16, a tile of the matrix units.</summary>
    public static int HeadRows(Configuration c) => (c.Vocabulary + 15) / 16 * 16;

    /// <summary>Elements of one sequence's result: d_model behind layers, <see cref="HeadRows"/> behind the head.</summary>
    public static int OutputWidth(Configuration c, int layers) => layers == HeadAlone ? HeadRows(c) : c.ModelWidth;
}
