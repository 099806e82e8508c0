using System.Globalization;
using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>The qualification of an earlier start, where it holds still.</summary>
public static partial class SensorQualifier
{
    /// <summary>What was found earlier if a short look finds that it fits still; else what a long one finds now, which is kept.</summary>
    /// <param name="device">Nothing else may run on it.</param>
    /// <param name="driver">The driver's version.</param>
    /// <param name="memory">Where it is kept; null for nowhere.</param>
    /// <param name="anew">Whether the long look is taken whatever is kept.</param>
    /// <param name="time">Whose timestamps and timers are used.</param>
    /// <param name="exercise">Null: only idle is looked at.</param>
    /// <param name="options">How long.</param>
    /// <param name="say">Told which of the two it was, and why.</param>
    /// <exception cref="DeviceLostException">The device does not answer any more.</exception>
    public static BoardQualification Recall(
        NvmlDevice device, string driver, QualificationMemory? memory, bool anew, TimeProvider time, ISensorExercise? exercise, QualificationOptions options, Action<string> say)
    {
        var key = QualificationKey.Of(device, driver);
        var began = time.GetTimestamp();
        var (kept, why) = Kept(key, memory, anew, options);
        if (kept is not null)
        {
            why = Misfit(device, kept, time, exercise, options);
            if (why is null)
            {
                say(string.Create(CultureInfo.InvariantCulture, $"qualification remembered from {kept.At.UtcDateTime:yyyy-MM-dd HH:mm}Z; it fits still, as a look of {time.GetElapsedTime(began).TotalSeconds:F1} s finds"));
                return kept with { ConfirmedAt = time.GetUtcNow() };
            }
        }

        if (why is not null) say($"qualification redone: {why}");
        var found = Run(device, time, exercise, options);
        try
        {
            // One that cannot be metered is looked at again as if it had never been.
            if (found.Metering != Metering.None) memory?.Keep(key, found);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            say($"its qualification cannot be kept, the next start does it again: {e.Message}");
        }
        return found;
    }

    private static (BoardQualification? Kept, string? Why) Kept(QualificationKey key, QualificationMemory? memory, bool anew, QualificationOptions options)
    {
        if (memory is null) return (null, null);
        if (anew) return (null, "it was asked for");
        var (earlier, damage) = memory.Of(key.Uuid);
        if (earlier is null) return (null, damage);
        if (earlier.Key.Change(key) is { } change) return (null, change);
        // Whoever asks for a longer look wants its finer figures.
        var (window, asked) = (earlier.Found.WindowSeconds, options.WindowSeconds);
        return window >= asked ? (earlier.Found, null) : (null, FormattableString.Invariant($"it looked for {window:0.#} s at each load, {asked:0.#} s are asked for"));
    }
}
