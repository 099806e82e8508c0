using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>What the layers of one decode step share: threads, shape, and activation memory that each layer overwrites.</summary>
internal sealed unsafe class StepContext(Configuration configuration, WorkerPool pool, bool roundActivations, IWeightValues? weights = null) : IDisposable
{
    private readonly Dictionary<string, AlignedBuffer<float>> _buffers = [];

    public Configuration Configuration { get; } = configuration;

    public WorkerPool Pool { get; } = pool;

    public int Batch => Configuration.Batch;

    public bool IsZero => Configuration.Data == "zeros";

    public bool RoundActivations => roundActivations;

    public long Bytes => _buffers.Values.Sum(b => b.Bytes);

    /// <summary>FP32 [batch][width] under a name; layers that name it share it.</summary>
    public float* Buffer(string name, int width)
    {
        var floats = (long)Batch * width;
        if (!_buffers.TryGetValue(name, out var buffer) || buffer.Length < floats)
        {
            buffer?.Dispose();
            _buffers[name] = buffer = new AlignedBuffer<float>(floats);
        }

        return buffer.Pointer;
    }

    /// <summary>A weight matrix with data: a file's next values, drawn ones, or zeros for the control.</summary>
    public PackedMatrix Matrix(int layer, string name, int outputs, int inputs)
    {
        var matrix = new PackedMatrix(Configuration.Weights, outputs, inputs);
        try
        {
            if (weights is not null)
            {
                matrix.Fill(Pool, weights);
            }
            else if (!IsZero)
            {
                matrix.FillNormal(Pool, Key(layer, name));
            }
        }
        catch
        {
            matrix.Dispose();
            throw;
        }

        return matrix;
    }

    /// <summary>The key of what is filled: seed, layer and name.</summary>
    public ulong Key(int layer, string name) => KeyOf(Configuration.DataSeed, layer, name);

    /// <summary>The same without a step: other implementations fill the same numbers.</summary>
    public static ulong KeyOf(long seed, int layer, string name)
    {
        long hash = 1469598103934665603;
        foreach (var c in name)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return Noise.Key(seed, layer, hash);
    }

    /// <summary>Activations as the matrix units take them: FP16, unless the step keeps FP32.</summary>
    public void Round(float* x, int width)
    {
        if (roundActivations)
        {
            Pool.For(Batch, (_, b) => Elementwise.RoundToHalf(new Span<float>(x + (long)b * width, width)));
        }
    }

    /// <summary>RMSNorm of each of the batch's vectors, rounded as activations are.</summary>
    public void Norm(float* x, int stride, int width, float* target, int targetStride, float* gains = null) =>
        Pool.For(Batch, (_, b) =>
        {
            var to = new Span<float>(target + (long)b * targetStride, width);
            Elementwise.RmsNorm(new ReadOnlySpan<float>(x + (long)b * stride, width), to, gains is null ? default : new ReadOnlySpan<float>(gains, width));
            if (roundActivations)
            {
                Elementwise.RoundToHalf(to);
            }
        });

    public void Multiply(PackedMatrix w, float* x, int xStride, float* y, int yStride) => MatrixProduct.Multiply(Pool, w, x, xStride, y, yStride, Batch);

    public void Dispose()
    {
        foreach (var buffer in _buffers.Values)
        {
            buffer.Dispose();
        }

        _buffers.Clear();
    }
}
