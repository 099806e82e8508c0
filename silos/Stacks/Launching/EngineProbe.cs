using System.Collections.Immutable;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>Asks an engine whether it is ready, what it serves and who it is. Every answer is bounded, and none is believed to be sound.</summary>
internal sealed class EngineProbe : IDisposable
{
    private const int MostBytes = 4 << 20, MostModels = 1000, LongestName = 300, LongestDescription = 1 << 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    public EngineProbe(Uri address, string? token, TimeProvider time)
    {
        _time = time;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None, ConnectTimeout = Patience })
        {
            BaseAddress = address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (token is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>Null once it is ready; until then why it is not.</summary>
    /// <param name="path">Of its health; null where the list of its models must do.</param>
    public async Task<string?> NotReady(string? path, CancellationToken stop)
    {
        var (status, _, trouble) = await Get(path ?? "v1/models", stop).ConfigureAwait(false);
        return trouble ?? (status == HttpStatusCode.OK ? null : FormattableString.Invariant($"/{path ?? "v1/models"} answers with status {(int)status}"));
    }

    /// <summary>Names of the models that it serves, harmless; or why nobody knows.</summary>
    public async Task<(ImmutableArray<string> Names, string? Trouble)> Models(CancellationToken stop)
    {
        var (status, body, trouble) = await Get("v1/models", stop).ConfigureAwait(false);
        if (trouble is not null) return ([], trouble);
        if (status != HttpStatusCode.OK) return ([], FormattableString.Invariant($"/v1/models answers with status {(int)status}"));
        try
        {
            return (ModelNames(body), null);
        }
        catch (JsonException)
        {
            return ([], "what it answers at /v1/models is no list of models");
        }
    }

    /// <summary>Its version and all that it says of itself, harmless; null and empty where it says nothing.</summary>
    public async Task<(string? Version, string Description)> Describe(ImmutableArray<(string Path, string Key)> places, CancellationToken stop)
    {
        foreach (var (path, key) in places)
        {
            var (status, body, trouble) = await Get(path, stop).ConfigureAwait(false);
            if (trouble is not null || status != HttpStatusCode.OK) continue;
            try
            {
                if (TopText(body, key) is { } version) return (Short(version, LongestName), Short(Encoding.UTF8.GetString(body), LongestDescription));
            }
            catch (JsonException)
            {
                // Then it is something else that answers there.
            }
        }

        return (null, "");
    }

    public void Dispose() => _http.Dispose();

    internal static string Short(string text, int most) => Unprintable.Clean(text) is var clean && clean.Length <= most ? clean : clean[..most] + " …";

    private async Task<(HttpStatusCode Status, byte[] Body, string? Trouble)> Get(string path, CancellationToken stop)
    {
        using var patience = new CancellationTokenSource(Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        try
        {
            using var response = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            var buffer = new byte[MostBytes + 1];
            await using var body = await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
            var count = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, either.Token).ConfigureAwait(false);
            return count > MostBytes ? (default, [], $"/{path} answers with more than {MostBytes >> 20} MiB") : (response.StatusCode, buffer[..count], null);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return (default, [], FormattableString.Invariant($"/{path} brought no answer within {Patience.TotalSeconds:0} s"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (default, [], Short(e is HttpRequestException { InnerException: { } inner } ? inner.Message : e.Message, LongestName));
        }
    }

    // {"data":[{"id":"…", …}, …], …}: whatever else there is, also deeper ids, is passed over.
    private static ImmutableArray<string> ModelNames(byte[] body)
    {
        var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 64 });
        var names = ImmutableArray.CreateBuilder<string>();
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw new JsonException("no object");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isData = json.ValueTextEquals("data"u8);
            json.Read();
            if (!isData || json.TokenType != JsonTokenType.StartArray)
            {
                json.Skip();
                continue;
            }

            while (json.Read() && json.TokenType != JsonTokenType.EndArray)
            {
                if (json.TokenType != JsonTokenType.StartObject)
                {
                    json.Skip();
                    continue;
                }

                while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                {
                    var isId = json.ValueTextEquals("id"u8);
                    json.Read();
                    if (isId && json.TokenType == JsonTokenType.String && names.Count < MostModels) names.Add(Short(json.GetString()!, LongestName));
                    else json.Skip();
                }
            }
        }

        return names.ToImmutable();
    }

    private static string? TopText(byte[] body, string key)
    {
        var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 256 });
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject) return null;
        string? found = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isKey = json.ValueTextEquals(key);
            json.Read();
            if (isKey && json.TokenType == JsonTokenType.String) found = json.GetString();
            else json.Skip();
        }

        return found;
    }
}
