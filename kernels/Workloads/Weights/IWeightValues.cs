namespace EnergyGrid.Workloads;

/// <summary>Numbers that weights are filled with, in order and without end. One reader at a time.</summary>
public interface IWeightValues
{
    /// <summary>The next numbers, as many as there is room for.</summary>
    /// <exception cref="WeightsRefusedException">A number that is no weight, or none could be read.</exception>
    void Read(Span<float> target);
}

/// <summary>A file of weights cannot be used: the message is one sentence.</summary>
public sealed class WeightsRefusedException(string message, Exception? inner = null) : Exception(message, inner);
