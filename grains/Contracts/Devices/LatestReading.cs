namespace EnergyGrid.Contracts;

/// <summary>What the sensors of one device said last, whether it works or rests. What they do not tell is NaN.</summary>
/// <param name="Uuid">The device, unique within its node.</param>
/// <param name="Watts">Power, W.</param>
/// <param name="Celsius">Temperature, °C.</param>
/// <param name="Megahertz">Clock of the processing units, MHz.</param>
/// <param name="Utilisation">Share of the last second or so in which it was at work, 0–1, as its own sensors say.</param>
/// <param name="MemoryUsedBytes">Memory that is taken, whoever has it, B.</param>
[GenerateSerializer, Immutable, Alias("LatestReading")]
public readonly record struct LatestReading(
    [property: Id(0)] string Uuid,
    [property: Id(1)] double Watts,
    [property: Id(2)] double Celsius,
    [property: Id(3)] double Megahertz,
    [property: Id(4)] double Utilisation = double.NaN,
    [property: Id(5)] double MemoryUsedBytes = double.NaN)
{
    /// <summary>Of a device that has told nothing yet.</summary>
    public static LatestReading None(string uuid) => new(uuid, double.NaN, double.NaN, double.NaN);
}
