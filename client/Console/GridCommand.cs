using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;
using Term = System.Console;

namespace EnergyGrid.Console;

/// <summary>The <c>energygrid</c> command: parses, runs, and turns every ending into a message and an exit code.</summary>
public static class GridCommand
{
    public const string DefaultUrl = "http://127.0.0.1:7070";

    public static Option<string> Url { get; } = new("--url")
    {
        Description = "Where the grid is, or several of its silos, separated by commas: one that answers is asked; also ENERGYGRID_URL.",
        Recursive = true,
        HelpName = "URL[,URL]",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("ENERGYGRID_URL") is { Length: > 0 } url ? url : DefaultUrl,
    };

    public static Option<string?> TokenFile { get; } = new("--token-file")
    {
        Description = "File that holds the bearer token; also ENERGYGRID_TOKEN_FILE.",
        Recursive = true,
        HelpName = "FILE",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("ENERGYGRID_TOKEN_FILE") is { Length: > 0 } file ? file : null,
    };

    public static Option<string?> Authority { get; } = new("--ca")
    {
        Description = "PEM file of the certificate authority that the grid's own certificates come from, trusted instead of the system's; also ENERGYGRID_CA.",
        Recursive = true,
        HelpName = "FILE",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("ENERGYGRID_CA") is { Length: > 0 } file ? file : null,
    };

    public static Option<bool> Json { get; } = new("--json") { Description = "JSON on standard output and nothing else there.", Recursive = true };

    public static RootCommand Root()
    {
        var root = new RootCommand("EnergyGrid measures how many joules a token costs, on which stack, under which constraint.") { Url, TokenFile, Authority, Json };
        // As it is called, whatever the file is named that runs.
        root.HelpName = "energygrid";
        root.Add(DemoCommand.Make());
        root.Add(UpCommand.Make());
        root.Add(DoctorCommand.Make());
        root.Add(Evidence.EvidenceCommand.Make());
        root.Add(DevicesCommand.Make());
        root.Add(StackCommands.Make());
        root.Add(TopCommand.Make());
        root.Add(PlanCommand.Make());
        root.Add(SubmitCommand.Make());
        root.Add(WatchCommand.Make());
        root.Add(StatusCommand.Make());
        foreach (var act in ActCommands.Make()) root.Add(act);
        root.Add(MatrixCommand.Make());
        root.Add(CompareCommand.Make());
        root.Add(ReportCommand.Make());
        root.Add(ExportCommand.Make());
        root.Add(VerifyCommand.Make());
        root.Add(SchemaCommand.Make());
        root.Add(TraceCommand.Make());
        root.Add(RetentionCommands.Make());
        root.Add(CompletionCommand.Make());
        root.Add(VersionCommand.Make());
        root.Add(StepWorkerCommand.Make());
        // Ours says more than the version, and obeys --json.
        foreach (var option in root.Options.OfType<VersionOption>().ToArray()) root.Options.Remove(option);
        root.Add(VersionCommand.AsOption());
        foreach (var help in root.Options.OfType<HelpOption>())
            foreach (var alias in help.Aliases.Where(a => a.StartsWith('/')).ToArray()) help.Aliases.Remove(alias);
        return root;
    }

    /// <summary>How long a command may take to end well once it was asked to: a silo takes leave of others within 8 s.</summary>
    private static readonly TimeSpan MostToEnd = TimeSpan.FromSeconds(9);

    public static async Task<int> Run(string[] args)
    {
        using var stop = new CancellationTokenSource();
        var interrupts = 0;
        Timer? ends = null;
        void Interrupt(PosixSignalContext signal)
        {
            // The second one does not wait for anything to end well.
            if (Interlocked.Increment(ref interrupts) > 1) Environment.Exit(128 + (signal.Signal == PosixSignal.SIGTERM ? 15 : 2));
            signal.Cancel = true;
            // Whatever hangs (a pipe that nobody writes to, a server that is silent): asked to end, a command ends.
            ends = new Timer(_ => Environment.Exit(ExitCodes.Cancelled), null, MostToEnd, Timeout.InfiniteTimeSpan);
            stop.Cancel();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        try
        {
            if (Suggestions.AreAsked(args))
            {
                foreach (var word in Suggestions.For(args, Root())) Term.Out.WriteLine(word);
                return ExitCodes.Ok;
            }
            string[] words = args is ["help", .. var of] ? [.. of, "--help"] : args;
            var parsed = Parse(words);
            if (CommandLineFaults.IsQuestion(parsed)) parsed = Parse([.. words, "--help"]);
            if (CommandLineFaults.Of(parsed) is { Count: > 0 } faults)
            {
                foreach (var fault in faults) Complain($"energygrid: {fault}");
                Complain($"'energygrid {CommandLineFaults.PathOf(parsed.CommandResult)}--help' says what is right.");
                return ExitCodes.Usage;
            }
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token);
        }
        catch (Exception e)
        {
            return Ended(e, stop.IsCancellationRequested);
        }
        finally
        {
            ends?.Dispose();
            Restore();
        }
    }

