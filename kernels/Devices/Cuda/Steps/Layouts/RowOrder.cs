namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>A row of the matrices that a stored matrix fuses.</summary>
/// <param name="Matrix">Which of them, from 0; −1: a row of zeros.</param>
/// <param name="Row">Its row there.</param>
internal readonly record struct SourceRow(int Matrix, int Row);

/// <summary>Which source row each stored row holds: kernels/cuda/README.md, "Row order". Partners of RoPE and SwiGLU stand 8 rows apart and so meet in one thread.</summary>
internal static class RowOrder
{
    /// <summary>Rows as they are.</summary>
    public static IEnumerable<SourceRow> Plain(int matrix, int rows, int first = 0) => Enumerable.Range(first, rows).Select(r => new SourceRow(matrix, r));

    /// <summary>Heads of <paramref name="width"/> rows: tile j of a head holds channels 8j … 8j + 7, then width/2 + 8j …, RoPE's partners.</summary>
    public static IEnumerable<SourceRow> Rotary(int matrix, int rows, int width, int first = 0)
    {
        for (var head = 0; head < rows; head += width)
        {
            foreach (var channel in RotaryHead(width))
            {
                yield return new SourceRow(matrix, first + head + channel);
            }
        }
    }

    /// <summary>Eight rows of the one, eight of the other: gate and up. Rows beyond <paramref name="rows"/> up to a multiple of 8 are zero.</summary>
    public static IEnumerable<SourceRow> Interleaved(int one, int other, int rows)
    {
        for (var start = 0; start < rows; start += 8)
        {
            foreach (var matrix in (int[])[one, other])
            {
                for (var r = start; r < start + 8; r++)
                {
                    yield return r < rows ? new SourceRow(matrix, r) : new SourceRow(-1, 0);
                }
            }
        }
    }

    /// <summary>Heads whose first <paramref name="plain"/> rows are plain and whose last <paramref name="rotary"/> are turned: all plain parts first, then all turned ones.</summary>
    public static IEnumerable<SourceRow> PlainThenRotary(int matrix, int heads, int plain, int rotary)
    {
        for (var h = 0; h < heads; h++)
        {
            foreach (var row in Plain(matrix, plain, h * (plain + rotary)))
            {
                yield return row;
            }
        }

        for (var h = 0; h < heads; h++)
        {
            foreach (var row in Rotary(matrix, rotary, rotary, h * (plain + rotary) + plain))
            {
                yield return row;
            }
        }
    }

    /// <summary>The channels of one turned head in stored order.</summary>
    public static IEnumerable<int> RotaryHead(int width) =>
        Enumerable.Range(0, width).Select(r => r % 16 < 8 ? r / 16 * 8 + r % 8 : width / 2 + r / 16 * 8 + r % 8);
}
