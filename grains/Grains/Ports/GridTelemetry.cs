using System.Buffers.Binary;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Grains;

/// <summary>
/// What is told of the grid to whoever collects traces and metrics. All of it costs next to nothing while nobody listens. No key of a grain is ever a label: their number
/// grows with the grid.
/// </summary>
public static class GridTelemetry
{
    /// <summary>Of the activity source and of the meter.</summary>
    public const string Name = "EnergyGrid";

    public static ActivitySource Source { get; } = new(Name);

    private static readonly Meter Meter = new(Name);

    /// <summary>Reports of nodes that racks took.</summary>
    public static Counter<long> Reports { get; } = Meter.CreateCounter<long>("energygrid.reports", "{report}", "Reports of nodes that racks took.");

    /// <summary>Windows that sites closed.</summary>
    public static Counter<long> WindowsClosed { get; } = Meter.CreateCounter<long>("energygrid.site.windows", "{window}", "Windows that sites closed.");

    /// <summary>Trials committed, by <c>outcome</c>.</summary>
    public static Counter<long> TrialsCommitted { get; } = Meter.CreateCounter<long>("energygrid.trials.committed", "{trial}", "Trials committed.");

    /// <summary>How far behind the wall's clock the latest closed window of a site ends, s.</summary>
    public static Histogram<double> SiteLag { get; } = Meter.CreateHistogram<double>("energygrid.site.lag", "s", "How far behind the wall's clock a site's latest closed window ends.");

    /// <summary>
    /// A span of a sweep. All spans of one sweep are one trace, whichever processes they come from and however often those began anew: its id follows from the sweep's.
    /// What is current is the parent if it belongs to that trace, and is linked otherwise.
    /// </summary>
    /// <param name="name"><c>submit</c>, <c>pass</c>, <c>trial</c>, …</param>
    /// <param name="sweep">The sweep's id.</param>
    /// <returns>Null while nobody listens. It is the current activity until it is disposed of.</returns>
    public static Activity? Start(string name, string sweep)
    {
        if (!Source.HasListeners()) return null;
        var root = Root(sweep);
        var current = Activity.Current;
        if (current?.TraceId == root.TraceId) return Source.StartActivity(name);
        ActivityLink[] links = current is null ? [] : [new(current.Context)];
        return Source.StartActivity(name, ActivityKind.Internal, root, links: links);
    }

    /// <summary>A span of a sweep that lasts over many turns: it is nobody's current activity. End it with <see cref="Activity.Stop"/>.</summary>
    public static Activity? Begin(string name, string sweep)
    {
        var current = Activity.Current;
        var begun = Start(name, sweep);
        Activity.Current = current;
        return begun;
    }

    /// <summary>What all spans of a sweep descend from.</summary>
    public static ActivityContext Root(string sweep)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(sweep), hash);
        // An id of zeros is none.
        if (BinaryPrimitives.ReadInt64LittleEndian(hash) == 0) hash[0] = 1;
        if (BinaryPrimitives.ReadInt64LittleEndian(hash[16..]) == 0) hash[16] = 1;
        return new ActivityContext(ActivityTraceId.CreateFromBytes(hash[..16]), ActivitySpanId.CreateFromBytes(hash[16..24]), ActivityTraceFlags.Recorded, isRemote: true);
    }
}
