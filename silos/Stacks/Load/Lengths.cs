using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>Lengths as a plan spreads them.</summary>
internal static class Lengths
{
    /// <summary>One of them, tokens: at least its least, at most its most.</summary>
    public static int Draw(this LengthSpread spread, ref CountedDraws draws)
    {
        switch (spread.Kind)
        {
            case LengthKind.Constant:
                return spread.Least;
            case LengthKind.Uniform:
                return spread.Least + draws.Below(spread.Most - spread.Least + 1);
            case LengthKind.Normal:
                return Cut(spread, spread.Mean + spread.Deviation * draws.Normal());
            case LengthKind.LogNormal:
                // Of mean m and deviation s: the logarithm's variance is ln(1 + s²/m²), its mean ln m less half of that.
                var variance = Math.Log(1 + Math.Pow(spread.Deviation / spread.Mean, 2));
                return Cut(spread, Math.Exp(Math.Log(spread.Mean) - variance / 2 + Math.Sqrt(variance) * draws.Normal()));
            default:
                throw new ArgumentOutOfRangeException(nameof(spread), spread.Kind, "no kind of length");
        }
    }

    /// <summary>What is wrong with it; null if nothing is.</summary>
    public static string? Refusal(this LengthSpread spread, string name)
    {
        if (spread.Least < 1 || spread.Most < spread.Least || spread.Most > Prompts.MostTokens) return FormattableString.Invariant($"{name}: from {spread.Least} to {spread.Most} tokens is no range within 1 … {Prompts.MostTokens}");
        if (spread.Kind is LengthKind.Constant && spread.Least != spread.Most) return FormattableString.Invariant($"{name}: a constant length from {spread.Least} to {spread.Most} tokens");
        if (spread.Kind is LengthKind.Normal or LengthKind.LogNormal && !(spread.Mean > 0 && double.IsFinite(spread.Mean) && spread.Deviation >= 0 && double.IsFinite(spread.Deviation)))
        {
            return FormattableString.Invariant($"{name}: mean {spread.Mean} and deviation {spread.Deviation} are none of a length");
        }

        return null;
    }

    private static int Cut(LengthSpread spread, double length) => (int)Math.Clamp(Math.Round(length), spread.Least, spread.Most);
}
