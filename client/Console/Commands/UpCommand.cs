using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using EnergyGrid.Silo;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Console;

/// <summary><c>up</c>: runs a silo on this machine until it is stopped.</summary>
internal static partial class UpCommand
{
    public static Command Make()
    {
        var bind = new Option<string>("--bind") { Description = "Where to serve HTTP; port 0 is any free one.", HelpName = "URL", DefaultValueFactory = _ => GridCommand.DefaultUrl };
        var data = new Option<string>("--data") { Description = "Directory of grain state and results.", HelpName = "DIR", DefaultValueFactory = _ => DefaultData };
        var name = new Option<string>("--name") { Description = "The silo's name: device keys begin with it, so no two machines may share it; the host's name if not said.", HelpName = "NAME", DefaultValueFactory = _ => Dns.GetHostName() };
        var tokens = new Option<string?>("--tokens") { Description = "Token file: lines of 'SHA256-OF-TOKEN ROLE NAME'.", HelpName = "FILE" };
        var certificate = new Option<string?>("--certificate") { Description = "PEM certificate chain for https.", HelpName = "FILE" };
        var key = new Option<string?>("--key") { Description = "PEM key of the certificate.", HelpName = "FILE" };
        var redis = new Option<string?>("--redis") { Description = "Redis of a cluster of silos, HOST:PORT. A string with a password goes into --redis-file.", HelpName = "STRING" };
        var redisFile = new Option<string?>("--redis-file") { Description = $"File whose first line is the Redis connection string; also {RedisString.Variable}.", HelpName = "FILE" };
        var mayForget = new Option<bool>("--redis-may-forget") { Description = "Take a Redis without an append-only file, or one that drops keys when it is full: what it forgets is lost." };
        var cluster = new Option<string>("--cluster") { Description = "Name of the grid: several share one Redis without meeting.", HelpName = "NAME", DefaultValueFactory = _ => ClusteringOptions.DefaultCluster };
        var site = new Option<string?>("--site") { Description = "Where this machine stands: its site; 'local' if not said, 'sim' for a simulated one.", HelpName = "NAME" };
        var rack = new Option<string>("--rack") { Description = "Where this machine stands: its rack.", HelpName = "NAME", DefaultValueFactory = _ => "r1" };
        var control = new Option<bool>("--control") { Description = "Grains that steer and add up prefer this silo: for a machine that measures nothing." };
        var siloCertificate = new Option<string?>("--silo-certificate") { Description = "PEM certificate that this silo shows to others, for both sides of TLS.", HelpName = "FILE" };
        var siloKey = new Option<string?>("--silo-key") { Description = "PEM key of the silo's certificate.", HelpName = "FILE" };
        var siloCa = new Option<string?>("--silo-ca") { Description = "PEM of the authority that the certificates of all silos come from.", HelpName = "FILE" };
        var siloPort = new Option<int?>("--silo-port") { Description = "Where other silos reach this one; 11111 in a cluster if not said.", HelpName = "PORT" };
        var siloAddress = new Option<string?>("--silo-address") { Description = "IP address at which other silos reach this one; the one that leads to Redis if not said.", HelpName = "IP" };
        var simulate = new Option<string?>("--simulate") { Description = "Adds a simulated site, RACKSxNODESxGPUS, for example 2x4x8. Its figures are modelled.", HelpName = "RxNxG" };
        var model = new Option<string>("--model") { Description = "Hardware class of the simulated GPUs.", HelpName = "NAME", DefaultValueFactory = _ => "H100-SXM-80GB" };
        var scale = new Option<double>("--time-scale") { Description = "Seconds of simulated time in one second.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var seed = new Option<long>("--seed") { Description = "Of the simulated sensors.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var noLocal = new Option<bool>("--no-local") { Description = "Leave this machine's processor out; its GPUs have --gpus." };
        var gpus = new Option<string>("--gpus") { Description = "This machine's GPUs: all, none, or a list of indices (nvidia-smi's) or UUIDs. Each is looked at, on the first start for about a minute, then offered.", HelpName = "all|none|LIST", DefaultValueFactory = _ => "all" };
        var qualify = new Option<double>("--qualify") { Description = "How long each look at a GPU's sensors takes, s; below 10 the check of its counter is coarse.", HelpName = "SECONDS", DefaultValueFactory = _ => 10 };
        var requalify = new Option<bool>("--requalify") { Description = "Look at the GPUs' sensors as on the first start, whatever is remembered of them." };
        var runLog = new Option<string?>("--run-log") { Description = "Logs every trial that a device here begins and ends, a line of JSON each, apart from what the grid keeps.", HelpName = "FILE" };
        var stacks = new Option<string?>("--stacks") { Description = "A stacks.yaml: the serving engines that plans may have started on this machine; 'stacks check' tries them. stacks.yaml in the data directory if not said, where there is one.", HelpName = "FILE" };
        var otlp = new Option<string?>("--otlp") { Description = "Collector of traces and metrics, OTLP over HTTP; also OTEL_EXPORTER_OTLP_ENDPOINT and its kin.", HelpName = "URL" };
        var dashboard = new Option<bool>("--dashboard") { Description = "Serve Orleans' dashboard under /orleans, for operators; it profiles every call." };
        var verbose = new Option<bool>("--verbose") { Description = "Log more, to standard error." };
        var command = new Command("up", "Runs a silo of the grid on this machine.") { bind, data, name, tokens, certificate, key, redis, redisFile, mayForget, cluster, site, rack, control, siloPort, siloAddress, siloCertificate, siloKey, siloCa, simulate, model, scale, seed, noLocal, gpus, qualify, requalify, stacks, otlp, dashboard, runLog, verbose };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var timeScale = parsed.GetValue(scale);
            if (!(timeScale is >= 1 and <= 10_000)) throw new CommandException(ExitCodes.Usage, $"--time-scale {timeScale.ToString(CultureInfo.InvariantCulture)}: it is from 1 to 10000.");
            var qualification = parsed.GetValue(qualify);
            if (!(qualification is >= 0.5 and <= 600)) throw new CommandException(ExitCodes.Usage, $"--qualify {qualification.ToString(CultureInfo.InvariantCulture)}: it is from 0.5 to 600.");
            var app = SiloHost.Build(new SiloOptions
            {
                Name = parsed.GetValue(name)!,
                DataDirectory = Path.GetFullPath(parsed.GetValue(data)!),
                Url = parsed.GetValue(bind)!,
                TokenFile = parsed.GetValue(tokens),
                CertificateFile = parsed.GetValue(certificate),
                KeyFile = parsed.GetValue(key),
                Redis = RedisString.Choose(parsed.GetValue(redis), parsed.GetValue(redisFile), Environment.GetEnvironmentVariable(RedisString.Variable)),
                RedisMayForget = parsed.GetValue(mayForget),
                Cluster = parsed.GetValue(cluster)!,
                Site = parsed.GetValue(site),
                Rack = parsed.GetValue(rack)!,
                Control = parsed.GetValue(control),
                SiloCertificateFile = parsed.GetValue(siloCertificate),
                SiloKeyFile = parsed.GetValue(siloKey),
                SiloAuthorityFile = parsed.GetValue(siloCa),
                SiloPort = parsed.GetValue(siloPort) is not { } port ? null : port is >= 1 and <= 65535 ? port : throw new CommandException(ExitCodes.Usage, $"--silo-port {port.ToString(CultureInfo.InvariantCulture)}: it is from 1 to 65535."),
                SiloAddress = parsed.GetValue(siloAddress) is not { } ip ? null : IPAddress.TryParse(ip, out var reached) ? reached : throw new CommandException(ExitCodes.Usage, $"--silo-address '{ip}' is no IP address; say for example 10.0.0.7."),
                Simulated = parsed.GetValue(simulate) is { } size ? Site(size, parsed.GetValue(model)!, timeScale, parsed.GetValue(seed)) : null,
                LocalCpu = !parsed.GetValue(noLocal),
                Gpus = parsed.GetValue(gpus)! switch { "all" => null, "none" => [], var list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) },
                QualificationSeconds = qualification,
                Requalify = parsed.GetValue(requalify),
                Otlp = parsed.GetValue(otlp) is not { } collector ? null : Uri.TryCreate(collector, UriKind.Absolute, out var to) && to.Scheme is "http" or "https" ? to : throw new CommandException(ExitCodes.Usage, $"--otlp '{collector}' is no address; say for example http://127.0.0.1:4318."),
                Dashboard = parsed.GetValue(dashboard),
                Say = line => { if (!screen.Json) screen.Say(line); },
                RunLog = parsed.GetValue(runLog),
                StacksFile = parsed.GetValue(stacks) is { } named ? Path.GetFullPath(named) : null,
                LogLevel = parsed.GetValue(verbose) ? LogLevel.Information : LogLevel.Warning,
            });
            try
            {
                await SiloHost.StartAsync(app, stop);
                var address = SiloHost.AddressOf(app);
                if (screen.Json) screen.Line(new { url = address, name = parsed.GetValue(name), data = Path.GetFullPath(parsed.GetValue(data)!) });
                else
                {
                    screen.Say($"grid      {address} (in a browser: sweeps, reports, devices)");
                    screen.Say($"data      {Path.GetFullPath(parsed.GetValue(data)!)}");
                    var (devices, opening) = SiloHost.DevicesOf(app);
                    foreach (var line in Equipment.AtStart(devices, opening)) screen.Say($"devices   {line}");
                    screen.Say("Ctrl-C stops it; sweeps go on when it is started again.");
                }
                await Task.Delay(Timeout.Infinite, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Asked to end: what follows does.
            }
            finally
            {
                if (!await SiloHost.EndAsync(app))
                {
                    System.Console.Error.WriteLine("energygrid: the silo ends without having taken leave of the others (is Redis away?): they take it for dead after some seconds. Nothing acknowledged is lost.");
                    Environment.Exit(stop.IsCancellationRequested ? ExitCodes.Ok : ExitCodes.Unreachable);
                }
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    internal static string DefaultData
    {
        get
        {
            if (Environment.GetEnvironmentVariable("XDG_DATA_HOME") is { Length: > 0 } data) return Path.Combine(data, "energygrid");
            // Without HOME .NET asks the user database, and without an entry there it names the root directory or none.
            return Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 1 } home
                ? Path.Combine(home, ".local", "share", "energygrid")
                : throw new CommandException(ExitCodes.Usage, "this user has no home directory (no HOME, no XDG_DATA_HOME): say with --data DIR where state and results are kept.");
        }
    }

    private static SimulatedSiteChoice Site(string size, string model, double scale, long seed)
    {
        var match = Size().Match(size);
        if (!match.Success) throw new CommandException(ExitCodes.Usage, $"--simulate '{size}': say racks x nodes in a rack x GPUs in a node, for example 2x4x8.");
        int Part(int i) => int.Parse(match.Groups[i].ValueSpan, CultureInfo.InvariantCulture);
        return new("sim", Part(1), Part(2), Part(3), model, scale, seed);
    }

    [GeneratedRegex("^([1-9][0-9]{0,3})x([1-9][0-9]{0,2})x([1-9][0-9]?)$", RegexOptions.CultureInvariant)]
    private static partial Regex Size();
}
