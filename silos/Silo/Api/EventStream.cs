using System.Globalization;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EnergyGrid.Silo;

/// <summary>
/// A response of server-sent events. Written here and not with <c>TypedResults.ServerSentEvents</c> because a stream that is silent for long
/// needs comments, so that proxies keep it and a caller that went away is noticed.
/// </summary>
internal sealed class EventStream : IDisposable
{
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    private readonly HttpResponse _response;
    private readonly CancellationTokenSource _end;

    private EventStream(HttpResponse response, CancellationTokenSource end) => (_response, _end) = (response, end);

    /// <summary>Cancelled when the caller goes or the silo stops.</summary>
    public CancellationToken End => _end.Token;

    public static async Task<EventStream> Begin(HttpContext context)
    {
        var life = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        context.Response.ContentType = "text/event-stream";
        var stream = new EventStream(context.Response, CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping));
        // Headers at once: a caller knows that it is connected before anything happens.
        await stream.Write(": energygrid\nretry: 1000\n\n");
        // The head was all that was asked for.
        if (HeadRequests.Is(context)) await stream._end.CancelAsync();
        return stream;
    }

    public Task Send<T>(string type, long? id, T data)
    {
        var text = new StringBuilder();
        if (id is { } number) text.Append(CultureInfo.InvariantCulture, $"id: {number}\n");
        text.Append("event: ").Append(type).Append("\ndata: ").Append(JsonSerializer.Serialize(data, DocumentJson.Compact)).Append("\n\n");
        return Write(text.ToString());
    }

    public Task Comment() => Write(": still here\n\n");

    /// <summary>Runs the body; the end of the caller or of the silo ends it quietly.</summary>
    public async Task Run(Func<Task> body)
    {
        try
        {
            _end.Token.ThrowIfCancellationRequested();
            await body();
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // Said by whoever ended it.
        }
    }

    /// <summary>Waits for a task, with a comment after each silence.</summary>
    public async Task<T> Await<T>(Task<T> next)
    {
        while (true)
        {
            try
            {
                return await next.WaitAsync(Silence, _end.Token);
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                // What it waited for ends by the same token, a moment later: until then nobody may dispose of where it comes from.
                await ((Task)next).WaitAsync(Silence).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }
            catch (TimeoutException) when (!next.IsCompleted)
            {
                await Comment();
            }
        }
    }

    private async Task Write(string text)
    {
        await _response.WriteAsync(text, _end.Token);
        await _response.Body.FlushAsync(_end.Token);
    }

    public void Dispose() => _end.Dispose();
}
