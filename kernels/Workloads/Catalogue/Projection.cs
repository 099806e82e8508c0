using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>A whole model from one layer. Always <see cref="Provenance.Projected"/>. Interconnect, embedding and final norm are excluded.</summary>
/// <param name="LayersJoulesPerToken">L layers, J per token.</param>
/// <param name="HeadJoulesPerToken">The LM-head step measured apart, J per token; null where it was not.</param>
/// <param name="DevicesNeeded">Devices whose memory holds the model with its KV, at 95 % of each.</param>
/// <param name="Notes">What must stand beside the figure: "layers only" or "layers and head", "needs n devices".</param>
public sealed record WholeModel(double LayersJoulesPerToken, double? HeadJoulesPerToken, int DevicesNeeded, ImmutableArray<string> Notes)
{
    /// <summary>Said where no head step was measured.</summary>
    public const string LayersOnly = "layers only";

    /// <summary>Said where the head's step is in the sum.</summary>
    public const string LayersAndHead = "layers and head";

    /// <summary>Layers and, where it was measured, head, J per token.</summary>
    public double JoulesPerToken => LayersJoulesPerToken + (HeadJoulesPerToken ?? 0);
}

/// <summary>Step energies to energy per layer, and from there to the model.</summary>
public static class Projection
{
    /// <summary>J per token per layer: the slope of step energy over two L', divided by the batch.</summary>
    /// <param name="shortJoules">Energy of one step of <see cref="Configuration.ShortLayers"/>, J.</param>
    /// <param name="longJoules">Energy of one step of <see cref="Configuration.LongLayers"/>, J.</param>
    /// <returns>Slope per token; the intercept of the step, J. With one L' only, the quotient and an intercept of zero: linearity is unchecked.</returns>
    public static (double JoulesPerTokenLayer, double InterceptJoules) PerLayer(Configuration c, double shortJoules, double longJoules)
    {
        if (c.LongLayers == c.ShortLayers)
        {
            return ((shortJoules + longJoules) / 2 / c.ShortLayers / c.Batch, 0);
        }

        var slope = (longJoules - shortJoules) / (c.LongLayers - c.ShortLayers);
        return (slope / c.Batch, shortJoules - slope * c.ShortLayers);
    }

    /// <summary>The whole model's J per token.</summary>
    /// <param name="c">Gives L, the batch and the residency.</param>
    /// <param name="joulesPerTokenLayer">From <see cref="PerLayer"/>, J.</param>
    /// <param name="headJoulesPerToken">The LM-head step's energy divided by the batch, J; null where it was not measured.</param>
    /// <param name="profile">Its memory decides "needs n devices".</param>
    public static WholeModel Whole(Configuration c, double joulesPerTokenLayer, double? headJoulesPerToken, DeviceProfile profile)
    {
        var resident = Catalogue.ResidentBytes(c, c.ModelLayers) + LmHead.Cost(c).ResidentBytes;
        var devices = (int)Math.Ceiling(resident / profile.UsableBytes);
        ImmutableArray<string> notes = [headJoulesPerToken is null ? WholeModel.LayersOnly : WholeModel.LayersAndHead];
        if (devices > 1)
        {
            notes = notes.Add(string.Create(CultureInfo.InvariantCulture, $"needs {devices} devices"));
        }

        return new WholeModel(c.ModelLayers * joulesPerTokenLayer, headJoulesPerToken, devices, notes);
    }
}
