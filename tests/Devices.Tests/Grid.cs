using System.Collections.Immutable;
using System.Reflection;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Tests;

/// <summary>A rack, a site and the inventory as a node agent sees them; they can be told to fail.</summary>
internal sealed class Grid : IRackGrain, ISiteGrain, IInventoryGrain
{
    /// <summary>Asked at each call; true fails it.</summary>
    public Func<bool> Fails { get; set; } = static () => false;

    public List<NodeReport> Reports { get; } = [];

    public List<PowerWindow> Facility { get; } = [];

    public List<NodeInventory> Announced { get; } = [];

    public ImmutableArray<MeterInfo> FacilityMeters { get; private set; } = [];

    public int Failures { get; private set; }

    public int InFlight { get; private set; }

    public int MostInFlight { get; private set; }

    /// <summary>How long a call takes.</summary>
    public Func<Task> Delay { get; set; } = static () => Task.CompletedTask;

    public IGrainFactory Factory
    {
        get
        {
            var factory = DispatchProxy.Create<IGrainFactory, GrainFactoryProxy>();
            ((GrainFactoryProxy)(object)factory).Grid = this;
            return factory;
        }
    }

    public IEnumerable<PowerWindow> Latest => Reports.SelectMany(r => r.Windows).GroupBy(w => (w.Source, w.Window)).Select(g => g.MaxBy(w => w.Revision)!);

    async ValueTask IRackGrain.Announce(NodeInventory node) => await Call();

    async ValueTask IRackGrain.Report(NodeReport report)
    {
        await Call();
        Reports.Add(report);
    }

    ValueTask<RackReport> IRackGrain.Recent(int windows) => throw new NotSupportedException();

    ValueTask ISiteGrain.Announce(string rack) => ValueTask.CompletedTask;

    ValueTask ISiteGrain.Report(RackReport report) => ValueTask.CompletedTask;

    async ValueTask ISiteGrain.ReportFacility(FacilityReport report)
    {
        await Call();
        Facility.AddRange(report.Windows);
    }

    async ValueTask ISiteGrain.AnnounceFacility(ImmutableArray<MeterInfo> meters)
    {
        await Call();
        FacilityMeters = meters;
    }

    ValueTask<SiteView> ISiteGrain.View() => throw new NotSupportedException();

    ValueTask<FacilityRatio?> ISiteGrain.Ratio(long fromWindow, long toWindow) => throw new NotSupportedException();

    async Task IInventoryGrain.Announce(NodeInventory node)
    {
        await Call();
        Announced.Add(node);
    }

    Task<ImmutableArray<NodeInventory>> IInventoryGrain.Nodes() => throw new NotSupportedException();

    private async Task Call()
    {
        MostInFlight = Math.Max(MostInFlight, ++InFlight);
        try
        {
            await Delay();
            if (!Fails()) return;
            Failures++;
            throw new TimeoutException("no answer");
        }
        finally
        {
            InFlight--;
        }
    }
}

/// <summary>Answers every <c>GetGrain</c> with the grid.</summary>
public class GrainFactoryProxy : DispatchProxy
{
    internal Grid? Grid { get; set; }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Grid;
}
