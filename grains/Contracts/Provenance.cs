namespace EnergyGrid.Contracts;

/// <summary>How a number came about, best first: a sum is no better than its worst part (see <see cref="Provenances.Worst"/>).</summary>
[GenerateSerializer, Alias("Provenance")]
public enum Provenance
{
    /// <summary>Read from a sensor of the thing itself.</summary>
    Measured,

    /// <summary>Stated by a person, in a plan or a site file.</summary>
    Declared,

    /// <summary>Computed from a model: a simulation, an attribution, a split that no sensor saw.</summary>
    Modelled,

    /// <summary>Extrapolated beyond what was run: a whole model from a few of its layers.</summary>
    Projected,
}

/// <summary>The rule of provenance.</summary>
public static class Provenances
{
    /// <summary>The provenance of anything made from both.</summary>
    public static Provenance Worst(Provenance a, Provenance b) => a > b ? a : b;
}

/// <summary>Where energy is accounted: what lies inside is counted. Ordered from the device outward.</summary>
[GenerateSerializer, Alias("Boundary")]
public enum Boundary { Gpu, Node, Rack, Facility }
