using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Sdk;

/// <summary>
/// The grid over HTTP. Every method ends in a value, in a <see cref="GridProblemException"/> that says what the grid refused, in a
/// <see cref="GridUnreachableException"/>, or in an <see cref="OperationCanceledException"/>. Safe for concurrent use.
/// </summary>
public sealed class GridClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly bool _owned;
    private readonly ImmutableArray<Uri> _addresses;
    private int _current;

    /// <summary>A client of the grid at an address.</summary>
    /// <param name="address">For example <c>http://127.0.0.1:7070</c>.</param>
    /// <param name="token">Bearer token; null where the grid asks for none.</param>
    public GridClient(Uri address, string? token = null) : this([address], token)
    {
    }

    /// <summary>
    /// The same with the addresses of several silos: when one cannot be reached the next is asked, and the one that answered stays the one that is asked. What changes something is asked of
    /// another only where no connection was made: else it may have been done.
    /// </summary>
    /// <param name="addresses">In the order in which they are tried, at least one.</param>
    /// <param name="token">Bearer token, of all of them; null where the grid asks for none.</param>
    /// <param name="authorities">Certificate authorities that are trusted instead of the system's; null for the system's.</param>
    /// <exception cref="ArgumentException">A token would travel in clear text: over plain http to another machine.</exception>
    public GridClient(ImmutableArray<Uri> addresses, string? token = null, X509Certificate2Collection? authorities = null) : this(new HttpClient(Handler(authorities)) { BaseAddress = WithSlash(addresses[0]), Timeout = Timeout.InfiniteTimeSpan }, token)
    {
        _owned = true;
        _addresses = [.. addresses.Select(WithSlash)];
        if (token is not null && _addresses.Select(InClear).FirstOrDefault(r => r is not null) is { } refusal) throw new ArgumentException(refusal, nameof(token));
    }

    /// <summary>The same over an <see cref="HttpClient"/> whose base address is the grid's; it stays the caller's.</summary>
    public GridClient(HttpClient http, string? token = null)
    {
        _http = http;
        _addresses = [http.BaseAddress!];
        if (token is not null && InClear(http.BaseAddress!) is { } refusal) throw new ArgumentException(refusal, nameof(token));
        if (token is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    private static SocketsHttpHandler Handler(X509Certificate2Collection? authorities)
    {
        var handler = new SocketsHttpHandler { Proxy = new ProxyOfOthers(HttpClient.DefaultProxy), ConnectCallback = Connect };
        if (authorities is null) return handler;
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        handler.SslOptions.CertificateChainPolicy = policy;
        return handler;
    }

    // A host that lost its power or its network says nothing any more: whoever follows a stream finds out within half a minute.
    private static async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 15);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, stop).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Why a token must not go to an address; null if it may.</summary>
    public static string? InClear(Uri address) => address.Scheme == Uri.UriSchemeHttps || address.IsLoopback
        ? null
        : $"{address} is another machine over plain http: a token would travel in clear text, for any proxy on the way to read. Ask it over https.";

    /// <summary>Where the grid was last found.</summary>
    public Uri Address => _addresses[Volatile.Read(ref _current)];

    /// <summary>How long a request other than a stream may take.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What answers.</summary>
    public Task<VersionInfo> Version(CancellationToken stop = default) => Get<VersionInfo>("v1/version", stop);

    /// <summary>The processes of the grid, the dead ones too, as the one that answers knows them.</summary>
    public Task<ImmutableArray<SiloLine>> Silos(CancellationToken stop = default) => Get<ImmutableArray<SiloLine>>("v1/silos", stop);

    /// <summary>Which grains are in memory where; for operators.</summary>
    public Task<ImmutableArray<ActivationLine>> Activations(CancellationToken stop = default) => Get<ImmutableArray<ActivationLine>>("v1/activations", stop);

    /// <summary>All sites at their latest closed window.</summary>
    public Task<ImmutableArray<SiteView>> Sites(CancellationToken stop = default) => Get<ImmutableArray<SiteView>>("v1/sites", stop);

    /// <summary>One site.</summary>
    public Task<SiteView> Site(string site, CancellationToken stop = default) => Get<SiteView>($"v1/sites/{Escape(site)}", stop);

    /// <summary>The facility ratio of a site over windows <c>[from, to)</c>, seconds since the Unix epoch.</summary>
    public Task<FacilityRatio> Ratio(string site, long from, long to, CancellationToken stop = default) =>
        Get<FacilityRatio>(string.Create(CultureInfo.InvariantCulture, $"v1/sites/{Escape(site)}/ratio?from={from}&to={to}"), stop);

    /// <summary>Serving engines that nodes may run.</summary>
    public Task<ImmutableArray<StackLine>> Stacks(CancellationToken stop = default) => Get<ImmutableArray<StackLine>>("v1/stacks", stop);

    /// <summary>All nodes, those that are down included.</summary>
    public Task<ImmutableArray<NodeLine>> Nodes(CancellationToken stop = default) => Get<ImmutableArray<NodeLine>>("v1/nodes", stop);

    /// <summary>Takes a node that is down out of the inventory.</summary>
    /// <exception cref="GridProblemException">404: there is none; 409: it is up.</exception>
    public Task ForgetNode(string host, CancellationToken stop = default) => SendText(HttpMethod.Delete, $"v1/nodes/{Escape(host)}", null, stop);

    /// <summary>All devices.</summary>
    public Task<ImmutableArray<DeviceLine>> Devices(CancellationToken stop = default) => Get<ImmutableArray<DeviceLine>>("v1/devices", stop);

    /// <summary>One device.</summary>
    public Task<DeviceLine> Device(string host, string uuid, CancellationToken stop = default) => Get<DeviceLine>($"v1/devices/{Escape(host)}/{Escape(uuid)}", stop);

    /// <summary>Live power of one device, until cancelled.</summary>
    public async IAsyncEnumerable<PowerSample> Power(string host, string uuid, [EnumeratorCancellation] CancellationToken stop = default)
    {
        await foreach (var item in Stream($"v1/devices/{Escape(host)}/{Escape(uuid)}/power", null, stop).ConfigureAwait(false))
            yield return Parse<PowerSample>(item.Data);
    }

    /// <summary>Site windows as they close, until cancelled.</summary>
    public async IAsyncEnumerable<SiteView> Windows([EnumeratorCancellation] CancellationToken stop = default)
    {
        await foreach (var item in Stream("v1/events/windows", null, stop).ConfigureAwait(false))
            yield return Parse<SiteView>(item.Data);
    }

    /// <summary>The JSON schema of plans.</summary>
    public Task<string> PlanSchema(CancellationToken stop = default) => GetText("v1/plans/schema", stop);

    /// <summary>Checks a plan without keeping anything.</summary>
    /// <exception cref="GridProblemException">400 with <see cref="GridProblemException.Faults"/>.</exception>
    public Task<PlanSummary> Validate(string planText, CancellationToken stop = default) => Send<PlanSummary>(HttpMethod.Post, "v1/plans/validate", Plan(planText), stop);

    /// <summary>Submits a plan. With an id, the same text again changes nothing and answers the same.</summary>
    /// <param name="planText">YAML or JSON.</param>
    /// <param name="id">The sweep's id; null for one of the grid's choice.</param>
    /// <param name="stop">Gives up.</param>
    /// <param name="priority">Of sweeps that want the same devices the higher one has them first; of equals, the older. −100 to 100.</param>
    public Task<SweepStatus> Submit(string planText, string? id = null, CancellationToken stop = default, int priority = 0)
    {
        string?[] options = [id is null ? null : $"id={Escape(id)}", priority == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"priority={priority}")];
        var query = string.Join('&', options.Where(o => o is not null));
        return Send<SweepStatus>(HttpMethod.Post, query.Length == 0 ? "v1/sweeps" : $"v1/sweeps?{query}", Plan(planText), stop);
    }

    /// <summary>All sweeps, newest first.</summary>
    public Task<ImmutableArray<SweepLine>> Sweeps(CancellationToken stop = default) => Get<ImmutableArray<SweepLine>>("v1/sweeps", stop);

    /// <summary>One sweep.</summary>
    public Task<SweepStatus> Sweep(string id, CancellationToken stop = default) => Get<SweepStatus>($"v1/sweeps/{Escape(id)}", stop);

    /// <summary>Stops it between trials.</summary>
    public Task<SweepStatus> Pause(string id, string? reason = null, CancellationToken stop = default) => Act(id, "pause", reason, stop);

    /// <summary>Goes on after a pause.</summary>
    public Task<SweepStatus> Resume(string id, CancellationToken stop = default) => Act(id, "resume", null, stop);

    /// <summary>Ends it; what was committed stays.</summary>
    public Task<SweepStatus> Cancel(string id, string? reason = null, CancellationToken stop = default) => Act(id, "cancel", reason, stop);

    /// <summary>Its matrix as far as it is known.</summary>
    public Task<Matrix> Matrix(string id, CancellationToken stop = default) => Get<Matrix>($"v1/sweeps/{Escape(id)}/matrix", stop);

    /// <summary>Its report, one self-contained HTML document.</summary>
    public Task<string> Report(string id, CancellationToken stop = default) => GetText($"v1/sweeps/{Escape(id)}/report", stop);

    /// <summary>Its cells as CSV.</summary>
    public Task<string> CellsCsv(string id, CancellationToken stop = default) => GetText($"v1/sweeps/{Escape(id)}/cells.csv", stop);

    /// <summary>Its committed trials in the order of commit.</summary>
    public async Task<ImmutableArray<TrialResult>> Trials(string id, CancellationToken stop = default)
    {
        var text = await GetText($"v1/sweeps/{Escape(id)}/trials", stop).ConfigureAwait(false);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse<TrialResult>)];
    }

    /// <summary>The files of its results.</summary>
    public Task<ImmutableArray<FileLine>> Files(string id, CancellationToken stop = default) => Get<ImmutableArray<FileLine>>($"v1/sweeps/{Escape(id)}/files", stop);

    /// <summary>Copies one file of its results into a stream.</summary>
    public async Task Download(string id, string name, Stream into, CancellationToken stop = default)
    {
        var path = string.Join('/', name.Split('/').Select(Escape));
        using var answer = await Ask(HttpMethod.Get, $"v1/sweeps/{Escape(id)}/files/{path}", null, null, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false);
        try
        {
            await answer.Content.CopyToAsync(into, stop).ConfigureAwait(false);
        }
        catch (HttpRequestException e) when (e.InnerException is HttpIOException or null)
        {
            throw Unreachable(Address, e);
        }
        catch (HttpRequestException e) when (e.InnerException is IOException io)
        {
            // Where it is written to, not where it comes from.
            throw new IOException(io.Message, io);
        }
    }

    /// <summary>Removes an ended sweep and its results from the grid, if its <c>manifest.json</c> has this SHA-256 (lower-case hex).</summary>
    public async Task Remove(string id, string manifestSha256, CancellationToken stop = default)
    {
        using var answer = await Ask(HttpMethod.Delete, $"v1/sweeps/{Escape(id)}?manifest={Escape(manifestSha256)}", null, null, HttpCompletionOption.ResponseContentRead, stop).ConfigureAwait(false);
    }

    /// <summary>Takes in the directory of an ended sweep.</summary>
    /// <param name="tar">Its files as a tar, with their names in the directory.</param>
    /// <param name="stop">Gives up.</param>
    public async Task<SweepLine> Adopt(Stream tar, CancellationToken stop = default)
    {
        var body = new StreamContent(tar);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
        using var answer = await Ask(HttpMethod.Post, "v1/sweeps/adopt", body, null, HttpCompletionOption.ResponseContentRead, stop).ConfigureAwait(false);
        return Parse<SweepLine>(await answer.Content.ReadAsStringAsync(stop).ConfigureAwait(false));
    }

    /// <summary>
    /// A sweep's events from one on, and its status whenever that changes, until the sweep has ended or the caller stops.
    /// A connection that breaks is taken up again where it was: no event is lost or seen twice.
    /// </summary>
    /// <param name="id">The sweep.</param>
    /// <param name="from">Sequence of the first event wanted.</param>
    /// <param name="stop">Ends it.</param>
    public async IAsyncEnumerable<SweepNews> Watch(string id, long from = 0, [EnumeratorCancellation] CancellationToken stop = default)
    {
        var next = from;
        var failures = 0;
        while (true)
        {
            var ended = false;
            Exception? broken = null;
            var items = Stream($"v1/sweeps/{Escape(id)}/events", next > 0 ? (next - 1).ToString(CultureInfo.InvariantCulture) : null, stop).GetAsyncEnumerator(stop);
            await using (items.ConfigureAwait(false))
            {
                while (true)
                {
                    SweepNews? news = null;
                    try
                    {
                        if (!await items.MoveNextAsync().ConfigureAwait(false)) break;
                        failures = 0;
                        news = items.Current.EventType switch
                        {
                            "status" => new(null, Parse<SweepStatus>(items.Current.Data)),
                            "event" => new(Parse<SweepEvent>(items.Current.Data), null),
                            _ => null,
                        };
                    }
                    catch (Exception e) when (e is HttpRequestException or IOException or GridUnreachableException)
                    {
                        broken = e;
                        break;
                    }
                    if (news is null) continue;
                    if (news.Event is { } line) next = line.Sequence + 1;
                    ended |= news.Status is { HasEnded: true };
                    yield return news;
                }
            }
            if (ended) yield break;
            if (broken is not null && ++failures > 5) throw broken as GridUnreachableException ?? new GridUnreachableException(Address, broken.Message, broken);
            await Task.Delay(TimeSpan.FromMilliseconds(200 * Math.Max(1, failures)), stop).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_owned) _http.Dispose();
    }

    private Task<SweepStatus> Act(string id, string verb, string? reason, CancellationToken stop) =>
        Send<SweepStatus>(HttpMethod.Post, $"v1/sweeps/{Escape(id)}/{verb}" + (reason is null ? "" : $"?reason={Escape(reason)}"), null, stop);

    private Task<T> Get<T>(string path, CancellationToken stop) => Send<T>(HttpMethod.Get, path, null, stop);

    private async Task<T> Send<T>(HttpMethod method, string path, HttpContent? body, CancellationToken stop) =>
        Parse<T>(await SendText(method, path, body, stop).ConfigureAwait(false));

    private Task<string> GetText(string path, CancellationToken stop) => SendText(HttpMethod.Get, path, null, stop);

    private async Task<string> SendText(HttpMethod method, string path, HttpContent? body, CancellationToken stop)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(Patience);
        try
        {
            using var answer = await Ask(method, path, body, null, HttpCompletionOption.ResponseContentRead, patience.Token).ConfigureAwait(false);
            return await answer.Content.ReadAsStringAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            Next(Address); // it took the connection and is silent: whoever asks again asks another
            throw new GridUnreachableException(Address, $"no answer within {Patience.TotalSeconds:0} s.");
        }
    }

    private async IAsyncEnumerable<SseItem<string>> Stream(string path, string? lastEventId, [EnumeratorCancellation] CancellationToken stop)
    {
        using var answer = await Ask(HttpMethod.Get, path, null, request =>
        {
            request.Headers.Accept.ParseAdd("text/event-stream");
            if (lastEventId is not null) request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false);
        await using var body = await answer.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(stop).ConfigureAwait(false)) yield return item;
    }

    private async Task<HttpResponseMessage> Ask(HttpMethod method, string path, HttpContent? body, Action<HttpRequestMessage>? shape, HttpCompletionOption completion, CancellationToken stop)
    {
        HttpResponseMessage? answer = null;
        for (var asked = 1; answer is null; asked++)
        {
            var address = Address;
            var request = new HttpRequestMessage(method, new Uri(address, path)) { Content = body };
            shape?.Invoke(request);
            try
            {
                answer = await _http.SendAsync(request, completion, stop).ConfigureAwait(false);
            }
            catch (HttpRequestException e)
            {
                Next(address);
                if (asked < _addresses.Length && (method == HttpMethod.Get || NeverConnected(e))) continue;
                throw Unreachable(address, e);
            }
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var text = await answer.Content.ReadAsStringAsync(stop).ConfigureAwait(false);
            throw new GridProblemException(answer.StatusCode, ProblemIn(text, answer));
        }
    }

    private static bool NeverConnected(HttpRequestException e) =>
        e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError;

    private GridUnreachableException Unreachable(Uri address, HttpRequestException e)
    {
        var why = e.InnerException?.Message ?? e.Message;
        return new(address, _addresses.Length > 1 ? $"{why} (of {string.Join(", ", _addresses)})" : why, e);
    }

    // Unless somebody else has gone on already.
    private void Next(Uri from)
    {
        var at = _addresses.IndexOf(from);
        Interlocked.CompareExchange(ref _current, (at + 1) % _addresses.Length, at);
    }

    private static GridProblem ProblemIn(string text, HttpResponseMessage answer)
    {
        if (answer.Content.Headers.ContentType?.MediaType == "application/problem+json")
        {
            try
            {
                if (JsonSerializer.Deserialize<GridProblem>(text, Reading) is { } problem) return problem;
            }
            catch (JsonException)
            {
                // Said to be a problem document by something that is no grid.
            }
        }
        // A proxy's page is nothing to show to anybody.
        return new(null, answer.ReasonPhrase, (int)answer.StatusCode, $"It answered HTTP {(int)answer.StatusCode} ({Unprintable.Clean(answer.ReasonPhrase)}) and not as a grid does: a proxy on the way, or another program at that address.", null);
    }

    // What a grid says comes from plans, people and devices of others: whatever reads it here gets text that can neither steer a terminal nor disguise itself.
    private static readonly JsonSerializerOptions Reading = new(DocumentJson.Compact) { Converters = { new CleanText() } };

    private sealed class CleanText : JsonConverter<string>
    {
        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Unprintable.Clean(reader.GetString(), lines: true);

        public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Unprintable.Clean(reader.GetString());

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }

    private T Parse<T>(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Reading) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new GridUnreachableException(Address, $"it answered with something that is no {Named(typeof(T))}: another program is at that address, or a grid of another version.", e);
        }
    }

    private static string Named(Type type) => type.IsGenericType ? $"list of {type.GetGenericArguments()[0].Name}" : type.Name;

    // The media type follows the first character: every JSON document of a plan begins with a brace, no YAML plan of ours needs to.
    private static StringContent Plan(string text) => new(text, Encoding.UTF8, text.AsSpan().TrimStart().StartsWith("{") ? "application/json" : "application/yaml");

    private static string Escape(string part) => Uri.EscapeDataString(part);

    private static Uri WithSlash(Uri address) => address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/");
}
