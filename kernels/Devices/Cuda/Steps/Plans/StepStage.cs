namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>How a stage's results lie in memory.</summary>
internal enum StageFormat
{
    /// <summary>FP32 [batch][width].</summary>
    Single,

    /// <summary>FP16 [batch][width].</summary>
    Half,

    /// <summary>FP16 panels.</summary>
    Panel,
}

/// <summary>What a kernel of the last layer leaves that the reference implementation has too.</summary>
/// <param name="Layer">Of which layer; −1 for the LM head alone.</param>
/// <param name="Kernel">Which left it.</param>
/// <param name="What">For people.</param>
/// <param name="Place">Where.</param>
/// <param name="Format">How.</param>
/// <param name="Reference">The reference implementation's name of it; null is the step's output.</param>
/// <param name="Width">Elements of one sequence.</param>
/// <param name="Squares">Where the sums of squares of a deferred norm lie: the reference implementation applies it at once.</param>
internal sealed record StepStage(int Layer, string Kernel, string What, Place Place, StageFormat Format, string? Reference, int Width, Place Squares = default);
