using System.Runtime.InteropServices;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp.Gguf;

/// <summary>
/// A whole model of random weights that a serving engine takes: architecture <c>llama</c>, a tokenizer of single bytes and made-up words, a plain chat template. Its answers mean nothing; their number of
/// tokens, the arithmetic and the traffic are those of a model of that shape.
/// </summary>
/// <remarks>The output rows of bytes and of special tokens are zero: greedy text is made of the words alone and never ends early.</remarks>
/// <param name="Layers">At least 1.</param>
/// <param name="Width">d_model, a multiple of 32 and of <paramref name="Heads"/>.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">KV heads; divides the heads.</param>
/// <param name="FeedForward">d_ff, a multiple of 32.</param>
/// <param name="Vocabulary">Tokens, a multiple of 32, at least 512.</param>
/// <param name="Context">Tokens that it is said to be made for.</param>
/// <param name="Weights">FP16, Q8_0 or Q4_0.</param>
/// <param name="Seed">Of its weights.</param>
public sealed record ServedModel(int Layers = 2, int Width = 256, int Heads = 8, int KeyValueHeads = 8, int FeedForward = 512, int Vocabulary = 1024, int Context = 4096, string Weights = WeightFormat.Fp16, long Seed = 1)
{
    private const int Bytes = 256, FirstWord = Bytes + 3;

    private static readonly string[] Special = ["<|bos|>", "<|eos|>", "<|pad|>"];

    /// <summary>Writes it; the file's size in bytes.</summary>
    /// <exception cref="ArgumentException">It cannot have that shape.</exception>
    public long Write(string path)
    {
        if (Width % 32 != 0 || FeedForward % 32 != 0 || Vocabulary % 32 != 0 || Vocabulary < 512 || Width % Heads != 0 || Heads % KeyValueHeads != 0 || Layers < 1) throw new ArgumentException($"no model has the shape {this}");
        var type = GgufMatrix.TypeOf(Weights);
        var keyWidth = Width / Heads * KeyValueHeads;
        var header = Head();
        List<(int Tensor, int Outputs, int Inputs, int Zeros)> matrices = [];
        List<int> norms = [];
        Matrix("token_embd", Vocabulary, Width);
        for (var layer = 0; layer < Layers; layer++)
        {
            Norm($"blk.{layer}.attn_norm");
            Matrix($"blk.{layer}.attn_q", Width, Width);
            Matrix($"blk.{layer}.attn_k", keyWidth, Width);
            Matrix($"blk.{layer}.attn_v", keyWidth, Width);
            Matrix($"blk.{layer}.attn_output", Width, Width);
            Norm($"blk.{layer}.ffn_norm");
            Matrix($"blk.{layer}.ffn_gate", FeedForward, Width);
            Matrix($"blk.{layer}.ffn_up", FeedForward, Width);
            Matrix($"blk.{layer}.ffn_down", Width, FeedForward);
        }

        Norm("output_norm");
        Matrix("output", Vocabulary, Width, FirstWord);
        var head = header.ToBytes();
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, head.Length + header.DataBytes);
        RandomAccess.Write(file, head, 0);
        var ones = new float[Width];
        ones.AsSpan().Fill(1);
        foreach (var norm in norms) RandomAccess.Write(file, MemoryMarshal.AsBytes<float>(ones), head.Length + header.OffsetOf(norm));
        foreach (var (tensor, outputs, inputs, zeros) in matrices)
        {
            using var matrix = new PackedMatrix(Weights, outputs, inputs);
            matrix.Fill(Values(tensor, outputs, inputs, zeros));
            GgufMatrix.Write(file, head.Length + header.OffsetOf(tensor), matrix);
        }

        return head.Length + header.DataBytes;

        void Norm(string name) => norms.Add(header.Tensor($"{name}.weight", GgufType.F32, Width));
        void Matrix(string name, int outputs, int inputs, int zeros = 0) => matrices.Add((header.Tensor($"{name}.weight", type, inputs, outputs), outputs, inputs, zeros));
    }

    private unsafe float[] Values(int tensor, int outputs, int inputs, int zeros)
    {
        var values = new float[outputs * inputs];
        fixed (float* to = values)
        {
            for (var row = zeros; row < outputs; row++) Noise.Normal(Noise.Key(Seed, tensor, row), 1 / MathF.Sqrt(inputs), to + row * inputs, inputs);
        }

        return values;
    }

    private GgufHeader Head()
    {
        var header = new GgufHeader()
            .Add("general.architecture", "llama").Add("general.name", $"random llama of {Layers} layers, {Weights}").Add("general.quantization_version", 2)
            .Add("llama.vocab_size", Vocabulary).Add("llama.context_length", Context).Add("llama.embedding_length", Width).Add("llama.block_count", Layers).Add("llama.feed_forward_length", FeedForward)
            .Add("llama.attention.head_count", Heads).Add("llama.attention.head_count_kv", KeyValueHeads).Add("llama.rope.dimension_count", Width / Heads)
            .Add("llama.rope.freq_base", (float)Elementwise.RopeBase).Add("llama.attention.layer_norm_rms_epsilon", Elementwise.Epsilon);
        var words = Enumerable.Range(FirstWord, Vocabulary - FirstWord).Select(i => $"\u0120w{i:x}");
        return header
            .Add("tokenizer.ggml.model", "gpt2").Add("tokenizer.ggml.pre", "gpt-2")
            .Add("tokenizer.ggml.tokens", [.. ByteTokens(), .. Special, .. words])
            // Ordinary tokens, and what controls.
            .Add("tokenizer.ggml.token_type", [.. Enumerable.Range(0, Vocabulary).Select(i => i is >= Bytes and < FirstWord ? 3 : 1)])
            .Add("tokenizer.ggml.merges", Array.Empty<string>())
            .Add("tokenizer.ggml.bos_token_id", Bytes).Add("tokenizer.ggml.eos_token_id", Bytes + 1).Add("tokenizer.ggml.padding_token_id", Bytes + 2)
            .Add("tokenizer.ggml.add_bos_token", true).Add("tokenizer.ggml.add_eos_token", false)
            .Add("tokenizer.chat_template", "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
    }

    // The characters that stand for bytes in byte-level tokenizers: those that can be printed for themselves, the others from U+0100 on.
    private static IEnumerable<string> ByteTokens()
    {
        var next = 256;
        for (var b = 0; b < Bytes; b++) yield return $"{(char)(b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? b : next++)}";
    }
}
