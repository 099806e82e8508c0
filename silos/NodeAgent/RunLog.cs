using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Node;

/// <summary>A line of a node's run log.</summary>
/// <param name="AtUtc">When, by the wall clock.</param>
/// <param name="Process">Id of the process that serves the node.</param>
/// <param name="Host">The node.</param>
/// <param name="Devices">UUIDs of the device group.</param>
/// <param name="Trial">Which trial.</param>
/// <param name="Attempt">Of the order.</param>
/// <param name="Epoch">Of the order.</param>
/// <param name="What"><c>start</c> or <c>end</c>.</param>
/// <param name="Outcome">At the end, how it ended; <c>unknown</c> where the device was lost; null at the start.</param>
public sealed record RunLogLine(DateTimeOffset AtUtc, int Process, string Host, ImmutableArray<string> Devices, TrialId Trial, int Attempt, long Epoch, string What, string? Outcome);

/// <summary>
/// What the devices of this process really did, apart from anything that the grid keeps: one line of JSON for each trial that a device group
/// begins and one for its end, in a file that only grows. A trial without an end was under way when its process ended.
/// </summary>
public sealed partial class RunLog : INodeAgents, IDisposable
{
    private readonly INodeAgents _inner;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly FileStream _file;
    private readonly Lock _gate = new();

    /// <param name="inner">The agents whose trials are logged.</param>
    /// <param name="file">From <see cref="Open"/>; it is closed with this.</param>
    /// <param name="time">Of the lines.</param>
    /// <param name="log">Told when a line could not be written: the trial runs all the same.</param>
    public RunLog(INodeAgents inner, FileStream file, TimeProvider time, ILogger<RunLog> log) => (_inner, _file, _time, _log) = (inner, file, time, log);

    /// <summary>Opens a file to append to. Unbuffered: a line that was written survives the end of the process.</summary>
    public static FileStream Open(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);

    public INodeAgent? Find(string host) => _inner.Find(host) is { } agent ? new Logged(this, agent) : null;

    public void Dispose() => _file.Dispose();

    private void Write(TrialOrder order, string host, string what, string? outcome)
    {
        var line = new RunLogLine(_time.GetUtcNow(), Environment.ProcessId, host, order.Devices, order.Trial, order.Attempt, order.Epoch, what, outcome);
        byte[] bytes = [.. JsonSerializer.SerializeToUtf8Bytes(line, DocumentJson.Compact), (byte)'\n'];
        try
        {
            lock (_gate) _file.Write(bytes);
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException) // the latter is what .NET makes of EFBIG
        {
            LogNotWritten(_file.Name, $"{order.Trial}", e.Message);
        }
    }

    private sealed class Logged(RunLog log, INodeAgent agent) : INodeAgent
    {
        public string Host => agent.Host;

        public NodeInventory Inventory => agent.Inventory;

        public bool IsOpening => agent.IsOpening;

        public async Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop)
        {
            log.Write(order, Host, "start", null);
            var outcome = "unknown";
            try
            {
                var run = await agent.Run(order, report, stop).ConfigureAwait(false);
                outcome = JsonNamingPolicy.CamelCase.ConvertName($"{run.Result.Outcome}");
                return run;
            }
            finally
            {
                log.Write(order, Host, "end", outcome);
            }
        }

        public LatestReading Latest(string uuid) => agent.Latest(uuid);

        public IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop) => agent.Watch(uuid, hertz, stop);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run log {File} could not be written: {Reason}. Trial {Trial} runs without its line.")]
    private partial void LogNotWritten(string file, string trial, string reason);
}
