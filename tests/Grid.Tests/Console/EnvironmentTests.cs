using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EnergyGrid.Grid.Tests.Api;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>What a node's environment may hold: a proxy, no home, no SDK. It never comes between the console and its grid, and a token goes to nobody else.</summary>
public sealed class EnvironmentTests
{
    private static readonly string Assembly = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;

    [Fact]
    public async Task This_machine_is_asked_directly_whatever_proxy_is_named_and_the_token_goes_to_none()
    {
        using var scratch = new Scratch();
        using var proxy = new TcpListener(IPAddress.Loopback, 0);
        proxy.Start();
        await using var grid = await FakeGrid.Start(withTokens: true);
        grid.Add("s1");
        var token = Path.Combine(scratch.Path, "token");
        File.WriteAllText(token, FakeGrid.OperatorToken + "\n");
        var named = $"http://{proxy.LocalEndpoint}";
        foreach (var host in new[] { "127.0.0.1", "localhost" })
        {
            var url = new UriBuilder(grid.Address) { Host = host }.Uri;
            var (code, said) = await Run(["dotnet", "exec", Assembly, "status", "--url", $"{url}", "--token-file", token],
                new() { ["http_proxy"] = named, ["https_proxy"] = named, ["all_proxy"] = named, ["no_proxy"] = "example.org" });
            Assert.True(code == 0, said);
            Assert.Contains("s1", said);
        }
        Assert.False(proxy.Pending());
    }

    [Theory]
    [InlineData("http://192.0.2.7:7070")]
    [InlineData("http://grid.example:7070")]
    [InlineData("http://127.0.0.1:9,http://192.0.2.7:7070")]
    public async Task A_token_is_not_sent_to_another_machine_in_clear_text(string url)
    {
        using var scratch = new Scratch();
        var token = Path.Combine(scratch.Path, "token");
        File.WriteAllText(token, "a-token\n");
        var (code, said) = await Run(["dotnet", "exec", Assembly, "status", "--url", url, "--token-file", token], []);
        Assert.True(code == 2 && said.Contains("plain http", StringComparison.Ordinal) && said.Contains("https", StringComparison.Ordinal), $"exit {code}: {said}");
        Assert.Throws<ArgumentException>(() => new GridClient([.. url.Split(',').Select(u => new Uri(u))], "a-token"));
        using var without = new GridClient([.. url.Split(',').Select(u => new Uri(u))]);
    }

    [Fact]
    public async Task Without_a_home_the_launcher_and_the_silo_say_what_to_do()
    {
        using var scratch = new Scratch();
        // The tools that a bare machine has, and no SDK.
        foreach (var tool in new[] { "bash", "env", "mkdir", "find", "mktemp", "readlink", "cut", "tr", "mv", "rm", "grep", "sort", "head", "cat" })
            File.CreateSymbolicLink(Path.Combine(scratch.Path, tool), new[] { "/usr/bin/", "/bin/" }.Select(d => d + tool).First(File.Exists));
        File.Copy(Path.Combine(PythonReader.Root, "energygrid"), Path.Combine(scratch.Path, "energygrid"));
        var (launched, advice) = await Run(["env", "-i", $"PATH={scratch.Path}", "bash", Path.Combine(scratch.Path, "energygrid"), "version"], []);
        Assert.True(launched == 2 && advice.Contains("Get the .NET 10 SDK", StringComparison.Ordinal) && !advice.Contains("unbound", StringComparison.Ordinal), $"exit {launched}: {advice}");
        var dotnet = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var (code, said) = await Run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env", "-u", "HOME", "-u", "XDG_DATA_HOME", dotnet, "exec", Assembly, "up", "--no-local", "--gpus", "none", "--simulate", "1x1x1", "--bind", "http://127.0.0.1:0"], []);
        if (said.Contains("setpriv", StringComparison.Ordinal)) return; // only root may be somebody else
        Assert.True(code == 2 && said.Contains("--data DIR", StringComparison.Ordinal), $"exit {code}: {said}");
    }

    private static async Task<(int Code, string Said)> Run(string[] command, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = "/" };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token);
        return (process.ExitCode, await output + await error);
    }
}
