namespace EnergyGrid.Stacks;

/// <summary>
/// Random numbers that follow from what they are for: the k-th draw of a stream is SplitMix64's mix (Steele, Lea, Flood 2014) of a key and k, and the key is made of the plan's seed, the stream's name, the
/// pass and a number. So the n-th request is the same however many were drawn before it, on every machine, and no two streams share a sequence.
/// </summary>
internal struct CountedDraws
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    private ulong _state;

    /// <param name="seed">The plan's.</param>
    /// <param name="stream">What is drawn.</param>
    /// <param name="pass">Which pass.</param>
    /// <param name="number">Of the request, or 0.</param>
    public CountedDraws(long seed, string stream, int pass, long number = 0)
    {
        var name = 14695981039346656037UL;
        foreach (var c in stream) name = (name ^ c) * 1099511628211UL;
        _state = Mix(Mix(Mix(Mix((ulong)seed + Gamma) ^ name) + (uint)pass + Gamma) ^ (ulong)number);
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        _state += Gamma;
        return Mix(_state);
    }

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in 0 … <paramref name="bound"/> − 1, each alike.</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        // Lemire's: the high half of the product, drawn again where the low half would favour some.
        var excess = (0UL - (ulong)bound) % (ulong)bound;
        while (true)
        {
            var high = Math.BigMul(Next(), (ulong)bound, out var low);
            if (low >= excess) return (int)high;
        }
    }

    /// <summary>Mean 0, deviation 1 (Box and Muller).</summary>
    public double Normal()
    {
        var radius = Math.Sqrt(-2 * Math.Log(1 - Uniform()));
        return radius * Math.Cos(2 * Math.PI * Uniform());
    }

    /// <summary>Mean 1.</summary>
    public double Exponential() => -Math.Log(1 - Uniform());

    /// <summary>Of a shape, mean 1 (Marsaglia and Tsang 2000).</summary>
    public double GammaOf(double shape)
    {
        // Below 1: one of a shape higher by 1, times U^(1/shape).
        var boost = shape < 1 ? Math.Pow(1 - Uniform(), 1 / shape) : 1;
        var d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
        var c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var x = Normal();
            var v = Math.Pow(1 + c * x, 3);
            if (v > 0 && Math.Log(1 - Uniform()) < 0.5 * x * x + d - d * v + d * Math.Log(v)) return d * v * boost / shape;
        }
    }

    /// <summary>Numbers 0 … <paramref name="count"/> − 1 in an order of which each is as likely (Fisher and Yates).</summary>
    public int[] Order(int count)
    {
        var order = new int[count];
        for (var i = 0; i < count; i++) order[i] = i;
        for (var i = count - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
