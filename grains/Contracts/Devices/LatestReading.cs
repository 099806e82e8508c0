namespace EnergyGrid.Contracts;

/// <summary>What the sensors of one device said last, whether it works or rests. What they do not tell is NaN.</summary>
/// <param name="Uuid">The device, unique within its node.</param>
/// <param name="Watts">Power, W.</param>
/// <param name="Celsius">Temperature, °C.</param>
/// <param name="Megahertz">Clock of the processing units, MHz.</param>
[GenerateSerializer, Immutable, Alias("LatestReading")]
public readonly record struct LatestReading(
    [property: Id(0)] string Uuid,
    [property: Id(1)] double Watts,
    [property: Id(2)] double Celsius,
    [property: Id(3)] double Megahertz)
{
    /// <summary>Of a device that has told nothing yet.</summary>
    public static LatestReading None(string uuid) => new(uuid, double.NaN, double.NaN, double.NaN);
}
