using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>A driver function failed. The message has the driver's name of the error and its text.</summary>
public class CudaException : Exception
{
    /// <summary>The driver's own words.</summary>
    public CudaException(CUResult error)
        : this(error, $"CUDA error {(int)error} {Name(error)}: {Text(error)}", null)
    {
    }

    /// <summary>With words of ours.</summary>
    public CudaException(CUResult error, string message, Exception? exception)
        : base(message, exception) =>
        (CudaError, CudaInternalErrorName, CudaInternalErrorDescription) = (error, Name(error), Text(error));

    /// <summary>What the function returned.</summary>
    public CUResult CudaError { get; }

    /// <summary>The driver's name of it: <c>CUDA_ERROR_ILLEGAL_ADDRESS</c>.</summary>
    public string CudaInternalErrorName { get; }

    /// <summary>The driver's text.</summary>
    public string CudaInternalErrorDescription { get; }

    private static unsafe string Name(CUResult error) =>
        DriverApi.cuGetErrorName(error, out var text) == CUResult.Success && text is not null ? Marshal.PtrToStringUTF8((nint)text)! : error.ToString();

    private static unsafe string Text(CUResult error) =>
        DriverApi.cuGetErrorString(error, out var text) == CUResult.Success && text is not null ? Marshal.PtrToStringUTF8((nint)text)! : "an error this driver does not know";
}
