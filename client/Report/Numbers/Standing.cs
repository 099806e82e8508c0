using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>What may be said of a whole result: measured only if every part of every energy was read from a sensor. Cells without a valid trial have no part in it.</summary>
/// <param name="Measured">Whether every cell with a valid trial is measured, and there is one.</param>
/// <param name="Mixed">Whether some cells are measured and some are not: each must then say so itself.</param>
/// <param name="None">Whether no cell has a valid trial.</param>
/// <param name="Word">One or two words in capitals, for the banner and for the corner of each figure.</param>
/// <param name="Sentence">What it means.</param>
public sealed record Standing(bool Measured, bool Mixed, bool None, string Word, string Sentence)
{
    /// <summary>Of a matrix and all its rows; the matrix's own provenance can only make it worse.</summary>
    public static Standing Of(Matrix matrix) =>
        Of([.. matrix.Groups.SelectMany(g => g.Rows).Select(r => r.Provenance)], matrix.Provenance);

    /// <summary>Of some rows.</summary>
    /// <param name="rows">Provenance of each; null where it has no valid trial.</param>
    /// <param name="whole">Of what holds them; null where that says nothing.</param>
    public static Standing Of(IReadOnlyCollection<Provenance?> rows, Provenance? whole)
    {
        var known = rows.OfType<Provenance>().ToArray();
        if (known.Length == 0)
        {
            var why = rows.Count == 0 ? "There is no cell in this matrix" : $"No cell of {rows.Count} has a valid trial";
            return new Standing(false, false, true, "NO RESULT", why + ": nothing was measured and nothing modelled.");
        }

        var missing = rows.Count - known.Length;
        var without = missing == 0 ? "" : $" {Verdicts.Count(missing, "cell")} of {rows.Count} {(missing == 1 ? "has" : "have")} no valid trial and no figure.";
        var measured = known.Count(r => r == Provenance.Measured);
        var worst = known.Append(whole ?? Provenance.Measured).Aggregate(Provenances.Worst);
        if (worst == Provenance.Measured)
        {
            return new Standing(true, false, false, "MEASURED",
                "Every J per token and layer in this matrix was read from sensors at its boundary. Whole-model figures are projected from it, and say so where they stand." + without);
        }

        var word = worst.ToString().ToUpperInvariant();
        return measured == 0
            ? new Standing(false, false, false, word, Meaning(worst) + " No figure here is a measurement of hardware, and none may be quoted as one." + without)
            : new Standing(false, true, false, "PARTLY " + word,
                $"{measured} of {known.Length} cells are measured. {Meaning(worst)} Each cell says which it is; only cells marked “measured” may be quoted as measurements." + without);
    }

    /// <summary>How the energy of one cell came about.</summary>
    public static string OfEnergy(Provenance? provenance) => provenance?.ToString().ToLowerInvariant() ?? "no valid trial";

    private static string Meaning(Provenance worst) => worst switch
    {
        Provenance.Modelled => "Energies marked “modelled” come from a model or a simulation, not from a sensor.",
        Provenance.Declared => "Energies marked “declared” were stated by a person, not read from a sensor.",
        _ => "Energies marked “projected” are extrapolated beyond what was run, not read from a sensor.",
    };
}
