using static EnergyGrid.Devices.Cuda.Binding.DriverApi;

namespace EnergyGrid.Devices.Cuda.Binding;

/// <summary>Work that was captured from a stream.</summary>
public sealed class CudaGraph : IDisposable
{
    private CUgraph _graph;

    internal CudaGraph(CUgraph graph) => _graph = graph;

    public CUgraph Graph => _graph;

    /// <summary>How many kernels, copies and fills it has.</summary>
    internal unsafe int NodeCount
    {
        get
        {
            nuint count = 0;
            Check(cuGraphGetNodes(_graph, null, ref count));
            return (int)count;
        }
    }

    /// <summary>Makes it executable.</summary>
    public CudaGraphExec Instantiate(CUgraphInstantiate_flags flags)
    {
        Check(cuGraphInstantiateWithFlags(out var executable, _graph, flags));
        return new CudaGraphExec(executable);
    }

    public void Dispose()
    {
        if (_graph.Pointer == 0) return;
        _ = cuGraphDestroy(_graph);
        _graph = default;
    }
}

/// <summary>A graph that can be launched, as often as one likes.</summary>
public sealed class CudaGraphExec : IDisposable
{
    private CUgraphExec _executable;

    internal CudaGraphExec(CUgraphExec executable) => _executable = executable;

    /// <summary>Puts all of it into a stream.</summary>
    public void Launch(CudaStream stream) => Check(cuGraphLaunch(_executable, stream.Stream));

    /// <summary>Brings it to the device, so that the first launch is as fast as the others.</summary>
    public void Upload(CudaStream stream) => Check(cuGraphUpload(_executable, stream.Stream));

    public void Dispose()
    {
        if (_executable.Pointer == 0) return;
        _ = cuGraphExecDestroy(_executable);
        _executable = default;
    }
}
