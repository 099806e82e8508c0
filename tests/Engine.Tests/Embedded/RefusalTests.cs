using Microsoft.Extensions.Hosting;

namespace EnergyGrid.Engine.Tests;

/// <summary>The embedded engine refuses what one process cannot give.</summary>
public sealed class RefusalTests
{
    [Fact]
    public void Redis_is_refused_with_the_way_out()
    {
        var e = Assert.Throws<NotSupportedException>(() => Host.CreateApplicationBuilder().AddGridEngine(o => o.Redis = "localhost:6379"));
        Assert.Contains("GridEngine=orleans", e.Message);
    }
}
