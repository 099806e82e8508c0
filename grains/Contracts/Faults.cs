namespace EnergyGrid.Contracts;

/// <summary>An order or a lease carried an epoch below the highest one seen. The sender has been superseded.</summary>
[GenerateSerializer, Alias("StaleEpochException")]
public sealed class StaleEpochException : Exception
{
    public StaleEpochException(string message, long offered, long current) : base(message) { Offered = offered; Current = current; }

    [Id(0)] public long Offered { get; init; }
    [Id(1)] public long Current { get; init; }
}

/// <summary>No host of that name is up, or it has no such device.</summary>
[GenerateSerializer, Alias("HostUnavailableException")]
public sealed class HostUnavailableException(string message) : Exception(message);

/// <summary>A request that cannot be obeyed as things stand: the message names what is wrong and what would be right.</summary>
[GenerateSerializer, Alias("RefusedException")]
public sealed class RefusedException(string message) : Exception(message);

/// <summary>
/// What must be kept could not be written or read: a full or failing disk, a Redis that is away, full or refuses. One kind, whatever the store.
/// Whether a write that failed took place is unknown, so its writer reads again before it writes.
/// </summary>
/// <remarks>An <see cref="OrleansException"/>, because Orleans wraps every other exception that leaves a storage provider.</remarks>
[GenerateSerializer, Alias("StorageTroubleException")]
public sealed class StorageTroubleException : OrleansException
{
    public StorageTroubleException(string message) : base(message) { }
}

/// <summary>A writer with a higher fence has been here: whoever gets this is a copy that must end, and has changed nothing.</summary>
[GenerateSerializer, Alias("SupersededException")]
public sealed class SupersededException : Exception
{
    public SupersededException(string message) : base(message) { }
}
