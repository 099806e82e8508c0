using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>What may be said of a whole result: measured only if every part of every energy was read from a sensor.</summary>
/// <param name="Measured">Whether every row is measured.</param>
/// <param name="Mixed">Whether some rows are measured and some are not: each must then say so itself.</param>
/// <param name="Word">One or two words in capitals, for the banner and for the corner of each figure.</param>
/// <param name="Sentence">What it means.</param>
public sealed record Standing(bool Measured, bool Mixed, string Word, string Sentence)
{
    /// <summary>Of a matrix and all its rows; the matrix's own provenance can only make it worse.</summary>
    public static Standing Of(Matrix matrix) =>
        Of(matrix.Groups.SelectMany(g => g.Rows).Select(r => r.Provenance).ToArray(), matrix.Provenance);

    /// <summary>Of some rows.</summary>
    /// <param name="rows">Provenance of each.</param>
    /// <param name="whole">Of what holds them.</param>
    public static Standing Of(IReadOnlyCollection<Provenance> rows, Provenance whole)
    {
        if (rows.Count == 0)
        {
            return new Standing(false, false, "NO RESULT", "There is no cell in this matrix: nothing was measured and nothing modelled.");
        }

        var measured = rows.Count(r => r == Provenance.Measured);
        var worst = rows.Append(whole).Aggregate(Provenances.Worst);
        if (worst == Provenance.Measured)
        {
            return new Standing(true, false, "MEASURED",
                "Every energy in this matrix was read from a sensor of the device itself. Whole-model figures are projected from it, and say so where they stand.");
        }

        var word = worst.ToString().ToUpperInvariant();
        return measured == 0
            ? new Standing(false, false, word, Meaning(worst) + " No figure here is a measurement of hardware, and none may be quoted as one.")
            : new Standing(false, true, "PARTLY " + word,
                $"{measured} of {rows.Count} cells are measured. {Meaning(worst)} Each cell says which it is; only cells marked “measured” may be quoted as measurements.");
    }

    private static string Meaning(Provenance worst) => worst switch
    {
        Provenance.Modelled => "Energies marked “modelled” come from a model or a simulation, not from a sensor.",
        Provenance.Declared => "Energies marked “declared” were stated by a person, not read from a sensor.",
        _ => "Energies marked “projected” are extrapolated beyond what was run, not read from a sensor.",
    };
}
