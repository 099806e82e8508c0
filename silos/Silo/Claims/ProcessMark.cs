using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EnergyGrid.Silo;

/// <summary>
/// One process, so that another one can find out whether it still lives: a pid alone is given again. Start is in clock ticks since the boot (field 22 of <c>/proc/PID/stat</c>), null where the system
/// does not say.
/// </summary>
/// <param name="Machine">Of <c>/etc/machine-id</c>, else the host name.</param>
/// <param name="Boot">Changes with every boot.</param>
/// <param name="PidSpace">The name space that the pid counts in: containers of one machine have their own.</param>
/// <param name="Pid">Process id.</param>
/// <param name="Start">When it started.</param>
/// <param name="Host">Name of its host, for people.</param>
/// <param name="Beat">A number that it changes every few seconds while it lives.</param>
internal sealed record ProcessMark(string Machine, string Boot, string PidSpace, int Pid, long? Start, string Host, string Beat)
{
    /// <summary>This process.</summary>
    public static ProcessMark Own() => new(
        First("/etc/machine-id") ?? Environment.MachineName, First("/proc/sys/kernel/random/boot_id") ?? "", Link("/proc/self/ns/pid"), Environment.ProcessId, StartOf(Environment.ProcessId), Environment.MachineName,
        Guid.NewGuid().ToString("N"));

    /// <summary>Whether the process lives, as far as this one can know: null where only its beat tells.</summary>
    public bool? Lives(ProcessMark here)
    {
        if (Machine != here.Machine) return null;
        if (Boot != here.Boot) return false; // the machine has started anew since
        if (PidSpace != here.PidSpace) return null;
        if (!Directory.Exists("/proc")) return System.Diagnostics.Process.GetProcesses().Any(p => p.Id == Pid);
        return StartOf(Pid) is { } start && (Start is null || start == Start);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"process {Pid} of {Host}");

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, MarkJson.Default.ProcessMark);

    /// <summary>Null for what is none.</summary>
    public static ProcessMark? Of(ReadOnlySpan<byte> text)
    {
        try { return JsonSerializer.Deserialize(text, MarkJson.Default.ProcessMark); }
        catch (JsonException) { return null; }
    }

    // What stands after the command's name, which is in brackets and may hold anything. A zombie has ended.
    private static long? StartOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    private static string? First(string path)
    {
        try { return File.ReadLines(path).FirstOrDefault()?.Trim() is { Length: > 0 } line ? line : null; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
    }

    private static string Link(string path)
    {
        try { return new FileInfo(path).LinkTarget ?? ""; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return ""; }
    }
}

[JsonSerializable(typeof(ProcessMark))]
internal sealed partial class MarkJson : JsonSerializerContext;
