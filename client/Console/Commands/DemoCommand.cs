using System.CommandLine;
using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Console;

/// <summary><c>demo</c>: a whole grid in this process, two sweeps, two matrices, two reports.</summary>
internal static class DemoCommand
{
    /// <summary>Simulated seconds in one second of the wall clock: the trials of table3 come to some hours of device time.</summary>
    private const double DefaultScale = 400;

    private static readonly string[] PlanNames = ["table3.yaml", "this-machine.yaml"];

    public static Command Make()
    {
        var into = new Option<string?>("--out") { Description = "Directory of state and results; a new temporary one if not said.", HelpName = "DIR" };
        var scale = new Option<double>("--time-scale") { Description = "Simulated seconds in one second.", HelpName = "N", DefaultValueFactory = _ => DefaultScale };
        var command = new Command("demo", "Sweeps the paper's Table 3 on a simulated site, and on this machine our reference against llama.cpp, in under two minutes.") { into, scale };
        command.SetAction((parsed, stop) => Run(GridCommand.Screen(parsed), parsed.GetValue(into), parsed.GetValue(scale), stop));
        return command;
    }

    private static async Task<int> Run(Screen screen, string? into, double scale, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        if (!(scale is >= 1 and <= 10_000)) throw new CommandException(ExitCodes.Usage, "--time-scale is from 1 to 10000.");
        var directory = into is null ? Directory.CreateTempSubdirectory("energygrid-demo-").FullName : Path.GetFullPath(into);
        // Results of a sweep would be spoilt by a grid's state among them; an earlier demo's directory is gone on with.
        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any() && !Directory.Exists(Path.Combine(directory, "state")))
            throw new CommandException(ExitCodes.Usage, $"{directory} is there already, not empty, and no demo's; name a new directory with --out.");
        var site = new SimulatedSiteChoice(TimeScale: scale);
        await using var app = SiloHost.Build(new SiloOptions
        {
            Name = "demo",
            DataDirectory = directory,
            Url = "http://127.0.0.1:0",
            Simulated = site,
            LocalCpu = true,
            LogLevel = LogLevel.Critical,
        });
        await SiloHost.StartAsync(app, stop);
        using var client = new GridClient(SiloHost.AddressOf(app));
        var devices = await Ready(client, (site.Racks * site.NodesPerRack * site.GpusPerNode) + 1, stop);
        if (!screen.Json)
        {
            screen.Say($"grid at {client.Address}");
            foreach (var line in Equipment.Lines(devices.Select(d => d.Device))) screen.Say($"  {line}");
            screen.Say("");
        }
        var code = ExitCodes.Ok;
        foreach (var name in PlanNames)
        {
            // One after the other: what runs for real on this machine must not share it with a busy simulation.
            var load = new MachineLoad();
            var (text, without) = Without(PlanText(name));
            if (without is not null && !screen.Json) screen.Say($"{name} without llama.cpp: {without}.");
            var id = (await client.Submit(text, null, stop)).Id;
            var ended = await new SweepBoard(client, screen, [id]).Run(stop);
            var others = load.OthersShare;
            var matrix = await WatchCommand.MatrixOf(client, id, stop);
            code = Worse(code, WatchCommand.Code(ended[id], matrix));
            var results = Path.Combine(directory, "results", id);
            if (screen.Json)
            {
                screen.Line(new { sweep = id, results, report = Path.Combine(results, "report.html"), matrix });
                continue;
            }
            screen.Say("");
            screen.Say($"== {id}");
            if (matrix is null) screen.Say("no matrix: no pass was completed.");
            else MatrixCommand.Show(matrix, screen, others);
            screen.Say($"results  {results}");
            screen.Say($"report   {Path.Combine(results, "report.html")}");
        }
        if (!screen.Json) Close(screen, devices, directory, clock.Elapsed);
        await app.StopAsync(CancellationToken.None);
        return code;
    }

    private static void Close(Screen screen, IReadOnlyList<DeviceLine> devices, string directory, TimeSpan took)
    {
        screen.Say("");
        screen.Say("The simulated site's figures are MODELLED: an energy model of the device behind real sensor defects, in scaled time. They show the method, not a GPU.");
        foreach (var cpu in devices.Select(d => d.Device).Where(d => d.Kind == DeviceKind.Cpu))
            screen.Say(cpu.EnergyProvenance == Provenance.Measured
                ? $"This machine's decode steps really ran, and their energy is MEASURED ({cpu.EnergySource})."
                : $"This machine's decode steps really ran (times and rates are measured); their energy is MODELLED ({cpu.EnergySource}). 'energygrid doctor' says what would measure it.");
        screen.Say($"All of it is in {directory}; 'energygrid verify DIR' checks a sweep's directory. {took.TotalSeconds:0} s.");
    }

    /// <summary>Waits until all devices have announced themselves.</summary>
    private static async Task<IReadOnlyList<DeviceLine>> Ready(GridClient client, int expected, CancellationToken stop)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                var devices = await client.Devices(stop);
                if (devices.Count(d => d.Up) >= expected) return devices;
            }
            catch (GridProblemException e) when ((int)e.Status == 503)
            {
                // It has just started.
            }
            if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(20)) throw new CommandException(ExitCodes.Failed, "the demo's devices did not announce themselves within 20 s.");
            await Task.Delay(100, stop);
        }
    }

    /// <summary>A plan that is part of this program: <c>client/plans</c>, embedded.</summary>
    private static string PlanText(string name)
    {
        using var stream = typeof(DemoCommand).Assembly.GetManifestResourceStream($"plans/{name}") ?? throw new InvalidOperationException($"The plan {name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // Where llama.cpp cannot be had, the sweep runs without it, and says so.
    private static (string Text, string? Without) Without(string plan)
    {
        const string cell = "stack: llama.cpp";
        return plan.Contains(cell, StringComparison.Ordinal) && LlamaLibrary.Missed() is { } missed
            ? (string.Join('\n', plan.Split('\n').Where(line => !line.Contains(cell, StringComparison.Ordinal))), missed)
            : (plan, null);
    }

    private static int Worse(int a, int b) => a == ExitCodes.Ok ? b : a;
}
