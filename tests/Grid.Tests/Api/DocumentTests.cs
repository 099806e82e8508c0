using System.Collections.Immutable;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>What the API says of itself holds: every endpoint is there with everything that a client is generated from, and every answer that is given is one that was announced.</summary>
public sealed class DocumentTests : IAsyncLifetime
{
    private FakeGrid _grid = null!;
    private string _text = "";
    private OpenApiDocument _document = null!;

    public async Task InitializeAsync()
    {
        _grid = await FakeGrid.Start();
        _grid.Add("s");
        _grid.Results.All[("s", "report.html")] = "<!doctype html>"u8.ToArray();
        using var http = _grid.Http();
        _text = await http.GetStringAsync("/openapi/v1.json");
        var read = OpenApiDocument.Parse(_text, "json");
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        _document = read.Document!;
    }

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private IEnumerable<(string Path, string Method, OpenApiOperation Operation)> Operations =>
        _document.Paths.SelectMany(p => p.Value.Operations!.Select(o => (p.Key, o.Key.Method, o.Value)));

    [Fact]
    public void Every_endpoint_is_in_the_document()
    {
        var known = Operations.Select(o => $"{o.Method} {o.Path}").ToHashSet(StringComparer.Ordinal);
        var mapped = _grid.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => (e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []).Select(m => $"{m} /{e.RoutePattern.RawText!.Trim('/').Replace("**", "", StringComparison.Ordinal)}"))
            .Where(e => !e.StartsWith("GET /openapi/", StringComparison.Ordinal)).ToArray();
        Assert.True(mapped.Length > 30);
        Assert.Empty(mapped.Except(known));
    }

    [Fact]
    public void Every_operation_has_a_name_a_summary_a_description_a_tag_and_described_parameters()
    {
        var wrong = new List<string>();
        foreach (var (path, method, operation) in Operations)
        {
            if (!Regex.IsMatch(operation.OperationId ?? "", "^[a-z]+[A-Z][A-Za-z]*$")) wrong.Add($"{method} {path}: operationId '{operation.OperationId}'");
            if (string.IsNullOrWhiteSpace(operation.Summary)) wrong.Add($"{method} {path}: no summary");
            if (string.IsNullOrWhiteSpace(operation.Description)) wrong.Add($"{method} {path}: no description");
            if (operation.Tags is not { Count: 1 }) wrong.Add($"{method} {path}: no tag");
            foreach (var parameter in operation.Parameters ?? [])
                if (string.IsNullOrWhiteSpace(parameter.Description) || parameter.Schema?.Type is null) wrong.Add($"{method} {path}: parameter {parameter.Name}");
            foreach (var name in Regex.Matches(path, @"\{(\w+)\}").Select(m => m.Groups[1].Value))
                if (operation.Parameters?.Any(p => p.Name == name && p.In == ParameterLocation.Path && p.Required) != true) wrong.Add($"{method} {path}: {name} is no parameter");
            if (method == "POST" && path is "/v1/sweeps" or "/v1/plans/validate" or "/v1/sweeps/adopt" && operation.RequestBody is not { Required: true, Content.Count: > 0 }) wrong.Add($"{method} {path}: no body");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Empty(Operations.GroupBy(o => o.Operation.OperationId, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1).Select(g => g.Key));
    }

    [Fact]
    public void Every_answer_has_a_description_and_what_it_holds_and_refusals_are_problems()
    {
        var wrong = new List<string>();
        foreach (var (path, method, operation) in Operations)
        {
            var answers = operation.Responses!;
            if (!answers.Keys.Any(s => s is "200" or "201" or "204")) wrong.Add($"{method} {path}: no success");
            foreach (var (status, answer) in answers)
            {
                var at = $"{method} {path} {status}";
                if (string.IsNullOrWhiteSpace(answer.Description)) wrong.Add($"{at}: no description");
                if (status is "204" or "304") continue;
                if (answer.Content is not { Count: > 0 } content) wrong.Add($"{at}: no content");
                else if (content.Values.Any(c => c.Schema is null)) wrong.Add($"{at}: no schema");
                else if (status[0] >= '4' && (!content.ContainsKey("application/problem+json") || content.Values.Single().Schema is not OpenApiSchemaReference { Reference.Id: "GridProblem" })) wrong.Add($"{at}: no problem document");
            }
            if (path.StartsWith("/v1/", StringComparison.Ordinal))
                foreach (var status in (string[])["401", "403", "503"])
                    if (!answers.ContainsKey(status)) wrong.Add($"{method} {path}: {status} is not announced");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Equal(["200", "403", "421"], _document.Paths["/livez"].Operations![HttpMethod.Get].Responses!.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["200", "403", "421", "503"], _document.Paths["/readyz"].Operations![HttpMethod.Get].Responses!.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Numbers_are_numbers_or_null_and_counts_are_whole()
    {
        var site = _document.Components!.Schemas!["SiteView"].Properties!;
        Assert.Equal((JsonSchemaType.Number | JsonSchemaType.Null, JsonSchemaType.Number | JsonSchemaType.Null, JsonSchemaType.Integer), (site["itWatts"].Type, site["facilityWatts"].Type, site["window"].Type));
        Assert.DoesNotContain("\"pattern\": \"^-?", _text);
        Assert.Equal(["detail", "problems", "status", "title", "type"], _document.Components.Schemas["GridProblem"].Properties!.Keys.Order(StringComparer.Ordinal));
        Assert.False(_document.Components.Schemas.ContainsKey("ProblemDetails"));
    }

    [Theory]
    [InlineData("GET", "/v1/sites", 200)]
    [InlineData("GET", "/v1/sites/lab/ratio?from=1&to=2", 404, "/v1/sites/{site}/ratio")]
    [InlineData("GET", "/v1/sites/lab/ratio?from=x&to=2", 400, "/v1/sites/{site}/ratio")]
    [InlineData("GET", "/v1/devices/n1/none", 404, "/v1/devices/{host}/{uuid}")]
    [InlineData("GET", "/v1/devices/n1/none/power", 404, "/v1/devices/{host}/{uuid}/power")]
    [InlineData("DELETE", "/v1/nodes/n1", 409, "/v1/nodes/{host}")]
    [InlineData("DELETE", "/v1/nodes/none", 404, "/v1/nodes/{host}")]
    [InlineData("GET", "/v1/sweeps/s", 200, "/v1/sweeps/{id}")]
    [InlineData("GET", "/v1/sweeps/none", 404, "/v1/sweeps/{id}")]
    [InlineData("GET", "/v1/sweeps/s/matrix", 404, "/v1/sweeps/{id}/matrix")]
    [InlineData("GET", "/v1/sweeps/s/report", 200, "/v1/sweeps/{id}/report")]
    [InlineData("GET", "/v1/sweeps/s/cells.csv", 404, "/v1/sweeps/{id}/cells.csv")]
    [InlineData("GET", "/v1/sweeps/s/trials", 200, "/v1/sweeps/{id}/trials")]
    [InlineData("GET", "/v1/sweeps/s/files/..%2fx", 400, "/v1/sweeps/{id}/files/{name}")]
    [InlineData("GET", "/v1/sweeps/s/events", 400, "/v1/sweeps/{id}/events")]
    [InlineData("POST", "/v1/sweeps?id=new", 201, "/v1/sweeps")]
    [InlineData("POST", "/v1/sweeps?id=s", 409, "/v1/sweeps")]
    [InlineData("POST", "/v1/sweeps?id=a%20b", 400, "/v1/sweeps")]
    [InlineData("POST", "/v1/sweeps?priority=x", 400, "/v1/sweeps")]
    [InlineData("POST", "/v1/sweeps/s/pause", 200, "/v1/sweeps/{id}/pause")]
    [InlineData("POST", "/v1/sweeps/s/resume", 409, "/v1/sweeps/{id}/resume")]
    [InlineData("POST", "/v1/sweeps/none/cancel", 404, "/v1/sweeps/{id}/cancel")]
    [InlineData("POST", "/v1/sweeps/s/cancel?reason=%07", 400, "/v1/sweeps/{id}/cancel")]
    [InlineData("DELETE", "/v1/sweeps/s", 400, "/v1/sweeps/{id}")]
    [InlineData("POST", "/v1/sweeps/adopt", 415)]
    [InlineData("POST", "/v1/plans/validate", 200)]
    [InlineData("GET", "/", 200)]
    [InlineData("GET", "/metrics", 200)]
    public async Task An_answer_that_is_given_is_one_that_is_announced(string method, string request, int status, string? path = null)
    {
        using var http = _grid.Http();
        using var message = new HttpRequestMessage(new HttpMethod(method), request);
        if (method == "POST") message.Content = new StringContent("name: a", Encoding.UTF8, "application/yaml");
        if (status == 400 && request.EndsWith("/events", StringComparison.Ordinal)) message.Headers.Add("Last-Event-ID", "-1");
        using var answer = await http.SendAsync(message);
        Assert.Equal(status, (int)answer.StatusCode);
        var announced = _document.Paths[path ?? request].Operations![new HttpMethod(method)].Responses!;
        Assert.True(announced.TryGetValue($"{status}", out var response), $"{status} is not announced");
        if (status is 204) return;
        Assert.Contains(answer.Content.Headers.ContentType!.MediaType!, response!.Content!.Keys);
        // From elsewhere: neither by name nor from a page.
        foreach (var (header, value, refusal) in ((string, string, int)[])[("Host", "evil.example", 421), ("Origin", "https://evil.example", 403)])
        {
            using var foreign = new HttpRequestMessage(new HttpMethod(method), request);
            foreign.Headers.Add(header, value);
            Assert.Equal(refusal, (int)(await http.SendAsync(foreign)).StatusCode);
            Assert.True(announced.ContainsKey($"{refusal}"));
        }
    }

    [Fact]
    public async Task A_token_is_asked_for_where_the_document_says_so_and_nowhere_else()
    {
        await using var grid = await FakeGrid.Start(withTokens: true);
        using var http = grid.Http();
        foreach (var (path, method, operation) in Operations)
        {
            using var answer = await http.SendAsync(new HttpRequestMessage(new HttpMethod(method), Regex.Replace(path, @"\{\w+\}", "x")), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal((path, operation.Security is { Count: > 0 }), (path, answer.StatusCode == HttpStatusCode.Unauthorized));
        }
    }
}
