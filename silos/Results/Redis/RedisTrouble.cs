using EnergyGrid.Contracts;
using StackExchange.Redis;

namespace EnergyGrid.Results;

/// <summary>What Redis or the way to it says, as the one declared kind, in a sentence that a person can act on.</summary>
public static class RedisTrouble
{
    private const string Unknown = "whether what was asked took place is not known";

    /// <summary>Runs something on Redis, for at most so long.</summary>
    /// <exception cref="StorageTroubleException">It could not be done, or what is kept is damaged.</exception>
    public static async Task<T> Told<T>(IConnectionMultiplexer redis, TimeSpan patience, Func<Task<T>> work)
    {
        try
        {
            return await work().WaitAsync(patience).ConfigureAwait(false);
        }
        catch (RedisServerException e)
        {
            throw new StorageTroubleException(Of(e.Message, Place(redis)));
        }
        catch (RedisCommandException e)
        {
            // The client knows before it asks, for example that it would ask a replica.
            throw new StorageTroubleException($"Redis at {Place(redis)} cannot be asked for this; nothing was changed: {Words(e, redis)}.");
        }
        // Both time-outs, the client's and ours, are of this kind.
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            throw new StorageTroubleException($"Redis at {Place(redis)} does not answer: {Words(e, redis)}; {Unknown}. It goes on when Redis does.");
        }
        catch (InvalidDataException e)
        {
            throw new StorageTroubleException(e.Message);
        }
    }

    /// <summary>What the client says, in few words without a full stop: its own text is for whoever debugs it.</summary>
    /// <param name="error">What it threw.</param>
    /// <param name="redis">Whose: of a server that is gone it says, too, that it is no replica that could be written to, so the connection is asked.</param>
    public static string Words(Exception error, IConnectionMultiplexer redis)
    {
        var said = error.Message;
        bool Says(params ReadOnlySpan<string> codes)
        {
            foreach (var code in codes)
                if (said.Contains(code, StringComparison.OrdinalIgnoreCase)) return true;
            return false;
        }
        if (error is TimeoutException and not RedisTimeoutException) return "no answer in time";
        if (Says("NOAUTH", "WRONGPASS", "AuthenticationFailure")) return "it does not accept the name or the password";
        if (Says("OOM command")) return "it is full ('maxmemory' is reached)";
        if (Says("READONLY") || redis.GetServers() is { Length: > 0 } servers && Array.TrueForAll(servers, static s => s.IsConnected && s.IsReplica)) return "it is a read-only replica";
        if (Says("LOADING")) return "it is still reading its data";
        if (Says("MISCONF")) return "it cannot write to its disk";
        if (Says("NOPERM")) return "it does not allow its user to write";
        if (error is RedisConnectionException || Says("backlog", "no connection", "SocketClosed", "SocketFailure", "UnableToConnect")) return "there is no connection to it";
        if (error is RedisTimeoutException) return "no answer in time";
        return FirstSentence(said);
    }

    private static string Of(string said, string place)
    {
        bool Says(string code) => said.Contains(code, StringComparison.Ordinal);
        if (Says("OOM command not allowed")) return $"Redis is full ('maxmemory' of {place} is reached); nothing was changed. Give it more memory, or move ended sweeps out with 'energygrid sweep archive'.";
        if (Says("READONLY")) return $"Redis at {place} is a read-only replica; nothing was changed. Name its primary.";
        if (Says("LOADING")) return $"Redis at {place} is still reading its data; nothing was changed. It goes on by itself.";
        if (Says("MISCONF")) return $"Redis at {place} cannot write to its disk and takes nothing more; nothing was changed: {said}";
        if (Says("NOAUTH") || Says("WRONGPASS")) return $"Redis at {place} does not accept the name or the password; nothing was changed: {said}";
        if (Says("NOPERM")) return $"Redis at {place} does not allow its user what results need; nothing was changed: {said}";
        if (Says("BUSY")) return $"Redis at {place} is busy with another script; nothing was changed: {said}";
        return $"Redis at {place} refused: {said}";
    }

    private static string Place(IConnectionMultiplexer redis) => string.Join(", ", redis.GetEndPoints().Select(e => EndPointCollection.ToString(e)));

    // The rest of what the client says is for whoever debugs it.
    private static string FirstSentence(string text)
    {
        var end = text.AsSpan().IndexOfAny(';', ',', '\n');
        return (end < 0 ? text : text[..end]).TrimEnd('.', ' ');
    }
}