    // '@anna asks' is a reason, and no file of arguments.
    private static ParseResult Parse(string[] args) => Root().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    /// <summary>A client for the grid that a command line names.</summary>
    public static GridClient Client(ParseResult parsed)
    {
        var text = parsed.GetValue(Url)!;
        var urls = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(part => Uri.TryCreate(part, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url : throw new CommandException(ExitCodes.Usage, $"--url '{part}' is no address; say for example {DefaultUrl}."))
            .ToImmutableArray();
        if (urls.Any(u => u.UserInfo.Length > 0)) throw new CommandException(ExitCodes.Usage, "--url has a name or password in it, which would stand in lists of processes; a token is given with --token-file.");
        if (urls.IsEmpty) throw new CommandException(ExitCodes.Usage, $"--url is empty; say for example {DefaultUrl}.");
        var token = Token(parsed.GetValue(TokenFile));
        if (token is not null && urls.Select(GridClient.InClear).FirstOrDefault(r => r is not null) is { } refusal) throw new CommandException(ExitCodes.Usage, refusal);
        return new GridClient(urls, token, Authorities(parsed.GetValue(Authority)));
    }

    public static Screen Screen(ParseResult parsed) => Console.Screen.Open(parsed.GetValue(Json));

    private static string? Token(string? file)
    {
        if (file is null) return null;
        try
        {
            var token = SmallFile.FirstLine(file);
            if (token.Length == 0) throw new CommandException(ExitCodes.Usage, $"{file} is empty; its first line is the token.");
            return token.Any(c => c is < '!' or > '~') ? throw new CommandException(ExitCodes.Usage, $"{file}: the first line is no token; it is printable ASCII without blanks.") : token;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"--token-file {file} cannot be read: {FileFault.Words(e)}");
        }
    }

    private static X509Certificate2Collection? Authorities(string? file)
    {
        if (file is null) return null;
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPem(SmallFile.Text(file));
            return authorities.Count > 0 ? authorities : throw new CommandException(ExitCodes.Usage, $"--ca {file} holds no certificate in PEM form.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new CommandException(ExitCodes.Usage, $"--ca {file} cannot be read: {FileFault.Words(e)}");
        }
    }

    private static int Ended(Exception error, bool interrupted)
    {
        switch (error)
        {
            case OperationCanceledException when interrupted:
                return ExitCodes.Cancelled;
            case CommandException said:
                Complain(said.Message.Contains('\n') || said.Message.StartsWith('\0') ? said.Message.TrimStart('\0') : $"energygrid: {said.Message}");
                return said.Code;
            case GridUnreachableException unreachable:
                Complain($"energygrid: {unreachable.Message}");
                Complain("Is a grid up there? 'energygrid up' starts one on this machine; --url or ENERGYGRID_URL names another.");
                return ExitCodes.Unreachable;
            case GridProblemException refused:
                foreach (var fault in refused.Faults) Complain(fault.ToString());
                if (refused.Faults.IsEmpty) Complain($"energygrid: {refused.Message}");
                return (int)refused.Status switch
                {
                    503 => ExitCodes.Unreachable,
                    >= 500 => ExitCodes.Failed,
                    _ => ExitCodes.Usage,
                };
            case SiloRefusedException refused:
                Complain($"energygrid: {refused.Message}");
                return refused.Unable ? ExitCodes.Unreachable : ExitCodes.Usage;
            case IOException or UnauthorizedAccessException:
                Complain($"energygrid: {Unwritten(error)}.");
                return ExitCodes.Failed;
            case ArgumentException { ParamName: "path" or "fileName" or "path1" or "path2" }:
                Complain("energygrid: a path is empty, or none.");
                return ExitCodes.Usage;
            default:
                Complain($"energygrid: this should not have happened, please report it: {error}");
                return ExitCodes.Failed;
        }
    }

    // What names no path is standard output, or the directory that this process stands in.
    private static string Unwritten(Exception error)
    {
        if (!Path.Exists(".")) return "the working directory is gone; change to another";
        var path = (error as FileNotFoundException)?.FileName ?? (error.Message.Split('\'') is [_, var quoted, _, ..] ? quoted : null);
        return path is null ? $"standard output cannot be written: {FileFault.Words(error)}" : $"{path}: {FileFault.Words(error)}";
    }

    // Standard error may be closed or full; that changes nothing of how a command ends.
    private static void Complain(string line)
    {
        try
        {
            Term.Error.WriteLine(Console.Screen.Harmless(line));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // Nobody is there to be told.
        }
    }

    // A live display hides the cursor; whatever ended it, the terminal gets it back.
    private static void Restore()
    {
        if (Term.IsOutputRedirected || Environment.GetEnvironmentVariable("TERM") is "dumb" or null or "") return;
        Term.Out.Write("\u001b[?25h");
        Term.Out.Flush();
    }
}
