namespace EnergyGrid.Results;

/// <summary>
/// Everything that changes a sweep's results, one Lua call each: it checks all that there is to check before its first write, because Redis
/// isolates a script and does not roll it back; with a full Redis the first write is refused, so nothing stays half written.
/// Keys are those of <see cref="SweepKeys.All"/>; the answer begins with what became of it.
/// </summary>
internal static class RedisScripts
{
    public const string Ok = "ok";

    private const string Names = """
        local sweep, trials, index, events, keys, traces, blocks, sizes, documents = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]

        """;

    private const string Known = """
        if redis.call('EXISTS', sweep) == 0 then return {'unknown'} end

        """;

    // ARGV[1] the actor, ARGV[2] its number.
    private const string Fenced = Names + Known + """
        local highest = tonumber(redis.call('HGET', sweep, 'fence:' .. ARGV[1]) or '0')
        if tonumber(ARGV[2]) < highest then return {'superseded', tostring(highest)} end

        """;

    /// <summary>Plan as submitted, as resolved, its identity.</summary>
    public const string Create = Names + """
        if redis.call('EXISTS', sweep) == 1 then
          local ended = redis.call('HGET', sweep, 'ended')
          if ended then return {'ended', ended} end
          if redis.call('HGET', sweep, 'plan') ~= ARGV[1] or redis.call('HGET', sweep, 'plan_sha256') ~= ARGV[3] then return {'other'} end
          return {'ok'}
        end
        redis.call('HSET', sweep, 'form', '1', 'plan', ARGV[1], 'resolved', ARGV[2], 'plan_sha256', ARGV[3])
        return {'ok'}
        """;

    /// <summary>Actor, number. Answers the registered order.</summary>
    public const string Take = Fenced + """
        if tonumber(ARGV[2]) > highest then redis.call('HSET', sweep, 'fence:' .. ARGV[1], ARGV[2]) end
        return {'ok', redis.call('HGET', sweep, 'order:' .. ARGV[1]) or ''}
        """;

    /// <summary>Actor, number, order. Of an ended sweep nothing is ordered any more.</summary>
    public const string Register = Fenced + """
        local ended = redis.call('HGET', sweep, 'ended')
        if ended and ARGV[3] ~= '' then return {'ended', ended} end
        redis.call('HSET', sweep, 'fence:' .. ARGV[1], ARGV[2], 'order:' .. ARGV[1], ARGV[3])
        return {'ok'}
        """;

    /// <summary>Order, device group's actor, identity of the trial, its record; then name and SHA-256 of each of its files, an empty name for none.</summary>
    public const string Commit = Names + Known + """
        if redis.call('HEXISTS', index, ARGV[3]) == 1 then return {'there'} end
        if redis.call('HEXISTS', sweep, 'ended') == 1 then return {'withdrawn'} end
        if ARGV[1] == '' or redis.call('HGET', sweep, 'order:' .. ARGV[2]) ~= ARGV[1] then return {'withdrawn'} end
        local count = redis.call('RPUSH', trials, ARGV[4])
        redis.call('HSET', index, ARGV[3], count - 1)
        for i = 5, #ARGV, 2 do
          local bytes = ARGV[i] ~= '' and redis.call('HGET', sizes, ARGV[i + 1])
          if bytes then redis.call('HSET', traces, ARGV[i], ARGV[i + 1] .. ' ' .. bytes) end
        end
        return {'ok'}
        """;

    /// <summary>Actor, number, key, record. Answers sequence and record of the event that stands.</summary>
    public const string Append = Fenced + """
        local first = redis.call('HGET', keys, ARGV[3])
        if first then
          local id = string.format('%d-0', tonumber(first) + 1)
          return {'ok', first, redis.call('XRANGE', events, id, id)[1][2][2]}
        end
        local ended = redis.call('HGET', sweep, 'ended')
        if ended then return {'ended', ended} end
        local sequence = redis.call('XLEN', events)
        redis.call('XADD', events, string.format('%d-0', sequence + 1), 'r', ARGV[4])
        redis.call('HSET', keys, ARGV[3], sequence)
        if tonumber(ARGV[2]) > highest then redis.call('HSET', sweep, 'fence:' .. ARGV[1], ARGV[2]) end
        return {'ok', tostring(sequence), ARGV[4]}
        """;

