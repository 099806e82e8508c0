using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Sdk;

/// <summary>How people name a device: <c>host/uuid</c>, <c>host/index</c>, or a beginning of its UUID that no other device of the grid shares, with its host or without.</summary>
public static class DeviceNames
{
    /// <summary>A short UUID has at least so many characters: <c>GPU-</c> and four digits.</summary>
    private const int Least = 8;

    /// <summary>The shortest form of each UUID that is the beginning of no other; the whole UUID where two devices share it.</summary>
    public static ImmutableDictionary<string, string> Short(IEnumerable<string> uuids)
    {
        var all = uuids.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var shorter = ImmutableDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < all.Length; i++)
        {
            // In order, nobody shares more with it than its neighbours.
            var shared = Math.Max(i > 0 ? Shared(all[i], all[i - 1]) : 0, i + 1 < all.Length ? Shared(all[i], all[i + 1]) : 0);
            shorter[all[i]] = all[i][..Math.Min(all[i].Length, Math.Max(Least, shared + 1))];
        }
        return shorter.ToImmutable();
    }

    /// <summary>The devices that a name means: one, if it is right; none, or several, if it is not.</summary>
    public static ImmutableArray<DeviceInfo> Find(IEnumerable<DeviceInfo> devices, string name)
    {
        var slash = name.LastIndexOf('/');
        var (host, part) = slash < 0 ? (null, name) : (name[..slash], name[(slash + 1)..]);
        DeviceInfo[] there = [.. devices.Where(d => host is null || d.Host == host)];
        if (there.Where(d => d.Uuid == part).ToArray() is { Length: > 0 } exact) return [.. exact];
        if (host is not null && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            var numbered = there.Where(d => d.Index == index).ToArray();
            // The processor of a node counts by itself: a number means an accelerator where there is one.
            return [.. numbered.Any(d => d.Kind != DeviceKind.Cpu) ? numbered.Where(d => d.Kind != DeviceKind.Cpu) : numbered];
        }
        return part.Length == 0 ? [] : [.. there.Where(d => d.Uuid.StartsWith(part, StringComparison.OrdinalIgnoreCase))];
    }

    private static int Shared(string a, string b)
    {
        var n = 0;
        while (n < a.Length && n < b.Length && a[n] == b[n]) n++;
        return n;
    }
}
