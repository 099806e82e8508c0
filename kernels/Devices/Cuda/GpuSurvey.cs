using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Cuda;

/// <summary>A GPU of this machine as it is found without being opened.</summary>
/// <param name="Index">As nvidia-smi has it.</param>
/// <param name="Uuid">GPU-…; as far as known.</param>
/// <param name="Name">As sold.</param>
/// <param name="Board">As the CUDA driver describes it; null where it shows this process none, which is no fault where CUDA_VISIBLE_DEVICES says so.</param>
/// <param name="Key">For what a qualification of it holds; null where NVML does not tell.</param>
/// <param name="Trouble">What keeps it from being used, in words; null if nothing was found.</param>
public sealed record FoundGpu(int Index, string Uuid, string Name, CudaBoard? Board, QualificationKey? Key, string? Trouble);

/// <summary>
/// What GPUs there are by the CUDA driver and by NVML together. The one knows what can be computed on, the other in which order the machine has them; what either does not
/// say of one GPU is that GPU's trouble.
/// </summary>
/// <param name="Gpus">In nvidia-smi's order.</param>
/// <param name="NvmlTrouble">Why NVML says nothing of any, in words; null where it does.</param>
public sealed record GpuSurvey(IReadOnlyList<FoundGpu> Gpus, string? NvmlTrouble)
{
    /// <summary>Of a GPU without sensors.</summary>
    internal const string Unmetered = "it tells neither energy nor power, so it cannot be metered (a display card, a vGPU, a part in MIG mode).";

    /// <summary>Those that the process may use, under nvidia-smi's indices.</summary>
    public IReadOnlyList<CudaBoard> Boards => [.. Gpus.Select(g => g.Board).OfType<CudaBoard>()];

    /// <summary>Looks: this takes no longer than the two libraries' start.</summary>
    /// <exception cref="DriverMissingException">There is no CUDA driver.</exception>
    /// <exception cref="DriverTooOldException">It cannot translate PTX 8.0.</exception>
    /// <exception cref="GpuRefusedException">It does not start.</exception>
    public static GpuSurvey Look()
    {
        IReadOnlyList<CudaBoard> boards;
        try
        {
            boards = CudaDriver.Boards();
        }
        catch (CudaException e)
        {
            throw new GpuRefusedException($"The CUDA driver does not start: {e.Message}", e);
        }
        try
        {
            using var nvml = new NvmlSession();
            return Together(boards, nvml);
        }
        catch (Exception e) when (e is DriverMissingException or NvmlException or EntryPointNotFoundException)
        {
            return new([.. boards.OrderBy(b => b.BusIndex).Select(b => new FoundGpu(b.BusIndex, b.Uuid, b.Name, b, null, b.Trouble ?? e.Message))], e.Message);
        }
    }

    private static GpuSurvey Together(IReadOnlyList<CudaBoard> boards, NvmlSession nvml)
    {
        var seen = Enumerable.Range(0, nvml.Count).Select(i => Ask(nvml, i)).ToArray();
        var left = boards.ToList();
        var gpus = new List<FoundGpu>();
        foreach (var gpu in seen)
        {
            var board = left.Find(b => b.Uuid.Equals(gpu.Uuid, StringComparison.OrdinalIgnoreCase)) ?? left.Find(b => Bus(b.PciBusId) is { Length: > 0 } bus && bus == Bus(gpu.PciBusId));
            if (board is not null) left.Remove(board);
            gpus.Add(Found(gpu.Index, board, gpu));
        }
        // A board that NVML could not tell the name of has one of the places that are left; both are in the order of the bus.
        foreach (var (board, gpu) in left.OrderBy(b => b.BusIndex).ToArray().Zip(seen.Where(g => g.Uuid is null)))
        {
            left.Remove(board);
            gpus[gpu.Index] = Found(gpu.Index, board, gpu);
        }
        gpus.AddRange(left.OrderBy(b => b.BusIndex).Select((b, i) => Found(seen.Length + i, b, new(seen.Length + i, null, null, null, null, $"NVML knows no GPU {b.Uuid}"))));
        return new(gpus, null);
    }

    private static FoundGpu Found(int index, CudaBoard? board, Seen gpu)
    {
        // In a virtual machine NVML may know another UUID: the driver's is the one that counts, as long as it tells it.
        var uuid = board is { Trouble: null } ? board.Uuid : gpu.Uuid ?? board?.Uuid ?? $"GPU-unknown-{index}";
        return new(index, uuid, board?.Name ?? gpu.Name ?? "unknown GPU", board is null ? null : board with { BusIndex = index, Uuid = uuid }, gpu.Key, board?.Trouble ?? gpu.Trouble);
    }

    private static Seen Ask(NvmlSession nvml, int index)
    {
        try
        {
            var device = nvml.ByIndex(index);
            return new(index, device.Uuid, device.Name, device.PciBusId, QualificationKey.Of(device, nvml.DriverVersion), device.CanBeMetered() ? null : Unmetered);
        }
        catch (Exception e) when (e is NvmlException or DeviceLostException or ArgumentException or UnauthorizedAccessException)
        {
            return new(index, null, null, null, null, e.Message);
        }
    }

    // NVML writes eight digits of the domain, the driver four.
    private static string Bus(string? id) => id is null ? "" : id.Split(':') is [var domain, var bus, var rest] ? $"{domain.TrimStart('0')}:{bus}:{rest}".ToUpperInvariant() : id.ToUpperInvariant();

    private sealed record Seen(int Index, string? Uuid, string? Name, string? PciBusId, QualificationKey? Key, string? Trouble);
}
