using System.Collections.Immutable;
using System.CommandLine;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Results;
using EnergyGrid.Sdk;
using Spectre.Console;

namespace EnergyGrid.Console;

/// <summary><c>matrix</c>: the J/token matrix as a table.</summary>
internal static class MatrixCommand
{
    public static Command Make()
    {
        var source = GridNames.Sweep("Its id, or a directory of results.");
        var command = new Command("matrix", "Prints a sweep's J/token matrix.") { source };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var matrix = await screen.Waiting($"the matrix of {parsed.GetValue(source)}", ResultSource.Matrix(parsed.GetValue(source)!, () => GridCommand.Client(parsed), screen, stop));
            if (screen.Json) screen.Document(matrix);
            else Show(matrix, screen);
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>A table as wide as the terminal; to a pipe a row a line.</summary>
    /// <param name="matrix">What to show.</param>
    /// <param name="screen">Where.</param>
    /// <param name="othersShare">Share of this machine's processors that other processes took during its trials, 0 to 1; null where nobody looked.</param>
    public static void Show(Matrix matrix, Screen screen, double? othersShare = null)
    {
        var first = true;
        foreach (var line in screen.IsPiped ? TerminalMatrix.Piped(matrix, othersShare) : TerminalMatrix.Lines(matrix, Math.Max(40, screen.People.Profile.Width), othersShare))
        {
            // What the figures are worth comes first and is not to be overlooked.
            if (first && !screen.IsPiped) screen.People.MarkupLine($"[bold]{Markup.Escape(line)}[/]");
            else screen.Say(line);
            first = false;
        }
    }
}

/// <summary><c>compare</c>: two matrices cell by cell.</summary>
internal static class CompareCommand
{
    public static Command Make()
    {
        var a = GridNames.Sweep("A sweep's id or a directory of results.", "a");
        var b = GridNames.Sweep("Another.", "b");
        var command = new Command("compare", "Compares two sweeps cell by cell; what is not matched is refused by name.") { a, b };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            GridClient Client() => GridCommand.Client(parsed);
            var comparison = Comparison.Of(await ResultSource.Matrix(parsed.GetValue(a)!, Client, screen, stop), await ResultSource.Matrix(parsed.GetValue(b)!, Client, screen, stop));
            if (screen.Json) screen.Document(comparison);
            else Show(comparison, screen);
            foreach (var dimension in comparison.Refused) screen.Complain($"energygrid: not comparable: {dimension}; both must say the same.");
            if (comparison.Cells.IsEmpty) screen.Complain("energygrid: the two have no cell in common.");
            return comparison.Cells.Any(c => c.Ratio is not null) ? ExitCodes.Ok : ExitCodes.Usage;
        });
        return command;
    }

    private static void Show(Comparison comparison, Screen screen)
    {
        foreach (var line in ComparisonTable.Head(comparison)) screen.Say(line);
        var (columns, rows) = (ComparisonTable.Columns(comparison), ComparisonTable.Rows(comparison));
        if (screen.IsTerminal)
        {
            // Folded where it is narrow: none of these columns may be left out.
            var table = Tables.Plain([.. columns.Select(c => (c.RightAligned ? ">" : "") + c.Header)]);
            foreach (var row in rows) table.AddRow(row.Select(Markup.Escape).ToArray());
            screen.People.Write(table);
        }
        else screen.List([.. columns.Select(c => new Column(c.Header, c.RightAligned))], [.. rows.Select(r => (IReadOnlyList<string>)[.. r])]);
        foreach (var line in ComparisonTable.Foot(comparison)) screen.Say(line);
    }
}

/// <summary><c>report</c>: writes the report, one self-contained HTML file.</summary>
internal static class ReportCommand
{
    /// <summary>Names standard output where a file is named.</summary>
    public const string Output = "-";

