using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Silo;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>What a plan may travel as, read by what reads plans.</summary>
public sealed class PlanBodyTests : IAsyncLifetime
{
    private FakeGrid _grid = null!;

    public async Task InitializeAsync() => _grid = await FakeGrid.Start(desk: new PlanDesk());

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private static string Plan { get; } = SmallPlan.Of(devices: 1);

    private async Task<(HttpStatusCode Status, string Text, HttpResponseHeaders Headers)> Validate(byte[] body, string? media, string? encoding = null)
    {
        using var http = _grid.Http();
        using var content = new ByteArrayContent(body);
        if (media is not null) content.Headers.TryAddWithoutValidation("Content-Type", media);
        if (encoding is not null) content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        using var answer = await http.PostAsync("/v1/plans/validate", content);
        if (!answer.IsSuccessStatusCode) Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers);
    }

    private static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(bytes);
        return packed.ToArray();
    }

    [Theory]
    [InlineData("application/yaml", 200)]
    [InlineData("application/yaml; charset=utf-8", 200)]
    [InlineData("application/yaml; charset=\"UTF-8\"", 200)]
    [InlineData("Application/YAML", 200)]
    [InlineData("application/x-yaml", 200)]
    [InlineData("text/yaml", 200)]
    [InlineData("text/x-yaml", 200)]
    [InlineData("application/yaml; charset=utf-16", 415)]
    [InlineData("text/plain", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [InlineData("multipart/form-data; boundary=x", 415)]
    [InlineData("yaml", 415)]
    [InlineData("", 415)]
    [InlineData(null, 415)]
    public async Task A_plan_is_taken_as_yaml_or_json_in_utf_8_and_else_told_what_to_send(string? media, int status)
    {
        var (seen, text, _) = await Validate(Encoding.UTF8.GetBytes(Plan), media);
        Assert.Equal(status, (int)seen);
        if (status == 415) Assert.Contains("send application/yaml or application/json", text);
    }

    [Theory]
    [InlineData("{\n \"name\": ,\n}", 2, "is not valid JSON here")]
    [InlineData("{\"name\": \"a\",}", 1, "is not valid JSON here")]
    [InlineData("{\"name\": \"a\" // said\n}", 1, "is not valid JSON here")]
    [InlineData("{\"name\": \"a\", \"name\": \"b\"}", 1, "the key 'name' is already on line 1")]
    [InlineData("[1]", 1, "a mapping of keys to values")]
    [InlineData("NaN", 1, "is not valid JSON here")]
    public async Task Json_that_is_no_plan_is_400_with_its_line_and_a_sentence_of_ours(string body, int line, string says)
    {
        var (status, text, _) = await Validate(Encoding.UTF8.GetBytes(body), "application/json");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(line, JsonDocument.Parse(text).RootElement.GetProperty("problems")[0].GetProperty("line").GetInt32());
        Assert.Contains(says, text);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(5000)]
    [InlineData(500_000)]
    public async Task Json_that_is_too_deep_is_400_and_told_how_deep_a_plan_may_be(int depth)
    {
        var (status, text, _) = await Validate(Encoding.UTF8.GetBytes("{\"name\":" + new string('[', depth) + new string(']', depth) + "}"), "application/json");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("is nested deeper than 16 levels", text);
    }

    [Fact]
    public async Task A_mark_in_front_of_the_text_is_no_part_of_the_plan()
    {
        byte[] mark = [0xEF, 0xBB, 0xBF];
        Assert.Equal(HttpStatusCode.OK, (await Validate([.. mark, .. Encoding.UTF8.GetBytes(Plan)], "application/yaml")).Status);
        var (status, text, _) = await Validate([.. mark, .. "{\"name\": 1}"u8], "application/json");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.DoesNotContain("is not valid JSON", text);
    }

    [Fact]
    public async Task Bytes_that_are_no_utf_8_are_400()
    {
        var (status, text, _) = await Validate([0x6E, 0xFF], "application/yaml");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("is not UTF-8", text);
    }

    [Theory]
    [InlineData("gzip", 200)]
    [InlineData("GZIP", 200)]
    [InlineData("x-gzip", 200)]
    [InlineData("br", 415)]
    [InlineData("gzip, gzip", 415)]
    public async Task A_plan_may_come_as_gzip_and_as_nothing_else(string encoding, int status)
    {
        var (seen, text, headers) = await Validate(Packed(Encoding.UTF8.GetBytes(Plan)), "application/yaml", encoding);
        Assert.Equal(status, (int)seen);
        if (status == 415) Assert.Contains("or as gzip", text);
        Assert.Equal(status == 415, headers.NonValidated.TryGetValues("Accept-Encoding", out _));
    }

    [Fact]
    public async Task What_says_it_is_gzip_and_is_none_or_ends_too_soon_is_400()
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await Validate(Encoding.UTF8.GetBytes(Plan), "application/yaml", "gzip")).Status);
        var packed = Packed(Encoding.UTF8.GetBytes(Plan));
        // What was cut off may still be a plan.
        foreach (var left in new[] { 200, packed.Length - 8, packed.Length - 4, packed.Length - 1 }) Assert.Equal(HttpStatusCode.BadRequest, (await Validate(packed[..left], "application/yaml", "gzip")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await Validate([.. packed, 1, 2, 3, 4], "application/yaml", "gzip")).Status);
        Assert.Equal(HttpStatusCode.OK, (await Validate(packed, "application/yaml", "gzip")).Status);
    }

    [Fact]
    public async Task What_is_small_only_while_it_is_packed_is_413()
    {
        var packed = Packed(Encoding.UTF8.GetBytes(new string(' ', 64 << 20)));
        Assert.InRange(packed.Length, 1, 1 << 18);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await Validate(packed, "application/yaml", "gzip")).Status);
    }
}
