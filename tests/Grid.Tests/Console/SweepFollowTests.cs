using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>Who follows a sweep stays with it while its grid is away.</summary>
public sealed class SweepFollowTests
{
    [Fact]
    public async Task A_grid_that_goes_and_comes_back_is_told_once_each_and_no_event_is_seen_twice()
    {
        var grid = new ComingAndGoing();
        using var http = new HttpClient(grid) { BaseAddress = new("http://grid/") };
        using var client = new GridClient(http);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (told, events, phase) = (new List<string>(), new List<long>(), SweepPhase.Queued);
        await foreach (var news in SweepFollow.ToTheEnd(client, "s", told.Add, patience.Token))
        {
            if (news.Event is { } line) events.Add(line.Sequence);
            phase = news.Status?.Phase ?? phase;
        }
        Assert.Equal([0, 1, 2], events);
        Assert.Equal(SweepPhase.Finished, phase);
        Assert.Collection(told, t => Assert.Contains("does not answer", t), t => Assert.Contains("answers again", t));
        Assert.True(grid.Refused > 6);
        Assert.Equal("1", grid.LastEventId);
    }

    [Fact]
    public async Task A_grid_that_never_answered_is_an_error_and_not_waited_for()
    {
        using var http = new HttpClient(new ComingAndGoing { Asked = 1, Refusals = int.MaxValue }) { BaseAddress = new("http://grid/") };
        using var client = new GridClient(http);
        await Assert.ThrowsAsync<GridUnreachableException>(async () =>
        {
            await foreach (var _ in SweepFollow.ToTheEnd(client, "s", _ => Assert.Fail("nobody is told"), default)) Assert.Fail("there is no news");
        });
    }

    /// <summary>Answers once with two events, then refuses connections, then says that it is starting, then goes on where the caller was.</summary>
    private sealed class ComingAndGoing : HttpMessageHandler
    {
        public int Asked { get; set; }
        public int Refusals { get; init; } = 7;
        public int Refused { get; private set; }
        public string? LastEventId { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Asked++ == 0) return Task.FromResult(Events(Event(0), Event(1), Status(SweepPhase.Running)));
            if (Refused < Refusals)
            {
                Refused++;
                return Task.FromException<HttpResponseMessage>(new HttpRequestException(HttpRequestError.ConnectionError, "refused"));
            }
            if (Refused++ == Refusals) return Task.FromResult(new HttpResponseMessage(HttpStatusCode.ServiceUnavailable) { Content = new StringContent("it starts") });
            LastEventId = request.Headers.TryGetValues("Last-Event-ID", out var ids) ? ids.Single() : null;
            return Task.FromResult(Events(Event(2), Status(SweepPhase.Finished)));
        }

        private static string Event(long sequence) => $"id: {sequence}\nevent: event\ndata: {JsonSerializer.Serialize(new SweepEvent(sequence, DateTimeOffset.UnixEpoch, "trial", ""), DocumentJson.Compact)}\n\n";

        private static string Status(SweepPhase phase) =>
            $"event: status\ndata: {JsonSerializer.Serialize(new SweepStatus("s", "s", phase, "", 2, 1, 1, 0, 0, 1, 1, [], DateTimeOffset.UnixEpoch, null), DocumentJson.Compact)}\n\n";

        private static HttpResponseMessage Events(params string[] items) => new(HttpStatusCode.OK)
        {
            Content = new StringContent(string.Concat(items), Encoding.UTF8, new MediaTypeHeaderValue("text/event-stream")),
        };
    }
}