    public static Command Make()
    {
        var source = GridNames.Sweep("Its id, or a directory of results.");
        var into = new Option<string?>("--out") { Description = "Where to; SWEEP.html if not said, - is standard output.", HelpName = "FILE" };
        var command = new Command("report", "Writes a sweep's report, one self-contained HTML file.") { source, into };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var from = parsed.GetValue(source)!;
            string html;
            string name;
            if (await ResultSource.DirectoryOf(from, () => GridCommand.Client(parsed), screen, stop) is { } directory)
            {
                var manifest = ResultSource.Read<Manifest>(Path.Combine(directory, "manifest.json"));
                html = ReportPage.Render(await ResultSource.Matrix(directory, stop), manifest, Traces(directory));
                name = manifest.Sweep;
            }
            else
            {
                using var client = GridCommand.Client(parsed);
                html = await screen.Waiting($"the report of {from}", client.Report(from, stop));
                name = from;
            }
            if (parsed.GetValue(into) == Output)
            {
                if (screen.Json) throw new CommandException(ExitCodes.Usage, "--out - and --json both want standard output.");
                await System.Console.Out.WriteAsync(html.AsMemory(), stop);
                return ExitCodes.Ok;
            }
            var path = Path.GetFullPath(parsed.GetValue(into) ?? $"{name}.html");
            await File.WriteAllTextAsync(path, html, new UTF8Encoding(false), stop);
            if (screen.Json) screen.Document(new { report = path, bytes = new FileInfo(path).Length });
            else screen.Say(path);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static List<PowerTrace> Traces(string directory)
    {
        var folder = Path.Combine(directory, "traces");
        if (!Directory.Exists(folder)) return [];
        try
        {
            return [.. Directory.EnumerateFiles(folder, "*.csv").Order(StringComparer.Ordinal).Take(64).Select(f => PowerTrace.Parse(Path.GetFileNameWithoutExtension(f), File.ReadAllText(f)))];
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCodes.Failed, e.Message);
        }
    }
}

/// <summary><c>export</c>: copies all files of a sweep, or writes its cells and trials as Parquet.</summary>
internal static class ExportCommand
{
    private const string Files = "files";
    private const string Parquet = "parquet";

    public static Command Make()
    {
        var source = GridNames.Sweep("Its id; with --format parquet also a directory of results.");
        var into = new Option<string?>("--out") { Description = "Directory to make; SWEEP if not said, SWEEP-parquet for Parquet.", HelpName = "DIR" };
        var format = new Option<string>("--format") { Description = "files: all result files as they are; parquet: cells.parquet and trials.parquet.", DefaultValueFactory = _ => Files, HelpName = "FORMAT" };
        format.AcceptOnlyFromAmong(Files, Parquet);
        var command = new Command("export", "Copies all result files of a sweep into a new directory, or writes its cells and trials as Parquet.") { source, into, format };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var from = parsed.GetValue(source)!;
            var parquet = parsed.GetValue(format) == Parquet;
            if (!parquet && ResultSource.IsPath(from)) throw new CommandException(ExitCodes.Usage, $"{from} is a directory of result files already; --format parquet makes something else of it.");
            if (parsed.GetValue(into) == ReportCommand.Output) throw new CommandException(ExitCodes.Usage, "these are several files: --out names a directory; 'report --out -' and 'trace' write one file to standard output.");
            var path = Path.GetFullPath(parsed.GetValue(into) ?? (parquet ? Path.TrimEndingDirectorySeparator(from) + "-parquet" : from));
            if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
                throw new CommandException(ExitCodes.Usage, $"{path} is there already and not empty; name a new directory with --out.");
            var files = await screen.Waiting($"the results of {from}", parquet ? Write(from, () => GridCommand.Client(parsed), path, screen, stop) : Copy(from, GridCommand.Client(parsed), path, stop));
            if (screen.Json) screen.Document(new { directory = path, files });
            else screen.Say($"{files} files in {path}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<int> Copy(string id, GridClient client, string path, CancellationToken stop)
    {
        using (client) return await ResultSource.Download(client, id, path, stop);
    }

    private static async Task<int> Write(string source, Func<GridClient> client, string path, Screen screen, CancellationToken stop)
    {
        var directory = await ResultSource.DirectoryOf(source, client, screen, stop);
        using var grid = directory is null ? client() : null;
        var matrix = directory is null ? await grid!.Matrix(source, stop) : await ResultSource.Matrix(directory, stop);
        var trials = directory is null ? await grid!.Trials(source, stop) : await Trials(directory, stop);
        Directory.CreateDirectory(path);
        // What a reader of the file alone must know.
        var about = new Dictionary<string, string> { ["sweep"] = matrix.Sweep, ["plan_sha256"] = matrix.PlanSha256, ["banner"] = Standing.Of(matrix).Word };
        (string Name, ImmutableArray<FlatColumn> Columns)[] tables = [("cells.parquet", CellsTable.Of(matrix)), ("trials.parquet", TrialsTable.Of(trials))];
        foreach (var (name, columns) in tables)
        {
            await using var file = File.Create(Path.Combine(path, name));
            await ParquetTable.Write(columns, about, file, stop);
        }
        return tables.Length;
    }

    private static async Task<IReadOnlyList<TrialResult>> Trials(string source, CancellationToken stop)
    {
        var path = Path.Combine(source, Journals.TrialsName);
        try { return [.. JournalLine.Documents(await File.ReadAllBytesAsync(path, stop), Journals.TrialsName).Select(Journals.Trial)]; }
        catch (Exception e) when (e is InvalidDataException or System.Text.Json.JsonException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"{path} cannot be read: {FileFault.Words(e)}");
        }
    }
}

/// <summary><c>verify</c>: checks results against their own checksums.</summary>
internal static class VerifyCommand
{
    public static Command Make()
    {
        var source = GridNames.Sweep("A directory of results, or a sweep's id.", "results");
        var command = new Command("verify", "Checks every file, journal line, trace and the plan of a sweep's results.") { source };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var from = parsed.GetValue(source)!;
            var there = await ResultSource.DirectoryOf(from, () => GridCommand.Client(parsed), screen, stop);
            var fetched = there is null ? Directory.CreateTempSubdirectory("energygrid-verify-") : null;
            try
            {
                if (fetched is not null)
                {
                    using var client = GridCommand.Client(parsed);
                    await ResultSource.Download(client, from, fetched.FullName, stop);
                }
                var verification = Verification.Of(fetched?.FullName ?? from, stop) with { Directory = from };
                if (screen.Json) screen.Document(verification);
                else
                {
                    foreach (var note in verification.Notes) screen.Say($"note: {note}");
                    foreach (var d in verification.Discrepancies) screen.Complain($"{d.File}: {d.What}");
                    if (verification.Holds) screen.Say($"{verification.Sweep}: {verification.Files} files, {verification.Trials} trials and {verification.Traces} traces are as they were written.");
                    else screen.Complain($"{verification.Sweep}: {verification.Discrepancies.Length} differences.");
                }
                return verification.Holds ? ExitCodes.Ok : ExitCodes.Failed;
            }
            finally
            {
                fetched?.Delete(recursive: true);
            }
        });
        return command;
    }
}

