using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// Finds NVIDIA's libraries: by an environment variable first, then by the names that the driver package installs. Containers have
/// <c>libcuda.so.1</c> only: <c>libcuda.so</c> comes with development packages.
/// </summary>
public static class NativeLibraries
{
    /// <summary>Names the CUDA driver library, by path, before any other.</summary>
    public const string CudaVariable = "ENERGYGRID_CUDA_LIBRARY";

    /// <summary>Names the NVML library, by path, before any other.</summary>
    public const string NvmlVariable = "ENERGYGRID_NVML_LIBRARY";

    internal const string Cuda = "energygrid-cuda";
    internal const string Nvml = "energygrid-nvml";

    private static readonly Lazy<bool> Registered = new(static () =>
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
        return true;
    });

    internal static void Register() => _ = Registered.Value;

    /// <summary>What is tried, in order. A library that an environment variable names is the only one tried: a wrong path must not be hidden.</summary>
    internal static IReadOnlyList<string> Candidates(string library, string? named) => named is { Length: > 0 }
        ? [named]
        : library == Cuda ? ["libcuda.so.1", "libcuda.so", "nvcuda.dll"] : ["libnvidia-ml.so.1", "nvml.dll"];

    /// <summary>What a user without the library is told.</summary>
    internal static string Missing(string library, string? named)
    {
        var what = library == Cuda ? "CUDA driver" : "NVIDIA management library (NVML)";
        return named is { Length: > 0 }
            ? $"No {what}: '{named}', which {(library == Cuda ? CudaVariable : NvmlVariable)} names, cannot be loaded."
            : $"No {what}: none of {string.Join(", ", Candidates(library, null))} can be loaded. Install the NVIDIA driver, 525.60 or later (the CUDA toolkit is not needed); "
                + "in a container, start it with the NVIDIA container runtime (docker run --gpus all).";
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name is not (Cuda or Nvml)) return 0;
        var named = Environment.GetEnvironmentVariable(name == Cuda ? CudaVariable : NvmlVariable);
        foreach (var candidate in Candidates(name, named))
            if (NativeLibrary.TryLoad(candidate, assembly, path, out var handle)) return handle;
        throw new DriverMissingException(Missing(name, named));
    }
}

/// <summary>The NVIDIA driver is not installed, or not visible here. The message says what to install.</summary>
public sealed class DriverMissingException(string message, Exception? inner = null) : DllNotFoundException(message, inner);

/// <summary>The NVIDIA driver is too old for the kernels. The message says which is needed.</summary>
public sealed class DriverTooOldException(string message) : Exception(message);

/// <summary>The driver refused a PTX.</summary>
/// <param name="name">Which.</param>
/// <param name="error">The driver's name of the error.</param>
/// <param name="log">What the driver's compiler said, as it said it.</param>
public sealed class PtxRefusedException(string name, string error, string log)
    : Exception($"The driver refused the PTX '{name}': {error}.{(log.Length == 0 ? " It gave no log." : Environment.NewLine + log)}")
{
    /// <summary>The compiler's log.</summary>
    public string Log { get; } = log;
}
