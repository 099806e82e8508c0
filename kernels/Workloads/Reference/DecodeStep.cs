using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>
/// One decode step of a configuration, executed on the CPU: the oracle of every other implementation and the work of the <c>cpu</c> device.
/// Every layer has weights and KV of its own; a run reads each weight once for the whole batch. With no layers it is the LM head alone, one product of the input. Results do not
/// depend on the number of threads.
/// </summary>
/// <remarks>Not thread-safe: one run at a time. Lightning layers carry their state from run to run; every other step rewrites slot s − 1 and repeats itself exactly.</remarks>
public sealed unsafe class DecodeStep : IDisposable
{
    /// <summary>The head's matrix, as it is keyed.</summary>
    internal const string HeadName = "lm_head";

    private readonly WorkerPool _pool;
    private readonly StepContext _context;
    private readonly List<DecoderLayer> _layers = [];
    private readonly AlignedBuffer<float> _input;
    private readonly AlignedBuffer<float> _output;
    private readonly PackedMatrix? _head;

    private DecodeStep(Configuration c, int layers, int threads, bool roundActivations, IWeightValues? weights)
    {
        Configuration = c;
        _pool = new WorkerPool(threads);
        _context = new StepContext(c, _pool, roundActivations, weights);
        _input = new AlignedBuffer<float>((long)c.Batch * c.ModelWidth);
        _output = new AlignedBuffer<float>((long)c.Batch * StepLayers.OutputWidth(c, layers));
        try
        {
            FillInput(c, _input);
            if (layers == StepLayers.HeadAlone)
            {
                _head = _context.Matrix(0, HeadName, StepLayers.HeadRows(c), c.ModelWidth);
            }

            for (var i = 0; i < layers; i++)
            {
                _layers.Add(new DecoderLayer(_context, i, Catalogue.KindOf(c, i)));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What it executes.</summary>
    public Configuration Configuration { get; }

    /// <summary>L'; 0 is the LM head alone.</summary>
    public int Layers => _layers.Count;

    /// <summary>FP32 [batch][d_model], unit variance: what enters the first layer. May be overwritten between runs.</summary>
    public Span<float> Input => _input.Slice(0, checked((int)_input.Length));

    /// <summary>FP32 [batch][d_model]: the residual stream behind the last layer of the last run; of the head, its logits [batch][rows].</summary>
    public ReadOnlySpan<float> Output => _output.Slice(0, checked((int)_output.Length));

    /// <summary>Bytes of weights, caches and states that it holds.</summary>
    public long AllocatedBytes => _layers.Sum(l => l.Bytes) + (_head?.Bytes ?? 0);

    /// <summary>Weights of all layers, or of the head, elements, for comparison with <see cref="StepCost.Parameters"/>.</summary>
    public double Parameters => Matrices.Sum(m => (double)m.Outputs * m.Inputs);

    /// <summary>In the order in which they were made and filled.</summary>
    internal IEnumerable<PackedMatrix> Matrices => _head is null ? _layers.SelectMany(l => l.Matrices) : [_head];

    /// <summary>Activations as the last run left them.</summary>
    internal StepContext Context => _context;

    internal IReadOnlyList<DecoderLayer> LayerList => _layers;

    /// <summary>Allocates and fills the data of <paramref name="layers"/> layers.</summary>
    /// <param name="c">Resolved: see <see cref="Catalogue.Resolve"/>.</param>
    /// <param name="layers">L', 0 for the LM head alone. Kinds repeat the unit in order.</param>
    /// <param name="threads">Threads that compute, the caller's included.</param>
    /// <param name="roundActivations">Activations are rounded to FP16 before they enter a matrix or the attention, as matrix units take them; false keeps FP32. KV is stored in its own format either way.</param>
    /// <param name="weights">Where the data name a file, its values: they fill the matrices in the order in which layers make them. Everything else is drawn as ever.</param>
    /// <exception cref="OutOfMemoryException">Ask <see cref="ResidentBytes"/> first.</exception>
    /// <exception cref="ArgumentException">Layers that nothing can run, or values without data that name a file, or the other way round.</exception>
    /// <exception cref="WeightsRefusedException">The file holds what is no weight, or cannot be read.</exception>
    public static DecodeStep Create(Configuration c, int layers, int threads, bool roundActivations = true, IWeightValues? weights = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (StepLayers.Refusal(c, layers) is { } refusal)
        {
            throw new ArgumentException(refusal, nameof(layers));
        }

        if (WeightFile.IsOne(c.Data) != (weights is not null))
        {
            throw new ArgumentException($"data '{c.Data}' {(weights is null ? "name a file, whose values are not given" : "name no file")}", nameof(weights));
        }

        return new DecodeStep(StepLayers.Executed(c, layers), layers, threads, roundActivations, weights);
    }

    /// <summary>What enters the first layer, [batch][d_model]: unit variance, rounded to FP16; zeros for the control.</summary>
    internal static void FillInput(Configuration c, AlignedBuffer<float> input)
    {
        if (c.Data == "zeros") return;
        for (var b = 0; b < c.Batch; b++)
        {
            Noise.Normal(Noise.Key(c.DataSeed, -1, b), 1, input.Pointer + (long)b * c.ModelWidth, c.ModelWidth);
            Elementwise.RoundToHalf(input.Slice((long)b * c.ModelWidth, c.ModelWidth));
        }
    }

    /// <summary>Bytes that <see cref="Create"/> will take, to a few per cent: the catalogue's residency, activations, and what filling needs.</summary>
    public static double ResidentBytes(Configuration c, int layers)
    {
        if (layers == StepLayers.HeadAlone)
        {
            var head = StepLayers.HeadRows(c);
            return PackedMatrix.BytesOf(WeightFormat.Fp16, head, c.ModelWidth) + 4.0 * c.Batch * (head + c.ModelWidth) + 16e6;
        }

        var rows = Math.Max(c.Batch, TokenPool.Tokens);
        var widest = Math.Max(c.FeedForwardWidth, (double)c.Heads * LayerShape.SharedHead);
        var scores = Catalogue.Unit(c).Contains(LayerKind.CompressedSparse) ? (double)rows * c.Context / LayerShape.LightCompression * 4 : 0;
        var recent = Catalogue.Unit(c).Contains(LayerKind.HeavilyCompressed) ? (double)layers * c.Batch * LayerShape.HeavyCompression * 4096 : 0;
        return Catalogue.ResidentBytes(c, layers) + 6.0 * 4 * rows * (widest + c.ModelWidth) + scores + recent + 16e6;
    }

    /// <summary>All layers, or the head, once for the whole batch; fills <see cref="Output"/>.</summary>
    /// <exception cref="OperationCanceledException">Between two halves of a layer; <see cref="Output"/> is then undefined.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        if (_head is not null)
        {
            cancellation.ThrowIfCancellationRequested();
            _context.Multiply(_head, _input.Pointer, Configuration.ModelWidth, _output.Pointer, _head.Outputs);
            return;
        }

        Input.CopyTo(_output.Slice(0, (int)_output.Length));
        foreach (var layer in _layers)
        {
            layer.Run(_output.Pointer, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers)
        {
            layer.Dispose();
        }

        _layers.Clear();
        _head?.Dispose();
        _context.Dispose();
        _input.Dispose();
        _output.Dispose();
        _pool.Dispose();
    }
}
