using System.Collections.Immutable;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;

namespace EnergyGrid.Console;

/// <summary>A plan file of this machine, checked before anything is sent.</summary>
public sealed record LocalPlan(string Path, string Text, ResolvedPlan Plan)
{
    private const int MostBytes = 1 << 20;

    /// <summary>Names standard input where a file is named.</summary>
    private const string Input = "-";

    /// <summary>Reads and resolves it.</summary>
    /// <exception cref="CommandException">It is no valid plan: every fault with its place, like a compiler's.</exception>
    public static LocalPlan Read(string path, Screen screen)
    {
        var text = TextOf(path, screen);
        var name = path == Input ? "<stdin>" : path;
        var verdict = new PlanDesk().Check(text, name, null);
        return verdict.Plan is { } plan ? new(name, text, plan) : throw Refuse(verdict.Faults, screen);
    }

    private static string TextOf(string path, Screen screen)
    {
        CommandException Wrong(string wrong, string right) => Refuse([new(path switch { Input => "<stdin>", "" => "PLAN", _ => path }, 0, 0, "", wrong, right)], screen);
        const string Right = "a YAML or JSON file, see client/plans";
        if (path.Length == 0) throw Wrong("the path is empty", Right);
        if (path != Input && Directory.Exists(path)) throw Wrong("it is a directory", Right);
        try
        {
            if (path == Input)
            {
                if (!System.Console.IsInputRedirected) screen.Complain("energygrid: the plan is read from this terminal; Ctrl-D ends it.");
                return Decoded(UpTo(System.Console.OpenStandardInput()) ?? throw Wrong("more than 1 MiB", "at most 1 MiB"));
            }
            var info = new FileInfo(path);
            if (!info.Exists) throw Wrong("there is no such file", Right);
            if (info.Length > MostBytes) throw Wrong($"{info.Length} bytes", "at most 1 MiB");
            return Decoded(UpTo(File.OpenRead(path)) ?? throw Wrong("more than 1 MiB", "at most 1 MiB"));
        }
        catch (DecoderFallbackException e)
        {
            throw Wrong($"byte {e.Index} is not UTF-8", "text in UTF-8");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"it cannot be read: {FileFault.Words(e)}", "a file that you may read");
        }
    }

    private static string Decoded(ReadOnlySpan<byte> bytes)
    {
        var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        // One mark in front of the text is none of it.
        return text.StartsWith('\uFEFF') ? text[1..] : text;
    }

    // Null if it is too long: a pipe or a device may never end.
    private static byte[]? UpTo(Stream from)
    {
        using var input = from;
        var bytes = new byte[MostBytes + 1];
        var read = input.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read > MostBytes ? null : bytes[..read];
    }

    /// <summary>The faults of a plan, as an ending of the command.</summary>
    public static CommandException Refuse(ImmutableArray<PlanFault> faults, Screen screen)
    {
        if (screen.Json) screen.Document(new { valid = false, problems = faults });
        return new(ExitCodes.Usage, "\0" + string.Join('\n', faults.Select(f => f.ToString())));
    }
}
