using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>Gathers the buffers, fills and launches of a plan, chain by chain.</summary>
internal sealed class PlanBuilder
{
    /// <summary>Floats between two vectors' sums of squares: one for each column of the widest panel.</summary>
    public const int SquaresStride = Panel.MostColumns;

    private readonly List<StepBuffer> _buffers = [];
    private readonly Dictionary<string, int> _shared = [];
    private readonly Dictionary<int, Panel> _panels = [];
    private readonly List<StepUpload> _uploads = [];
    private readonly List<StepLaunch> _fills = [];
    private readonly List<StepLaunch> _launches = [];
    private readonly List<ulong> _keys = [];
    private readonly StepBuffer _keyBuffer;
    private readonly StepBuffer _squaresBuffer;
    private int _squares;

    public PlanBuilder(Configuration configuration, int layers, PlanDevice device)
    {
        (Configuration, Layers, Device) = (configuration, layers, device);
        _keyBuffer = Add("keys", 0, BufferUse.Table);
        _squaresBuffer = Add("squares", 0, BufferUse.Activations);
    }

    public Configuration Configuration { get; }

    public int Layers { get; }

    public PlanDevice Device { get; }

    public int Batch => Configuration.Batch;

    public bool IsZero => Configuration.Data == "zeros";

    /// <summary>The stored matrices so far.</summary>
    public List<StoredMatrix> Matrices { get; } = [];

    /// <summary>What the reference implementation has too, by layer.</summary>
    public List<StepStage> Stages { get; } = [];

    /// <summary>NT of the batch's panels.</summary>
    public int BatchTiles => Panel.TilesFor(Batch);

    /// <summary>Bytes of all sums of squares so far: what a step's beginning zeroes.</summary>
    public long SquaresBytes => 4L * SquaresStride * _squares;

    /// <summary>The first sum of squares.</summary>
    public Place AllSquares => new(_squaresBuffer);

    /// <summary>A buffer of one layer.</summary>
    public Place Own(int layer, string name, long bytes, BufferUse use) => new(Add($"layer {layer}: {name}", bytes, use));

    /// <summary>A buffer that all who name it share, as large as the largest of them asks for.</summary>
    public Place Shared(string name, long bytes, BufferUse use)
    {
        if (!_shared.TryGetValue(name, out var index))
        {
            _shared[name] = index = Add(name, bytes, use).Index;
        }
        else if (_buffers[index].Bytes < bytes)
        {
            _buffers[index] = _buffers[index] with { Bytes = bytes };
        }

        return new Place(_buffers[index]);
    }

    /// <summary>A panel that layers share. One name always means one shape: padding must stay zero.</summary>
    public Place Shared(string name, Panel panel, BufferUse use = BufferUse.Panels)
    {
        var place = Shared(name, panel.Bytes, use);
        if (!_panels.TryAdd(place.Buffer!.Index, panel) && _panels[place.Buffer.Index] != panel)
        {
            throw new InvalidOperationException($"panel '{name}' has two shapes");
        }

        return place;
    }

    /// <summary>Small data of the host's, made once for all who name it.</summary>
    public Place Table<T>(string name, Func<T[]> make) where T : unmanaged
    {
        if (_shared.TryGetValue(name, out var index))
        {
            return new Place(_buffers[index]);
        }

        var made = new Lazy<byte[]>(() => MemoryMarshal.AsBytes<T>(make()).ToArray());
        var place = Shared(name, made.Value.Length, BufferUse.Table);
        _uploads.Add(new StepUpload(place, () => made.Value));
        return place;
    }

    /// <summary>Keys of what is filled, one behind the other.</summary>
    public Place Keys(params IEnumerable<ulong> keys)
    {
        var place = new Place(_keyBuffer, 8L * _keys.Count);
        _keys.AddRange(keys);
        return place;
    }

    /// <summary>FP32 [batch]: a sum of squares that the beginning of a step zeroes.</summary>
    public Place Squares() => new(_squaresBuffer, 4L * SquaresStride * _squares++);

    /// <summary>The key of what is filled: seed, layer and name, as the reference implementation has it.</summary>
    public ulong Key(int layer, string name) => StepContext.KeyOf(Configuration.DataSeed, layer, name);

    /// <summary>A kernel of the step.</summary>
    public void Launch<T>(string name, string kernel, int gridX, int gridY, int threads, int sharedBytes, Func<BufferAddresses, T> arguments) where T : unmanaged =>
        _launches.Add(new StepLaunch<T>(name, kernel, gridX, gridY, threads, sharedBytes, arguments));

    /// <summary>A kernel that fills data, once.</summary>
    public void Fill<T>(string name, string kernel, int gridX, int gridY, int threads, int sharedBytes, Func<BufferAddresses, T> arguments) where T : unmanaged =>
        _fills.Add(new StepLaunch<T>(name, kernel, gridX, gridY, threads, sharedBytes, arguments));

    /// <summary>Blocks that fill the device once, at most as many as there are pieces of work.</summary>
    public int Blocks(string kernel, int threads, int sharedBytes, long pieces = int.MaxValue) =>
        (int)Math.Clamp(pieces, 1, Device.ResidentBlocks(kernel, threads, sharedBytes));

    public StepPlan Build(Place output)
    {
        _buffers[_keyBuffer.Index] = _keyBuffer with { Bytes = Math.Max(8, 8L * _keys.Count) };
        _buffers[_squaresBuffer.Index] = _squaresBuffer with { Bytes = SquaresBytes };
        var keys = MemoryMarshal.AsBytes<ulong>(_keys.ToArray()).ToArray();
        _uploads.Add(new StepUpload(new Place(_keyBuffer), () => keys));
        return new StepPlan(Configuration, Layers, Device, _buffers, _uploads, _fills, _launches, output, _panels, Matrices, Stages);
    }

    private StepBuffer Add(string name, long bytes, BufferUse use)
    {
        var buffer = new StepBuffer(_buffers.Count, name, bytes, use);
        _buffers.Add(buffer);
        return buffer;
    }
}
