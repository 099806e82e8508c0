namespace EnergyGrid.Workloads;

/// <summary>SwiGLU: down(silu(gate(x)) · up(x)).</summary>
internal sealed unsafe class FeedForward : IDisposable
{
    private readonly StepContext _context;
    private readonly int _model, _width;

    public FeedForward(StepContext context, int layer)
    {
        _context = context;
        (_model, _width) = (context.Configuration.ModelWidth, context.Configuration.FeedForwardWidth);
        Gate = context.Matrix(layer, "gate", _width, _model);
        Up = context.Matrix(layer, "up", _width, _model);
        Down = context.Matrix(layer, "down", _model, _width);
    }

    public PackedMatrix Gate { get; }

    public PackedMatrix Up { get; }

    public PackedMatrix Down { get; }

    public void Run(float* x, float* y)
    {
        var gate = _context.Buffer("gate", _width);
        var up = _context.Buffer("up", _width);
        _context.Multiply(Gate, x, _model, gate, _width);
        _context.Multiply(Up, x, _model, up, _width);
        _context.Pool.For(_context.Batch, (worker, b) =>
        {
            var row = new Span<float>(gate + (long)b * _width, _width);
            Elementwise.SwiGlu(row, new ReadOnlySpan<float>(up + (long)b * _width, _width), new Span<float>(_context.Pool.Scratch(worker, _width), _width));
        });
        _context.Round(gate, _width);
        _context.Multiply(Down, gate, _width, y, _model);
    }

    public void Dispose()
    {
        Gate.Dispose();
        Up.Dispose();
        Down.Dispose();
    }
}
