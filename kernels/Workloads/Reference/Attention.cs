namespace EnergyGrid.Workloads;

/// <summary>The attention half of a layer: from normalised activations to what is added to the residual.</summary>
internal abstract unsafe class Attention(StepContext context, int layer) : IDisposable
{
    private readonly List<PackedMatrix> _matrices = [];
    private readonly List<IDisposable> _owned = [];

    protected StepContext Context { get; } = context;

    protected int Layer { get; } = layer;

    protected int Batch => Context.Batch;

    /// <summary>Bytes of state: KV, index, windows.</summary>
    public long StateBytes { get; private set; }

    public IReadOnlyList<PackedMatrix> Matrices => _matrices;

    /// <param name="x">FP32 [batch][d_model], normalised.</param>
    /// <param name="y">FP32 [batch][d_model], overwritten.</param>
    public abstract void Run(float* x, float* y);

    public void Dispose()
    {
        foreach (var owned in _owned)
        {
            owned.Dispose();
        }
    }

    protected PackedMatrix Matrix(string name, int outputs, int inputs)
    {
        var matrix = Context.Matrix(Layer, name, outputs, inputs);
        _matrices.Add(matrix);
        _owned.Add(matrix);
        return matrix;
    }

    protected AlignedBuffer<T> State<T>(long length) where T : unmanaged
    {
        var buffer = new AlignedBuffer<T>(length);
        _owned.Add(buffer);
        StateBytes += buffer.Bytes;
        return buffer;
    }

    /// <summary>The pool of history tokens projected by <paramref name="matrix"/>; pools of one layer agree on the tokens.</summary>
    protected TokenPool History(PackedMatrix matrix) => new(Context, matrix, Context.Key(Layer, "history"));
}
