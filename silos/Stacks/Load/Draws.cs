using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EnergyGrid.Stacks;

/// <summary>What a draw is for: each has a sequence of its own.</summary>
internal enum DrawPurpose
{
    InputLength,
    OutputLength,
    Text,
    SharedText,
    Arrival,
    FileOrder,
}

/// <summary>
/// Random numbers by their place: what request n of a pass draws follows from seed, pass, purpose and n alone, and not from how many were drawn before. So every arm of a pass asks the same, and a slower
/// engine leaves out the end of the list and nothing else. SHA-256 of the place seeds a SplitMix64.
/// </summary>
internal struct Draws
{
    private ulong _state;

    public Draws(long seed, int pass, DrawPurpose purpose, long number)
    {
        Span<byte> place = stackalloc byte[24];
        BinaryPrimitives.WriteInt64LittleEndian(place, seed);
        BinaryPrimitives.WriteInt32LittleEndian(place[8..], pass);
        BinaryPrimitives.WriteInt32LittleEndian(place[12..], (int)purpose);
        BinaryPrimitives.WriteInt64LittleEndian(place[16..], number);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(place, hash);
        _state = BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform below a bound.</summary>
    public int Below(int bound) => (int)Math.Min(bound - 1, Math.Floor(Uniform() * bound));

    /// <summary>Standard normal (Box and Muller).</summary>
    public double Normal()
    {
        var radius = Math.Sqrt(-2 * Math.Log(1 - Uniform()));
        return radius * Math.Cos(2 * Math.PI * Uniform());
    }

    /// <summary>Gamma of mean 1 (Marsaglia and Tsang 2000); below a shape of 1 by one of a shape above.</summary>
    public double Gamma(double shape)
    {
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

    private ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
