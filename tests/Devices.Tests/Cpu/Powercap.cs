using System.Globalization;

namespace EnergyGrid.Devices.Tests;

/// <summary>A made-up <c>/sys/class/powercap</c> whose counters count, each at its watts.</summary>
internal sealed class Powercap : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("powercap-");
    private readonly Dictionary<string, (Func<double> Watts, double Microjoules)> _zones = [];
    private readonly ManualResetEventSlim _end = new();
    private readonly Lock _gate = new();
    private readonly Thread _feeder;
    private long _counted = TimeProvider.System.GetTimestamp();

    public Powercap()
    {
        _feeder = new Thread(Feed) { IsBackground = true };
        _feeder.Start();
    }

    public string Root => _root.FullName;

    /// <summary>Adds a counter, for example <c>intel-rapl:0:0</c> named <c>dram</c>.</summary>
    /// <param name="zone">Its directory.</param>
    /// <param name="name">What it says that it is.</param>
    /// <param name="watts">At what it counts; 0 stands still.</param>
    /// <param name="from">Where it begins, µJ.</param>
    public Powercap With(string zone, string name, double watts, double from = 1e9) => With(zone, name, () => watts, from);

    public Powercap With(string zone, string name, Func<double> watts, double from = 1e9)
    {
        var at = _root.CreateSubdirectory(zone).FullName;
        File.WriteAllText(Path.Combine(at, "name"), name + "\n");
        File.WriteAllText(Path.Combine(at, "max_energy_range_uj"), "262143328850\n");
        var file = Path.Combine(at, "energy_uj");
        lock (_gate)
        {
            Put(file, from);
            _zones[file] = (watts, from);
        }
        return this;
    }

    /// <summary>Says something else in a file of a zone, or takes the file away; a counter does not count any more then.</summary>
    public Powercap Saying(string zone, string file, string? text)
    {
        var at = Path.Combine(_root.CreateSubdirectory(zone).FullName, file);
        lock (_gate)
        {
            if (file == "energy_uj") _zones.Remove(at);
            File.Delete(at);
            if (text is not null) File.WriteAllText(at, text + "\n");
        }
        return this;
    }

    /// <summary>What nobody may read: a directory in its place refuses root too.</summary>
    public Powercap Denying(string zone, string file)
    {
        Saying(zone, file, null);
        Directory.CreateDirectory(Path.Combine(_root.FullName, zone, file));
        return this;
    }

    public void Dispose()
    {
        _end.Set();
        _feeder.Join();
        _end.Dispose();
        _root.Delete(recursive: true);
    }

    /// <summary>What the counter gives in a while, W.</summary>
    public double Watts(RaplCounter counter, double seconds = 0.4)
    {
        var (from, began) = Read(counter, elapsed: 0.9);
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        var (to, ended) = Read(counter, elapsed: seconds);
        return (to - from) / TimeProvider.System.GetElapsedTime(began, ended).TotalSeconds;
    }

    // As the counters stand at that moment, however late their feeder is.
    private (double Joules, long At) Read(RaplCounter counter, double elapsed)
    {
        lock (_gate)
        {
            Count();
            return (counter.Joules(elapsed), _counted);
        }
    }

    private void Feed()
    {
        while (!_end.Wait(4))
            lock (_gate) Count();
    }

    private void Count()
    {
        var now = TimeProvider.System.GetTimestamp();
        var seconds = TimeProvider.System.GetElapsedTime(_counted, now).TotalSeconds;
        _counted = now;
        foreach (var (file, (watts, sum)) in _zones.ToArray())
        {
            _zones[file] = (watts, (sum + 1e6 * seconds * watts()) % 262143328850);
            Put(file, _zones[file].Microjoules);
        }
    }

    // By a rename: a reader never meets half of a number.
    private static void Put(string file, double microjoules)
    {
        File.WriteAllText(file + ".next", microjoules.ToString("F0", CultureInfo.InvariantCulture) + "\n");
        File.Move(file + ".next", file, overwrite: true);
    }
}
