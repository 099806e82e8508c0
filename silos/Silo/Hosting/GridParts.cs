using Microsoft.Extensions.Hosting;

namespace EnergyGrid.Silo;

/// <summary>The one place where the parts behind the ports are chosen: result store, node agents, what simulates a site.</summary>
internal static class GridParts
{
    public static void AddGridParts(this IHostApplicationBuilder builder, SiloOptions options)
    {
        _ = builder;
        _ = options;
    }
}
