namespace EnergyGrid.Silo;

/// <summary>
/// What silos of one cluster have to agree on: the grain interfaces and records that travel, and what lies in Redis. A release that an older silo cannot work beside
/// raises <see cref="Version"/>; one that it can (a field more, a method more) does not, so that silos are replaced one after the other.
/// </summary>
internal static class ClusterContract
{
    public const string Version = "1.3";
}
