using System.Net;
using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>Follows a sweep to its end, through whatever happens to the grid meanwhile: silos that end, and come back.</summary>
internal static class SweepFollow
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(8);

    /// <summary>Whether a grid that cannot be had now may be there in a while.</summary>
    public static bool IsAway(Exception e) => e is GridUnreachableException or HttpRequestException or IOException or OperationCanceledException
        || (e is GridProblemException { Status: HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout });

    /// <summary>
    /// Its events from the first on and its status whenever that changes, none twice. A grid that was found once and goes away is asked again until it is back, in waits of at most some
    /// seconds; one that never answered is an error.
    /// </summary>
    /// <param name="client">The grid.</param>
    /// <param name="id">The sweep.</param>
    /// <param name="tell">Is told once when the grid goes, and once when it is back.</param>
    /// <param name="stop">Ends it.</param>
    public static async IAsyncEnumerable<SweepNews> ToTheEnd(GridClient client, string id, Action<string> tell, [EnumeratorCancellation] CancellationToken stop)
    {
        var (next, found, wait) = (0L, false, FirstWait);
        long? awaySince = null;
        while (true)
        {
            Exception? away = null;
            var stream = client.Watch(id, next, stop).GetAsyncEnumerator(stop);
            await using (stream.ConfigureAwait(false))
            {
                while (true)
                {
                    try
                    {
                        if (!await stream.MoveNextAsync().ConfigureAwait(false)) yield break;
                    }
                    catch (Exception e) when (found && !stop.IsCancellationRequested && IsAway(e))
                    {
                        away = e;
                        break;
                    }
                    (found, wait) = (true, FirstWait);
                    if (awaySince is { } since) tell($"the grid answers again after {Say.Seconds(TimeProvider.System.GetElapsedTime(since).TotalSeconds)}");
                    awaySince = null;
                    if (stream.Current.Event is { } line) next = line.Sequence + 1;
                    yield return stream.Current;
                }
            }
            if (awaySince is null) tell($"the grid does not answer and is asked again until it does ({away.Message.TrimEnd('.')}); the sweep needs nobody who looks");
            awaySince ??= TimeProvider.System.GetTimestamp();
            await Task.Delay(wait, stop).ConfigureAwait(false);
            wait = TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, LongestWait.Ticks));
        }
    }
}
