namespace EnergyGrid.Workloads;

/// <summary>A configuration that the catalogue cannot have. Stays on the machine where the plan is read: it does not cross grain calls.</summary>
/// <param name="key">The plan's key that is wrong: <c>workload</c>, <c>weights</c>, <c>batch</c>, <c>context</c>, …</param>
/// <param name="message">What is wrong and what would be right.</param>
public sealed class ConfigurationRefusedException(string key, string message) : Exception(message)
{
    /// <summary>The plan's key, in snake case.</summary>
    public string Key { get; } = key;
}
