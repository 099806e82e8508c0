using System.Reflection;
using Xunit.Sdk;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>
/// The rows of a fault: with TLS between silos, as every grid over a network has it. With <c>ENERGYGRID_TRANSPORTS=all</c> without it too, as on one machine; the random kills
/// always run both ways.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class TransportsAttribute(params object[] row) : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        Environment.GetEnvironmentVariable("ENERGYGRID_TRANSPORTS") == "all" ? [[.. row, true], [.. row, false]] : [[.. row, true]];
}
