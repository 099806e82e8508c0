using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>What a grid consists of.</summary>
/// <param name="Silos">How many.</param>
/// <param name="Tls">Whether silos speak TLS with each other, with certificates on both sides.</param>
/// <param name="TimeScale">Seconds of simulated time in a second.</param>
/// <param name="Networks">Namespaces, one for each silo; null for loopback.</param>
/// <param name="RedisTls">Whether Redis wants TLS, a user and a password.</param>
internal sealed record GridSetup(int Silos = 3, bool Tls = false, int TimeScale = 100, Networks? Networks = null, bool RedisTls = false);

/// <summary>Silos of one grid over a Redis of their own, each with two simulated GPUs, and the ledger of what they have shown.</summary>
internal sealed class GridOfSilos : IAsyncDisposable
{
    private const int DevicesPerSilo = 2;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private readonly Scratch _scratch = new();
    private readonly Certificates _certificates;
    private readonly Random _random;
    private readonly List<(string Sweep, int Passes)> _sweeps = [];

    private GridOfSilos(GridSetup setup, int seed)
    {
        Setup = setup;
        _random = new Random(seed);
        _certificates = new Certificates(_scratch["certificates"]);
    }

    public GridSetup Setup { get; }

    public RedisServer Redis { get; private set; } = null!;

    public ImmutableArray<SiloProcess> Silos { get; private set; } = [];

    public Ledger Ledger { get; private set; } = null!;

    public int Devices => Silos.Length * DevicesPerSilo;

    public IEnumerable<SiloProcess> Up => Silos.Where(s => s.IsUp);

    /// <summary>Starts it: every silo ready, every device shown by every silo.</summary>
    /// <param name="setup">What it consists of.</param>
    /// <param name="seed">Of whatever a test chooses at random.</param>
    /// <param name="crash">Where silos kill themselves.</param>
    public static async Task<GridOfSilos> Start(GridSetup? setup = null, int seed = 1, string crash = "")
    {
        var grid = new GridOfSilos(setup ?? new(), seed);
        try
        {
            await grid.Begin(crash);
            return grid;
        }
        catch
        {
            await grid.DisposeAsync();
            throw;
        }
    }

    public int Next(int below) => _random.Next(below);

    /// <summary>One that is up, at random.</summary>
    public SiloProcess Any()
    {
        var up = Up.ToArray();
        return up[_random.Next(up.Length)];
    }

    public SiloProcess Named(string name) => Silos.Single(s => s.Name == name);

    /// <summary>Submits through any silo that takes it, under the id, and keeps the promise in the ledger.</summary>
    public async Task Submit(string sweep, int passes)
    {
        // The same text again changes nothing: whoever got no answer asks the next.
        await Patience.Until(async () => await Patience.Ask(() => Any().Client.Submit(SweepPlan.Of(Devices, passes), sweep)) is not null, $"{sweep} is taken", 60, Diary);
        Ledger.Acknowledged(sweep);
    }

    /// <summary>How a sweep stands, from any silo that answers; null if none does just now.</summary>
    public async Task<SweepStatus?> Status(string sweep)
    {
        foreach (var silo in Up.OrderBy(_ => _random.Next()))
            if (await Patience.Ask(() => silo.Client.Sweep(sweep)) is { } status) return status;
        return null;
    }

    public async Task<SweepStatus> Until(string sweep, Func<SweepStatus, bool> holds, string what, int seconds = 60)
    {
        SweepStatus? status = null;
        await Patience.Until(async () => await Status(sweep) is { } now && holds(status = now), what, seconds, () => $"{status}\n{Diary()}");
        return status!;
    }

    /// <summary>Waits for a sweep's end. One that has been paused for long will not come to it: it waits for somebody, and nobody is to be needed.</summary>
    public async Task<SweepStatus> Ended(string sweep, int seconds)
    {
        var clock = TimeProvider.System;
        var moved = clock.GetTimestamp();
        var status = await Until(sweep, s =>
        {
            if (s.Phase != SweepPhase.Paused) moved = clock.GetTimestamp();
            return s.HasEnded || clock.GetElapsedTime(moved) > LongestPause;
        }, $"{sweep} ends", seconds);
        return status.HasEnded ? status : throw new InvalidOperationException($"{sweep} is paused and stays so: {status.Reason}\n{Diary()}");
    }

