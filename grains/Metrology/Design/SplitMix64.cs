namespace EnergyGrid.Metrology;

/// <summary>
/// The SplitMix64 generator (Steele, Lea, Flood 2014): 64 bits of state, the same sequence on every platform and runtime.
/// Orders of configurations come from it, so that a seed in a plan means the same order everywhere; <c>System.Random</c> does not promise that.
/// </summary>
public sealed class SplitMix64(ulong seed)
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;
    private ulong _state = seed;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        _state += Gamma;
        return Mix(_state);
    }

    /// <summary>Uniform in 0 … bound − 1, without modulo bias. Throws if <paramref name="bound"/> is not positive.</summary>
    public int NextBelow(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        var range = (ulong)bound;
        // Values below this many would appear once more often than the rest: draw again.
        var excess = (ulong.MaxValue % range + 1) % range;
        ulong bits;
        do
        {
            bits = Next();
        }
        while (bits < excess);
        return (int)(bits % range);
    }

    /// <summary>Uniform in [0, 1) with 53 bits.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Fisher–Yates: every order equally likely.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = NextBelow(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>A seed for an independent stream: the parts are mixed one after another, the text by 64-bit FNV-1a over its UTF-16 units.</summary>
    public static ulong Derive(ulong seed, string stream, params ReadOnlySpan<long> indices)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var hash = 14695981039346656037UL;
        foreach (var unit in stream)
        {
            hash = (hash ^ (byte)unit) * 1099511628211UL;
            hash = (hash ^ (byte)(unit >> 8)) * 1099511628211UL;
        }
        var mixed = Mix(seed + Gamma) ^ hash;
        foreach (var index in indices)
        {
            mixed = Mix(mixed + Gamma) ^ (ulong)index;
        }
        return Mix(mixed + Gamma);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
