using System.Runtime.InteropServices;
using LLama.Native;

namespace EnergyGrid.LlamaCpp;

/// <summary>llama.cpp as it lies beside this program: whether it can be loaded, and what it says it is.</summary>
public static class LlamaLibrary
{
    private const string Missing = "install libgomp1 (Debian, Ubuntu: apt-get install libgomp1)";

    private static readonly Lazy<string?> Fault = new(Load);
    private static readonly Lock Gate = new();
    private static string _lastError = "";

    /// <summary>Why llama.cpp does not run here, with what helps; null where it does. Loads it into this process.</summary>
    public static string? Refusal() => Fault.Value;

    /// <summary>Why it would not run here, as far as can be said without loading it; null if it should.</summary>
    public static string? Missed()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return "llama.cpp comes with this program for Linux on x86-64 alone";
        if (!Directory.Exists(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"))) return "llama.cpp does not lie beside this program (runtimes/linux-x64/native)";
        return NativeLibrary.TryLoad("libgomp.so.1", out _) ? null : $"llama.cpp needs libgomp.so.1, which is not here: {Missing}";
    }

    /// <summary>The last complaint of the library; empty if there was none.</summary>
    internal static string LastError
    {
        get { lock (Gate) return _lastError; }
    }

    private static string? Load()
    {
        if (Missed() is { } missed) return missed;
        try
        {
            NativeLibraryConfig.All.WithSearchDirectory(AppContext.BaseDirectory).WithAutoFallback(true);
            NativeLogConfig.llama_log_set(Log);
            NativeApi.llama_empty_call();
            return null;
        }
        catch (Exception error) when (error is TypeInitializationException or DllNotFoundException or LLama.Exceptions.RuntimeError)
        {
            return $"llama.cpp cannot be loaded: {(error.InnerException ?? error).Message}";
        }
    }

    private static void Log(LLamaLogLevel level, string message)
    {
        if (level != LLamaLogLevel.Error) return;
        lock (Gate) _lastError = message.Trim();
        Console.Error.Write(message);
    }
}