    /// <summary>Waits until the ledger has seen some trials committed.</summary>
    public Task UntilCommitted(string sweep, int trials, int seconds = 60) =>
        Patience.Until(() => Ledger[sweep].Trials >= trials, $"{trials} trials of {sweep} are committed", seconds, () => $"{Ledger[sweep].Trials} are\n{Diary()}");

    /// <summary>Which silo has a grain in memory: that of the kind, whose key begins so.</summary>
    public async Task<SiloProcess?> Holder(string kind, string key = "")
    {
        var lines = await Patience.Ask<object>(async () => await Any().Client.Activations()) as ImmutableArray<ActivationLine>?;
        return lines?.FirstOrDefault(l => l.Kind == kind && l.Keys.Any(k => k.StartsWith(key, StringComparison.Ordinal))) is { } line ? Silos.FirstOrDefault(s => s.Name == line.Silo) : null;
    }

    /// <summary>Waits until every silo that is up knows that this one's process is no more; how long it took, s.</summary>
    public async Task<double> UntilKnownDead(SiloProcess dead, int seconds = 60)
    {
        var began = TimeProvider.System.GetTimestamp();
        var asked = Up.Where(s => s != dead).ToArray();
        await Patience.Until(async () =>
        {
            foreach (var silo in asked)
                if (await Patience.Ask<object>(async () => await silo.Client.Silos()) is not ImmutableArray<SiloLine> lines || lines.Any(l => l.Name == dead.Name && l.Status == "active")) return false;
            return true;
        }, $"all know that {dead.Name} is dead", seconds, Diary);
        return TimeProvider.System.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Waits until a device begins a trial of a sweep that had not begun at a moment; how long after it that was, s.</summary>
    public async Task<double> UntilMoving(DateTimeOffset since, int seconds = 60)
    {
        DeviceRun? first = null;
        await Patience.Until(() => (first = Runs.Of(Silos).FirstOrDefault(r => r.StartedUtc > since)) is not null, "a trial begins", seconds, Diary);
        return (first!.StartedUtc - since).TotalSeconds;
    }

    /// <summary>Waits until the others have given up every device group on a silo that says nothing: their orders are withdrawn. How long after a moment that was, s.</summary>
    public async Task<double> UntilAway(SiloProcess silent, string sweep, DateTimeOffset since, int seconds = 120)
    {
        var others = Up.Where(s => s != silent).ToArray();
        var away = $"{DevicesPerSilo} of {Devices} device groups are away";
        await Patience.Until(async () => await Patience.Ask(() => others[_random.Next(others.Length)].Client.Sweep(sweep)) is { } status && status.Waiting.Contains(away, StringComparison.Ordinal),
            $"the groups on {silent.Name} are away", seconds, Diary);
        return (TimeProvider.System.GetUtcNow() - since).TotalSeconds;
    }

    /// <summary>Makes sure that a sweep is under way, with a new one where the last has ended; its id.</summary>
    public async Task<string> KeepSweeping(int passes)
    {
        if (_sweeps.Count > 0)
        {
            var (last, _) = _sweeps[^1];
            SweepStatus? status = null;
            await Patience.Until(async () => (status = await Status(last)) is not null, $"{last} is told", 60, Diary);
            // One that is about to end is no target: what is to be hit would not run any more.
            if (!status!.HasEnded && status.CommittedTrials < 0.8 * Devices * SweepPlan.Cells * passes) return last;
        }
        var sweep = $"s{_sweeps.Count + 1}";
        await Submit(sweep, passes);
        _sweeps.Add((sweep, passes));
        return sweep;
    }

    /// <summary>Brings everything up again, waits for the end of all sweeps that were kept going and checks what must be true of them.</summary>
    public async Task Settle(int seconds = 120)
    {
        await Revive();
        foreach (var (sweep, passes) in _sweeps) await Laws.Hold(this, sweep, passes, seconds);
    }

    /// <summary>Starts whatever is down and waits until all are ready and see each other.</summary>
    public async Task Revive(int seconds = 90)
    {
        await Task.WhenAll(Silos.Where(s => !s.IsUp).Select(s => s.Start()));
        await UntilWhole(seconds);
    }

    /// <summary>Waits until every silo is ready and shows every silo as active and every device.</summary>
    public Task UntilWhole(int seconds = 60) => Patience.Until(async () =>
    {
        foreach (var silo in Silos)
        {
            if (!await silo.IsReady()) return false;
            if (await Patience.Ask<object>(async () => await silo.Client.Silos()) is not ImmutableArray<SiloLine> lines || lines.Count(l => l.Status == "active") != Silos.Length) return false;
            if (await Patience.Ask<object>(async () => await silo.Client.Devices()) is not ImmutableArray<DeviceLine> devices || devices.Length != Devices) return false;
        }
        return true;
    }, "all silos are ready and show all silos and devices", seconds, Diary);

    /// <summary>What all silos have logged, for a failure's message.</summary>
    public string Diary() => string.Join('\n', Silos.Select(s => $"-- {s.Name}, {(s.IsUp ? "up" : $"down ({s.Lives.LastOrDefault()?.ExitCode})")}\n{Tail(s.Log)}"));

    public async ValueTask DisposeAsync()
    {
        if (Ledger is not null) await Ledger.DisposeAsync();
        foreach (var silo in Silos) await silo.DisposeAsync();
        if (Redis is not null) await Redis.DisposeAsync();
        _certificates.Dispose();
        _scratch.Dispose();
    }

    private async Task Begin(string crash)
    {
        var gateway = Setup.Networks?.Gateway ?? "127.0.0.1";
        var redis = new RedisSetup(gateway);
        if (Setup.RedisTls)
        {
            var (certificate, key) = _certificates.Leaf("redis", [gateway]);
            redis = redis with { User = "grid", Password = "correct-horse", Certificate = certificate, Key = key, Authority = _certificates.AuthorityFile };
        }
        Redis = await RedisServer.Start(_scratch["redis"], redis);
        var connection = _scratch["redis.txt"];
        await File.WriteAllTextAsync(connection, Redis.ConnectionString);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(connection, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var cluster = $"test-{Guid.NewGuid():n}"[..16];
        Silos = [.. Enumerable.Range(0, Setup.Silos).Select(i => new SiloProcess(Member(i, cluster, connection)))];
        Ledger = new Ledger(Silos);
        await Task.WhenAll(Silos.Select(s => s.Start(crash)));
        await UntilWhole();
    }

    private SiloSetup Member(int number, string cluster, string connection)
    {
        var name = $"{(char)('a' + number)}";
        var address = Setup.Networks?.Address(number) ?? "127.0.0.1";
        List<string> arguments =
        [
            "--no-local", "--gpus", "none", "--simulate", "1x1x2", "--time-scale", Setup.TimeScale.ToString(CultureInfo.InvariantCulture), "--seed", (number + 1).ToString(CultureInfo.InvariantCulture),
            "--redis-file", connection, "--cluster", cluster,
        ];
        if (Setup.Tls)
        {
            var (certificate, key) = _certificates.Leaf(name, [address]);
            arguments.AddRange(["--silo-certificate", certificate, "--silo-key", key, "--silo-ca", _certificates.AuthorityFile]);
        }
        // Redis' own certificate is checked against what the machine trusts: here that is the test's authority.
        var environment = Setup.RedisTls ? new Dictionary<string, string> { ["SSL_CERT_FILE"] = _certificates.AuthorityFile } : [];
        return new(name, _scratch[name], address, arguments, environment, Setup.Networks?[number]);
    }

    // A line of Orleans' can be a page long; what matters is at its beginning.
    private static string Tail(string log) => string.Join('\n', log.Split('\n').TakeLast(15).Select(l => l.Length > 300 ? l[..300] + "…" : l));
}