    /// <summary>Actor, number, record: how a sweep stands that goes on.</summary>
    public const string Publish = Fenced + """
        local ended = redis.call('HGET', sweep, 'ended')
        if ended then return {'ended', ended} end
        redis.call('HSET', sweep, 'record', ARGV[3], 'trials', redis.call('LLEN', trials), 'events', redis.call('XLEN', events), 'fence:' .. ARGV[1], ARGV[2])
        return {'ok'}
        """;

    /// <summary>Actor, number, record, trials and events that the documents rest on, phase, SHA-256 of the manifest, then name and bytes of each document.</summary>
    public const string Freeze = Fenced + """
        local ended = redis.call('HGET', sweep, 'ended')
        if ended then return {'ended', ended} end
        if redis.call('LLEN', trials) ~= tonumber(ARGV[4]) or redis.call('XLEN', events) ~= tonumber(ARGV[5]) then return {'grew'} end
        for i = 8, #ARGV, 2 do redis.call('HSET', documents, ARGV[i], ARGV[i + 1]) end
        redis.call('HSET', sweep, 'record', ARGV[3], 'trials', ARGV[4], 'events', ARGV[5], 'ended', ARGV[6], 'manifest_sha256', ARGV[7], 'fence:' .. ARGV[1], ARGV[2])
        return {'ok'}
        """;

    /// <summary>SHA-256 of the file, its length, its block.</summary>
    public const string Keep = Names + Known + """
        if redis.call('HEXISTS', blocks, ARGV[1]) == 1 then return {'ok'} end
        local ended = redis.call('HGET', sweep, 'ended')
        if ended then return {'ended', ended} end
        redis.call('HSET', blocks, ARGV[1], ARGV[3])
        redis.call('HSET', sizes, ARGV[1], ARGV[2])
        return {'ok'}
        """;

    /// <summary>SHA-256 of the manifest.</summary>
    public const string Remove = Names + """
        if redis.call('EXISTS', sweep) == 0 then return {'ok'} end
        if redis.call('HEXISTS', sweep, 'ended') == 0 then return {'running'} end
        local found = redis.call('HGET', sweep, 'manifest_sha256')
        if found ~= ARGV[1] then return {'other', found or ''} end
        redis.call('UNLINK', sweep, trials, index, events, keys, traces, blocks, sizes, documents)
        return {'ok'}
        """;

    /// <summary>
    /// Phase, SHA-256 of the manifest, plan, resolved plan, its identity; how many trials, events, traces and documents; then of each trial identity and record,
    /// of each event key and record, of each trace name, SHA-256, length and block, of each document name and bytes.
    /// </summary>
    public const string Adopt = Names + """
        if redis.call('EXISTS', sweep) == 1 then
          if redis.call('HGET', sweep, 'manifest_sha256') == ARGV[2] then return {'ok'} end
          return {'other'}
        end
        local at = 10
        redis.call('HSET', sweep, 'form', '1', 'plan', ARGV[3], 'resolved', ARGV[4], 'plan_sha256', ARGV[5], 'trials', ARGV[6], 'events', ARGV[7], 'ended', ARGV[1], 'manifest_sha256', ARGV[2])
        for i = 1, tonumber(ARGV[6]) do
          redis.call('RPUSH', trials, ARGV[at + 1])
          redis.call('HSET', index, ARGV[at], i - 1)
          at = at + 2
        end
        for i = 1, tonumber(ARGV[7]) do
          redis.call('XADD', events, string.format('%d-0', i), 'r', ARGV[at + 1])
          if ARGV[at] ~= '' then redis.call('HSETNX', keys, ARGV[at], i - 1) end
          at = at + 2
        end
        for _ = 1, tonumber(ARGV[8]) do
          redis.call('HSET', traces, ARGV[at], ARGV[at + 1] .. ' ' .. ARGV[at + 2])
          redis.call('HSET', blocks, ARGV[at + 1], ARGV[at + 3])
          redis.call('HSET', sizes, ARGV[at + 1], ARGV[at + 2])
          at = at + 4
        end
        for _ = 1, tonumber(ARGV[9]) do
          redis.call('HSET', documents, ARGV[at], ARGV[at + 1])
          at = at + 2
        end
        return {'ok'}
        """;
}
