using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>What a device's energy is taken from.</summary>
public enum Metering
{
    /// <summary>Differences of its energy counter.</summary>
    Counter,

    /// <summary>Its power, integrated: it has no counter, or one that disagrees.</summary>
    Integration,

    /// <summary>Nothing: it tells neither.</summary>
    None,
}

/// <summary>The counter against the power integrated over the same time.</summary>
/// <param name="Load">What ran: "idle", "idle with a context", "busy".</param>
/// <param name="Seconds">From a step of the counter to a step of the counter, s.</param>
/// <param name="CounterJoules">J; NaN without a counter.</param>
/// <param name="IntegratedJoules">J; NaN without a reading of power.</param>
/// <param name="MeanWatts">By what the device is metered by, W.</param>
/// <param name="Residual">(counter − integrated) / counter; NaN where one of them is not there.</param>
/// <param name="ModuleWatts">Mean power of the module that the GPU is a part of, W; NaN where none is told.</param>
public sealed record CounterCheck(string Load, double Seconds, double CounterJoules, double IntegratedJoules, double MeanWatts, double Residual, double ModuleWatts = double.NaN)
{
    /// <summary>How near the counter's power must be to the module's to be taken for it, as a share.</summary>
    private const double ModuleTolerance = 0.1;

    /// <summary>What the counter says, W.</summary>
    [JsonIgnore]
    public double CounterWatts => CounterJoules / Seconds;

    /// <summary>Whether the counter counts what the whole module draws, processor and memory included, and not the GPU.</summary>
    [JsonIgnore]
    public bool CountsModule => Residual > BoardQualification.MostResidual && Math.Abs(CounterWatts / ModuleWatts - 1) < ModuleTolerance;
}

/// <summary>One phase of the alias test: work that comes and goes at the sensor's own period.</summary>
/// <param name="Phase">When it begins after the counter's step, as a share of the period.</param>
/// <param name="CounterWatts">Mean power by the counter, W.</param>
/// <param name="PowerWatts">Mean of the power sensor, W.</param>
public sealed record AliasPhase(double Phase, double CounterWatts, double PowerWatts);

/// <summary>
/// What was found about a device's sensors. What is unknown is NaN, and null in JSON. Shares are of 1.
/// </summary>
public sealed record BoardQualification
{
    /// <summary>The counter is not trusted beyond this disagreement with the integrated power.</summary>
    public const double MostResidual = CounterAgreement.FlagFraction;

