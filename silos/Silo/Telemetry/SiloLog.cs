using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace EnergyGrid.Silo;

/// <summary>
/// What a silo says on standard error: a line is a sentence. What went wrong inside Orleans, and in Polly that it uses, stands there only with <c>--verbose</c>; what it means for the grid is said by
/// <see cref="ClusterWatch"/> and by the parts that it happened to.
/// </summary>
internal static class SiloLog
{
    private const string Format = "sentences";

    public static void AddSiloLog(this ILoggingBuilder logging, LogLevel level)
    {
        logging.ClearProviders();
        logging.AddConsole(o =>
        {
            o.FormatterName = Format;
            // Standard output belongs to the command that runs the silo.
            o.LogToStandardErrorThreshold = LogLevel.Trace;
        });
        logging.AddConsoleFormatter<Sentences, SentencesOptions>(o => o.WithTraces = IsVerbose(level));
        logging.SetMinimumLevel(level);
        if (IsVerbose(level)) return;
        // The storages' names are those under which Orleans tells of trouble with state, which whoever writes it tells better.
        foreach (var category in (string[])["Orleans", "Microsoft.Orleans", typeof(DeclaredStorage).FullName!, typeof(FileGrainStorage).FullName!, "Polly", "Microsoft.Hosting", "Microsoft.Extensions.Hosting"]) logging.AddFilter(category, level > LogLevel.Critical ? level : LogLevel.Critical);
    }

    private static bool IsVerbose(LogLevel level) => level <= LogLevel.Information;

    internal sealed class SentencesOptions : ConsoleFormatterOptions
    {
        /// <summary>Whether an exception is written with its stack trace.</summary>
        public bool WithTraces { get; set; }
    }

    /// <summary>
    /// Time, level, sentence; an exception adds what it says, and where it came from only if that was asked for. What a line quotes may come from anybody who can send a request: it is cleaned.
    /// </summary>
    internal sealed class Sentences(IOptions<SentencesOptions> options) : ConsoleFormatter(Format)
    {
        public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
        {
            var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
            textWriter.Write($"{TimeProvider.System.GetUtcNow():HH:mm:ss}Z {LevelName(logEntry.LogLevel)}: ");
            if (options.Value.WithTraces) textWriter.Write($"{logEntry.Category}: ");
            var traced = options.Value.WithTraces;
            textWriter.Write(Unprintable.Clean(traced ? message : message.ReplaceLineEndings(" "), lines: traced));
            if (logEntry.Exception is { } error) textWriter.Write(Unprintable.Clean(traced ? $"\n{error}" : $" ({FaultText.Of(error)})", lines: traced));
            textWriter.WriteLine();
        }

        private static string LevelName(LogLevel level) => level switch
        {
            LogLevel.Critical => "fatal",
            LogLevel.Error => "error",
            LogLevel.Warning => "warning",
            LogLevel.Information => "info",
            _ => "debug",
        };
    }
}
