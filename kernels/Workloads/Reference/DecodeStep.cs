using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>
/// One decode step of a configuration, executed on the CPU: the oracle of every other implementation and the work of the <c>cpu</c> device.
/// Every layer has weights and KV of its own; a run reads each weight once for the whole batch. Results do not depend on the number of threads.
/// </summary>
/// <remarks>Not thread-safe: one run at a time. Lightning layers carry their state from run to run; every other step rewrites slot s − 1 and repeats itself exactly.</remarks>
public sealed unsafe class DecodeStep : IDisposable
{
    private readonly WorkerPool _pool;
    private readonly StepContext _context;
    private readonly List<DecoderLayer> _layers = [];
    private readonly AlignedBuffer<float> _input;
    private readonly AlignedBuffer<float> _output;

    private DecodeStep(Configuration c, int layers, int threads, bool roundActivations)
    {
        Configuration = c;
        _pool = new WorkerPool(threads);
        _context = new StepContext(c, _pool, roundActivations);
        var activations = (long)c.Batch * c.ModelWidth;
        _input = new AlignedBuffer<float>(activations);
        _output = new AlignedBuffer<float>(activations);
        try
        {
            if (c.Data != "zeros")
            {
                for (var b = 0; b < c.Batch; b++)
                {
                    var row = _input.Slice((long)b * c.ModelWidth, c.ModelWidth);
                    Noise.Normal(Noise.Key(c.DataSeed, -1, b), 1, _input.Pointer + (long)b * c.ModelWidth, c.ModelWidth);
                    Elementwise.RoundToHalf(row);
                }
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

    /// <summary>L'.</summary>
    public int Layers => _layers.Count;

    /// <summary>FP32 [batch][d_model], unit variance: what enters the first layer. May be overwritten between runs.</summary>
    public Span<float> Input => _input.Slice(0, checked((int)_input.Length));

    /// <summary>FP32 [batch][d_model]: the residual stream behind the last layer of the last run.</summary>
    public ReadOnlySpan<float> Output => _output.Slice(0, checked((int)_output.Length));

    /// <summary>Bytes of weights, caches and states that it holds.</summary>
    public long AllocatedBytes => _layers.Sum(l => l.Bytes);

    /// <summary>Weights of all layers, elements, for comparison with <see cref="StepCost.Parameters"/>.</summary>
    public double Parameters => _layers.Sum(l => l.Matrices.Sum(m => (double)m.Outputs * m.Inputs));

    /// <summary>Activations as the last run left them.</summary>
    internal StepContext Context => _context;

    internal IReadOnlyList<DecoderLayer> LayerList => _layers;

    /// <summary>Allocates and fills the data of <paramref name="layers"/> layers.</summary>
    /// <param name="c">Resolved: see <see cref="Catalogue.Resolve"/>.</param>
    /// <param name="layers">L', at least 1. Kinds repeat the unit in order.</param>
    /// <param name="threads">Threads that compute, the caller's included.</param>
    /// <param name="roundActivations">Activations are rounded to FP16 before they enter a matrix or the attention, as matrix units take them; false keeps FP32. KV is stored in its own format either way.</param>
    /// <exception cref="OutOfMemoryException">Ask <see cref="ResidentBytes"/> first.</exception>
    public static DecodeStep Create(Configuration c, int layers, int threads, bool roundActivations = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        return new DecodeStep(c, layers, threads, roundActivations);
    }

    /// <summary>Bytes that <see cref="Create"/> will take, to a few per cent: the catalogue's residency, activations, and what filling needs.</summary>
    public static double ResidentBytes(Configuration c, int layers)
    {
        var rows = Math.Max(c.Batch, TokenPool.Tokens);
        var widest = Math.Max(c.FeedForwardWidth, (double)c.Heads * LayerShape.SharedHead);
        var scores = Catalogue.Unit(c).Contains(LayerKind.CompressedSparse) ? (double)rows * c.Context / LayerShape.LightCompression * 4 : 0;
        var recent = Catalogue.Unit(c).Contains(LayerKind.HeavilyCompressed) ? (double)layers * c.Batch * LayerShape.HeavyCompression * 4096 : 0;
        return Catalogue.ResidentBytes(c, layers) + 6.0 * 4 * rows * (widest + c.ModelWidth) + scores + recent + 16e6;
    }

    /// <summary>All layers once for the whole batch; fills <see cref="Output"/>.</summary>
    /// <exception cref="OperationCanceledException">Between two halves of a layer; <see cref="Output"/> is then undefined.</exception>
    public void Run(CancellationToken cancellation = default)
    {
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
        _context.Dispose();
        _input.Dispose();
        _output.Dispose();
        _pool.Dispose();
    }
}
