using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.Workloads;

/// <summary>
/// The values of some tensors of a file, streamed. They stay as the file has them: power depends on the shape of their distribution, and each half of a layer norms its
/// activations, so they are not scaled to the variance of drawn weights. Where a step has more weights than the file, it is read again from its first tensor.
/// </summary>
public sealed class SafetensorsValues : IWeightValues
{
    private const int PieceBytes = 1 << 20;

    // FP16's: every format stores its weights or their scales in it.
    private const float Largest = 65504;

    private readonly string _path;
    private readonly SafeFileHandle _handle;
    private readonly ImmutableArray<SafetensorsTensor> _tensors;
    private readonly byte[] _piece = new byte[PieceBytes];
    private int _tensor;
    private long _element;

    internal SafetensorsValues(string path, SafeFileHandle handle, ImmutableArray<SafetensorsTensor> tensors) => (_path, _handle, _tensors) = (path, handle, tensors);

    /// <summary>Values until they begin again.</summary>
    public long Count => _tensors.Sum(t => t.Elements);

    /// <inheritdoc/>
    public void Read(Span<float> target)
    {
        while (!target.IsEmpty)
        {
            var tensor = _tensors[_tensor];
            var size = tensor.Format == "F32" ? 4 : 2;
            var values = target[..(int)Math.Min(Math.Min(target.Length, PieceBytes / size), tensor.Elements - _element)];
            var bytes = _piece.AsSpan(0, values.Length * size);
            try
            {
                SafetensorsFile.ReadExactly(_handle, _path, bytes, tensor.Begin + _element * size);
            }
            catch (IOException error)
            {
                throw new WeightsRefusedException($"the file of weights '{_path}' cannot be read: {error.Message}", error);
            }

            Widen(tensor.Format, bytes, values);
            // One that is not a number fails the comparison too.
            if (!(Math.Abs(TensorPrimitives.MaxMagnitude<float>(values)) <= Largest))
            {
                throw SafetensorsFile.Refused(_path, $"holds a value in '{WeightFile.Shown(tensor.Name)}' that is not finite in FP16");
            }

            target = target[values.Length..];
            _element += values.Length;
            if (_element == tensor.Elements)
            {
                (_tensor, _element) = ((_tensor + 1) % _tensors.Length, 0);
            }
        }
    }

    private static void Widen(string format, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (format)
        {
            case "F32":
                bytes.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case "F16":
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), values);
                break;
            default:
                // BF16 is the upper half of FP32.
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }

                break;
        }
    }
}
