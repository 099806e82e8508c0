using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>What <c>top</c> shows as lists for a program: sites, sweeps, devices, with an empty line between them.</summary>
internal static class TopLists
{
    private static readonly Column[] SiteColumns = [new("site"), new("P_IT"), new("energy is"), new("P_facility"), new("ipue"), new("coverage"), new("racks")];

    public static void Show(GridPicture grid, TopView view, Screen screen)
    {
        screen.List(SiteColumns, [.. grid.Sites.Select(s => (string[])
        [
            s.Site, s.Provenance is null ? Say.Absent : Say.Watts(s.ItWatts), s.Provenance?.ToString().ToLowerInvariant() ?? Say.Absent, Say.Watts(s.FacilityWatts),
            s.Ipue is { } ratio ? Say.Number(ratio.Value) : Say.Absent, Say.Percent(s.Coverage), s.Racks.Length.ToString(CultureInfo.InvariantCulture),
        ])]);
        screen.Say("");
        SweepList.Show(grid.Sweeps, grid.AtUtc, screen);
        screen.Say("");
        DeviceList.Show([.. TopPage.Devices(grid, view)], screen);
    }
}
