using System.Runtime;

namespace EnergyGrid.Stacks.Tests;

public sealed class CollectorRestTests
{
    [Fact]
    public void The_collector_rests_until_the_first_who_asked_is_done_and_goes_on_when_its_memory_is_used_up()
    {
        using (var rest = CollectorRest.Begin(32 << 20))
        {
            using (CollectorRest.Begin(32 << 20)) Assert.Equal(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
            Assert.Equal(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
            // Far more than it was given: it collects, and rests again or as ever; nothing fails.
            for (var i = 0; i < 2000; i++) GC.KeepAlive(new byte[80_000]);
        }

        Assert.NotEqual(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
    }
}
