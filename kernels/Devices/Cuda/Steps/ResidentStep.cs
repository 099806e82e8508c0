using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// A plan made resident: its buffers are allocated and filled on the device, its kernels captured as one graph. Every run is one decode step. Not thread-safe: one
/// thread, whose context is the library's.
/// </summary>
public sealed class ResidentStep : IDisposable
{
    /// <summary>1000 · major + 10 · minor of the first driver that captures programmatic launches: CUDA 12.3.</summary>
    public const int ProgrammaticDriver = 12030;

    private readonly KernelLibrary _library;
    private readonly CudaStream _stream;
    private readonly CudaDeviceVariable<byte>?[] _memory;
    private readonly BufferAddresses _addresses;
    private readonly RecordedGraph _graph;

    private ResidentStep(StepPlan plan, KernelLibrary library, CudaStream stream, CudaDeviceVariable<byte>?[] memory, bool programmatic)
    {
        (Plan, _library, _stream, _memory, IsProgrammatic) = (plan, library, stream, memory, programmatic);
        _addresses = new BufferAddresses([.. memory.Select(m => m!.Address())]);
        foreach (var buffer in memory)
        {
            stream.Clear(buffer!);
        }

        stream.Synchronize();
        foreach (var upload in plan.Uploads)
        {
            memory[upload.Target.Buffer!.Index]!.Write<byte>(upload.Make(), upload.Target.Offset);
        }

        // Copies from the host are not ordered with a stream of our own.
        library.Synchronize();
        foreach (var launch in plan.Fills)
        {
            launch.Enqueue(library.Kernel(launch.Kernel, launch.SharedBytes), stream, _addresses, false);
        }

        stream.Synchronize();
        foreach (var buffer in plan.Buffers.Where(b => b.Use == BufferUse.Scratch))
        {
            memory[buffer.Index]!.Dispose();
            memory[buffer.Index] = null;
        }

        // Kernels are loaded before the capture, which allows no other call.
        var kernels = plan.Launches.Select(l => library.Kernel(l.Kernel, l.SharedBytes)).ToArray();
        _graph = stream.Record(() =>
        {
            for (var i = 0; i < kernels.Length; i++)
            {
                // The first kernel of a step waits for the whole step before it, whose last kernels are not in its graph.
                plan.Launches[i].Enqueue(kernels[i], stream, _addresses, programmatic && i > 0);
            }
        });
        _graph.Upload(stream);
        stream.Synchronize();
    }

    /// <summary>What it executes.</summary>
    public StepPlan Plan { get; }

    /// <summary>Whether kernels begin before the one ahead of them ends.</summary>
    public bool IsProgrammatic { get; }

    /// <summary>Kernels of one step.</summary>
    public int Nodes => _graph.Nodes;

    /// <summary>Allocates, fills and captures. Takes as long as it takes.</summary>
    /// <param name="plan">Its device must be the library's.</param>
    /// <param name="library">Loaded for this thread's context.</param>
    /// <param name="stream">Not the default one; it must outlive the step.</param>
    /// <param name="programmatic">Whether kernels may begin before the one ahead of them ends; null: where board and driver can.</param>
    /// <exception cref="CudaException">Out of memory (ask <see cref="StepPlan.Refusal(Contracts.Configuration, int, PlanDevice)"/> first), or a fault.</exception>
    public static ResidentStep Create(StepPlan plan, KernelLibrary library, CudaStream stream, bool? programmatic = null)
    {
        var memory = new CudaDeviceVariable<byte>?[plan.Buffers.Count];
        try
        {
            foreach (var buffer in plan.Buffers)
            {
                memory[buffer.Index] = new CudaDeviceVariable<byte>(Math.Max(16, buffer.Bytes));
            }

            var can = library.Board.Architecture == "sm_90" && library.Board.DriverVersion >= ProgrammaticDriver;
            return new ResidentStep(plan, library, stream, memory, (programmatic ?? true) && can);
        }
        catch
        {
            Free(memory);
            throw;
        }
    }

    /// <summary>Puts one step into a stream.</summary>
    public void Enqueue(CudaStream stream) => _graph.Launch(stream);

    /// <summary>One step; waits until it has ended.</summary>
    public void Run()
    {
        _graph.Launch(_stream);
        _stream.Synchronize();
    }

    /// <summary>What the last run left of <see cref="StepPlan.Output"/>.</summary>
    public float[] ReadOutput() => Read<float>(Plan.Output, Plan.OutputBytes / sizeof(float));

    /// <inheritdoc/>
    public void Dispose()
    {
        _graph.Dispose();
        Free(_memory);
    }

    /// <summary>What lies at a place of the plan.</summary>
    internal unsafe T[] Read<T>(Place place, long count) where T : unmanaged
    {
        var bytes = new byte[count * sizeof(T)];
        _memory[place.Buffer!.Index]!.Read<byte>(bytes, place.Offset);
        return MemoryMarshal.Cast<byte, T>(bytes).ToArray();
    }

    /// <summary>All of a buffer, by its name.</summary>
    internal unsafe T[] Read<T>(string name) where T : unmanaged
    {
        var buffer = Plan.Buffers.Single(b => b.Name == name);
        return Read<T>(new Place(buffer), buffer.Bytes / sizeof(T));
    }

    /// <summary>Fills with NaN what a step must write before it reads it: activations, workspaces, and panels but for their padding.</summary>
    internal void Poison()
    {
        foreach (var buffer in Plan.Buffers)
        {
            if (buffer.Use is BufferUse.Activations or BufferUse.Workspace)
            {
                _memory[buffer.Index]!.Memset((byte)0xff);
            }
            else if (Plan.PanelShapes.TryGetValue(buffer.Index, out var panel) && _memory[buffer.Index] is { } memory)
            {
                var nan = new float[panel.Batch * panel.Blocks * panel.Inputs];
                nan.AsSpan().Fill(float.NaN);
                memory.Write<byte>(MemoryMarshal.AsBytes<Half>(panel.Pack(nan)));
            }
        }

        _library.Synchronize();
    }

    private static void Free(CudaDeviceVariable<byte>?[] memory)
    {
        foreach (var buffer in memory)
        {
            buffer?.Dispose();
        }
    }
}
