using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Silo.Tests;

/// <summary>The silo that a grain of this process is on.</summary>
public sealed record Here(string Silo);

/// <summary>A grain pinned to its host. Key: <c>host/device</c>.</summary>
[Alias("Test.IPlaceGrain")]
public interface IPlaceGrain : IGrainWithStringKey
{
    [Alias("Silo")] Task<string> Silo();
}

[HostPlacement, Immovable, KeepAlive]
public sealed class PlaceGrain(Here here) : Grain, IPlaceGrain
{
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var (host, device) = HostPlacement.Split(this.GetPrimaryKeyString());
        return device == "d-0" ? Task.CompletedTask : throw new HostUnavailableException($"Device '{device}' of host '{host}' is not here.");
    }

    public Task<string> Silo() => Task.FromResult(here.Silo);
}
