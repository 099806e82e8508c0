namespace EnergyGrid.Stacks;

/// <summary>Text that says nothing: short common English words, which tokenizers know whole. ASCII, so its bytes are its characters.</summary>
internal static class SyntheticText
{
    // 128 of them, each with its blank: seven bits choose one.
    private static readonly string[] Words = [.. (
        "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if " +
        "will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find " +
        "long down day did get come made may part over new sound take only little work know place year live me back give most very after thing our just name good man old tell boy same mean move right").Split(' ').Select(w => w + ' ')];

    /// <summary>How many words there are.</summary>
    public static int Count => Words.Length;

    /// <summary>Exactly so many bytes of it, the last word cut.</summary>
    public static string Draw(CountedDraws draws, int bytes) => string.Create(bytes, draws, static (to, draws) =>
    {
        while (true)
        {
            var bits = draws.Next();
            for (var i = 0; i < 9; i++, bits >>= 7)
            {
                var word = Words[(int)(bits & 127)];
                if (word.Length >= to.Length)
                {
                    word.AsSpan(0, to.Length).CopyTo(to);
                    return;
                }

                word.CopyTo(to);
                to = to[word.Length..];
            }
        }
    });
}
