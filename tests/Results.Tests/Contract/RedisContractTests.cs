namespace EnergyGrid.Results.Tests;

/// <summary>The contract over a real Redis.</summary>
public sealed class RedisContractTests(RedisBed bed) : StoreContract(bed), IClassFixture<RedisBed>;
