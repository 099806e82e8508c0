using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Metrology;
using EnergyGrid.Stacks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Node;

/// <summary>All nodes that this process serves, and the facility meters that it reads.</summary>
public sealed class NodeAgents : INodeAgents
{
    private readonly Dictionary<string, NodeAgent> _agents = [];
    private readonly List<FacilityAgent> _facilities = [];

    /// <exception cref="ArgumentException">Two nodes of one name.</exception>
    public NodeAgents(IEnumerable<NodeAgent> agents, IEnumerable<FacilityAgent>? facilities = null)
    {
        foreach (var agent in agents)
            if (!_agents.TryAdd(agent.Host, agent)) throw new ArgumentException($"Two nodes are named {agent.Host}.");
        _facilities.AddRange(facilities ?? []);
    }

    public IReadOnlyCollection<NodeAgent> All => _agents.Values;

    public INodeAgent? Find(string host) => _agents.GetValueOrDefault(host);

    /// <summary>Serves all of them until stopped.</summary>
    public Task Serve(IGrainFactory grains, CancellationToken stop) =>
        Task.WhenAll([.. _agents.Values.Select(a => a.Serve(grains, stop)), .. _facilities.Select(f => f.Serve(grains, stop))]);
}

/// <summary>Reads a facility's meters and tells its site.</summary>
public sealed class FacilityAgent
{
    private readonly string _site;
    private readonly TimeProvider _time;
    private readonly NodeAgentOptions _options;
    private readonly MeterSampler[] _meters;
    private readonly double _clockErrorSeconds;
    private readonly ToldWindows _told;
    private List<PowerWindow> _unsent = [];

    /// <param name="site">Whose.</param>
    /// <param name="meters">Of kind <see cref="SourceKind.FacilityInput"/>.</param>
    /// <param name="time">Their time.</param>
    /// <param name="clockErrorSeconds">How far their stamps may be from UTC, s.</param>
    /// <param name="options">The pace; by the scale of time when null.</param>
    public FacilityAgent(string site, IEnumerable<IMeter> meters, TimeProvider time, double clockErrorSeconds = 0, NodeAgentOptions? options = null)
    {
        (_site, _time, _clockErrorSeconds) = (site, time, clockErrorSeconds);
        _options = options ?? NodeAgentOptions.For(time);
        _meters = [.. meters.Select(m => new MeterSampler(m))];
        _told = new ToldWindows(_options.RememberedSeconds);
    }

    /// <summary>Reads and reports once a tick; what the site did not take is said again.</summary>
    public async Task Serve(IGrainFactory grains, CancellationToken stop)
    {
        var site = grains.GetGrain<ISiteGrain>(_site);
        var announced = false;
        for (var tick = 0L; !stop.IsCancellationRequested; tick++)
        {
            foreach (var meter in _meters)
            {
                meter.Pump(_clockErrorSeconds);
                meter.Take(_unsent, _time.UtcNowNanoseconds());
            }
            if (_unsent.Count > 0)
            {
                try
                {
                    if (!announced || tick % NodeAgentOptions.AnnounceTicks == 0) await Announce();
                    announced = true;
                    var answer = await site.ReportFacility(new FacilityReport(_site, [.. _unsent]));
                    if (answer.WantsInventory)
                    {
                        await Announce();
                        await site.ReportFacility(new FacilityReport(_site, [.. _unsent]));
                    }
                    if (_told.MustTellAgain(answer)) await site.ReportFacility(new FacilityReport(_site, [.. _told.All]));
                    _told.Knows(answer);
                    _told.Add(_unsent);
                    _unsent = [];
                }
                catch (Exception)
                {
                    // Unknown whether it came through; windows replace, so they are said again. The bound keeps the newest.
                    if (_unsent.Count > _options.MostUnsentWindows) _unsent.RemoveRange(0, _unsent.Count - _options.MostUnsentWindows);
                }
            }
            await Task.Delay(Beat.Wait(_time.GetUtcNow(), TimeSpan.FromSeconds(_options.TickSeconds), Beat.Of(_site)), _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        async Task Announce() => await site.AnnounceFacility([.. _meters.Select(m => m.Meter.Info)]);
    }
}

/// <summary>What <see cref="NodeAgentRegistration.AddNodeAgents"/> serves.</summary>
public sealed class NodeAgentsBuilder
{
    internal List<(INode Node, TimeProvider Time)> Nodes { get; } = [];

    internal List<FacilityAgent> Facilities { get; } = [];

    /// <summary>Serving engines that may run on the machine's own node; simulated ones run none.</summary>
    public ServingStacks Stacks { get; set; } = ServingStacks.None;

    /// <summary>A node under its own time.</summary>
    public NodeAgentsBuilder AddNode(INode node, TimeProvider time)
    {
        Nodes.Add((node, time));
        return this;
    }

    /// <summary>A simulated site with its facility meter; its time may be scaled.</summary>
    public NodeAgentsBuilder AddSimulatedSite(SimulatedSiteOptions options, TimeProvider time)
    {
        var site = SimulatedSite.Create(options, time);
        foreach (var node in site.Nodes) AddNode(node, time);
        Facilities.Add(new FacilityAgent(site.Name, [site.Facility], time, options.Defects.ClockErrorSeconds));
        return this;
    }

    /// <summary>A facility's own meters.</summary>
    public NodeAgentsBuilder AddFacility(string site, IEnumerable<IMeter> meters, TimeProvider time)
    {
        Facilities.Add(new FacilityAgent(site, meters, time));
        return this;
    }
}

/// <summary>Registration with a host.</summary>
public static class NodeAgentRegistration
{
    /// <summary>Registers <see cref="NodeAgents"/> as <see cref="INodeAgents"/> and a hosted service that serves them. Register it after Orleans: it calls grains.</summary>
    public static IServiceCollection AddNodeAgents(this IServiceCollection services, Action<NodeAgentsBuilder> configure)
    {
        services.AddSingleton(provider =>
        {
            var builder = new NodeAgentsBuilder();
            configure(builder);
            var log = provider.GetService<ILoggerFactory>()?.CreateLogger<NodeAgent>();
            return new NodeAgents(builder.Nodes.Select(n => new NodeAgent(n.Node, n.Time, log: log, stacks: n.Node is LocalNode ? builder.Stacks : null)), builder.Facilities);
        });
        services.AddSingleton<INodeAgents>(provider => provider.GetRequiredService<NodeAgents>());
        services.AddHostedService<NodeAgentsService>();
        return services;
    }

    private sealed class NodeAgentsService(NodeAgents agents, IGrainFactory grains) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => agents.Serve(grains, stoppingToken);
    }
}
