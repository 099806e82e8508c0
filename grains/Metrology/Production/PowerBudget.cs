using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>P_IT of the declared envelope: (2), and its division over devices.</summary>
/// <param name="ItWatts">P_IT over all devices, W.</param>
/// <param name="Boundary">Where it holds: the envelope's own boundary, or node input for a facility-side envelope after division by PUE.</param>
/// <param name="Devices">N.</param>
public sealed record PowerBudget(double ItWatts, Boundary Boundary, int Devices)
{
    /// <summary>Envelope / N, W.</summary>
    public double WattsPerDevice => ItWatts / Devices;

    /// <summary>
    /// P_IT = P_facility / PUE for a facility-side envelope, the envelope itself otherwise (2). PUE counts to the IT equipment's input, so a
    /// facility-side envelope becomes a node-input one.
    /// Throws <see cref="ArgumentException"/> for watts or devices that are not positive, and for a facility-side envelope without a PUE of at least 1.
    /// </summary>
    public static PowerBudget Of(Envelope envelope, double? pue = null)
    {
        ArgumentNullException.ThrowIfNull(envelope);
        if (!Figures.IsPositive(envelope.Watts) || envelope.Devices < 1)
        {
            throw new ArgumentException($"An envelope needs positive watts and devices, not {envelope.Watts} W over {envelope.Devices}.", nameof(envelope));
        }
        if (envelope.Boundary != Boundary.Facility)
        {
            return new PowerBudget(envelope.Watts, envelope.Boundary, envelope.Devices);
        }
        return pue is >= 1 and < double.PositiveInfinity
            ? new PowerBudget(envelope.Watts / pue.Value, Boundary.Node, envelope.Devices)
            : throw new ArgumentException("A facility-side envelope needs a PUE of at least 1.", nameof(pue));
    }

    /// <summary>A planner's own shares in W instead of equal ones. Throws <see cref="ArgumentException"/> unless there are N of them, none negative, that sum to P_IT within 1e-9.</summary>
    public ImmutableArray<double> WithShares(IReadOnlyCollection<double> watts)
    {
        ArgumentNullException.ThrowIfNull(watts);
        if (watts.Count != Devices || watts.Any(share => !(share >= 0)) || Math.Abs(watts.Sum() - ItWatts) > 1e-9 * ItWatts)
        {
            throw new ArgumentException($"Shares must be {Devices} watts, none negative, that sum to {ItWatts}.", nameof(watts));
        }
        return [.. watts];
    }
}
