using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>A silo on a free loopback port whose grains and results are in memory and do what a test says. It counts the grain calls.</summary>
public sealed class FakeGrid : IAsyncDisposable
{
    public const string ViewerToken = "viewer-token";
    public const string OperatorToken = "operator-token";
    private readonly WebApplication _app;
    private readonly string _directory = Directory.CreateTempSubdirectory("energygrid-api-").FullName;

    private FakeGrid(bool withTokens, bool withLog, IPlanDesk? desk)
    {
        var tokens = Path.Combine(_directory, "tokens");
        File.WriteAllText(tokens, $"# who may what\n{Hash(ViewerToken)} viewer vera\n{{\"tokenSha256\":\"{Hash(OperatorToken)}\",\"role\":\"operator\",\"name\":\"otto\"}}\n");
        _app = SiloHost.Build(new SiloOptions
        {
            Name = "test",
            DataDirectory = _directory,
            Url = "http://127.0.0.1:0",
            TokenFile = withTokens ? tokens : null,
            WithParts = false,
            LogLevel = withLog ? LogLevel.Warning : LogLevel.None,
            Services = services =>
            {
                services.AddSingleton(FakeFactory.Of(this));
                services.AddSingleton<IResultFiles>(Results);
                services.AddSingleton<IResultStore>(Results);
                services.AddSingleton<IResultRetention>(Results);
                services.AddSingleton(desk ?? new FakeDesk());
                if (withLog) services.AddSingleton<ILoggerProvider>(new Listener(Log));
            },
        });
    }

    public ConcurrentDictionary<string, FakeSweep> Sweeps { get; } = new(StringComparer.Ordinal);
    public FakeResults Results { get; } = new();
    public ImmutableList<NodeStanding> Nodes { get; set; } = [new(new("n1", "lab", "r1", [Device], []), true, DateTimeOffset.UnixEpoch)];
    public SiteView SiteView { get; set; } = View;
    public Exception? SiteFault { get; set; }
    public Exception? InventoryFault { get; set; }
    public Exception? SubmitFault { get; set; }
    public ConcurrentDictionary<string, int> Calls { get; } = new(StringComparer.Ordinal);
    public ConcurrentQueue<TaskCompletionSource<PowerSample>> PowerSteps { get; } = new();
    public ConcurrentQueue<string> Log { get; } = new();

    public Uri Address => SiloHost.AddressOf(_app);

    public IServiceProvider Services => _app.Services;

    /// <param name="withTokens">Whether callers need one of the tokens.</param>
    /// <param name="before">What is there before the silo starts.</param>
    /// <param name="withLog">Whether warnings and errors are kept in <see cref="Log"/>.</param>
    /// <param name="desk">What reads plans; null for one that takes any text.</param>
    public static async Task<FakeGrid> Start(bool withTokens = false, Action<FakeGrid>? before = null, bool withLog = false, IPlanDesk? desk = null)
    {
        var grid = new FakeGrid(withTokens, withLog, desk);
        before?.Invoke(grid);
        await SiloHost.StartAsync(grid._app);
        using var client = grid.Client(withTokens ? OperatorToken : null);
        for (var i = 0; ; i++)
        {
            try
            {
                await client.Sites();
                return grid;
            }
            catch (GridProblemException e) when ((int)e.Status == 503 && i < 3000)
            {
                await Task.Delay(10);
            }
        }
    }

    public GridClient Client(string? token = null) => new(Address, token);

    public HttpClient Http(string? token = null)
    {
        var http = new HttpClient { BaseAddress = Address };
        if (token is not null) http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return http;
    }

    public FakeSweep Add(string id, SweepPhase phase = SweepPhase.Running)
    {
        var sweep = new FakeSweep(this, id) { Phase = phase, PlanText = "name: " + id };
        Sweeps[id] = sweep;
        return sweep;
    }

    public void Count(string what) => Calls.AddOrUpdate(what, 1, (_, n) => n + 1);

    public static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    public static DeviceInfo Device { get; } = new("n1", "gpu-0", "H100-SXM-80GB", DeviceKind.Simulated, "lab", "r1", 0, 8e10, 3.35e12, Provenance.Modelled,
        989e12, 700, 700, "sim 1", "simulated counter", Provenance.Modelled);

    public static SiteView View { get; } = new("lab", 1_700_000_000, 5000, 6000, 1.2, null, 1, 1e6, 10, 0, [new("rack", 100, 98)], [new("lab/r1", 5000, 1, 1, 0)], [], Provenance.Modelled);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed class Listener(ConcurrentQueue<string> log) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => log.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }

    private sealed class FakeDesk : IPlanDesk
    {
        public string Schema => "{\"title\":\"EnergyGrid plan\"}";

        public PlanVerdict Check(string text, string file, IReadOnlyCollection<DeviceInfo>? devices) => text.Contains("faulty", StringComparison.Ordinal)
            ? new(null, [new(file, 3, 7, "trial.window_s", "-1 is negative", "seconds above 0")])
            : new(Plan(text.Trim()), []);

        private static ResolvedPlan Plan(string name) => new(name, "", new("none", "none", 100, "mean", "decode", "closed", "one", Boundary.Gpu), new("H100-SXM-80GB", null, null), [],
            [], [], new(5, 5, 0.05), Fill.Device, 1, new(1, 2, 3, 4, null, null, 5), new(0.9, 1, 0.1, 0.03), 0.01, null, null, null, "none", new string('0', 64));
    }
}

