using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.LlamaCpp;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;
using Spectre.Console;

namespace EnergyGrid.Console;

/// <summary><c>doctor</c>: what this machine has for measuring, and what to do about what it has not.</summary>
internal static class DoctorCommand
{
    /// <summary>What one look found.</summary>
    /// <param name="Check">What was looked at.</param>
    /// <param name="State"><c>ok</c>, <c>absent</c> (the grid works without it) or <c>wrong</c>.</param>
    /// <param name="Found">What is there.</param>
    /// <param name="Advice">What to do; empty if nothing.</param>
    private sealed record Finding(string Check, string State, string Found, string Advice);

    public static Command Make()
    {
        var data = new Option<string?>("--data") { Description = "Directory of 'up --data', for what is remembered of the GPUs; its default if not said.", HelpName = "DIR" };
        var command = new Command("doctor", "Says what this machine can measure with, and what to do about the rest.") { data };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            using var client = GridCommand.Client(parsed);
            var findings = new List<Finding> { Runtime(), Sdk(), await Grid(client, stop), Port(), Data(), Rapl(), LlamaCpp(), Nvidia() };
            findings.AddRange(Gpus(parsed.GetValue(data)));
            findings.Add(Machine());
            if (screen.Json) screen.Document(findings);
            else Show(findings, screen);
            return findings.Any(f => f.State == "wrong") ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(List<Finding> findings, Screen screen)
    {
        foreach (var f in findings)
        {
            var mark = f.State switch { "ok" => "[green]ok    [/]", "absent" => "[yellow]absent[/]", _ => "[red]wrong [/]" };
            screen.People.MarkupLine($"{mark}  [bold]{Markup.Escape(f.Check.PadRight(14))}[/] {Markup.Escape(Screen.Harmless(f.Found))}");
            if (f.Advice.Length > 0) screen.People.Write(new Padder(new Text(Screen.Harmless(f.Advice), new Style(decoration: Decoration.Dim)), new Padding(8, 0, 0, 0)));
        }
    }

    private static Finding Runtime() => new(".NET runtime", Environment.Version.Major >= 10 ? "ok" : "wrong", Environment.Version.ToString(), "");

    // What a worker finds when it loads it is told with the trial; this is what can be said without.
    private static Finding LlamaCpp() => LlamaLibrary.Missed() is { } missed
        ? new("llama.cpp", "absent", missed, "Only needed for plans with stack: llama.cpp.")
        : new("llama.cpp", "ok", "stack: llama.cpp runs on the cpu device", "");

    private static Finding Sdk()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("dotnet", "--list-sdks") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            process.WaitForExit();
            var ten = lines.LastOrDefault(l => l.StartsWith("10.", StringComparison.Ordinal));
            return ten is not null ? new(".NET SDK", "ok", ten.Split(' ')[0], "") : new(".NET SDK", "absent", "no SDK 10", "Only needed to build: https://dotnet.microsoft.com/download/dotnet/10.0");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return new(".NET SDK", "absent", "no 'dotnet' on the PATH", "Only needed to build: https://dotnet.microsoft.com/download/dotnet/10.0");
        }
    }

    private static async Task<Finding> Grid(GridClient client, CancellationToken stop)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
            patience.CancelAfter(TimeSpan.FromSeconds(3));
            var version = await client.Version(patience.Token);
            return new("grid", "ok", $"{client.Address} answers: {version.Product} {version.Version}, silo {version.Silo}", "");
        }
        catch (GridProblemException e)
        {
            return new("grid", "wrong", $"{client.Address} answers: {e.Message}", "Give --token-file FILE.");
        }
        catch (Exception e) when (e is GridUnreachableException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            return new("grid", "absent", $"nothing answers at {client.Address}", "'energygrid up' starts a grid on this machine.");
        }
    }

    private static Finding Port()
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, 7070);
            listener.Start();
            return new("port 7070", "ok", "free", "");
        }
        catch (SocketException)
        {
            return new("port 7070", "ok", "in use (by a grid, if the line above says so)", "'energygrid up --bind http://127.0.0.1:PORT' takes another.");
        }
    }

    private static Finding Data()
    {
        var drive = new DriveInfo(Path.GetTempPath());
        return drive.AvailableFreeSpace > 1L << 30
            ? new("disk", "ok", $"{drive.AvailableFreeSpace >> 30} GiB free for temporary files", "")
            : new("disk", "wrong", $"{drive.AvailableFreeSpace >> 20} MiB free for temporary files", "Traces of a large sweep want a gigabyte; give 'demo --out DIR' or 'up --data DIR' on a larger disk.");
    }

    // The cpu device asks the same.
    private static Finding Rapl()
    {
        var found = RaplSearch.Of();
        return found.Counter is not null
            ? new("RAPL", "ok", $"{found.Says}: the cpu device's energy is measured", "")
            : new("RAPL", "absent", found.Says, $"The cpu device's energy will be modelled from a declared idle and maximum power, and labelled so. {found.Advice}".TrimEnd());
    }

    private static Finding Nvidia()
    {
        const string File_ = "/proc/driver/nvidia/version";
        if (File.Exists(File_)) return new("GPU driver", "ok", File.ReadLines(File_).First().Replace("NVRM version: ", "").Trim(), "");
        return new("GPU driver", "absent", "no NVIDIA driver is loaded", "Simulated GPUs and the cpu device work without it.");
    }

    // Each GPU has a line of its own: what is wrong with one is no fault of the others.
    private static IEnumerable<Finding> Gpus(string? data)
    {
        const string Check = "CUDA, NVML";
        GpuSurvey survey;
        try
        {
            survey = GpuSurvey.Look();
        }
        catch (DriverMissingException e)
        {
            return [new(Check, "absent", e.Message, "")];
        }
        catch (Exception e) when (e is DriverTooOldException or GpuRefusedException)
        {
            return [new(Check, "wrong", e.Message, "'energygrid up --gpus none' starts without GPUs.")];
        }
        var libraries = survey.NvmlTrouble is { } nvml
            ? new Finding(Check, "wrong", nvml, "Without NVML no GPU can be metered, and none is offered.")
            : new Finding(Check, survey.Gpus.Count == 0 ? "absent" : "ok", survey.Gpus.Count == 0 ? "there is a driver and no GPU" : "both answer", "");
        var memory = Memory(data);
        return [libraries, .. survey.Gpus.Select(g => Gpu(g, memory))];
    }

    private static Finding Gpu(FoundGpu gpu, QualificationMemory? memory)
    {
        var (check, name) = ($"gpu {gpu.Index}", $"{gpu.Name}, {gpu.Uuid}");
        if (gpu.Trouble is { } trouble) return new(check, "wrong", $"{name}: {trouble}", "It is not offered; the others are. 'energygrid up' looks at it again now and then.");
        if (gpu.Board is null)
            return new(check, "absent", $"{name}: not given to this process", Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } visible ? $"CUDA_VISIBLE_DEVICES is '{visible}'." : "NVML knows it, the CUDA driver does not show it here.");
        if (memory is null || gpu.Key is null) return new(check, "ok", name, "");
        var (kept, why) = memory.Of(gpu.Uuid);
        why ??= kept?.Key.Change(gpu.Key);
        return new(check, "ok", why is not null ? $"{name}: qualification will be redone: {why}"
            : kept is null ? $"{name}: not qualified yet, the first start takes about a minute"
            : string.Create(CultureInfo.InvariantCulture, $"{name}: qualification remembered from {kept.Found.At.UtcDateTime:yyyy-MM-dd HH:mm}Z; {kept.Found.EnergySource}"), "");
    }

    private static QualificationMemory? Memory(string? data)
    {
        try
        {
            return new(new SiloOptions { DataDirectory = Path.GetFullPath(data ?? UpCommand.DefaultData) }.DevicesDirectory);
        }
        catch (CommandException)
        {
            // No home directory: 'up' will be told where.
            return null;
        }
    }

    private static Finding Machine() =>
        new("machine", "ok", $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB, {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}", "");
}
