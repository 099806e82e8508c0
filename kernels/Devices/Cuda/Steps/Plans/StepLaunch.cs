namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>One kernel of a chain.</summary>
/// <param name="Name">Layer and purpose, for people.</param>
/// <param name="Kernel">Its exported name.</param>
/// <param name="GridX">Blocks.</param>
/// <param name="GridY">Blocks in the second dimension.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block, B.</param>
public abstract record StepLaunch(string Name, string Kernel, int GridX, int GridY, int Threads, int SharedBytes)
{
    /// <summary>Bytes of the argument struct.</summary>
    public abstract int ArgumentBytes { get; }

    /// <summary>Puts it into a stream.</summary>
    /// <param name="kernel">That of the launch's name.</param>
    /// <param name="stream">Which.</param>
    /// <param name="addresses">Where the plan's buffers lie.</param>
    /// <param name="programmatic">Whether it may begin before the kernel ahead of it ends.</param>
    public abstract void Enqueue(CudaKernel kernel, CudaStream stream, BufferAddresses addresses, bool programmatic);
}

/// <summary>A launch whose argument struct is made when addresses are known.</summary>
internal sealed record StepLaunch<T>(string Name, string Kernel, int GridX, int GridY, int Threads, int SharedBytes, Func<BufferAddresses, T> Arguments)
    : StepLaunch(Name, Kernel, GridX, GridY, Threads, SharedBytes) where T : unmanaged
{
    public override unsafe int ArgumentBytes => sizeof(T);

    public override void Enqueue(CudaKernel kernel, CudaStream stream, BufferAddresses addresses, bool programmatic) =>
        kernel.Launch(stream, new dim3((uint)GridX, (uint)GridY), (uint)Threads, (uint)SharedBytes, Arguments(addresses), programmatic);
}

/// <summary>Small data that the host makes: tables and selections.</summary>
/// <param name="Target">Where to.</param>
/// <param name="Make">Makes the bytes.</param>
internal sealed record StepUpload(Place Target, Func<byte[]> Make);