/// <summary>An <c>IGrainFactory</c> whose other members nobody calls.</summary>
public class FakeFactory : DispatchProxy
{
    private FakeGrid _grid = null!;

    public static IGrainFactory Of(FakeGrid grid)
    {
        var proxy = Create<IGrainFactory, FakeFactory>();
        ((FakeFactory)(object)proxy)._grid = grid;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var (face, key) = (targetMethod!.GetGenericArguments()[0], (string)args![0]!);
        if (face == typeof(ISweepGrain)) return _grid.Sweeps.TryGetValue(key, out var sweep) ? sweep : new FakeSweep(_grid, key);
        if (face == typeof(INodeGrain)) return new Console.FakeNode(_grid, key);
        return new FakeNamedGrain(_grid, key);
    }
}

/// <summary>Every grain but the sweep.</summary>
public sealed class FakeNamedGrain(FakeGrid grid, string key) : IInventoryGrain, ISiteGrain, IGpuGrain, ISweepIndexGrain
{
    public Task<ImmutableArray<NodeStanding>> Nodes()
    {
        grid.Count("nodes");
        return grid.InventoryFault is { } fault ? Task.FromException<ImmutableArray<NodeStanding>>(fault) : Task.FromResult<ImmutableArray<NodeStanding>>([.. grid.Nodes]);
    }

    public Task<ImmutableArray<NodeInventory>> InRack(string site, string rack) => Task.FromResult<ImmutableArray<NodeInventory>>([.. grid.Nodes.Select(n => n.Inventory)]);

    public Task<bool> Forget(string host)
    {
        if (grid.Nodes.FirstOrDefault(n => n.Inventory.Host == host) is not { } node) return Task.FromResult(false);
        if (node.Up) throw new RefusedException($"Host '{host}' is up.");
        grid.Nodes = grid.Nodes.Remove(node);
        return Task.FromResult(true);
    }

    public ValueTask<SiteView> View()
    {
        grid.Count("view");
        return grid.SiteFault is { } fault ? ValueTask.FromException<SiteView>(fault) : ValueTask.FromResult(grid.SiteView);
    }

    public ValueTask<FacilityAccount?> Account(long fromWindow, long toWindow) => throw new NotSupportedException();

    public ValueTask<FacilityRatio?> Ratio(long fromWindow, long toWindow) => ValueTask.FromResult<FacilityRatio?>(
        fromWindow < 100 ? null : new("ipue", 1.2, null, null, 3, fromWindow, toWindow, 12, 10, 1, 1, [], [], Provenance.Modelled, "ISO/IEC 30134-2:2016"));

    public Task<GpuStatus> Status()
    {
        grid.Count("gpu");
        return Task.FromResult(new GpuStatus(key, "1", "", "", null, TrialPhase.Idle, 0, 0, 120, 40, OrderEnd.None, null, "", []));
    }

    public async IAsyncEnumerable<PowerSample> WatchPower(double hertz, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        grid.Count("watch");
        try
        {
            while (grid.PowerSteps.TryDequeue(out var step)) yield return await step.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            grid.Count("unwatch");
        }
    }

    public Task<ImmutableArray<SweepLine>> List()
    {
        grid.Count("list");
        return Task.FromResult<ImmutableArray<SweepLine>>([.. grid.Sweeps.Values.Select(s => new SweepLine(s.Id, s.Id, DateTimeOffset.UnixEpoch, s.Now().HasEnded))]);
    }

    public Task Announce(NodeInventory node) => Task.CompletedTask;
    public ValueTask Announce(string rack) => ValueTask.CompletedTask;
    public ValueTask<ReportAnswer> Report(RackReport report) => ValueTask.FromResult(new ReportAnswer(false, 1));
    public ValueTask AnnounceFacility(ImmutableArray<MeterInfo> meters) => ValueTask.CompletedTask;
    public ValueTask<ReportAnswer> ReportFacility(FacilityReport report) => ValueTask.FromResult(new ReportAnswer(false, 1));
    public Task<GpuStatus> Start(TrialOrder order) => Status();
    public Task<bool> Stop(string order) => Task.FromResult(false);
    public Task Yield(long epoch) => Task.CompletedTask;
    public Task Add(SweepLine line) => Task.CompletedTask;
    public Task End(string id) => Task.CompletedTask;

    public Task Remove(string id) => throw new NotSupportedException();
}

/// <summary>A sweep that does what a test says.</summary>
public sealed class FakeSweep(FakeGrid grid, string id) : ISweepGrain
{
    public string Id => id;
    public SweepPhase Phase { get; set; }
    public string Reason { get; set; } = "";
    public string Waiting { get; set; } = "";
    public string? PlanText { get; set; }
    public Exception? Fault { get; set; }

