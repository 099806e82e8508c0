namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>What a plan needs to know of a device.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Architecture">sm_80 or sm_90: whose PTX runs.</param>
/// <param name="Multiprocessors">How many.</param>
/// <param name="SharedBytesPerBlock">The most dynamic shared memory of a block, B.</param>
/// <param name="FreeBytes">Memory that may be allocated now, B.</param>
/// <param name="BlocksPerMultiprocessor">How many blocks of (kernel, threads, shared bytes) one multiprocessor holds at once: the driver's answer, or an estimate from shared memory alone.</param>
public sealed record PlanDevice(string Name, string Architecture, int Multiprocessors, int SharedBytesPerBlock, long FreeBytes, Func<string, int, int, int> BlocksPerMultiprocessor)
{
    /// <summary>An H200 SXM as its datasheet describes it: for plans where there is none.</summary>
    public static PlanDevice H200 { get; } = new("H200-SXM-141GB", "sm_90", 132, 232448, 141_000_000_000, static (_, threads, shared) =>
        Math.Max(1, Math.Min(2048 / threads, 233472 / (shared + 1024))));

    /// <summary>Blocks that fill the device once.</summary>
    public int ResidentBlocks(string kernel, int threads, int sharedBytes) =>
        Multiprocessors * (sharedBytes > SharedBytesPerBlock ? 1 : Math.Max(1, BlocksPerMultiprocessor(kernel, threads, sharedBytes)));
}
