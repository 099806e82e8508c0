using System.Diagnostics;
using EnergyGrid.HostileEngine;

// A serving engine for tests: decent without a fault, and with one wrong in just that way.
EngineOptions options;
try
{
    options = EngineOptions.Parse(args);
}
catch (FormatException e)
{
    Console.Error.WriteLine($"{e.Message}\nUsage: {EngineOptions.Usage}");
    return 2;
}

if (options.Has(Fault.DiesAtStart))
{
    Console.Error.WriteLine("loading the model …");
    Console.Error.WriteLine("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 130.00 GiB");
    return 1;
}

if (options.Has(Fault.ForkChildren))
{
    // A signal that is ignored stays so in what is started: neither the shells nor the sleep take SIGTERM.
    const string Script = "trap '' TERM; echo child $$; sh -c 'echo child $$; sleep 600 & echo child $!; wait' & wait";
    Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Script]))!.Dispose();
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
using var engine = new Engine(options, TimeProvider.System);
Console.WriteLine($"listening on http://{engine.Start()}/");
try
{
    await engine.Serve(stop.Token);
}
catch (OperationCanceledException)
{
    // Asked to.
}

return 0;
