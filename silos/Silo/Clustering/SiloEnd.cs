using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>
/// The end of a silo that may not live on: the others have declared it dead, or what it needs to be a member is gone. It says one sentence and ends at once, as a killed process would;
/// what it held is fenced off by its store, and whatever started it starts it anew.
/// </summary>
internal sealed partial class SiloEnd(ILogger<SiloEnd> log) : IFatalErrorHandler
{
    /// <summary>Exit code: not able.</summary>
    private const int Code = 3;

    private int _ended;

    public bool IsUnexpected(Exception exception) => exception is not ThreadInterruptedException;

    public void OnFatalException(object? sender = null, string? context = null, Exception? exception = null) =>
        Now(context is { } said && said.Contains("told I am dead", StringComparison.Ordinal)
            ? "The other silos have declared this one dead: it did not answer them for seconds (a stopped process, a cut network, a machine without a free core). It ends; start it again."
            : $"Orleans cannot go on ({context ?? sender?.ToString()}: {exception?.Message ?? "no reason given"}). This silo ends; start it again.");

    /// <summary>Ends the process from a thread of its own: whoever calls may hold what an orderly end would wait for.</summary>
    public void Now(string why)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0) return;
        LogEnds(log, why);
        new Thread(() =>
        {
            Thread.Sleep(200); // the log's own thread writes it
            Environment.Exit(Code);
        })
        { IsBackground = true }.Start();
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Why}")]
    private static partial void LogEnds(ILogger log, string why);
}
