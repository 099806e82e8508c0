using EnergyGrid.Benchmarks;
using EnergyGrid.Benchmarks.Streams;

// Usage: Benchmarks [--quick] [calls|integration|workloads|cross-stack|streams|worker|grid|cluster|silos]...   One figure a line, with its unit.
if (args is [PacedProcess.Argument])
{
    PacedServer.Run();
    return 0;
}

var quick = args.Contains("--quick");
var named = args.Where(a => !a.StartsWith('-')).ToArray();
var all = new (string Name, Func<Task> Run)[]
{
    ("calls", () => CallBenchmark.Run(quick)),
    ("integration", () => { IntegrationBenchmark.Run(quick); return Task.CompletedTask; }),
    ("workloads", () => { WorkloadBenchmark.Run(quick); return Task.CompletedTask; }),
    ("cross-stack", () => { CrossStackBenchmark.Run(quick); return Task.CompletedTask; }),
    ("streams", () => StreamsBenchmark.Run(quick)),
    ("worker", () => { WorkerBenchmark.Run(quick); return Task.CompletedTask; }),
    ("grid", () => GridBenchmark.Run(quick)),
    ("cluster", () => ClusterBenchmark.Run(quick)),
    ("silos", () => ClusterBenchmark.RunSilos(quick)),
};
if (named.FirstOrDefault(n => all.All(a => a.Name != n)) is { } unknown)
{
    Console.Error.WriteLine($"There is no benchmark '{unknown}'; there are {string.Join(", ", all.Select(a => a.Name))}.");
    return 2;
}
Console.WriteLine($"machine: {Environment.ProcessorCount} cores, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}, .NET {Environment.Version}{(quick ? ", short" : "")}");
foreach (var (name, run) in all.Where(a => named.Length == 0 || named.Contains(a.Name)))
{
    Console.WriteLine($"-- {name}");
    await run();
}
return 0;