    /// <summary>Of the device.</summary>
    public required string Uuid { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What the device's energy is taken from from now on.</summary>
    public required Metering Metering { get; init; }

    /// <summary>Why, in words.</summary>
    public required string Verdict { get; init; }

    /// <summary>How often the energy counter steps, mean, s.</summary>
    public double UpdatePeriodSeconds { get; init; } = double.NaN;

    /// <summary>Standard deviation of when the steps came against even ones, s: jitter of the sensor and of polling.</summary>
    public double UpdateSpreadSeconds { get; init; } = double.NaN;

    /// <summary>How many steps that rests on.</summary>
    public int UpdateSteps { get; init; }

    /// <summary>How often the power sensor (field 186) changes, s: at most that often, as it may read the same twice.</summary>
    public double PowerPeriodSeconds { get; init; } = double.NaN;

    /// <summary>Median time of one read of the counter (of the power, without a counter), s.</summary>
    public double ReadMedianSeconds { get; init; } = double.NaN;

    /// <summary>99th percentile of it, s.</summary>
    public double ReadP99Seconds { get; init; } = double.NaN;

    /// <summary>How many reads that rests on.</summary>
    public int Reads { get; init; }

    /// <summary>How often the counter should be looked at, s.</summary>
    public double PollSeconds { get; init; } = double.NaN;

    /// <summary>Counter against integrated power, load by load.</summary>
    public IReadOnlyList<CounterCheck> Checks { get; init; } = [];

    /// <summary>The largest residual of either sign; NaN if none could be had.</summary>
    public double Residual { get; init; } = double.NaN;

    /// <summary>The alias test; empty if nothing could be made to run.</summary>
    public IReadOnlyList<AliasPhase> Alias { get; init; } = [];

    /// <summary>(Largest − smallest) / mean of the counter's power over the phases: what a load in step with the sensor may do to it.</summary>
    public double CounterAlias { get; init; } = double.NaN;

    /// <summary>The same of the power sensor.</summary>
    public double PowerAlias { get; init; } = double.NaN;

    /// <summary>Idle without a context, W.</summary>
    public double IdleWatts { get; init; } = double.NaN;

    /// <summary>Idle with a context, W.</summary>
    public double IdleContextWatts { get; init; } = double.NaN;

    /// <summary>Where the seconds of slowdown come from.</summary>
    public string ThrottleSource { get; init; } = "none";

    /// <summary>Power of the module that the GPU is a part of (Grace Hopper), W: not what is metered. NaN if there is none.</summary>
    public double ModuleWatts { get; init; } = double.NaN;

    /// <summary>Mean power of its memory, W, where the board tells it.</summary>
    public double MemoryWatts { get; init; } = double.NaN;

    /// <summary>How long each stretch of constant load was looked at, s; NaN where an earlier program did not say.</summary>
    public double WindowSeconds { get; init; } = double.NaN;

    /// <summary>When a short look found that it fits still; null where it is of this start.</summary>
    [JsonIgnore]
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>What a device metered so says of the origin of its energy.</summary>
    [JsonIgnore]
    public string EnergySource => Metering switch
    {
        Metering.Counter when double.IsNaN(Residual) => $"NVML energy counter, {Steps}; not compared with power",
        Metering.Counter => FormattableString.Invariant($"NVML energy counter, {Steps}; {100 * Residual:+0.00;-0.00;0.00} % from integrated power"),
        Metering.Integration => $"NVML power, integrated: {Verdict}",
        _ => $"none: {Verdict}",
    } + (double.IsNaN(ModuleWatts) ? "" : "; the GPU alone, without the rest of its module");

    private string Steps => double.IsNaN(UpdatePeriodSeconds) ? "too few steps were seen to tell its period" : FormattableString.Invariant($"steps every {1000 * UpdatePeriodSeconds:F1} ms");

    /// <summary>What the rest of the project is told of the sensor.</summary>
    /// <param name="minWatts">Lowest power of the device, W.</param>
    /// <param name="ratedWatts">Highest, W.</param>
    /// <param name="provenance">Of its readings: an emulated device's are modelled.</param>
    public DeviceSensor ToSensor(double minWatts, double ratedWatts, Provenance provenance)
    {
        var counter = Metering == Metering.Counter;
        // Between two updates of the power sensor there is nothing to miss: only a longer silence can be a gap.
        // Too short a look finds no period of the counter: what is usual then.
        var period = counter ? (double.IsNaN(UpdatePeriodSeconds) ? 0.1 : UpdatePeriodSeconds) : Math.Max(PollSeconds, double.IsNaN(PowerPeriodSeconds) ? 0.1 : PowerPeriodSeconds);
        var profile = new SensorProfile(
            counter ? SensorQuantity.Counter : SensorQuantity.Power, period, minWatts, ratedWatts, provenance,
            ReadLatencySeconds: double.IsNaN(ReadP99Seconds) ? 0 : ReadP99Seconds,
            UpdatePeriodSeconds: double.IsNaN(UpdatePeriodSeconds) ? Math.Max(period, 0.1) : UpdatePeriodSeconds);
        return new DeviceSensor(profile, PollSeconds, PowerIsIndependent: counter && !double.IsNaN(Residual));
    }

    /// <summary>What the analysis is told of the sensor. Its offset no qualification of the board alone can find.</summary>
    /// <param name="ratedWatts">Of the board, W.</param>
    public SensorQualification ToSensorQualification(double ratedWatts)
    {
        var counter = Metering == Metering.Counter;
        // Power that never changed while it was looked at shows no period of its own: counter and power are one sensor's.
        var period = counter || double.IsNaN(PowerPeriodSeconds) ? UpdatePeriodSeconds : PowerPeriodSeconds;
        var perUpdate = PartTimeSampling.PerUpdate([.. Alias.Select(a => counter ? a.CounterWatts : a.PowerWatts)]);
        var looked = string.Join(", ", Checks.Select(c => double.IsNaN(c.Seconds) ? c.Load : string.Create(CultureInfo.InvariantCulture, $"{c.Load} for {c.Seconds:F1} s")));
        return new SensorQualification(
            period, PartTimeSampling.OfWindow(perUpdate, period), Residual, double.NaN, "nothing: no meter of the node was there to step the board's load against", ratedWatts, At,
            string.Create(CultureInfo.InvariantCulture, $"{(counter ? "energy counter" : "integrated power")}, looked at: {looked}; ")
                + (double.IsNaN(perUpdate) ? "alias not looked at" : string.Create(CultureInfo.InvariantCulture, $"alias by a load in step with the sensor at {Alias.Count} phases ({perUpdate:P1} an update), for a window of {PartTimeSampling.WindowSeconds:F0} s"))
                + (ConfirmedAt is { } again ? string.Create(CultureInfo.InvariantCulture, $"; found to fit still on {again.UtcDateTime:yyyy-MM-dd HH:mm}Z") : ""));
    }

    /// <summary>How the device is to be polled.</summary>
    public NvmlSensorOptions ToOptions() => new()
    {
        Integrate = Metering != Metering.Counter,
        PollSeconds = PollSeconds,
        PowerPeriodSeconds = PollSeconds,
        UpdatePeriodSeconds = double.IsNaN(UpdatePeriodSeconds) ? 0.1 : UpdatePeriodSeconds,
    };

    /// <summary>All of it; what is unknown is null.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>How it is written wherever it is kept.</summary>
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase), new UnknownIsNull() },
    };

    private sealed class UnknownIsNull : JsonConverter<double>
    {
        public override bool HandleNull => true;

        public override double Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}
