using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace EnergyGrid.Stacks;

/// <summary>
/// The processes of an engine, as /proc shows them: those of its group or session, their descendants, and whoever bears its mark. An engine's children may leave its group (MPI gives each rank one of its
/// own) and lose their parent, but they keep the environment that they were started with. What has ended and only waits for its parent to look is none.
/// </summary>
internal static class ProcessTree
{
    private const int LongestEnvironment = 1 << 20;

    /// <summary>Their ids, in order.</summary>
    /// <param name="leader">The engine's first process: its group and its session have that id.</param>
    /// <param name="mark">A variable and its value.</param>
    public static ImmutableArray<int> Of(int leader, string mark)
    {
        var sought = Encoding.UTF8.GetBytes(mark);
        var all = Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? Look(id) : null).OfType<Seen>().ToArray();
        var found = all.Where(p => p.Group == leader || p.Session == leader || Bears(p.Id, sought)).Select(p => p.Id).ToHashSet();
        // Parents before children is no law of ids: until nothing is added.
        while (all.Count(p => found.Contains(p.Parent) && found.Add(p.Id)) > 0)
        {
        }

        return [.. found.Order()];
    }

    /// <summary>Whether one of them listens at a port; null where the system does not tell.</summary>
    public static bool? Listens(ImmutableArray<int> ids, int port)
    {
        try
        {
            var sockets = new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists).SelectMany(File.ReadLines).Select(l => Listener(l, port)).OfType<string>().ToHashSet(StringComparer.Ordinal);
            return ids.Any(id => Holds(id, sockets));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Holds(int id, HashSet<string> sockets)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{id}/fd").Any(f => sockets.Contains(new FileInfo(f).LinkTarget ?? ""));
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return false;
        }
    }

    private static Seen? Look(int id)
    {
        try
        {
            // "id (name) state parent group session …": the name may hold anything, brackets and blanks too.
            var line = File.ReadAllText($"/proc/{id}/stat");
            var fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : new Seen(id, Number(fields[1]), Number(fields[2]), Number(fields[3]));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile.
            return null;
        }
    }

    private static bool Bears(int id, byte[] mark)
    {
        try
        {
            using var file = new FileStream($"/proc/{id}/environ", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            var bytes = new byte[4096];
            var count = 0;
            while (file.Read(bytes, count, bytes.Length - count) is > 0 and var more)
            {
                count += more;
                if (count == bytes.Length && count >= LongestEnvironment) break;
                if (count == bytes.Length) Array.Resize(ref bytes, 4 * count);
            }

            for (var rest = bytes.AsSpan(0, count); !rest.IsEmpty;)
            {
                var end = rest.IndexOf((byte)0);
                if (rest[..(end < 0 ? rest.Length : end)].SequenceEqual(mark)) return true;
                rest = end < 0 ? [] : rest[(end + 1)..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's, or it has ended: none of ours.
        }

        return false;
    }

    // "sl local_address rem_address st … inode": state 0A is listening.
    private static string? Listener(string line, int port)
    {
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 9 && fields[3] == "0A" && fields[1].EndsWith(FormattableString.Invariant($":{port:X4}"), StringComparison.Ordinal) ? $"socket:[{fields[9]}]" : null;
    }

    private static int Number(string field) => int.Parse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private sealed record Seen(int Id, int Parent, int Group, int Session);
}
