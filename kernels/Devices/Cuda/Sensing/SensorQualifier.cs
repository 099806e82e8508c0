using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>What can be made to happen on a device while its sensors are looked at.</summary>
public interface ISensorExercise
{
    /// <summary>Opens a context in which nothing runs, until disposed.</summary>
    IDisposable OpenContext();

    /// <summary>
    /// Work, until disposed: it runs for <paramref name="duty"/> of each period. The first period begins at <paramref name="startTimestamp"/>,
    /// a timestamp of the time provider, or as many whole periods later.
    /// </summary>
    IDisposable Pulse(double periodSeconds, double duty, long startTimestamp);
}

/// <summary>How long the sensors are looked at.</summary>
public sealed record QualificationOptions
{
    /// <summary>Each stretch of constant load, s.</summary>
    public double WindowSeconds { get; init; } = 10;

    /// <summary>After a change of load, before anything counts, s.</summary>
    public double SettleSeconds { get; init; } = 2;

    /// <summary>Each phase of the alias test, s.</summary>
    public double AliasSeconds { get; init; } = 3;

    /// <summary>Phases of the alias test.</summary>
    public int AliasPhases { get; init; } = 4;

    /// <summary>Between two looks, s.</summary>
    public double LookSeconds { get; init; } = 0.002;
}

/// <summary>
/// Looks at a device's sensors on start: update period, read cost, counter against integrated power, alias with a load in step with the
/// sensor, idle with and without a context. Takes a minute at most; the device must be free.
/// </summary>
public static partial class SensorQualifier
{
    // A read of the counter may take this share of the time between two.
    private const double MostPollShare = 0.05;
    private const double LeastPollSeconds = 0.01;

    /// <summary>Qualifies one device.</summary>
    /// <param name="device">Nothing else may run on it.</param>
    /// <param name="time">Whose timestamps and timers are used.</param>
    /// <param name="exercise">Null: only idle is looked at, as the device stands.</param>
    /// <param name="options">How long.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="DeviceLostException">The device does not answer any more.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static BoardQualification Run(NvmlDevice device, TimeProvider time, ISensorExercise? exercise = null, QualificationOptions? options = null, CancellationToken stop = default)
    {
        options ??= new();
        using var ending = new ManualResetEventSlim();
        using var registration = stop.Register(ending.Set);
        var look = new Look(device, time, ending, stop);
        var stretches = new List<Stretch>();
        var idleContext = double.NaN;

        var idle = look.For("idle", options.WindowSeconds, options.LookSeconds);
        stretches.Add(idle);
        if (exercise is not null)
        {
            using var context = exercise.OpenContext();
            look.Settle(options.SettleSeconds);
            stretches.Add(look.For("idle with a context", options.WindowSeconds, options.LookSeconds));
            using (exercise.Pulse(1, 1, time.GetTimestamp()))
            {
                look.Settle(options.SettleSeconds);
                stretches.Add(look.For("busy", options.WindowSeconds, options.LookSeconds));
            }
            look.Settle(options.SettleSeconds);
        }

        var checks = stretches.Select(s => s.Check()).ToArray();
        var residual = checks.Select(c => c.Residual).Where(double.IsFinite).DefaultIfEmpty(double.NaN).MaxBy(Math.Abs);
        var (metering, verdict) = Judge(checks, residual, stretches, device);
        var clockwork = stretches.Select(s => s.Steps()).Where(s => s.Count >= 8).OrderByDescending(s => s.Count).FirstOrDefault();
        var period = clockwork.Count > 0 ? clockwork.PeriodSeconds : double.NaN;
        checks = [.. checks.Select(c => c with { MeanWatts = metering == Metering.Counter ? c.CounterJoules / c.Seconds : c.IntegratedJoules / c.Seconds })];
        if (checks.Length > 1) idleContext = checks[1].MeanWatts;

        var costs = stretches.SelectMany(s => s.ReadSeconds).Order().ToArray();
        var median = Quantile(costs, 0.5);
        // A sensor is read often enough to see its steps, and not so often that reading is felt.
        var poll = Math.Max(LeastPollSeconds, double.IsNaN(median) ? 0 : median / MostPollShare);
        if (!double.IsNaN(period)) poll = Math.Min(poll, period / 2);

        var alias = new List<AliasPhase>();
        if (exercise is not null && !double.IsNaN(period) && metering != Metering.None)
        {
            using var context = exercise.OpenContext();
            for (var i = 0; i < options.AliasPhases; i++)
            {
                var phase = (double)i / options.AliasPhases;
                var start = clockwork.LastStepTimestamp + (long)(phase * period * time.TimestampFrequency);
                using (exercise.Pulse(period, 0.5, start))
                {
                    look.Settle(Math.Min(options.SettleSeconds, 10 * period));
                    alias.Add(look.For("alias", options.AliasSeconds, options.LookSeconds).Alias(phase));
                }
            }
        }

        return new BoardQualification
        {
            Uuid = device.Uuid,
            At = time.GetUtcNow(),
            Metering = metering,
            Verdict = verdict,
            WindowSeconds = options.WindowSeconds,
            UpdatePeriodSeconds = period,
            UpdateSpreadSeconds = clockwork.Count > 0 ? clockwork.SpreadSeconds : double.NaN,
            UpdateSteps = clockwork.Count,
            PowerPeriodSeconds = stretches.Select(s => s.PowerPeriodSeconds()).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Min(),
            ReadMedianSeconds = median,
            ReadP99Seconds = Quantile(costs, 0.99),
            Reads = costs.Length,
            PollSeconds = poll,
            Checks = checks,
            Residual = residual,
            Alias = alias,
            CounterAlias = Spread(alias.Select(a => a.CounterWatts)),
            PowerAlias = Spread(alias.Select(a => a.PowerWatts)),
            IdleWatts = checks[0].MeanWatts,
            IdleContextWatts = idleContext,
            ThrottleSource = new NvmlSensor(device, new NodeClock(time)).ThrottleSource,
            ModuleWatts = device.Field(NvmlField.InstantPower, NvmlScope.Module) / 1000,
            MemoryWatts = device.Field(NvmlField.AveragePower, NvmlScope.Memory) / 1000,
        };
    }

