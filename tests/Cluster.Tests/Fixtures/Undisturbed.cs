using System.Collections.Concurrent;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>What a sweep comes to where nothing happens: one silo without a server, with as many devices.</summary>
internal static class Undisturbed
{
    private static readonly ConcurrentDictionary<(int Devices, int Passes), Lazy<Task<string>>> Known = new();

    /// <summary>The structure of its matrix.</summary>
    public static Task<string> Structure(int devices, int passes) => Known.GetOrAdd((devices, passes), k => new(() => Run(k.Devices, k.Passes))).Value;

    /// <summary>All of a matrix that does not hang on sensor noise and on when a trial ran.</summary>
    public static string Structure(Matrix matrix) => string.Join('\n',
        matrix.Groups.SelectMany(g => g.Rows.Select(r => $"{g.Name} {g.Baseline} {r.Label} {r.ConfigurationSha256} passes {r.Passes} devices {r.Devices} {r.Provenance} aa {g.Repeatability is not null}"))
            .Append($"{matrix.PlanSha256} {matrix.Complete} {matrix.Provenance}"));

    private static async Task<string> Run(int devices, int passes)
    {
        using var scratch = new Scratch();
        string[] alone = ["--no-local", "--gpus", "none", "--simulate", string.Create(CultureInfo.InvariantCulture, $"1x{devices / 2}x2"), "--time-scale", "400"];
        await using var silo = new SiloProcess(new("alone", scratch["alone"], "127.0.0.1", alone, new Dictionary<string, string>()));
        await silo.Start();
        await Patience.Until(async () => await Patience.Ask(() => silo.Client.Submit(SweepPlan.Of(devices, passes), "s")) is not null, "the undisturbed sweep is taken", 60, () => silo.Log);
        SweepStatus? status = null;
        await Patience.Until(async () => (status = await Patience.Ask(() => silo.Client.Sweep("s"))) is { HasEnded: true }, "the undisturbed sweep ends", 120, () => $"{status}\n{silo.Log}");
        if (status!.Phase != SweepPhase.Finished) throw new InvalidOperationException($"The undisturbed sweep: {status}");
        return Structure(await silo.Client.Matrix("s"));
    }
}
