using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// The efficiency factors {prefill, decode, mem, comp, sched, route} and Phi_system of the paper, each with its estimator's name, or "not estimated".
/// The paper calls phi_mem below 0.3 memory-bound; that is backwards (near 1 is bandwidth-bound) and never used here.
/// </summary>
public static class Phi
{
    /// <summary>Above it phi_mem is flagged: the ceiling was measured badly, or the working set sits in L2.</summary>
    public const double MemoryFlag = 1.02;

    /// <summary>Relative difference below which two models have the same parameter count (A and D' differ by 4e-5: widths are whole numbers).</summary>
    public const double SameParameters = 1e-3;

    private const string MemoryPaperEstimator = "Qdot_obs / (BW_HBM / (2 · N_param · w_bytes)), the paper's; passes 1 at large batch";
    private const string MemoryEstimator = "bytes the step must move / (time · measured stream bandwidth)";
    private const string DecodeEstimator = "Qdot_decode / (BW_HBM / (2 · N_param · w_bytes)), the paper's, decode-phase tokens only";
    private const string SchedulingEstimator = "mean SM activity / SM activity at the ideal batch, the paper's";
    private const string SystemEstimator = "e_tok_ref / e_tok_obs, the paper's, at equal parameter count";
    private const string PrefillEstimator = "achieved / peak FLOP/s in prefill";
    private const string ComputeEstimator = "c_tok_ref / c_tok";
    private const string RoutingEstimator = "none: needs a serving stack's routing data";

    /// <summary>phi_mem_paper: the paper's denominator has a factor 2 and no batch, so it passes 1 at large batch.</summary>
    /// <param name="tokensPerSecond">Qdot_obs, tokens/s.</param>
    /// <param name="bandwidthBytesPerSecond">BW_HBM, B/s.</param>
    /// <param name="parameters">N_param.</param>
    /// <param name="bytesPerWeight">w_bytes, B.</param>
    public static Figure MemoryPaper(double? tokensPerSecond, double? bandwidthBytesPerSecond, double parameters, double bytesPerWeight) =>
        OverBandwidth(tokensPerSecond, bandwidthBytesPerSecond, parameters, bytesPerWeight, MemoryPaperEstimator, "no rate or no bandwidth");

    /// <summary>phi_mem. Above <see cref="MemoryFlag"/> it is flagged, not clamped.</summary>
    /// <param name="stepBytes">What a step must move, B.</param>
    /// <param name="stepSeconds">Time of a step, s.</param>
    /// <param name="streamBytesPerSecond">Stream bandwidth measured on the same device, B/s; null if it was not measured.</param>
    public static Figure Memory(double? stepBytes, double? stepSeconds, double? streamBytesPerSecond)
    {
        if (!Figures.IsPositive(streamBytesPerSecond))
        {
            return Figures.NotEstimated(MemoryEstimator, "stream bandwidth was not measured");
        }
        if (!Figures.IsPositive(stepBytes) || !Figures.IsPositive(stepSeconds))
        {
            return Figures.NotEstimated(MemoryEstimator, "no step bytes or no step time");
        }
        var value = stepBytes!.Value / (stepSeconds!.Value * streamBytesPerSecond!.Value);
        return Figures.Of(value, MemoryEstimator, value > MemoryFlag ? "above 1.02: the ceiling was measured badly or the working set sits in L2" : null);
    }

    /// <summary>Phi_decode: as <see cref="MemoryPaper"/> with decode-phase tokens only.</summary>
    public static Figure Decode(double? decodeTokensPerSecond, double? bandwidthBytesPerSecond, double parameters, double bytesPerWeight) =>
        OverBandwidth(decodeTokensPerSecond, bandwidthBytesPerSecond, parameters, bytesPerWeight, DecodeEstimator, "no decode-phase rate or no bandwidth");

    /// <summary>Phi_sched: far below 1 means scheduling or batching overhead. Activities are 0–1.</summary>
    public static Figure Scheduling(double? meanActivity, double? activityAtIdealBatch) =>
        meanActivity is >= 0 && Figures.IsPositive(activityAtIdealBatch)
            ? Figures.Of(meanActivity.Value / activityAtIdealBatch!.Value, SchedulingEstimator)
            : Figures.NotEstimated(SchedulingEstimator, "SM activity was not read");

    /// <summary>Phi_system against dense MHA at FP16, only at equal parameter count.</summary>
    /// <param name="referenceJoulesPerToken">e_tok_ref, J.</param>
    /// <param name="joulesPerToken">e_tok_obs, J, at the same boundary.</param>
    /// <param name="referenceParameters">Of the reference.</param>
    /// <param name="parameters">Of the cell.</param>
    public static Figure System(double? referenceJoulesPerToken, double? joulesPerToken, double referenceParameters, double parameters)
    {
        if (!Figures.IsPositive(referenceJoulesPerToken) || !Figures.IsPositive(joulesPerToken))
        {
            return Figures.NotEstimated(SystemEstimator, "no e_tok of the cell or of dense MHA at FP16");
        }
        return Math.Abs(parameters - referenceParameters) <= SameParameters * referenceParameters
            ? Figures.Of(referenceJoulesPerToken!.Value / joulesPerToken!.Value, SystemEstimator)
            : Figures.NotEstimated(SystemEstimator, "the parameter count differs from the reference's");
    }

    /// <summary>Phi_prefill, FLOP/s over FLOP/s.</summary>
    public static Figure Prefill(double? achievedFlopsPerSecond, double? peakFlopsPerSecond) =>
        Figures.IsPositive(achievedFlopsPerSecond) && Figures.IsPositive(peakFlopsPerSecond)
            ? Figures.Of(achievedFlopsPerSecond!.Value / peakFlopsPerSecond!.Value, PrefillEstimator)
            : Figures.NotEstimated(PrefillEstimator, "no prefill phase was run");

    /// <summary>Phi_comp: FLOP per token of the reference over the cell's.</summary>
    public static Figure Compute(double? referenceFlopsPerToken, double? flopsPerToken) =>
        Figures.IsPositive(referenceFlopsPerToken) && Figures.IsPositive(flopsPerToken)
            ? Figures.Of(referenceFlopsPerToken!.Value / flopsPerToken!.Value, ComputeEstimator)
            : Figures.NotEstimated(ComputeEstimator, "no c_tok of the cell or of a reference");

    /// <summary>Phi_route: neither the paper nor we have an estimator.</summary>
    public static Figure Routing() => Figures.NotEstimated(RoutingEstimator, "no routing data");

    private static Figure OverBandwidth(
        double? tokensPerSecond, double? bandwidth, double parameters, double bytesPerWeight, string estimator, string missing) =>
        Figures.IsPositive(tokensPerSecond) && Figures.IsPositive(bandwidth) && Figures.IsPositive(parameters) && Figures.IsPositive(bytesPerWeight)
            ? Figures.Of(tokensPerSecond!.Value / (bandwidth!.Value / (2 * parameters * bytesPerWeight)), estimator)
            : Figures.NotEstimated(estimator, missing);
}
