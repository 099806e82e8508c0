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

    async ValueTask IRackGrain.Announce(NodeInventory node)
    {
        await Call();
        ToRack.Add(node);
    }

    /// <summary>What was announced to the rack.</summary>
    public List<NodeInventory> ToRack { get; } = [];

    async ValueTask<ReportAnswer> IRackGrain.Report(NodeReport report)
    {
        await Call();
        Reports.Add(report);
        return Answer(report);
    }

    /// <summary>What the rack answers.</summary>
    public Func<NodeReport, ReportAnswer> Answer { get; set; } = static _ => new(false, 1);

    ValueTask IRackGrain.Forget(string host) => throw new NotSupportedException();

    ValueTask<RackReport> IRackGrain.Recent(int windows) => throw new NotSupportedException();

    ValueTask ISiteGrain.Announce(string rack) => ValueTask.CompletedTask;

    ValueTask<ReportAnswer> ISiteGrain.Report(RackReport report) => ValueTask.FromResult(new ReportAnswer(false, 1));

    async ValueTask<ReportAnswer> ISiteGrain.ReportFacility(FacilityReport report)
    {
        await Call();
        Facility.AddRange(report.Windows);
        return new(false, 1);
    }

    async ValueTask ISiteGrain.AnnounceFacility(ImmutableArray<MeterInfo> meters)
    {
        await Call();
        FacilityMeters = meters;
    }

    ValueTask<SiteView> ISiteGrain.View() => throw new NotSupportedException();

    ValueTask<FacilityRatio?> ISiteGrain.Ratio(long fromWindow, long toWindow) => throw new NotSupportedException();

    ValueTask<FacilityAccount?> ISiteGrain.Account(long fromWindow, long toWindow) => throw new NotSupportedException();

    async Task IInventoryGrain.Announce(NodeInventory node)
    {
        // Beside the calls to the rack, which wait for nothing that is kept.
        await Delay();
        if (Fails()) throw new TimeoutException("no answer");
        Announced.Add(node);
    }

    Task<ImmutableArray<NodeStanding>> IInventoryGrain.Nodes() => throw new NotSupportedException();

    Task<ImmutableArray<NodeInventory>> IInventoryGrain.InRack(string site, string rack) => throw new NotSupportedException();

    Task<bool> IInventoryGrain.Forget(string host) => throw new NotSupportedException();

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
