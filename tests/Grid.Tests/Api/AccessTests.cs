using System.Net;
using System.Text;
using EnergyGrid.Silo;

namespace EnergyGrid.Grid.Tests.Api;

public sealed class AccessTests
{
    [Theory]
    [InlineData(null, "GET", "/v1/sites", 401)]
    [InlineData("wrong", "GET", "/v1/sites", 401)]
    [InlineData(FakeGrid.ViewerToken, "GET", "/v1/sites", 200)]
    [InlineData(FakeGrid.OperatorToken, "GET", "/v1/sites", 200)]
    [InlineData(null, "POST", "/v1/sweeps", 401)]
    [InlineData(FakeGrid.ViewerToken, "POST", "/v1/sweeps", 403)]
    [InlineData(FakeGrid.OperatorToken, "POST", "/v1/sweeps", 201)]
    [InlineData(FakeGrid.ViewerToken, "POST", "/v1/sweeps/s/cancel", 403)]
    [InlineData(FakeGrid.OperatorToken, "POST", "/v1/sweeps/s/cancel", 200)]
    [InlineData(FakeGrid.ViewerToken, "POST", "/v1/plans/validate", 200)]
    [InlineData(null, "GET", "/metrics", 401)]
    [InlineData(null, "GET", "/openapi/v1.json", 401)]
    [InlineData(null, "GET", "/healthz", 200)]
    [InlineData(null, "GET", "/readyz", 200)]
    public async Task Roles_may_what_they_may(string? token, string method, string path, int status)
    {
        await using var grid = await FakeGrid.Start(withTokens: true);
        grid.Add("s");
        using var http = grid.Http(token);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method == "POST") request.Content = new StringContent("name: a", Encoding.UTF8, "application/yaml");
        using var answer = await http.SendAsync(request);
        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 401) Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
        if (status >= 400) Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        if (status is 401 or 403) Assert.Single(grid.Sweeps);
    }

    [Theory]
    [InlineData("http://0.0.0.0:0", "a token file and TLS are missing")]
    [InlineData("http://192.0.2.1:7070", "a token file and TLS are missing")]
    [InlineData("https://127.0.0.1:0", "needs a certificate")]
    [InlineData("http://grid.example:7070", "neither an IP address nor localhost")]
    [InlineData("ftp://127.0.0.1", "no address to bind to")]
    public void An_address_that_is_not_safe_to_bind_is_refused_with_what_to_configure(string url, string says) =>
        Assert.Contains(says, Assert.Throws<SiloRefusedException>(() => SiloHost.Build(new SiloOptions { DataDirectory = Path.GetTempPath(), Url = url })).Message);

    [Theory]
    [InlineData("abc viewer vera", "t:1: the first word is no SHA-256")]
    [InlineData("# comment\n0000000000000000000000000000000000000000000000000000000000000000 root vera", "t:2: role 'root'")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000 viewer", "t:1: 2 words")]
    [InlineData("{\"role\":\"viewer\"}", "t:1: no \"tokenSha256\"")]
    [InlineData("{", "t:1: no JSON")]
    [InlineData("\n", "no token in it")]
    public void A_token_file_that_is_wrong_is_refused_with_its_line(string text, string says) =>
        Assert.Contains(says, Assert.Throws<SiloRefusedException>(() => TokenFile.Parse(text.Split('\n'), "t")).Message);
}
