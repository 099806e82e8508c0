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
        var name = new Option<string>("--name") { Description = "The silo's name: device keys begin with it.", HelpName = "NAME", DefaultValueFactory = _ => Environment.MachineName };
        var tokens = new Option<string?>("--tokens") { Description = "Token file: lines of 'SHA256-OF-TOKEN ROLE NAME'.", HelpName = "FILE" };
        var certificate = new Option<string?>("--certificate") { Description = "PEM certificate chain for https.", HelpName = "FILE" };
        var key = new Option<string?>("--key") { Description = "PEM key of the certificate.", HelpName = "FILE" };
        var redis = new Option<string?>("--redis") { Description = "Redis connection string, for many silos.", HelpName = "STRING" };
        var siloPort = new Option<int?>("--silo-port") { Description = "Where other silos reach this one; 11111 with --redis if not said.", HelpName = "PORT" };
        var siloAddress = new Option<string?>("--silo-address") { Description = "IP address at which other silos reach this one; what the machine's name resolves to if not said.", HelpName = "IP" };
        var simulate = new Option<string?>("--simulate") { Description = "Adds a simulated site, RACKSxNODESxGPUS, for example 2x4x8. Its figures are modelled.", HelpName = "RxNxG" };
        var model = new Option<string>("--model") { Description = "Hardware class of the simulated GPUs.", HelpName = "NAME", DefaultValueFactory = _ => "H100-SXM-80GB" };
        var scale = new Option<double>("--time-scale") { Description = "Seconds of simulated time in one second.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var seed = new Option<long>("--seed") { Description = "Of the simulated sensors.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var noLocal = new Option<bool>("--no-local") { Description = "Leave this machine's processor out; its GPUs have --gpus." };
        var gpus = new Option<string>("--gpus") { Description = "This machine's GPUs: all, none, or a list of indices or UUIDs. Each is looked at for about a minute first.", HelpName = "all|none|LIST", DefaultValueFactory = _ => "all" };
        var qualify = new Option<double>("--qualify") { Description = "How long each look at a GPU's sensors takes, s; below 10 the check of its counter is coarse.", HelpName = "SECONDS", DefaultValueFactory = _ => 10 };
        var runLog = new Option<string?>("--run-log") { Description = "Logs every trial that a device here begins and ends, a line of JSON each, apart from what the grid keeps.", HelpName = "FILE" };
        var verbose = new Option<bool>("--verbose") { Description = "Log more, to standard error." };
        var command = new Command("up", "Runs a silo of the grid on this machine.") { bind, data, name, tokens, certificate, key, redis, siloPort, siloAddress, simulate, model, scale, seed, noLocal, gpus, qualify, runLog, verbose };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var timeScale = parsed.GetValue(scale);
            if (!(timeScale is >= 1 and <= 10_000)) throw new CommandException(ExitCodes.Usage, $"--time-scale {timeScale.ToString(CultureInfo.InvariantCulture)}: it is from 1 to 10000.");
            var qualification = parsed.GetValue(qualify);
            if (!(qualification is >= 0.5 and <= 600)) throw new CommandException(ExitCodes.Usage, $"--qualify {qualification.ToString(CultureInfo.InvariantCulture)}: it is from 0.5 to 600.");
            await using var app = SiloHost.Build(new SiloOptions
            {
                Name = parsed.GetValue(name)!,
                DataDirectory = Path.GetFullPath(parsed.GetValue(data)!),
                Url = parsed.GetValue(bind)!,
                TokenFile = parsed.GetValue(tokens),
                CertificateFile = parsed.GetValue(certificate),
                KeyFile = parsed.GetValue(key),
                Redis = parsed.GetValue(redis),
                SiloPort = parsed.GetValue(siloPort) is not { } port ? null : port is >= 1 and <= 65535 ? port : throw new CommandException(ExitCodes.Usage, $"--silo-port {port.ToString(CultureInfo.InvariantCulture)}: it is from 1 to 65535."),
                SiloAddress = parsed.GetValue(siloAddress) is not { } ip ? null : IPAddress.TryParse(ip, out var reached) ? reached : throw new CommandException(ExitCodes.Usage, $"--silo-address '{ip}' is no IP address; say for example 10.0.0.7."),
                Simulated = parsed.GetValue(simulate) is { } size ? Site(size, parsed.GetValue(model)!, timeScale, parsed.GetValue(seed)) : null,
                LocalCpu = !parsed.GetValue(noLocal),
                Gpus = parsed.GetValue(gpus)! switch { "all" => null, "none" => [], var list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) },
                QualificationSeconds = qualification,
                Say = line => { if (!screen.Json) screen.Say(line); },
                RunLog = parsed.GetValue(runLog),
                LogLevel = parsed.GetValue(verbose) ? LogLevel.Information : LogLevel.Warning,
            });
            await SiloHost.StartAsync(app, stop);
            var address = SiloHost.AddressOf(app);
            if (screen.Json) screen.Line(new { url = address, name = parsed.GetValue(name), data = Path.GetFullPath(parsed.GetValue(data)!) });
            else
            {
                screen.Say($"grid      {address}");
                screen.Say($"data      {Path.GetFullPath(parsed.GetValue(data)!)}");
                screen.Say("Ctrl-C stops it; sweeps go on when it is started again.");
            }
            try
            {
                await Task.Delay(Timeout.Infinite, stop);
            }
            catch (OperationCanceledException)
            {
                await app.StopAsync(CancellationToken.None);
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string DefaultData => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_DATA_HOME") is { Length: > 0 } home ? home : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share"), "energygrid");

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
