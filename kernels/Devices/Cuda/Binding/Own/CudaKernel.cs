using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>A kernel of a loaded module.</summary>
public sealed class CudaKernel
{
    private readonly CUfunction _function;

    /// <exception cref="CudaException">The module has no such kernel.</exception>
    public CudaKernel(string kernelName, CUmodule module)
    {
        (KernelName, CUModule) = (kernelName, module);
        var result = cuModuleGetFunction(out _function, module, kernelName);
        if (result == CUResult.ErrorNotFound) throw new CudaException(result, $"The module has no kernel '{kernelName}'.", null);
        Check(result);
    }

    public string KernelName { get; }

    public CUmodule CUModule { get; }

    public CUfunction CUFunction => _function;

    /// <summary>Threads of a block that it can be launched with.</summary>
    public int MaxThreadsPerBlock => Attribute(CUFunctionAttribute.MaxThreadsPerBlock);

    /// <summary>Static shared memory of a block, bytes.</summary>
    public int SharedMemory => Attribute(CUFunctionAttribute.SharedSizeBytes);

    /// <summary>Local memory of a thread, bytes: anything but 0 is spilled registers or an indexed array.</summary>
    public int LocalMemory => Attribute(CUFunctionAttribute.LocalSizeBytes);

    /// <summary>Registers of a thread.</summary>
    public int Registers => Attribute(CUFunctionAttribute.NumRegs);

    /// <summary>Dynamic shared memory that a launch may ask for, bytes; above 48 KiB it must be raised first.</summary>
    public int MaxDynamicSharedSizeBytes
    {
        get => Attribute(CUFunctionAttribute.MaxDynamicSharedSizeBytes);
        set => Check(cuFuncSetAttribute(_function, CUFunctionAttribute.MaxDynamicSharedSizeBytes, value));
    }

    /// <summary>How many blocks of this size one multiprocessor holds at once.</summary>
    public int GetOccupancyMaxActiveBlocksPerMultiprocessor(int blockSize, long dynamicSMemSize)
    {
        Check(cuOccupancyMaxActiveBlocksPerMultiprocessor(out var blocks, _function, blockSize, (nuint)dynamicSMemSize));
        return blocks;
    }

    private int Attribute(CUFunctionAttribute attribute)
    {
        Check(cuFuncGetAttribute(out var value, attribute, _function));
        return value;
    }
}
