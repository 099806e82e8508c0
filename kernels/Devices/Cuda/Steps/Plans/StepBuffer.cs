namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>What a buffer is for.</summary>
public enum BufferUse
{
    /// <summary>Weight units of one stored matrix.</summary>
    Weights,

    /// <summary>Caches and states of one layer.</summary>
    State,

    /// <summary>Gains, sinks, angles, selections, the input: small, written once.</summary>
    Table,

    /// <summary>What one kernel hands to the next; layers share it.</summary>
    Activations,

    /// <summary>Panels: as activations, but their padding is zero and stays so.</summary>
    Panels,

    /// <summary>Partial results that blocks share; what they hold between kernels is of no account.</summary>
    Workspace,

    /// <summary>Arrival counters: zero before and after every kernel.</summary>
    Counters,

    /// <summary>Needed only while data are filled.</summary>
    Scratch,
}

/// <summary>A piece of device memory that a plan asks for.</summary>
/// <param name="Index">Its place among the plan's buffers.</param>
/// <param name="Name">Layer, then what it holds.</param>
/// <param name="Bytes">B.</param>
/// <param name="Use">What for.</param>
public sealed record StepBuffer(int Index, string Name, long Bytes, BufferUse Use);

/// <summary>An address that is known when the buffer is.</summary>
/// <param name="Buffer">Where; null is the null pointer.</param>
/// <param name="Offset">B from its beginning.</param>
public readonly record struct Place(StepBuffer? Buffer, long Offset = 0)
{
    /// <summary>The null pointer.</summary>
    public static Place Nowhere => default;

    /// <summary>So many bytes further.</summary>
    public static Place operator +(Place place, long bytes) => place with { Offset = place.Offset + bytes };
}

/// <summary>Where the buffers of a plan lie.</summary>
/// <param name="begins">Device addresses by <see cref="StepBuffer.Index"/>.</param>
public sealed class BufferAddresses(IReadOnlyList<ulong> begins)
{
    /// <summary>The device address of a place.</summary>
    public ulong this[Place place] => place.Buffer is null ? 0 : begins[place.Buffer.Index] + (ulong)place.Offset;
}
