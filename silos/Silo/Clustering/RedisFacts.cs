using System.Collections.Immutable;
using System.Globalization;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>What a Redis says of itself, as far as it may be asked. Null where it did not say.</summary>
/// <param name="Role"><c>master</c>, or <c>slave</c> for a replica.</param>
/// <param name="AppendOnly">Whether it keeps an append-only file.</param>
/// <param name="AppendSync">When that file is flushed: <c>always</c>, <c>everysec</c>, <c>no</c>.</param>
/// <param name="Eviction">What goes when memory is full: <c>noeviction</c> or a policy that drops keys.</param>
/// <param name="LastWrite">Status of the last write of the append-only file: <c>ok</c> or an error.</param>
/// <param name="ClockAhead">How far Redis' clock is ahead of this machine's.</param>
/// <param name="DefaultMayRun">Whether its user <c>default</c> may run commands: Redis 7.0 reads its file with that user's rights.</param>
internal sealed record RedisFacts(string? Role, bool? AppendOnly, string? AppendSync, string? Eviction, string? LastWrite, TimeSpan? ClockAhead, bool? DefaultMayRun = true)
{
    private const int Looks = 3;

    public static async Task<RedisFacts> Read(IServer server, TimeProvider time)
    {
        var info = (await Allowed(async () => await server.InfoAsync().ConfigureAwait(false)).ConfigureAwait(false))?
            .SelectMany(section => section).DistinctBy(line => line.Key).ToImmutableDictionary(line => line.Key, line => line.Value) ?? [];
        var config = new Dictionary<string, string>();
        foreach (var key in (string[])["appendonly", "appendfsync", "maxmemory-policy"])
            if (await Allowed(async () => await server.ConfigGetAsync(key).ConfigureAwait(false)).ConfigureAwait(false) is [var pair, ..]) config[key] = pair.Value;
        return new(
            info.GetValueOrDefault("role"),
            (info.GetValueOrDefault("aof_enabled") ?? config.GetValueOrDefault("appendonly")) switch { "1" or "yes" => true, "0" or "no" => false, _ => null },
            config.GetValueOrDefault("appendfsync"),
            info.GetValueOrDefault("maxmemory_policy") ?? config.GetValueOrDefault("maxmemory-policy"),
            info.GetValueOrDefault("aof_last_write_status"),
            await Clock(server, time).ConfigureAwait(false),
            await DefaultRuns(server).ConfigureAwait(false));
    }

    private static async Task<bool?> DefaultRuns(IServer server)
    {
        var runs = true;
        foreach (var command in (string[][])[["EXEC"], ["RPUSH", "key", "value"]])
        {
            if (await Allowed(async () => (string?)await server.ExecuteAsync("ACL", ["DRYRUN", "default", .. command]).ConfigureAwait(false)).ConfigureAwait(false) is not { } said) return null;
            runs &= said == "OK";
        }
        return runs;
    }

    // The quickest of a few answers: what is asked of it is whether clocks agree to a second, not to a millisecond.
    private static async Task<TimeSpan?> Clock(IServer server, TimeProvider time)
    {
        var (best, ahead) = (TimeSpan.MaxValue, (TimeSpan?)null);
        for (var look = 0; look < Looks; look++)
        {
            var (before, began) = (time.GetUtcNow(), time.GetTimestamp());
            var answer = await Allowed(async () => (string?[]?)await server.ExecuteAsync("TIME").ConfigureAwait(false)).ConfigureAwait(false);
            if (answer is not [{ } seconds, { } micros]) return null;
            var took = time.GetElapsedTime(began);
            if (took >= best) continue;
            var there = DateTimeOffset.FromUnixTimeSeconds(long.Parse(seconds, CultureInfo.InvariantCulture)).AddMicroseconds(long.Parse(micros, CultureInfo.InvariantCulture));
            (best, ahead) = (took, there - (before + took / 2));
        }
        return ahead;
    }

    private static async Task<T?> Allowed<T>(Func<Task<T>> ask) where T : class?
    {
        try { return await ask().ConfigureAwait(false); }
        catch (RedisServerException) { return null; } // NOPERM, or a command that was renamed away
    }
}

