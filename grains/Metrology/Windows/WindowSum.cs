using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>A closed window of one source, as a value: what <see cref="PowerWindow"/> says, without the names.</summary>
/// <param name="Window">Seconds since the Unix epoch.</param>
/// <param name="Revision">0 for the first statement.</param>
/// <param name="Joules">Over the covered part, J.</param>
/// <param name="CoveredSeconds">At most 1, s.</param>
/// <param name="LowJoules">Lower bound of the uncovered part, J.</param>
/// <param name="HighJoules">Upper bound of the uncovered part, J.</param>
/// <param name="MinWatts">Lowest power seen, W; NaN if none was.</param>
/// <param name="MaxWatts">Highest power seen, W; NaN if none was.</param>
/// <param name="Samples">Readings inside the window.</param>
/// <param name="CounterEpoch">Resets so far.</param>
/// <param name="ClockErrorSeconds">s.</param>
/// <param name="Provenance">Modelled where a counter's gap had to be split.</param>
public readonly record struct WindowSum(
    long Window, int Revision, double Joules, double CoveredSeconds, double LowJoules, double HighJoules, double MinWatts, double MaxWatts,
    int Samples, int CounterEpoch, double ClockErrorSeconds, Provenance Provenance);
