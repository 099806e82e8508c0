using System.Collections.Immutable;
using System.Net;
using System.Net.Http.Headers;

namespace EnergyGrid.Stacks;

/// <summary>Asks an engine for its own counters: what the client counted is held against them, queue and KV use are taken from them. Safe to use from many tasks.</summary>
public sealed class EngineMetrics : IDisposable
{
    private const int MostBytes = 8 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly ImmutableArray<Names> Known =
    [
        new(Dialect.LlamaCpp, "metrics", MovesAtRequestEnd: true, PromptTokensHaveCached: false)
        {
            [nameof(EngineCounters.GeneratedTokens)] = ["llamacpp:tokens_predicted_total"],
            [nameof(EngineCounters.PromptTokens)] = ["llamacpp:prompt_tokens_total"],
            [nameof(EngineCounters.CachedTokens)] = ["llamacpp:prompt_tokens_cached_total"],
            [nameof(EngineCounters.Running)] = ["llamacpp:requests_processing"],
            [nameof(EngineCounters.Waiting)] = ["llamacpp:requests_deferred"],
            [nameof(EngineCounters.DecodeCalls)] = ["llamacpp:n_decode_total"],
        },
        // Older releases have gpu_ in the names of the cache.
        new(Dialect.Vllm, "metrics", MovesAtRequestEnd: false, PromptTokensHaveCached: true)
        {
            [nameof(EngineCounters.GeneratedTokens)] = ["vllm:generation_tokens_total"],
            [nameof(EngineCounters.LiveTokens)] = ["vllm:generation_tokens_total"],
            [nameof(EngineCounters.PromptTokens)] = ["vllm:prompt_tokens_total"],
            [nameof(EngineCounters.CachedTokens)] = ["vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"],
            [nameof(EngineCounters.CacheQueries)] = ["vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"],
            [nameof(EngineCounters.Running)] = ["vllm:num_requests_running"],
            [nameof(EngineCounters.Waiting)] = ["vllm:num_requests_waiting"],
            [nameof(EngineCounters.KvUse)] = ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
            [nameof(EngineCounters.DecodeCalls)] = ["vllm:iteration_tokens_total_count"],
        },
        new(Dialect.Sglang, "metrics", MovesAtRequestEnd: true, PromptTokensHaveCached: true)
        {
            [nameof(EngineCounters.GeneratedTokens)] = ["sglang:generation_tokens_total"],
            [nameof(EngineCounters.LiveTokens)] = ["sglang:realtime_tokens_total mode=\"decode\""],
            [nameof(EngineCounters.PromptTokens)] = ["sglang:prompt_tokens_total"],
            [nameof(EngineCounters.CachedTokens)] = ["sglang:cached_tokens_total"],
            [nameof(EngineCounters.Running)] = ["sglang:num_running_reqs"],
            [nameof(EngineCounters.Waiting)] = ["sglang:num_queue_reqs"],
            [nameof(EngineCounters.KvUse)] = ["sglang:token_usage"],
        },
        // Its /metrics is JSON.
        new(Dialect.TensorRtLlm, "prometheus/metrics", MovesAtRequestEnd: true, PromptTokensHaveCached: true)
        {
            [nameof(EngineCounters.GeneratedTokens)] = ["trtllm_generation_tokens_total"],
            [nameof(EngineCounters.PromptTokens)] = ["trtllm_prompt_tokens_total"],
            [nameof(EngineCounters.CachedTokens)] = ["trtllm_prompt_cached_tokens_total"],
            [nameof(EngineCounters.Running)] = ["trtllm_num_requests_running"],
            [nameof(EngineCounters.Waiting)] = ["trtllm_num_requests_waiting"],
            [nameof(EngineCounters.KvUse)] = ["trtllm_kv_cache_utilization"],
        },
    ];

    private readonly HttpClient _http;
    private readonly Names _known;
    private readonly TimeProvider _time;