    public SweepStatus Now() => new(id, id, Phase, Reason, 10, 4, 3, 1, 0, 1, Waiting.Length > 0 ? double.NaN : 12, [], DateTimeOffset.UnixEpoch,
        Phase >= SweepPhase.Finished ? DateTimeOffset.UnixEpoch : null, Waiting);

    public Task<SweepStatus> Submit(string planText, string submittedBy, int priority)
    {
        if (planText.Contains("nobody-has", StringComparison.Ordinal)) throw new RefusedException("No device is of class nobody-has.");
        if (grid.SubmitFault is { } fault) return Task.FromException<SweepStatus>(fault);
        var kept = grid.Sweeps.GetOrAdd(id, this);
        if (kept != this) return kept.Submit(planText, submittedBy, priority);
        // As a grain does: one submission after the other.
        lock (this)
        {
            if (PlanText is not null && PlanText != planText) throw new RefusedException($"Sweep '{id}' exists with another plan: submit under another id.");
            PlanText = planText;
            Reason = $"by {submittedBy}";
            return Task.FromResult(Now());
        }
    }

    public Task<SweepStatus> Status()
    {
        grid.Count("status");
        return Fault is { } fault ? Task.FromException<SweepStatus>(fault) : Task.FromResult(Now());
    }

    public Task<SweepStatus> Pause(string reason) => Turn(SweepPhase.Paused, reason);
    public Task<SweepStatus> Resume() => Phase == SweepPhase.Paused ? Turn(SweepPhase.Running, "") : throw new RefusedException($"Sweep '{id}' is not paused.");
    public Task<SweepStatus> Cancel(string reason) => Turn(SweepPhase.Cancelled, reason);

    public Task Wake()
    {
        grid.Count("wake " + id);
        return Task.CompletedTask;
    }

    public Task Told(GroupReport report) => Task.CompletedTask;

    public Task Forget() => throw new NotSupportedException();

    private Task<SweepStatus> Turn(SweepPhase phase, string reason)
    {
        (Phase, Reason) = (phase, reason);
        return Task.FromResult(Now());
    }
}

/// <summary>Results in memory.</summary>
public sealed class FakeResults : IResultFiles, IResultStore, IResultRetention
{
    public ConcurrentDictionary<(string Sweep, string Name), byte[]> All { get; } = new();
    public ConcurrentDictionary<string, ImmutableList<SweepEvent>> Journal { get; } = new();
    public ConcurrentDictionary<string, Manifest> Manifests { get; } = new();

    /// <summary>What reading a file does instead.</summary>
    public Exception? Fault { get; set; }

    public void Tell(string sweep, string kind, string text) =>
        Journal.AddOrUpdate(sweep, _ => [new(0, DateTimeOffset.UnixEpoch, kind, text)], (_, old) => old.Add(new(old.Count, DateTimeOffset.UnixEpoch, kind, text)));

    public Task<ImmutableArray<ResultFile>> Files(string sweep, CancellationToken stop = default) =>
        Task.FromResult<ImmutableArray<ResultFile>>([.. All.Where(f => f.Key.Sweep == sweep).Select(f => new ResultFile(f.Key.Name, f.Value.Length))]);

    public Task<Stream?> Open(string sweep, string name, CancellationToken stop = default) =>
        Fault is { } fault ? Task.FromException<Stream?>(fault) : Task.FromResult<Stream?>(All.TryGetValue((sweep, name), out var bytes) ? new MemoryStream(bytes) : null);

    public Task<Matrix?> Matrix(string sweep, CancellationToken stop = default) => Task.FromResult<Matrix?>(null);
    public Task<Manifest?> Manifest(string sweep, CancellationToken stop = default) => Task.FromResult(Manifests.GetValueOrDefault(sweep));

    public Task<ImmutableArray<SweepEvent>> Events(string sweep, long from, CancellationToken stop = default) =>
        Task.FromResult<ImmutableArray<SweepEvent>>([.. Journal.GetValueOrDefault(sweep, []).Skip((int)from)]);

    public Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default) => Task.CompletedTask;
    public Task<string> Take(string sweep, Fence writer, CancellationToken stop = default) => Task.FromResult("");
    public Task Register(string sweep, Fence writer, string order, CancellationToken stop = default) => Task.CompletedTask;
    public Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop = default) => Task.FromResult(CommitAnswer.Committed);
    public Task<ImmutableArray<TrialResult>> Results(string sweep, int from = 0, CancellationToken stop = default) => Task.FromResult<ImmutableArray<TrialResult>>([]);
    public Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop = default) => throw new InvalidOperationException();
    public Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop = default) => throw new InvalidOperationException();
    public Task<ImmutableArray<string>> Sweeps(CancellationToken stop = default) => throw new InvalidOperationException();
    public Task Remove(string sweep, string manifestSha256, CancellationToken stop = default) => throw new InvalidOperationException();
    public Task<Manifest> Adopt(string directory, CancellationToken stop = default) => throw new InvalidOperationException();
}