    private static (Metering Metering, string Verdict) Judge(CounterCheck[] checks, double residual, List<Stretch> stretches, NvmlDevice device)
    {
        var power = stretches.Any(s => s.HasPower);
        var (most, absurd) = (device.ImpossibleWatts(), stretches.Max(s => s.AbsurdWatts));
        var beyond = FormattableString.Invariant($"the board cannot draw more than {most:F0} W");
        var noPower = absurd > 0 ? FormattableString.Invariant($"its power reads {absurd:F0} W, and {beyond}") : "the device does not tell its power";
        if (checks.Where(c => c.CounterWatts > most).MaxBy(c => c.CounterWatts) is { } wild)
        {
            var counts = FormattableString.Invariant($"the energy counter counts {wild.CounterWatts:F0} W");
            return power ? (Metering.Integration, $"{counts}, and {beyond}") : (Metering.None, absurd > 0 ? $"{counts}, {noPower}" : $"{counts}, {beyond}, and {noPower}");
        }
        if (!stretches.Any(s => s.HasCounter))
            return power ? (Metering.Integration, "the device has no energy counter") : (Metering.None, absurd > 0 ? $"the device has no energy counter, and {noPower}" : "the device tells neither energy nor power");
        if (stretches.All(s => s.Steps().Count < 2))
            return power ? (Metering.Integration, "the energy counter does not step") : (Metering.None, $"the energy counter does not step, and {noPower}");
        if (double.IsNaN(residual)) return (Metering.Counter, $"the counter could not be compared: {noPower}");
        var worst = checks.First(c => c.Residual == residual);
        var said = FormattableString.Invariant($"the counter disagrees with the integrated power by {100 * residual:+0.0;-0.0;0.0} % over {worst.Seconds:F1} s, {worst.Load}");
        if (Module(worst, device.Name) is { } module) said = $"{module}: {said}";
        return Math.Abs(residual) > BoardQualification.MostResidual
            ? (Metering.Integration, said)
            : (Metering.Counter, FormattableString.Invariant($"the counter agrees with the integrated power: {100 * residual:+0.00;-0.00;0.00} % over {worst.Seconds:F1} s at worst, {worst.Load}"));
    }

