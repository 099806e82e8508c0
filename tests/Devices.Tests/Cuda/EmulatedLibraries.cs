using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Devices.Cuda;

namespace EnergyGrid.Devices.Tests.Cuda;

/// <summary>The emulated driver with the probe kernels and all of kernels/cuda/variants.txt, and the scripted NVML, built here. Native state is one per process: tests that use them run one after the other.</summary>
[CollectionDefinition("cuda", DisableParallelization = true)]
public sealed class CudaCollection : ICollectionFixture<EmulatedLibraries>;

/// <summary>Builds the libraries once per content of their sources, under artifacts/emulation, and names them to the bindings.</summary>
public sealed partial class EmulatedLibraries : IDisposable
{
    public EmulatedLibraries()
    {
        CudaLibrary = BuildDriver();
        NvmlLibrary = Build("libnvidia-ml.so.1", ["kernels/cuda/emulation/nvml.cpp"]);
        Environment.SetEnvironmentVariable(NativeLibraries.CudaVariable, CudaLibrary);
        Environment.SetEnvironmentVariable(NativeLibraries.NvmlVariable, NvmlLibrary);
    }

    public static string Root { get; } = FindRoot();

    public static byte[] ProbePtx { get; } = File.ReadAllBytes(Path.Combine(Root, "tests/Devices.Tests/Cuda/Emulated/probe.ptx"));

    public string CudaLibrary { get; }

    public string NvmlLibrary { get; }

    /// <summary>Sets a variable of the native environment, which .NET's own copy does not reach, until disposed.</summary>
    public static IDisposable Set(string variable, string value)
    {
        if (setenv(variable, value, 1) != 0) throw new InvalidOperationException($"setenv {variable} failed");
        return new Unset(variable);
    }

    /// <summary>One more line of the sensors' script, for device 0, while it runs.</summary>
    public unsafe void SensorLine(string line)
    {
        var text = Marshal.StringToCoTaskMemUTF8(line);
        try
        {
            var command = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(NativeLibrary.Load(NvmlLibrary), "emulated_nvml_command");
            if (command(text) != 0) throw new InvalidOperationException($"The emulated NVML does not understand '{line}'.");
        }
        finally
        {
            Marshal.FreeCoTaskMem(text);
        }
    }

    /// <summary>An unsigned constant of a kernel's source, as its host form compiles it.</summary>
    public static uint Constant(string source, string name, string define = "")
    {
        var file = Path.Combine(Path.GetTempPath(), $"energygrid-{Guid.NewGuid():N}.cpp");
        File.WriteAllText(file, $"#include \"arch/arch.cuh\"\n#include \"{source}\"\n#include <cstdio>\nint main() {{ std::printf(\"%u\", (unsigned){name}); }}\n");
        try
        {
            Run("g++", ["-std=c++17", "-w", .. define.Length > 0 ? (string[])[define] : [], "-DKERNEL_NAME=constant_kernel", "-I", Path.Combine(Root, "kernels/cuda"), "-o", file + ".out", file]);
            return uint.Parse(Run(file + ".out", []), System.Globalization.CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(file);
            File.Delete(file + ".out");
        }

        static string Run(string program, string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var failed = process.StandardError.ReadToEndAsync();
            var said = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? said : throw new InvalidOperationException($"{program} failed: {failed.Result}");
        }
    }

    public void Dispose()
    {
    }

    /// <summary>By kernels/cuda/emulation/build, which compiles what has changed.</summary>
    private static string BuildDriver()
    {
        var folder = Path.Combine(Root, "artifacts/emulation/driver");
        var start = new ProcessStartInfo("bash") { WorkingDirectory = Root, RedirectStandardError = true, ArgumentList = { "kernels/cuda/emulation/build", folder } };
        start.Environment["EXTRA_KERNELS"] = Path.Combine(Root, "tests/Devices.Tests/Cuda/Emulated/probe_kernels.cpp");
        using var build = Process.Start(start)!;
        var said = build.StandardError.ReadToEnd();
        build.WaitForExit();
        return build.ExitCode == 0 ? Path.Combine(folder, "libcuda.so.1") : throw new InvalidOperationException($"kernels/cuda/emulation/build failed:{Environment.NewLine}{said}");
    }

    private static string Build(string name, string[] sources)
    {
        var cuda = Path.Combine(Root, "kernels/cuda");
        string[] headers = [.. Directory.GetFiles(cuda, "*.cuh", SearchOption.AllDirectories), .. Directory.GetFiles(cuda, "*.hpp", SearchOption.AllDirectories)];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string[] flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-shared"];
        foreach (var flag in flags) hash.AppendData(Encoding.UTF8.GetBytes(flag));
        foreach (var file in sources.Select(s => Path.Combine(Root, s)).Concat(headers.Order(StringComparer.Ordinal))) hash.AppendData(File.ReadAllBytes(file));
        var folder = Path.Combine(Root, "artifacts/emulation", Convert.ToHexStringLower(hash.GetHashAndReset())[..16]);
        var library = Path.Combine(folder, name);
        if (File.Exists(library)) return library;
        Directory.CreateDirectory(folder);
        var half = $"{library}.{Environment.ProcessId}";
        var start = new ProcessStartInfo("g++") { WorkingDirectory = Root, RedirectStandardError = true };
        foreach (var argument in flags.Concat(["-I", cuda, "-o", half, .. sources])) start.ArgumentList.Add(argument);
        Process compiler;
        try
        {
            compiler = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new InvalidOperationException("The emulated CUDA driver is compiled by g++, which is not installed here: apt-get install g++ (12 or later).", error);
        }
        using (compiler)
        {
            var said = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            if (compiler.ExitCode != 0) throw new InvalidOperationException($"g++ failed on {string.Join(' ', sources)}:{Environment.NewLine}{said}");
        }
        // Whole or not at all: another run may build the same.
        File.Move(half, library, overwrite: true);
        return library;
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "EnergyGrid.sln"))) return at.FullName;
        throw new InvalidOperationException($"No EnergyGrid.sln above {AppContext.BaseDirectory}.");
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unsetenv(string name);

    private sealed class Unset(string variable) : IDisposable
    {
        public void Dispose() => _ = unsetenv(variable);
    }
}
