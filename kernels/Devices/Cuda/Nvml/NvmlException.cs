namespace EnergyGrid.Devices.Cuda.Nvml;

/// <summary>An NVML function failed in a way that is neither "absent" nor "lost".</summary>
/// <param name="function">Which.</param>
/// <param name="result">What it returned: any number.</param>
/// <param name="device">The GPU that it was asked about; null where it was about none.</param>
public sealed class NvmlException(string function, NvmlReturn result, string? device = null)
    : Exception($"{(device is null ? "" : $"{device}: ")}{function}: NVML error {(int)result}{(Enum.IsDefined(result) ? $" {result}" : ", a code without a name here")}{Advice(result)}")
{
    /// <summary>What it returned.</summary>
    public NvmlReturn Result { get; } = result;

    /// <summary>
    /// Whether it answered: true if so, false if the device or the driver lacks it, or it is not permitted: then what was asked is absent,
    /// never zero.
    /// </summary>
    /// <exception cref="DeviceLostException">The device does not answer any more.</exception>
    /// <exception cref="NvmlException">Anything else.</exception>
    internal static bool Answered(NvmlReturn result, string function, string device) => result switch
    {
        NvmlReturn.Success => true,
        NvmlReturn.NotSupported or NvmlReturn.NoPermission or NvmlReturn.FunctionNotFound or NvmlReturn.NoData or NvmlReturn.Deprecated or NvmlReturn.NotReady or NvmlReturn.Timeout => false,
        // Of a board whose inforom is damaged the rest may be right.
        NvmlReturn.CorruptedInforom => false,
        NvmlReturn.GpuIsLost => throw new DeviceLostException($"{device} has fallen off the bus: {function} answers GPU_IS_LOST."),
        NvmlReturn.GpuNotFound => throw new DeviceLostException($"{device} is not there any more: {function} answers GPU_NOT_FOUND."),
        NvmlReturn.ResetRequired => throw new DeviceLostException($"{device} needs a reset before it can be used again ({function})."),
        _ => throw new NvmlException(function, result, device),
    };

    private static string Advice(NvmlReturn result) => result switch
    {
        NvmlReturn.DriverNotLoaded => ": the NVIDIA kernel module is not loaded (modprobe nvidia)",
        NvmlReturn.VersionMismatch => ": the kernel module and the library are of different driver versions: restart the machine or reload the module",
        NvmlReturn.OperatingSystem => ": the operating system or a container's device rules block the device",
        NvmlReturn.Unknown => ": the driver does not say why; in a container its device rules may have been taken away (start it anew), on a machine the kernel log may tell (dmesg | grep -i nvrm)",
        _ => "",
    };
}
