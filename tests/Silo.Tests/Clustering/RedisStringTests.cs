using System.Net;

namespace EnergyGrid.Silo.Tests;

public sealed class RedisStringTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_string_comes_from_the_command_line_a_file_or_the_environment_in_that_order()
    {
        var file = Path.Combine(_directory.Path, "redis");
        File.WriteAllText(file, "a:1,password=secret\nmore\n");
        Assert.Null(RedisString.Choose(null, null, null));
        Assert.Null(RedisString.Choose(null, null, " "));
        Assert.Equal("e:1,password=x", RedisString.Choose(null, null, "e:1,password=x"));
        Assert.Equal("a:1,password=secret", RedisString.Choose(null, file, "e:1"));
        Assert.Equal("c:1,ssl=true", RedisString.Choose("c:1,ssl=true", null, "e:1"));
        Assert.Contains("one of them", Assert.Throws<SiloRefusedException>(() => RedisString.Choose("c:1", file, null)).Message);
    }

    [Theory]
    [InlineData("r:6379,password=hunter2")]
    [InlineData("r:6379, Password = hunter2")]
    [InlineData("redis://grid:hunter2@r:6379")]
    public void A_password_on_the_command_line_is_refused_and_not_repeated(string text)
    {
        var said = Assert.Throws<SiloRefusedException>(() => RedisString.Choose(text, null, null)).Message;
        Assert.Contains("--redis-file", said);
        Assert.DoesNotContain("hunter2", said);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\nsecond:1")]
    public void A_file_without_a_first_line_is_refused(string text)
    {
        var file = Path.Combine(_directory.Path, "redis");
        File.WriteAllText(file, text);
        Assert.Contains("first line is empty", Assert.Throws<SiloRefusedException>(() => RedisString.Choose(null, file, null)).Message);
    }

    [Fact]
    public void A_file_that_is_not_there_is_refused() =>
        Assert.Contains("cannot be read", Assert.Throws<SiloRefusedException>(() => RedisString.Choose(null, Path.Combine(_directory.Path, "none"), null)).Message);

    [Theory]
    [InlineData("r:6379,passwrd=hunter2", "cannot be read")]
    [InlineData("ssl=true", "names no host")]
    [InlineData("r:26379,serviceName=mymaster", "sentinel")]
    public void A_string_that_is_wrong_is_refused_without_its_secrets(string text, string says)
    {
        var said = Assert.Throws<SiloRefusedException>(() => RedisString.Parse(text)).Message;
        Assert.Contains(says, said);
        Assert.DoesNotContain("hunter2", said);
    }

    [Fact]
    public void User_password_and_TLS_reach_the_client()
    {
        var options = RedisString.Parse("[::1]:6380,ssl=true,user=grid,password=p");
        Assert.Equal((true, "grid", "p", (EndPoint)new IPEndPoint(IPAddress.IPv6Loopback, 6380)), (options.Ssl, options.User, options.Password, options.EndPoints[0]));
    }
}