    // A counter of more than the GPU is not a bad counter: who reads the verdict must know which of the two it is.
    private static string? Module(CounterCheck worst, string name)
    {
        if (worst.CountsModule)
            return FormattableString.Invariant($"the energy counter is the whole module's, which draws {worst.ModuleWatts:F0} W: it counts {worst.CounterWatts:F0} W where the GPU draws {worst.IntegratedJoules / worst.Seconds:F0} W");
        var grace = new[] { "GH200", "GB200", "GB300", "Grace" }.Any(n => name.Contains(n, StringComparison.OrdinalIgnoreCase));
        return grace && worst.Residual > BoardQualification.MostResidual ? "the energy counter accounts for more than the GPU, as the whole module's does on a board with a Grace processor" : null;
    }

    private static double Spread(IEnumerable<double> watts)
    {
        var all = watts.ToArray();
        return all.Length < 2 || all.Any(w => !double.IsFinite(w)) ? double.NaN : (all.Max() - all.Min()) / all.Average();
    }

    private static double Quantile(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, Math.Floor(share * sorted.Length))];

    /// <summary>The counter's steps: evenly spaced ones fitted to when they were seen.</summary>
    private readonly record struct Clockwork(int Count, double PeriodSeconds, double SpreadSeconds, long LastStepTimestamp);

    private readonly record struct Seen(long Timestamp, double Joules, double Watts);

    /// <summary>The module's power is looked at once in so many looks: it only names a cause.</summary>
    private const int ModuleEvery = 50;

    private sealed class Look(NvmlDevice device, TimeProvider time, ManualResetEventSlim ending, CancellationToken stop)
    {
        public void Settle(double seconds)
        {
            if (!Raster.Sleep(time, TimeSpan.FromSeconds(seconds), ending)) stop.ThrowIfCancellationRequested();
        }

        public Stretch For(string load, double seconds, double lookSeconds)
        {
            var stretch = new Stretch(load, time);
            var most = device.ImpossibleWatts();
            var raster = new Raster(time, lookSeconds);
            var start = time.GetTimestamp();
            var looks = 0;
            while (time.GetElapsedTime(start).TotalSeconds < seconds)
            {
                if (!raster.Next(ending)) stop.ThrowIfCancellationRequested();
                var before = time.GetTimestamp();
                var joules = device.EnergyJoules();
                var after = time.GetTimestamp();
                var milliwatts = device.Field(NvmlField.InstantPower);
                var watts = double.IsNaN(milliwatts) ? device.PowerUsageWatts() : milliwatts / 1000;
                if (watts > most)
                {
                    stretch.AbsurdWatts = Math.Max(stretch.AbsurdWatts, watts);
                    watts = double.NaN;
                }
                if (double.IsNaN(joules)) after = time.GetTimestamp();
                stretch.Add(new Seen(before + (after - before) / 2, joules, watts), time.GetElapsedTime(before, after).TotalSeconds);
                if (looks++ % ModuleEvery == 0) stretch.ModuleWatts.Add(device.Field(NvmlField.InstantPower, NvmlScope.Module) / 1000);
            }
            return stretch;
        }
    }

    private sealed class Stretch(string load, TimeProvider time)
    {
        private readonly List<Seen> _seen = [];

        public List<double> ReadSeconds { get; } = [];

        /// <summary>The largest power that was none, W: more than the board can draw; 0 without one.</summary>
        public double AbsurdWatts { get; set; }

        /// <summary>NaN where no module is told.</summary>
        public List<double> ModuleWatts { get; } = [];

        public bool HasCounter => _seen.Exists(s => !double.IsNaN(s.Joules));

        public bool HasPower => _seen.Exists(s => !double.IsNaN(s.Watts));

        public void Add(Seen seen, double seconds)
        {
            _seen.Add(seen);
            ReadSeconds.Add(seconds);
        }

        public Clockwork Steps()
        {
            var at = Ticks();
            if (at.Count < 2) return new(at.Count, double.NaN, double.NaN, at.Count > 0 ? _seen[at[0]].Timestamp : 0);
            var seconds = at.ConvertAll(i => Seconds(_seen[i].Timestamp));
            // Steps that one look missed count by the number of periods that passed: numbered by the median interval, then fitted.
            var intervals = seconds.Zip(seconds.Skip(1), (a, b) => b - a).Order().ToArray();
            var period = intervals[intervals.Length / 2];
            for (var round = 0; round < 3; round++)
            {
                double n = 0, sn = 0, st = 0, snn = 0, snt = 0, number = 0;
                for (var i = 0; i < seconds.Count; i++)
                {
                    if (i > 0) number += Math.Max(1, Math.Round((seconds[i] - seconds[i - 1]) / period));
                    (n, sn, st, snn, snt) = (n + 1, sn + number, st + seconds[i], snn + number * number, snt + number * seconds[i]);
                }
                period = (n * snt - sn * st) / (n * snn - sn * sn);
            }
            double count = 0, sum = 0, squares = 0, step = 0;
            for (var i = 0; i < seconds.Count; i++)
            {
                if (i > 0) step += Math.Max(1, Math.Round((seconds[i] - seconds[i - 1]) / period));
                var off = seconds[i] - period * step;
                (count, sum, squares) = (count + 1, sum + off, squares + off * off);
            }
            var spread = Math.Sqrt(Math.Max(0, squares / count - sum / count * (sum / count)));
            return new(at.Count, period, spread, _seen[at[^1]].Timestamp);
        }

        /// <summary>The least time between two changes of the power, s.</summary>
        public double PowerPeriodSeconds()
        {
            var changes = new List<double>();
            for (var i = 1; i < _seen.Count; i++)
                if (_seen[i].Watts != _seen[i - 1].Watts && !double.IsNaN(_seen[i].Watts) && !double.IsNaN(_seen[i - 1].Watts)) changes.Add(Seconds(_seen[i].Timestamp));
            if (changes.Count < 3) return double.NaN;
            var intervals = changes.Zip(changes.Skip(1), (a, b) => b - a).Order().ToArray();
            return intervals[intervals.Length / 2];
        }

        public CounterCheck Check()
        {
            var at = Ticks();
            // From step to step, so that the counter's coarseness does not count; without a counter, all of it.
            var (first, last) = at.Count >= 2 ? (at[0], at[^1]) : (0, _seen.Count - 1);
            if (last <= first) return new(load, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
            var (from, to) = (Nanoseconds(_seen[first].Timestamp), Nanoseconds(_seen[last].Timestamp));
            var seconds = (to - from) / 1e9;
            var counters = new List<CounterReading>();
            var powers = new List<PowerReading>();
            foreach (var seen in _seen)
            {
                var now = Nanoseconds(seen.Timestamp);
                if (counters.Count > 0 && now <= counters[^1].TimeNanoseconds) continue;
                counters.Add(new(now, seen.Joules));
                powers.Add(new(now, seen.Watts));
            }
            // Looks that the machine held up are no gaps of the sensor up to this.
            var profile = new SensorProfile(SensorQuantity.Counter, 0.1, 0, double.MaxValue);
            var counter = at.Count >= 2 ? CounterEnergy.Between([.. counters], from, to, profile) : null;
            var integrated = HasPower ? PowerEnergy.Between([.. powers], from, to, profile with { Quantity = SensorQuantity.Power }) : null;
            var residual = counter is not null && integrated is not null ? CounterAgreement.Of(counter, integrated) : double.NaN;
            return new(load, seconds, counter?.Joules ?? double.NaN, integrated?.Joules ?? double.NaN, double.NaN, residual, ModuleWatts.Count > 0 ? ModuleWatts.Average() : double.NaN);
        }

        public AliasPhase Alias(double phase)
        {
            var check = Check();
            return new(phase, check.CounterJoules / check.Seconds, check.IntegratedJoules / check.Seconds);
        }

        // Where the counter was first seen to have stepped; a reset is no step.
        private List<int> Ticks()
        {
            var ticks = new List<int>();
            var last = double.NaN;
            for (var i = 0; i < _seen.Count; i++)
            {
                if (double.IsNaN(_seen[i].Joules)) continue;
                if (_seen[i].Joules > last) ticks.Add(i);
                last = _seen[i].Joules;
            }
            return ticks;
        }

        private double Seconds(long timestamp) => time.GetElapsedTime(_seen[0].Timestamp, timestamp).TotalSeconds;

        private long Nanoseconds(long timestamp) => time.GetElapsedTime(_seen[0].Timestamp, timestamp).Ticks * 100;
    }
}
