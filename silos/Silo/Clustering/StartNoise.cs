using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>What Orleans and Redis' client say at every start, or say with a stack trace where this product says a sentence.</summary>
internal static class StartNoise
{
    public static void QuietStart(this ILoggingBuilder logging)
    {
        // "not running with ServerGC": a silo shares its machine with what is measured, and the workstation collector keeps it small.
        logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error);
        // "Participant check thread has not completed for 00:21:08": the uptime of the machine, from a time stamp that is not yet set.
        logging.AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
        // A handshake that failed: SiloTls says whose certificate and why.
        logging.AddFilter("Orleans.Connections.Security", LogLevel.Error);
    }
}