/// <summary>What is to be said of a Redis before a grid trusts it.</summary>
/// <param name="Refusal">Why the grid must not use it; null where it may.</param>
/// <param name="Warnings">What it costs to use it as it is.</param>
internal sealed record RedisVerdict(string? Refusal, ImmutableArray<string> Warnings)
{
    /// <summary>A clock this far off is said: the grid's stamps come from its hosts' clocks.</summary>
    public static readonly TimeSpan ClockDoubt = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A clock this far off is refused: racks close a window of one second a few seconds after its end, so a host further off loses all of its windows, and a silo whose
    /// sign of life seems older than <see cref="MembershipPace.Stale"/> is taken for dead sooner.
    /// </summary>
    public static readonly TimeSpan ClockRefusal = TimeSpan.FromSeconds(10);

    /// <param name="facts">What it said.</param>
    /// <param name="where">Its address.</param>
    /// <param name="mayForget">The operator accepts that it forgets.</param>
    public static RedisVerdict Of(RedisFacts facts, string where, bool mayForget)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        string? refusal = null;
        void Forgets(string what, string cost, string remedy)
        {
            if (mayForget) warnings.Add($"Redis at {where} {what}: {cost}");
            else refusal ??= $"Redis at {where} {what}: {cost} {remedy}, or give --redis-may-forget to accept that.";
        }

        if (facts.Role is "slave" or "replica") refusal ??= $"Redis at {where} is a replica, which takes no writes: name its master.";
        if (facts.ClockAhead is { } ahead)
        {
            var said = $"This machine's clock is {Math.Abs(ahead.TotalSeconds).ToString("0.0", CultureInfo.InvariantCulture)} s {(ahead > TimeSpan.Zero ? "behind" : "ahead of")} that of Redis at {where}";
            if (ahead.Duration() >= ClockRefusal) refusal ??= $"{said}, and what hosts measure is put together by their clocks: set both by NTP (chronyc tracking, timedatectl).";
            else if (ahead.Duration() >= ClockDoubt) warnings.Add($"{said}: set both by NTP, or windows of this host come late and are left out.");
        }
        if (facts.LastWrite is not (null or "ok")) refusal ??= $"Redis at {where} could not write its append-only file (aof_last_write_status {facts.LastWrite}): look at its disk and log.";
        if (facts.AppendOnly == false) Forgets("keeps no append-only file", "when it ends, all sweeps, results and leases are gone.", "Set 'appendonly yes' and 'appendfsync always'");
        if (facts.DefaultMayRun == false)
            Forgets("lets its user 'default' run nothing", "Redis reads its file with that user's rights, so at its next start it throws away whatever a script has written: results and events.", "Take its login and leave its rights: 'ACL SETUSER default off ~* &* +@all'");
        if (facts.Eviction is not (null or "noeviction")) Forgets($"drops keys when its memory is full (maxmemory-policy {facts.Eviction})", "results and leases can vanish at any time.", "Set 'maxmemory-policy noeviction'");
        if (facts.AppendOnly == true)
        {
            if (facts.AppendSync == "everysec") warnings.Add($"Redis at {where} flushes once a second (appendfsync everysec): a loss of power there takes up to a second of acknowledged trials. 'appendfsync always' keeps them.");
            else if (facts.AppendSync == "no") Forgets("leaves flushing to the system (appendfsync no)", "a loss of power there takes half a minute of acknowledged trials.", "Set 'appendfsync always'");
        }
        string[] unknown =
        [
            .. facts.AppendOnly is null ? (string[])["appendonly"] : [],
            .. facts.AppendOnly != false && facts.AppendSync is null ? (string[])["appendfsync"] : [],
            .. facts.Eviction is null ? (string[])["maxmemory-policy"] : [],
            .. facts.ClockAhead is null ? (string[])["its clock"] : [],
            .. facts.DefaultMayRun is null ? (string[])["the rights of its user 'default'"] : [],
        ];
        if (unknown.Length > 0) warnings.Add($"Redis at {where} may not be asked for {string.Join(", ", unknown)}: see to 'appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction' there and to a user 'default' that may run everything (its login may be off), or allow this user +info +config|get +time +acl|dryrun.");
        return new(refusal, warnings.ToImmutable());
    }
}
