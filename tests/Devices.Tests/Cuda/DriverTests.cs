using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Text;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Binding;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class DriverTests : IDisposable
{
    private readonly PrimaryContext _context;
    private readonly CudaStream _stream;

    public DriverTests(EmulatedLibraries libraries)
    {
        _ = libraries;
        _context = CudaDriver.Open(0);
        _stream = new CudaStream(CUStreamFlags.NonBlocking);
    }

    public void Dispose()
    {
        _stream.Dispose();
        _context.Dispose();
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ProbeArguments
    {
        public ulong Out;
        public uint Count;
        public uint Value;
    }

    [Fact]
    public void The_emulated_board_says_that_it_is_emulated_and_is_found_by_index_uuid_and_bus()
    {
        var board = Assert.Single(CudaDriver.Boards());
        Assert.True(board.IsEmulated, board.Name);
        Assert.Equal("GPU-656d756c-6174-6564-0000-000000000000", board.Uuid);
        Assert.Equal(("sm_90", 12040, 232448), (board.Architecture, board.DriverVersion, board.SharedBytesPerBlock));
        Assert.Equal(board, CudaDriver.Find("0"));
        Assert.Equal(board, CudaDriver.Find("gpu-656D756C"));
        Assert.Equal(board, CudaDriver.Find("0000:01:00.0"));
    }

    [Theory]
    [InlineData("7", "No GPU '7': there is index 0 (GPU-656d756c-")]
    [InlineData("GPU-00", "No GPU 'GPU-00': there is index 0 (")]
    [InlineData("MIG-12345678", "MIG")]
    public void A_board_that_is_not_there_is_refused_by_naming_those_that_are(string which, string reason) =>
        Assert.Contains(reason, Assert.Throws<ArgumentException>(() => CudaDriver.Find(which)).Message);

    [Fact]
    public void Memory_comes_back_as_it_was_written_and_is_not_zero_before()
    {
        using var memory = new CudaDeviceVariable<uint>(1000);
        Assert.All(memory.Read(), word => Assert.Equal(0xffffffffu, word));
        var sent = Enumerable.Range(0, 1000).Select(i => (uint)i * 2654435761u).ToArray();
        memory.CopyToDevice(sent);
        Assert.Equal(sent, memory.Read());
        memory.Write<uint>([1, 2, 3], 997);
        var part = new uint[4];
        memory.Read(part, 996);
        Assert.Equal([sent[996], 1, 2, 3], part);
        using var copy = new CudaDeviceVariable<uint>(1000);
        copy.CopyToDevice(memory);
        Assert.Equal(memory.Read(), copy.Read());
        copy.Memset(7u);
        Assert.All(copy.Read(), word => Assert.Equal(7u, word));
        copy.Memset((byte)0x11);
        Assert.All(copy.Read(), word => Assert.Equal(0x11111111u, word));
        using var locked = new CudaPageLockedHostMemory<uint>(1000);
        locked.AsyncCopyFromDevice(memory.DevicePointer, _stream.Stream);
        locked.AsyncCopyToDevice(copy.DevicePointer, _stream.Stream);
        _stream.Synchronize();
        Assert.Equal(memory.Read(), copy.Read());
    }

    [Fact]
    public void Copies_and_fills_beyond_an_allocation_are_refused()
    {
        using var memory = new CudaDeviceVariable<uint>(100);
        Assert.Equal(CUResult.ErrorInvalidValue, Assert.Throws<CudaException>(() => memory.CopyToDevice(new uint[101])).CudaError);
        Assert.Equal(CUResult.ErrorInvalidValue, Assert.Throws<CudaException>(() => memory.CopyToHost(new uint[101])).CudaError);
        using var beyond = new CudaDeviceVariable<uint>(memory.DevicePointer + 4, 100);
        Assert.Equal(CUResult.ErrorInvalidValue, Assert.Throws<CudaException>(() => beyond.Memset((byte)0)).CudaError);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Write<uint>([1, 2], 99));
        // Nothing was changed by what was refused.
        Assert.All(memory.Read(), word => Assert.Equal(0xffffffffu, word));
    }

    [Fact]
    public void Memory_that_is_not_there_is_refused_and_what_is_given_back_is_free_again()
    {
        using var limit = EmulatedLibraries.Set("EMULATED_CUDA_MEMORY", "1M");
        Assert.Equal(1 << 20, _context.GetTotalDeviceMemorySize());
        var before = _context.GetFreeDeviceMemorySize();
        using (new CudaDeviceVariable<byte>(1000 << 10))
        {
            Assert.Equal(1000 << 10, before - _context.GetFreeDeviceMemorySize());
            var error = Assert.Throws<CudaException>(() => new CudaDeviceVariable<byte>(100 << 10));
            Assert.Equal((CUResult.ErrorOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"), (error.CudaError, error.CudaInternalErrorName));
        }
        Assert.Equal(before, _context.GetFreeDeviceMemorySize());
    }

    [Fact]
    public void A_kernel_of_the_ptx_runs_with_its_struct_and_its_bounds()
    {
        var module = _context.LoadPtx(EmulatedLibraries.ProbePtx, "probe.ptx");
        var kernel = _context.Kernel(module, "probe_add", 100_000);
        Assert.Equal((256, 0, 100_000), (kernel.MaxThreadsPerBlock, kernel.LocalMemory, kernel.MaxDynamicSharedSizeBytes));
        Assert.Equal(96, _context.Kernel(module, "probe_forget", 0).LocalMemory);
        Assert.Equal(2, kernel.GetOccupancyMaxActiveBlocksPerMultiprocessor(256, 100_000));
        Assert.Equal(0, kernel.GetOccupancyMaxActiveBlocksPerMultiprocessor(256, 200_000));
        using var memory = new CudaDeviceVariable<uint>(300);
        memory.Memset(0u);
        kernel.Launch(_stream, 2, 256, 1024, new ProbeArguments { Out = memory.Address(), Count = 300, Value = 5 });
        kernel.Launch(_stream, 2, 256, 1024, new ProbeArguments { Out = memory.Address(100), Count = 200, Value = 1 }, programmatic: true);
        _stream.Synchronize();
        var expected = Enumerable.Range(0, 300).Select(i => (uint)(5 + i + (i >= 100 ? 1 + i - 100 : 0)));
        Assert.Equal(expected, memory.Read());
        Assert.Throws<CudaException>(() => kernel.Launch(_stream, 2, 512, 1024, default(ProbeArguments)));
        Assert.Throws<CudaException>(() => kernel.Launch(_stream, 2, 256, 100_001, default(ProbeArguments)));
        Assert.Throws<CudaException>(() => _context.Kernel(module, "probe_add", 300_000));
        Assert.Contains("no kernel 'probe_none'", Assert.Throws<CudaException>(() => _context.Kernel(module, "probe_none", 0)).Message);
        _context.UnloadModule(module);
    }

    [Fact]
    public void A_captured_graph_does_nothing_until_it_is_launched_and_then_the_same_each_time()
    {
        var module = _context.LoadPtx(EmulatedLibraries.ProbePtx, "probe.ptx");
        var kernel = _context.Kernel(module, "probe_add", 0);
        using var memory = new CudaDeviceVariable<uint>(300);
        using var copy = new CudaDeviceVariable<uint>(300);
        memory.Memset(9u);
        var arguments = new ProbeArguments { Out = memory.Address(), Count = 300, Value = 5 };
        using var graph = _stream.Record(() =>
        {
            _stream.Clear(memory);
            kernel.Launch(_stream, 2, 256, 0, arguments);
            kernel.Launch(_stream, 2, 256, 0, arguments, programmatic: true);
            _stream.Copy(copy, memory);
        });
        // The struct was copied when it was captured.
        arguments.Value = 77;
        Assert.Equal(4, graph.Nodes);
        Assert.All(memory.Read(), word => Assert.Equal(9u, word));
        graph.Upload(_stream);
        for (var i = 0; i < 3; i++)
        {
            copy.Memset(0u);
            graph.Launch(_stream);
            _stream.Synchronize();
            Assert.Equal(Enumerable.Range(0, 300).Select(n => (uint)(2 * (5 + n))), copy.Read());
        }
    }

    [Fact]
    public void What_may_not_happen_while_a_stream_captures_spoils_the_capture_and_nothing_else()
    {
        var error = Assert.Throws<CudaException>(() => _stream.Record(() => new CudaDeviceVariable<byte>(16)));
        Assert.Equal(CUResult.ErrorStreamCaptureUnsupported, error.CudaError);
        Assert.Equal(CUResult.ErrorStreamCaptureUnsupported, Assert.Throws<CudaException>(() => _stream.Record(_stream.Synchronize)).CudaError);
        using var memory = new CudaDeviceVariable<uint>(16);
        using (var graph = _stream.Record(() => _stream.Clear(memory))) graph.Launch(_stream);
        Assert.All(memory.Read(), word => Assert.Equal(0u, word));
    }

    [Fact]
    public void Events_stamp_the_time_between_them()
    {
        using var start = new CudaEvent();
        using var end = new CudaEvent();
        Assert.Throws<CudaException>(() => CudaEvent.ElapsedTime(start, end));
        start.Record(_stream.Stream);
        var until = TimeProvider.System.GetTimestamp() + TimeProvider.System.TimestampFrequency / 50;
        while (TimeProvider.System.GetTimestamp() < until) Thread.SpinWait(100);
        end.Record(_stream.Stream);
        end.Synchronize();
        Assert.True(end.Query());
        Assert.InRange(CudaEvent.ElapsedTime(start, end), 19.9f, 2000f);
    }

    [Theory]
    [InlineData(".version 8.0\n.target sm_90\n.bogus\n", "CUDA_ERROR_INVALID_PTX", "line 3", "Parsing error near '.bogus': syntax error")]
    [InlineData(".version 9.9\n.target sm_90\n", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "line 1", "Unsupported .version 9.9; current version is '8.4'")]
    [InlineData(".version 8.0\n.target sm_100\n", "CUDA_ERROR_INVALID_PTX", "line 2", "sm_100")]
    [InlineData(".version 8.0\n.target sm_90\n.visible .entry f() {\n", "CUDA_ERROR_INVALID_PTX", "line 3", "end of the file")]
    [InlineData("hello", "CUDA_ERROR_INVALID_PTX", "line 1", ".version")]
    public void A_ptx_that_the_driver_refuses_shows_the_drivers_log(string ptx, string error, string line, string reason)
    {
        var refused = Assert.Throws<PtxRefusedException>(() => _context.LoadPtx(Encoding.UTF8.GetBytes(ptx), "broken.ptx"));
        Assert.StartsWith($"The driver refused the PTX 'broken.ptx': {error}.", refused.Message);
        Assert.Contains(line, refused.Log);
        Assert.Contains(reason, refused.Log);
        Assert.EndsWith(refused.Log, refused.Message);
    }

    [Fact]
    public void A_driver_too_old_for_the_ptx_is_told_which_is_needed()
    {
        using var old = EmulatedLibraries.Set("EMULATED_CUDA_DRIVER", "11080");
        var refused = Assert.Throws<DriverTooOldException>(() => CudaDriver.Start());
        Assert.Contains("supports CUDA 11.8", refused.Message);
        Assert.Contains("525.60", refused.Message);
    }

    [Fact]
    public void Without_a_gpu_there_are_no_boards()
    {
        using var none = EmulatedLibraries.Set("EMULATED_CUDA_DEVICES", "0");
        Assert.Empty(CudaDriver.Boards());
        Assert.Contains("there is no GPU", Assert.Throws<ArgumentException>(() => CudaDriver.Find("0")).Message);
    }

    [Theory]
    [InlineData(null, "Install the NVIDIA driver, 525.60 or later")]
    [InlineData("/nonexistent/libcuda.so.1", "'/nonexistent/libcuda.so.1', which ENERGYGRID_CUDA_LIBRARY names, cannot be loaded")]
    public void Without_a_driver_the_message_says_what_to_install(string? named, string reason)
    {
        // The library of this process is loaded for good: a second copy of the assembly looks for it anew.
        var before = Environment.GetEnvironmentVariable(NativeLibraries.CudaVariable);
        var fresh = new AssemblyLoadContext("without a driver", isCollectible: false);
        try
        {
            Environment.SetEnvironmentVariable(NativeLibraries.CudaVariable, named);
            var start = fresh.LoadFromAssemblyPath(typeof(CudaDriver).Assembly.Location).GetType(typeof(CudaDriver).FullName!)!.GetMethod(nameof(CudaDriver.Start))!;
            var error = Assert.Throws<TargetInvocationException>(() => start.Invoke(null, null)).InnerException!;
            Assert.Equal(nameof(DriverMissingException), error.GetType().Name);
            Assert.IsAssignableFrom<DllNotFoundException>(error);
            Assert.Contains(reason, error.Message);
        }
        finally
        {
            Environment.SetEnvironmentVariable(NativeLibraries.CudaVariable, before);
        }
    }

    [Fact]
    public void Names_are_tried_in_order_and_a_named_library_alone()
    {
        Assert.Equal(["libcuda.so.1", "libcuda.so", "nvcuda.dll"], NativeLibraries.Candidates(NativeLibraries.Cuda, null));
        Assert.Equal(["libnvidia-ml.so.1", "nvml.dll"], NativeLibraries.Candidates(NativeLibraries.Nvml, ""));
        Assert.Equal(["/a/b"], NativeLibraries.Candidates(NativeLibraries.Cuda, "/a/b"));
    }

    [Theory]
    [InlineData("probe_diverge", false, CUResult.ErrorLaunchFailed, "deadlock")]
    [InlineData("probe_forget", true, CUResult.ErrorLaunchFailed, "without waiting for the previous kernel")]
    [InlineData("probe_overrun", false, CUResult.ErrorIllegalAddress, "beyond the end of an allocation of 400 bytes")]
    public void A_kernels_fault_sticks_until_the_primary_context_is_reset(string name, bool programmatic, CUResult expected, string text)
    {
        var kernel = _context.Kernel(_context.LoadPtx(EmulatedLibraries.ProbePtx, "probe.ptx"), name, 0);
        var memory = new CudaDeviceVariable<uint>(100);
        // As on a GPU, the launch itself succeeds.
        kernel.Launch(_stream, 1, 64, 0, new ProbeArguments { Out = memory.Address(), Count = 100, Value = 5 }, programmatic);
        var error = Assert.Throws<CudaException>(_stream.Synchronize);
        Assert.Equal(expected, error.CudaError);
        Assert.Contains(error.CudaInternalErrorName, error.Message);
        Assert.Contains(text, error.Message);
        Assert.Equal(expected, Assert.Throws<CudaException>(() => new CudaDeviceVariable<uint>(1)).CudaError);
        Assert.Equal(expected, Assert.Throws<CudaException>(_context.Synchronize).CudaError);

        PrimaryContext.Reset(0);
        using var anew = CudaDriver.Open(0);
        using var fine = new CudaDeviceVariable<uint>(10);
        fine.Memset(3u);
        Assert.All(fine.Read(), word => Assert.Equal(3u, word));
    }
    [Fact]
    public void A_fault_that_outlives_its_context_refuses_the_next_one_with_the_same_error()
    {
        using var sticky = EmulatedLibraries.Set("EMULATED_CUDA_STICKY", "process");
        var kernel = _context.Kernel(_context.LoadPtx(EmulatedLibraries.ProbePtx, "probe.ptx"), "probe_diverge", 0);
        var memory = new CudaDeviceVariable<uint>(100);
        kernel.Launch(_stream, 1, 64, 0, new ProbeArguments { Out = memory.Address(), Count = 100, Value = 5 });
        PrimaryContext.Reset(0);
        Assert.Equal(CUResult.ErrorLaunchFailed, Assert.Throws<CudaException>(() => CudaDriver.Open(0)).CudaError);
        // For the tests to come.
        sticky.Dispose();
        PrimaryContext.Reset(0);
    }

    [Fact]
    public void A_launch_can_be_made_to_fail_and_everything_after_it_does()
    {
        var kernel = _context.Kernel(_context.LoadPtx(EmulatedLibraries.ProbePtx, "probe.ptx"), "probe_add", 0);
        using var memory = new CudaDeviceVariable<uint>(100);
        var arguments = new ProbeArguments { Out = memory.Address(), Count = 100, Value = 5 };
        using var fail = EmulatedLibraries.Set("EMULATED_CUDA_FAIL", "3:719");
        kernel.Launch(_stream, 1, 128, 0, arguments);
        kernel.Launch(_stream, 1, 128, 0, arguments);
        Assert.Equal(719, (int)Assert.Throws<CudaException>(() => kernel.Launch(_stream, 1, 128, 0, arguments)).CudaError);
        Assert.Contains("as EMULATED_CUDA_FAIL asks", Assert.Throws<CudaException>(_stream.Synchronize).Message);
        PrimaryContext.Reset(0);
    }
}
