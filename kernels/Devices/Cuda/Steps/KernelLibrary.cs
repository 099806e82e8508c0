namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>A board that cannot run the kernels, or a kernel that is not as it was built to be.</summary>
public sealed class KernelRefusedException(string message) : Exception(message);

/// <summary>
/// The committed kernels, loaded from this assembly for one context: a module a kernel, translated by the driver when it is first asked for. Not thread-safe.
/// </summary>
public sealed class KernelLibrary : IDisposable
{
    private readonly PrimaryContext _context;
    private readonly Dictionary<string, CudaKernel> _kernels = [];
    private readonly SortedDictionary<string, int> _spilled = new(StringComparer.Ordinal);

    /// <param name="context">This thread's.</param>
    /// <param name="board">The context's board: its compute capability chooses the PTX.</param>
    /// <exception cref="KernelRefusedException">The board's compute capability is below 8.0.</exception>
    public KernelLibrary(PrimaryContext context, CudaBoard board)
    {
        if (board.ComputeMajor < 8)
        {
            throw new KernelRefusedException($"{board.Name} has compute capability {board.ComputeMajor}.{board.ComputeMinor}; the kernels need 8.0 (A100) or later.");
        }

        (_context, Board) = (context, board);
    }

    /// <summary>Whose kernels these are.</summary>
    public CudaBoard Board { get; }

    /// <summary>Kernels loaded so far whose registers the driver's compiler spilled, with bytes a thread: none, as far as the sources go.</summary>
    public IReadOnlyDictionary<string, int> SpilledBytes => _spilled;

    /// <summary>The names of all kernels that this assembly holds for an architecture, sm_80 or sm_90.</summary>
    public static IReadOnlyList<string> Names(string architecture)
    {
        var prefix = $"ptx/{architecture}/";
        return [.. typeof(KernelLibrary).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => n[prefix.Length..^".ptx".Length]).Order(StringComparer.Ordinal)];
    }

    /// <summary>The PTX of a kernel.</summary>
    /// <exception cref="KernelRefusedException">There is none of that name.</exception>
    public static byte[] Ptx(string architecture, string kernel)
    {
        using var stream = typeof(KernelLibrary).Assembly.GetManifestResourceStream($"ptx/{architecture}/{kernel}.ptx")
            ?? throw new KernelRefusedException($"This build holds no kernel '{kernel}' for {architecture}; it has {string.Join(", ", Names(architecture))}.");
        var text = new byte[stream.Length];
        stream.ReadExactly(text);
        return text;
    }

    /// <summary>A kernel, ready for launches with that much dynamic shared memory.</summary>
    /// <exception cref="PtxRefusedException">The driver refuses its PTX: the message has the log.</exception>
    /// <exception cref="KernelRefusedException">There is none of that name, or it asks for more shared memory than a block of the board has.</exception>
    public CudaKernel Kernel(string name, int sharedBytes)
    {
        if (sharedBytes > Board.SharedBytesPerBlock)
        {
            throw new KernelRefusedException($"Kernel '{name}' needs {sharedBytes} bytes of shared memory; a block of {Board.Name} has {Board.SharedBytesPerBlock}.");
        }

        if (!_kernels.TryGetValue(name, out var kernel))
        {
            var module = _context.LoadPtx(Ptx(Board.Architecture, name), $"{Board.Architecture}/{name}");
            _kernels[name] = kernel = _context.Kernel(module, name, 0);
            // One division of shared memory and first cache for the whole step: a multiprocessor changes it only when it is empty, so that a product whose blocks need nearly
            // all of it could not begin beside the last blocks of a small kernel.
            DriverSeam.PreferSharedMemory(kernel);
            // The PTX holds none: what the driver reports are registers that it spilled. That is slower, not wrong.
            if (kernel.LocalMemory != 0)
            {
                _spilled[name] = kernel.LocalMemory;
            }
        }

        if (sharedBytes > kernel.MaxDynamicSharedSizeBytes)
        {
            kernel.MaxDynamicSharedSizeBytes = sharedBytes;
        }

        return kernel;
    }

    /// <summary>The board as a plan sees it, with what is free of its memory now.</summary>
    public PlanDevice Device() => new(
        Board.Name, Board.Architecture, Board.Multiprocessors, Board.SharedBytesPerBlock, (long)_context.GetFreeDeviceMemorySize(),
        (kernel, threads, shared) => Kernel(kernel, shared).GetOccupancyMaxActiveBlocksPerMultiprocessor(threads, shared));

    /// <summary>Waits until everything in the context has ended.</summary>
    internal void Synchronize() => _context.Synchronize();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var kernel in _kernels.Values)
        {
            _context.UnloadModule(kernel.CUModule);
        }

        _kernels.Clear();
    }
}