/// <summary><c>trace</c>: raw samples of a trial.</summary>
internal static class TraceCommand
{
    public static Command Make()
    {
        var id = GridNames.Sweep();
        var trial = new Argument<string?>("trial") { Description = "The beginning of a trace's name; without it they are listed.", Arity = ArgumentArity.ZeroOrOne };
        var into = new Option<string?>("--out") { Description = "File to write; - is standard output, as without it.", HelpName = "FILE" };
        var command = new Command("trace", "Exports the raw power samples of a trial as CSV.") { id, trial, into };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            using var client = GridCommand.Client(parsed);
            var sweep = parsed.GetValue(id)!;
            var traces = (await client.Files(sweep, stop)).Where(f => f.Name.StartsWith("traces/", StringComparison.Ordinal)).ToArray();
            if (parsed.GetValue(trial) is not { } wanted)
            {
                if (screen.Json) screen.Document(traces);
                else if (traces.Length == 0) screen.Say($"{sweep} keeps no traces; a plan says 'traces: first-pass' or 'all'.");
                else screen.List([new("trace"), new("bytes", Right: true, Rank: 1)], [.. traces.Select(t => (string[])[t.Name["traces/".Length..], t.Bytes.ToString(System.Globalization.CultureInfo.InvariantCulture)])]);
                return ExitCodes.Ok;
            }
            var found = traces.Where(t => t.Name["traces/".Length..].StartsWith(wanted, StringComparison.Ordinal)).ToArray();
            if (found.Length != 1)
                throw new CommandException(ExitCodes.Usage, found.Length == 0 ? $"{sweep} has no trace that begins with '{wanted}'; 'energygrid trace {sweep}' lists them."
                    : $"{found.Length} traces begin with '{wanted}': {string.Join(", ", found.Take(5).Select(t => t.Name["traces/".Length..]))}{(found.Length > 5 ? ", …" : "")}");
            using var content = new MemoryStream();
            await client.Download(sweep, found[0].Name, content, stop);
            await Write(parsed.GetValue(into), found[0].Name, content, screen, stop);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task Write(string? path, string name, MemoryStream content, Screen screen, CancellationToken stop)
    {
        if (path is not null and not ReportCommand.Output)
        {
            await File.WriteAllBytesAsync(path, content.ToArray(), stop);
            if (screen.Json) screen.Document(new { trace = name, file = Path.GetFullPath(path), bytes = content.Length });
            else screen.Say(Path.GetFullPath(path));
            return;
        }
        var text = Encoding.UTF8.GetString(content.GetBuffer(), 0, (int)content.Length);
        if (screen.Json) screen.Document(PowerTrace.Parse(name, text));
        else System.Console.Out.Write(text);
    }
}
