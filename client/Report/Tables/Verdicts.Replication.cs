using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

// How far replication came, and what stood in its way.
public static partial class Verdicts
{
    /// <summary>More units than this are no plan for anybody: what stands in the way is then the scatter, not their number.</summary>
    public const int MostUnits = 100;

    private const string AskedFor = "the half-width that was asked for";

    /// <summary>The second stage as it was decided, and what would reach the half-width that was asked for where it is not reached.</summary>
    public static string Replication(MatrixGroup group)
    {
        var r = group.Replication;
        var voided = group.VoidedPasses == 0 ? "" : $"; {Count(group.VoidedPasses, "pass", "passes")} voided";
        var verdict = NumberText.Clean(r.Verdict);
        if (r.Required == 0) return $"{verdict}: no cell has two usable {(r.Units == "none" ? "passes" : Units(r, 2))}{voided}";
        var ran = $"{NumberText.Whole(r.Reached)} {Units(r, r.Reached)} ran";
        if (IsReached(r)) return $"{ran}, {NumberText.Whole(r.Required)} needed for {AskedFor}: reached{voided}";
        var asked = AskedHalfWidth(group) is { } h ? NumberText.PlusMinus(h) : AskedFor;
        var gives = Widest(group) is { } widest ? $": {NumberText.Whole(r.Reached)} {Units(r, r.Reached)} of this scatter give {NumberText.PlusMinus(widest)}" : "";
        var passes = r.Units == "passes";
        if (r.Required > MostUnits)
        {
            var place = passes && group.Rows.All(row => IsThisMachine(row.Configuration)) ? "this machine is" : passes ? "this device is" : "the devices are";
            var quiet = passes ? "quiet it" : "quiet them";
            return $"{ran}, more than {MostUnits} needed: {place} too noisy for {asked}; {quiet} ({Quieter(group)}) or ask for a wider half_width{gives}{voided}";
        }

        return passes
            ? $"{ran}, {NumberText.Whole(r.Required)} needed for {asked}: {verdict}; allow more (passes: max) or ask for a wider half_width{gives}{voided}"
            : $"{ran}, {NumberText.Whole(r.Required)} needed for {asked}: {verdict}, more passes do not help{voided}";
    }

    /// <summary>Why the half-width that was asked for is not reached: the scatter between passes and what is known of other work on the machine. Empty where it is reached.</summary>
    /// <param name="group">Whose passes scatter.</param>
    /// <param name="othersShare">Share of this machine's processors that other processes took during the trials, 0 to 1; null where nobody looked.</param>
    public static string Noise(MatrixGroup group, double? othersShare)
    {
        var scatter = group.Rows.Where(HasFigure).Select(r => r.Spread.Pass).OfType<double>().Where(double.IsFinite).ToArray();
        if (IsReached(group.Replication) || scatter.Length == 0) return "";
        var (low, high) = (NumberText.Percent(scatter.Min()), NumberText.Percent(scatter.Max()));
        var range = low == high ? low : $"{low} to {high} by cell";
        // Between whole devices and nodes the passes are not what stands in the way, and simulated devices share no machine.
        var others = group.Replication.Units != "passes" || group.Rows.Any(r => r.Configuration.Stack == "simulated") ? ""
            : othersShare is { } share && double.IsFinite(share) ? $"; other processes took {NumberText.Percent(share)} of this machine's processors meanwhile"
            : "; what other processes took of the machine meanwhile is not known";
        return $"scatter: energy varies by {range} from pass to pass (standard deviation){others}";
    }

    /// <summary>
    /// The half-width that the plan asked for, of the logarithm, which a matrix does not hold: it follows from the passes that were needed and the scatter that asked for them, up to the rounding of
    /// their number. The roundest value of that range; null where it follows from nothing.
    /// </summary>
    public static double? AskedHalfWidth(MatrixGroup group)
    {
        var r = group.Replication;
        // Between devices and nodes the final scatter is another than the one that was planned on; a few passes leave too wide a range.
        if (r.Units != "passes" || r.Required < 20 || r.Required == int.MaxValue) return null;
        var widest = Estimates(group).Select(e => TypeA(e.Uncertainty) * Math.Sqrt(e.Units)).OfType<double>().Where(double.IsFinite).DefaultIfEmpty(0).Max();
        if (widest <= 0) return null;
        var (low, high) = (widest / Math.Sqrt(r.Required) * (1 - 1e-6), widest / Math.Sqrt(r.Required - 1) * (1 + 1e-6));
        for (var decimals = 0; decimals < 12; decimals++)
        {
            var scale = Math.Pow(10, decimals);
            if (Math.Ceiling(low * scale) / scale is var round && round <= high) return round;
        }

        return null;
    }

    // Type A alone: that is what passes narrow and what the half-width is asked of.
    private static double? Widest(MatrixGroup group) => Estimates(group).Select(e => TypeA(e.Uncertainty)).OfType<double>().Where(double.IsFinite).Cast<double?>().Max();

    private static IEnumerable<(Uncertainty Uncertainty, int Units)> Estimates(MatrixGroup group) => group.Baseline is null
        ? group.Rows.Where(HasFigure).Select(r => (r.Uncertainty, r.Headline.Units))
        : group.Rows.Where(r => r.Ratio is not null && r.Label != group.Baseline).Select(r => (r.Ratio!.Uncertainty, r.Ratio.Ratio.Units));

    private static bool IsReached(ReplicationOutcome outcome) => outcome.Verdict == "reached";

    private static string Units(ReplicationOutcome outcome, int count)
    {
        var many = NumberText.Clean(outcome.Units);
        return count != 1 ? many : many switch { "passes" => "pass", _ => many.TrimEnd('s') };
    }

    private static string Quieter(MatrixGroup group) => group.Rows.Any(r => IsThisMachine(r.Configuration))
        ? "end other programs, hold the processor's frequency, measure longer windows"
        : "no other work on the device, clocks and power limit held, longer windows";

    private static bool IsThisMachine(Configuration configuration) => configuration.Stack is KernelStacks.Reference or KernelStacks.LlamaCpp;
}
