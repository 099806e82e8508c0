using System.Collections.Immutable;
using MathNet.Numerics.LinearAlgebra;

namespace EnergyGrid.Metrology;

/// <summary>One window in which a device ran one kernel for a share of the time.</summary>
/// <param name="Kernel">For example <c>stream</c> or <c>matrix</c>.</param>
/// <param name="Duty">Share of the time in which it ran, 0 to 1: what was asked for. The fit uses what was moved and computed.</param>
/// <param name="Seconds">Length of the window, s.</param>
/// <param name="Bits">Bits moved to and from memory.</param>
/// <param name="Flops">FLOP done.</param>
/// <param name="Joules">Energy, J.</param>
public sealed record DutyWindow(string Kernel, double Duty, double Seconds, double Bits, double Flops, double Joules);

/// <summary>A fitted coefficient, in its own unit.</summary>
/// <param name="Value">The estimate.</param>
/// <param name="StandardError">Square root of its variance in <see cref="DeviceEnergyFit.Covariance"/>.</param>
/// <param name="Interval">Student-t, 95 %, scope "this device", windows as units.</param>
public sealed record FittedCoefficient(double Value, double StandardError, ConfidenceInterval Interval);

/// <summary>
/// The energy model of a device (workloads.md, "Energy model of a device"), <c>E = P_static·t + e_b·bits + e_f·FLOP</c>, its three coefficients
/// fitted jointly by least squares on the energies of windows at several duty levels of a streaming and of a matrix kernel. P_static is not idle power.
/// </summary>
/// <remarks>
/// The rows are windows, not powers: what a window's energy is wrong by comes from its two edges and does not grow with its length, so equal
/// variances hold for joules. A gain error of the sensor is common to all windows; it scales all three and is not in the covariance.
/// </remarks>
/// <param name="StaticWatts">P_static, W.</param>
/// <param name="JoulesPerBit">e_b, J/bit, the whole path from memory.</param>
/// <param name="JoulesPerFlop">e_f, J/FLOP.</param>
/// <param name="Covariance">3 × 3, row by row, in the order and the units of the coefficients.</param>
/// <param name="ResidualJoules">Standard deviation of the residuals, J, the three degrees of freedom taken off.</param>
/// <param name="DegreesOfFreedom">Windows − 3.</param>
/// <param name="Condition">Of the three columns at unit length: 1 is orthogonal, above <see cref="MostCondition"/> is refused.</param>
/// <param name="LargestRelativeResidual">The largest |residual| / energy of a window: what the model does not describe.</param>
/// <param name="Flags"><see cref="NegativeCoefficient"/>, <see cref="PoorFit"/>.</param>
public sealed record DeviceEnergyFit(
    FittedCoefficient StaticWatts,
    FittedCoefficient JoulesPerBit,
    FittedCoefficient JoulesPerFlop,
    ImmutableArray<double> Covariance,
    double ResidualJoules,
    int DegreesOfFreedom,
    double Condition,
    double LargestRelativeResidual,
    ImmutableArray<string> Flags)
{
    /// <summary>Duty levels that each of at least two kernels must have.</summary>
    public const int LeastLevels = 4;

    /// <summary>Beyond it time, bits and FLOP say the same: at full rate alone they are collinear.</summary>
    public const double MostCondition = 100;

    /// <summary>A residual of more than this share of a window's energy: clocks, voltage or power cap moved between the levels.</summary>
    public const double MostRelativeResidual = 0.05;

    /// <summary>No device gives energy back.</summary>
    public const string NegativeCoefficient = "negative coefficient";

    /// <summary>A window lies further from the model than <see cref="MostRelativeResidual"/>.</summary>
    public const string PoorFit = "a window lies more than 5 % from the model";

    /// <summary>Fits. The order of the windows changes nothing but the last bits.</summary>
    /// <exception cref="ArgumentException">A value that is not finite or not possible, fewer than two kernels with <see cref="LeastLevels"/> duty levels, or windows that do not tell the coefficients apart.</exception>
    public static DeviceEnergyFit Fit(IReadOnlyCollection<DutyWindow> windows)
    {
        ArgumentNullException.ThrowIfNull(windows);
        foreach (var w in windows)
        {
            if (!(w.Seconds > 0 && double.IsFinite(w.Seconds)) || !(w.Bits >= 0 && double.IsFinite(w.Bits)) || !(w.Flops >= 0 && double.IsFinite(w.Flops)) || !double.IsFinite(w.Joules))
            {
                throw new ArgumentException($"The window of {w.Kernel} at duty {w.Duty} has {w.Seconds} s, {w.Bits} bits, {w.Flops} FLOP and {w.Joules} J; they must be finite, the time positive, bits and FLOP not negative.", nameof(windows));
            }
        }
        var levels = windows.GroupBy(w => w.Kernel).Select(g => (Kernel: g.Key, Levels: g.Select(w => w.Duty).Distinct().Count())).OrderBy(k => k.Kernel, StringComparer.Ordinal).ToArray();
        if (levels.Count(k => k.Levels >= LeastLevels) < 2)
        {
            throw new ArgumentException(
                $"A joint fit needs at least {LeastLevels} duty levels of each of two kernels; there are {(levels.Length == 0 ? "none" : string.Join(", ", levels.Select(k => $"{k.Levels} of {k.Kernel}")))}.", nameof(windows));
        }
        var rows = windows.ToArray();
        double[] scale = [Length(rows, w => w.Seconds), Length(rows, w => w.Bits), Length(rows, w => w.Flops)];
        if (scale[1] == 0 || scale[2] == 0)
        {
            throw new ArgumentException("No window moves bits, or none computes: their coefficients have nothing to be fitted to.", nameof(windows));
        }
        // Columns of unit length: seconds, bits and FLOP differ by fifteen powers of ten.
        var design = Matrix<double>.Build.Dense(rows.Length, 3, (i, j) => (j == 0 ? rows[i].Seconds : j == 1 ? rows[i].Bits : rows[i].Flops) / scale[j]);
        var energy = Vector<double>.Build.Dense(rows.Length, i => rows[i].Joules);
        var svd = design.Svd(computeVectors: true);
        var condition = svd.S[0] / svd.S[2];
        if (!(condition <= MostCondition))
        {
            throw new ArgumentException($"Time, bits and FLOP of these windows are collinear (condition {condition:G3}, at most {MostCondition:G3}): vary the duty of both kernels.", nameof(windows));
        }
        var right = svd.VT.Transpose();
        var inverse = Matrix<double>.Build.DenseOfDiagonalArray([.. svd.S.Select(s => 1 / s)]);
        var scaled = right * inverse * (svd.U.SubMatrix(0, rows.Length, 0, 3).Transpose() * energy);
        var residuals = energy - design * scaled;
        var freedom = rows.Length - 3;
        var variance = residuals.DotProduct(residuals) / freedom;
        var scaledCovariance = right * inverse * inverse * right.Transpose() * variance;
        var covariance = ImmutableArray.CreateRange(
            Enumerable.Range(0, 9).Select(k => scaledCovariance[k / 3, k % 3] / (scale[k / 3] * scale[k % 3])));

        var quantile = StudentDistribution.Quantile(0.975, freedom);
        FittedCoefficient Coefficient(int j)
        {
            var (value, error) = (scaled[j] / scale[j], Math.Sqrt(covariance[4 * j]));
            return new(value, error, new ConfidenceInterval(value - quantile * error, value + quantile * error, 0.95, IntervalScope.ThisDevice, rows.Length, freedom));
        }
        var largest = Enumerable.Range(0, rows.Length).Max(i => Math.Abs(residuals[i]) / Math.Abs(rows[i].Joules));
        var flags = ImmutableArray.CreateBuilder<string>();
        if (scaled.Any(c => c < 0)) flags.Add(NegativeCoefficient);
        if (!(largest <= MostRelativeResidual)) flags.Add(PoorFit);
        return new DeviceEnergyFit(
            Coefficient(0), Coefficient(1), Coefficient(2), covariance, Math.Sqrt(variance), freedom, condition, largest, flags.ToImmutable());
    }

    /// <summary>The model's energy of a window and the standard uncertainty of that mean, J: the covariance included, the sensor's gain not.</summary>
    public (double Joules, double StandardError) Predict(double seconds, double bits, double flops)
    {
        double[] x = [seconds, bits, flops];
        var variance = 0.0;
        for (var k = 0; k < 9; k++) variance += x[k / 3] * Covariance[k] * x[k % 3];
        return (StaticWatts.Value * seconds + JoulesPerBit.Value * bits + JoulesPerFlop.Value * flops, Math.Sqrt(Math.Max(0, variance)));
    }

    private static double Length(DutyWindow[] rows, Func<DutyWindow, double> of) => Math.Sqrt(rows.Sum(w => of(w) * of(w)));
}
