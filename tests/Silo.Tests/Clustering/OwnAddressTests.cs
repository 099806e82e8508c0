using System.Net;

namespace EnergyGrid.Silo.Tests;

public sealed class OwnAddressTests
{
    private static readonly IPAddress Lan = IPAddress.Parse("10.0.0.7"), Other = IPAddress.Parse("10.0.0.9"), Six = IPAddress.Parse("fd00::7");
    private static readonly IPAddress[] Own = [IPAddress.Loopback, Lan, Six];

    private static IPAddress Choose(IPAddress? asked, IPAddress towards, IPAddress redis, string? named = null) => OwnAddress.Choose(asked, towards, redis, named ?? redis.ToString(), Own);

    [Fact]
    public void Without_a_wish_it_is_the_local_end_of_the_connection_to_Redis()
    {
        Assert.Equal(Lan, Choose(null, Lan, Other));
        Assert.Equal(Six, Choose(null, Six, IPAddress.Parse("fd00::9")));
        Assert.Equal(IPAddress.IPv6Loopback, Choose(null, IPAddress.IPv6Loopback, IPAddress.IPv6Loopback));
    }

    [Fact]
    public void Loopback_serves_only_where_Redis_is_there_too()
    {
        var beside = IPAddress.Parse("127.0.0.2");
        Assert.Equal(beside, Choose(beside, IPAddress.Loopback, IPAddress.Loopback));
        Assert.Contains("loopback", Assert.Throws<SiloRefusedException>(() => Choose(IPAddress.Parse("127.0.1.1"), Lan, Other)).Message);
    }

    [Theory]
    [InlineData("10.0.0.9", "10.0.0.7, fd00::7")]
    [InlineData("0.0.0.0", "10.0.0.7, fd00::7")]
    [InlineData("::", "10.0.0.7, fd00::7")]
    public void An_address_that_is_not_of_this_machine_is_refused_with_those_that_are(string asked, string says) =>
        Assert.Contains(says, Assert.Throws<SiloRefusedException>(() => Choose(IPAddress.Parse(asked), Lan, Other)).Message);

    [Fact]
    public void A_network_address_may_be_asked_for_beside_a_Redis_on_loopback() => Assert.Equal(Lan, Choose(Lan, IPAddress.Loopback, IPAddress.Loopback));

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("localhost", true)]
    [InlineData("LOCALHOST", true)]
    [InlineData("::1", true)]
    [InlineData("gpu-1", false)]
    [InlineData("10.0.0.7", false)]
    public void A_name_of_Redis_that_other_machines_use_too_must_not_lead_to_loopback(string named, bool taken)
    {
        var loopback = IPAddress.Parse("127.0.1.1");
        if (taken) Assert.Equal(loopback, Choose(null, loopback, loopback, named));
        else
        {
            var said = Assert.Throws<SiloRefusedException>(() => Choose(null, loopback, loopback, named)).Message;
            Assert.Contains("--silo-address", said);
            Assert.Contains("10.0.0.7", said);
        }
        Assert.Equal(Lan, Choose(Lan, loopback, loopback, named));
    }

    [Fact]
    public void A_machine_with_loopback_alone_takes_it_whatever_the_name() =>
        Assert.Equal(IPAddress.Loopback, OwnAddress.Choose(null, IPAddress.Loopback, IPAddress.Loopback, "here", [IPAddress.Loopback]));

    [Fact]
    public void A_member_on_loopback_is_of_this_machine_only_if_Redis_is()
    {
        Assert.True(OwnAddress.IsLocal(IPAddress.Parse("127.0.0.2"), IPAddress.Loopback, Own));
        Assert.False(OwnAddress.IsLocal(IPAddress.Loopback, Other, Own));
        Assert.True(OwnAddress.IsLocal(Lan, Other, Own));
        Assert.False(OwnAddress.IsLocal(Other, Other, Own));
    }

    [Fact]
    public void The_addresses_of_this_machine_hold_its_loopback() => Assert.Contains(IPAddress.Loopback, OwnAddress.Local());
}
