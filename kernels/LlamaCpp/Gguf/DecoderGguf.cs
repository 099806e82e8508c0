using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.LlamaCpp.Gguf;

/// <summary>
/// The layers of a configuration as a GGUF file of architecture <c>llama</c>, with the weights of the reference, number by number: what llama.cpp loads is what the reference multiplies.
/// </summary>
/// <remarks>
/// llama.cpp turns neighbouring pairs where the reference turns (i, i + 64), so the rows of each head of q and k lie in pairs: row 2i is the reference's i, row 2i + 1 its i + 64. A product
/// of a query with a key is the same sum in another order. Activations enter as embeddings; the vocabulary has the least that a model may have, and only zeros.
/// </remarks>
internal sealed class DecoderGguf
{
    /// <summary>Rows of a vocabulary that nobody uses.</summary>
    private const int Vocabulary = 32;

    private const int Head = LayerShape.Head;

    private static readonly (string Name, string Tensor)[] Matrices =
        [("q", "attn_q"), ("k", "attn_k"), ("v", "attn_v"), ("o", "attn_output"), ("gate", "ffn_gate"), ("up", "ffn_up"), ("down", "ffn_down")];

    private readonly Configuration _configuration;
    private readonly GgufType _type;
    private readonly GgufHeader _header = new();
    private readonly byte[] _head;
    private readonly int _outputNorm;
    private readonly int[][] _tensors;

    /// <param name="configuration">With layers of dense attention, in FP16 or in blocks.</param>
    /// <param name="layers">L', at least 1.</param>
    public DecoderGguf(Configuration configuration, int layers)
    {
        var c = _configuration = configuration;
        _type = GgufMatrix.TypeOf(c.Weights);
        _header.Add("general.architecture", "llama").Add("general.name", $"{c.Workload} {c.Weights} {layers} layers")
            .Add("general.quantization_version", 2)
            .Add("llama.vocab_size", Vocabulary).Add("llama.context_length", c.Context + 1).Add("llama.embedding_length", c.ModelWidth)
            .Add("llama.block_count", layers).Add("llama.feed_forward_length", c.FeedForwardWidth)
            .Add("llama.attention.head_count", c.Heads).Add("llama.attention.head_count_kv", c.KeyValueHeads)
            .Add("llama.attention.key_length", Head).Add("llama.attention.value_length", Head).Add("llama.rope.dimension_count", Head)
            .Add("llama.rope.freq_base", (float)Elementwise.RopeBase).Add("llama.attention.layer_norm_rms_epsilon", Elementwise.Epsilon)
            .Add("tokenizer.ggml.model", "none");
        _header.Tensor("token_embd.weight", GgufType.F16, c.ModelWidth, Vocabulary);
        _outputNorm = _header.Tensor("output_norm.weight", GgufType.F32, c.ModelWidth);
        _tensors = [.. Enumerable.Range(0, layers).Select(TensorsOf)];
        _head = _header.ToBytes();
    }

    /// <summary>Of the whole file, B.</summary>
    public long Bytes => _head.Length + _header.DataBytes;

    /// <summary>Header, and what is not a layer's.</summary>
    public void WriteHead(SafeFileHandle file)
    {
        RandomAccess.SetLength(file, Bytes);
        RandomAccess.Write(file, _head, 0);
        var ones = new float[_configuration.ModelWidth];
        ones.AsSpan().Fill(1);
        Write(file, _outputNorm, 0, MemoryMarshal.AsBytes<float>(ones));
    }

    /// <summary>A layer's weights.</summary>
    public void WriteLayer(SafeFileHandle file, int index, DecoderLayer layer)
    {
        Write(file, _tensors[index][0], 0, MemoryMarshal.AsBytes(layer.Gains(0)));
        Write(file, _tensors[index][1], 0, MemoryMarshal.AsBytes(layer.Gains(1)));
        foreach (var (matrix, i) in layer.Matrices.Select((m, i) => (m, i)))
            GgufMatrix.Write(file, _head.Length + _header.OffsetOf(_tensors[index][2 + i]), matrix, Matrices[i].Name is "q" or "k" ? InPairs : null);
    }

    /// <summary>The row of the reference that lies at a row of the file, where those of a head lie in pairs.</summary>
    public static int InPairs(int row) => row / Head * Head + row % Head / 2 + row % 2 * (Head / 2);

    private int[] TensorsOf(int layer)
    {
        var c = _configuration;
        int attention = _header.Tensor($"blk.{layer}.attn_norm.weight", GgufType.F32, c.ModelWidth), feedForward = _header.Tensor($"blk.{layer}.ffn_norm.weight", GgufType.F32, c.ModelWidth);
        return [attention, feedForward, .. Matrices.Select(m => Matrix(layer, m.Name, m.Tensor))];
    }

    private int Matrix(int layer, string name, string tensor)
    {
        var c = _configuration;
        var (inputs, outputs) = name switch
        {
            "q" => (c.ModelWidth, c.Heads * Head),
            "k" or "v" => (c.ModelWidth, c.KeyValueHeads * Head),
            "o" => (c.Heads * Head, c.ModelWidth),
            "down" => (c.FeedForwardWidth, c.ModelWidth),
            _ => (c.ModelWidth, c.FeedForwardWidth),
        };
        return _header.Tensor($"blk.{layer}.{tensor}.weight", _type, inputs, outputs);
    }

    private void Write(SafeFileHandle file, int tensor, long from, ReadOnlySpan<byte> bytes) => RandomAccess.Write(file, bytes, _head.Length + _header.OffsetOf(tensor) + from);
}
