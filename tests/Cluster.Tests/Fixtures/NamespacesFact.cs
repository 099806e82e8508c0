namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>A test that needs network namespaces: skipped with the reason where the machine does not allow them.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NamespacesFactAttribute : FactAttribute
{
    public NamespacesFactAttribute() => Skip = Networks.Hindrance is { } reason ? $"no network namespaces here: {reason}" : null;
}