    private EngineMetrics(Uri address, Names names, string? token, TimeProvider time)
    {
        (_known, _time) = (names, time);
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None, ConnectTimeout = Patience })
        {
            BaseAddress = address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (token is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "text/plain;version=0.0.4");
    }

    /// <summary>Whether output is counted only when its request ends: then it agrees with the client's after quiescence, not before.</summary>
    public bool MovesAtRequestEnd => _known.MovesAtRequestEnd;

    /// <summary>Whether a prompt's tokens are counted also where they came out of a cache.</summary>
    public bool PromptTokensHaveCached => _known.PromptTokensHaveCached;

    /// <summary>Those of an engine; null for one whose counters nobody knows.</summary>
    /// <param name="address">The engine's base address.</param>
    /// <param name="dialect">Which engine it is.</param>
    /// <param name="token">Sent as a header; null for none.</param>
    /// <param name="time">Monotonic timestamps.</param>
    public static EngineMetrics? Of(Uri address, Dialect dialect, string? token, TimeProvider time) =>
        Known.FirstOrDefault(n => n.Dialect == dialect) is { } names ? new EngineMetrics(address, names, token, time) : null;

    /// <summary>Asks once.</summary>
    /// <exception cref="InvalidDataException">It does not answer, or not with counters.</exception>
    public async Task<EngineCounters> Read(CancellationToken stop)
    {
        using var patience = new CancellationTokenSource(Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        try
        {
            using var response = await _http.GetAsync(_known.Path, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode) throw new InvalidDataException(FormattableString.Invariant($"/{_known.Path} answers with status {(int)response.StatusCode}"));
            var buffer = new byte[1 << 16];
            var count = 0;
            await using var body = await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
            while (await body.ReadAsync(buffer.AsMemory(count), either.Token).ConfigureAwait(false) is > 0 and var more)
            {
                count += more;
                if (count > MostBytes) throw new InvalidDataException($"/{_known.Path} answers with more than {MostBytes >> 20} MiB");
                if (count == buffer.Length) Array.Resize(ref buffer, 2 * count);
            }

            return Counters(_known, MetricsText.Parse(buffer.AsSpan(0, count)), _time.GetTimestamp());
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new InvalidDataException(FormattableString.Invariant($"/{_known.Path} brought no counters within {Patience.TotalSeconds:0} s"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException && e is not InvalidDataException)
        {
            throw new InvalidDataException($"/{_known.Path} cannot be read: {Contracts.Unprintable.Clean(e.InnerException?.Message ?? e.Message)}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Those of a text.</summary>
    /// <exception cref="InvalidDataException">It is none, or of an engine that nobody knows.</exception>
    internal static EngineCounters Counters(Dialect dialect, ReadOnlySpan<byte> text, long timestamp) => Counters(Known.First(n => n.Dialect == dialect), MetricsText.Parse(text), timestamp);

    private static EngineCounters Counters(Names names, MetricsText text, long timestamp)
    {
        var sources = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        return new EngineCounters(
            timestamp, Sum(nameof(EngineCounters.GeneratedTokens)), Sum(nameof(EngineCounters.LiveTokens)), Sum(nameof(EngineCounters.PromptTokens)), Sum(nameof(EngineCounters.CachedTokens)),
            Sum(nameof(EngineCounters.CacheQueries)), Sum(nameof(EngineCounters.Running)), Sum(nameof(EngineCounters.Waiting)), Find(nameof(EngineCounters.KvUse), v => v.Average()), Sum(nameof(EngineCounters.DecodeCalls)),
            sources.ToImmutable());

        // Over all label sets: several ranks or models of one engine.
        double? Sum(string counter) => Find(counter, v => v.Sum());

        double? Find(string counter, Func<double[], double> reduce)
        {
            foreach (var source in names[counter])
            {
                var (name, label) = source.Split(' ') is [var n, var l] ? (n, l) : (source, null);
                var values = text.Values(name, label).ToArray();
                if (values.Length == 0 || reduce(values) is not (>= 0 and < double.PositiveInfinity and var value)) continue;
                sources[counter] = source;
                return value;
            }

            return null;
        }
    }

    /// <summary>What one engine calls its counters: of several names the first that is there; a label after a blank picks series.</summary>
    private sealed record Names(Dialect Dialect, string Path, bool MovesAtRequestEnd, bool PromptTokensHaveCached)
    {
        private readonly Dictionary<string, string[]> _sources = [];

        public string[] this[string counter]
        {
            get => _sources.GetValueOrDefault(counter, []);
            init => _sources[counter] = value;
        }
    }
}
