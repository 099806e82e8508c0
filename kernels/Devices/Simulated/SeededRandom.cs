namespace EnergyGrid.Devices;

/// <summary>SplitMix64: eight bytes of state, the same numbers everywhere. Mutable; one owner.</summary>
internal struct SeededRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A seed from parts, so that neighbours share nothing.</summary>
    public static ulong Mix(ulong a, ulong b)
    {
        var random = new SeededRandom(a * 0x9E3779B97F4A7C15 + b);
        random.Next();
        return random.Next();
    }

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform with mean 0 and standard deviation 1: enough for what is averaged anyway.</summary>
    public double Flat() => (Uniform() - 0.5) * 3.4641016151377544;

    /// <summary>Standard normal (Box and Muller).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());
}
