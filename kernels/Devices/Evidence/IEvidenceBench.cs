using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Evidence;

/// <summary>What stands behind a bench.</summary>
public enum BenchKind
{
    /// <summary>A GPU under its vendor's driver.</summary>
    Gpu,

    /// <summary>The real code path on a driver that executes kernels on a processor: results are real, timings and energies mean nothing.</summary>
    Emulated,

    /// <summary>Everything is modelled: it shows the command, not a device.</summary>
    Simulated,
}

/// <summary>What is measured. Evidence in one directory comes from one of these.</summary>
/// <param name="Kind">What stands behind it.</param>
/// <param name="Uuid">The device's, or the MIG instance's.</param>
/// <param name="Model">Hardware class as plans name it, for example <c>H100-SXM-80GB</c>.</param>
/// <param name="Name">As the driver names it.</param>
/// <param name="Index">Position in the node.</param>
/// <param name="Driver">Driver version.</param>
/// <param name="CudaVersion">Highest CUDA version of the driver, for example <c>12.4</c>; empty where there is none.</param>
/// <param name="ComputeCapability">For example <c>9.0</c>.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Device memory, B.</param>
/// <param name="CacheBytes">Last-level cache, B.</param>
/// <param name="PowerLimitWatts">Enforced limit, W.</param>
/// <param name="EnergySource">Where joules come from.</param>
/// <param name="KernelsSha256">Of all PTX that may be loaded, hexadecimal; empty where there is none.</param>
public sealed record BenchIdentity(
    BenchKind Kind, string Uuid, string Model, string Name, int Index, string Driver, string CudaVersion, string ComputeCapability, int Multiprocessors,
    double MemoryBytes, double CacheBytes, double PowerLimitWatts, string EnergySource, string KernelsSha256);

/// <summary>The kernels that measure the device's own ceilings.</summary>
public enum CeilingKernel
{
    /// <summary>Reads memory once, writes nothing.</summary>
    Stream,

    /// <summary>Reads and writes as much; both are counted.</summary>
    Copy,

    /// <summary>Dense FP16 products from shared memory: no memory traffic to speak of.</summary>
    Matrix,
}

/// <summary>One window of a ceiling kernel at a duty.</summary>
/// <param name="Kernel">Which.</param>
/// <param name="Duty">Share of the time in which it was to run; 0 is idle with a context.</param>
/// <param name="Seconds">Length of the window, s.</param>
/// <param name="BusySeconds">Of it in the kernel, by the device's events, s.</param>
/// <param name="Bytes">Bytes moved in the window, B.</param>
/// <param name="Flops">FLOP done in the window.</param>
/// <param name="Joules">Energy of the window, J; NaN where the device has no sensor.</param>
/// <param name="Celsius">At its end, °C; NaN if unknown.</param>
/// <param name="Megahertz">At its end, MHz; NaN if unknown.</param>
/// <param name="PowerCapShare">Share of the window under the power cap; NaN if unknown.</param>
public sealed record CeilingWindow(
    CeilingKernel Kernel, double Duty, double Seconds, double BusySeconds, double Bytes, double Flops, double Joules, double Celsius, double Megahertz, double PowerCapShare);

/// <summary>A stretch of decode steps, back to back.</summary>
/// <param name="Layers">L'.</param>
/// <param name="Steps">How many.</param>
/// <param name="Seconds">From the first one's start to the last one's end by the device's events, s.</param>
/// <param name="MedianStepSeconds">Median time of a step, s.</param>
/// <param name="LongestStepSeconds">s.</param>
/// <param name="Watts">Mean power, W; NaN where the sensor was off or says nothing for so short a time.</param>
/// <param name="Celsius">At its end, °C; NaN if unknown.</param>
/// <param name="Megahertz">At its end, MHz; NaN if unknown.</param>
/// <param name="PowerCapShare">Share under the power cap; NaN if unknown.</param>
public sealed record StepStretch(
    int Layers, long Steps, double Seconds, double MedianStepSeconds, double LongestStepSeconds, double Watts, double Celsius, double Megahertz, double PowerCapShare)
{
    /// <summary>s.</summary>
    public double SecondsPerStep => Seconds / Steps;
}

/// <summary>A kernel, or a whole layer, against the oracle.</summary>
/// <param name="Name">What was compared.</param>
/// <param name="Shape">At which shape.</param>
/// <param name="Seed">Of its data.</param>
/// <param name="RelativeError">‖out − reference‖ / ‖reference‖; NaN where the output has a value that is not finite.</param>
/// <param name="Tolerance">What is allowed.</param>
/// <param name="Kernels">What ran for it.</param>
/// <param name="Note">What a reader must know; empty if nothing.</param>
public sealed record KernelComparison(string Name, string Shape, ulong Seed, double RelativeError, double Tolerance, ImmutableArray<string> Kernels, string Note = "")
{
    /// <summary>Not a number is not right.</summary>
    public bool IsRight => RelativeError <= Tolerance;
}

/// <summary>One property of a sensor as qualification found it.</summary>
/// <param name="Name">What.</param>
/// <param name="Value">The figure; NaN where the device does not say.</param>
/// <param name="Unit">Its unit.</param>
/// <param name="Note">What follows from it; empty if nothing.</param>
public sealed record SensorProperty(string Name, double Value, string Unit, string Note = "");

/// <summary>How a device's sensors were found to be.</summary>
/// <param name="Properties">Figures, in the order of the report.</param>
/// <param name="Metering">How its energy is taken, and why.</param>
public sealed record SensorFindings(ImmutableArray<SensorProperty> Properties, string Metering);

/// <summary>
/// A device with its kernels and its sensors, as the sections of the evidence use it. One caller at a time; every call returns with the device idle.
/// </summary>
/// <remarks>
/// Every call may throw <see cref="DeviceLostException"/>, and <see cref="EvidenceFaultException"/> where the device refuses or faults and is still
/// there.
/// </remarks>
public interface IEvidenceBench : IDisposable
{
    BenchIdentity Identity { get; }

    /// <summary>Seconds of the device's time in one second of the wall: 1 for a device.</summary>
    double Pace { get; }

    /// <summary>Why nothing should be measured now (another process, ECC off, MIG on), or null.</summary>
    string? Hindrance();

    /// <summary>Figures about its sensors.</summary>
    SensorFindings Qualify(CancellationToken stop);

    /// <summary>Runs a kernel in bursts for a share of the time, after a short warm-up.</summary>
    CeilingWindow RunCeiling(CeilingKernel kernel, double duty, double seconds, CancellationToken stop);

    /// <summary>Names of all kernels that may be loaded.</summary>
    ImmutableArray<string> Kernels { get; }

    /// <summary>What <see cref="Compare"/> knows: every kernel variant and each A–K layer.</summary>
    ImmutableArray<string> Comparisons { get; }

    /// <summary>Runs one of them with data of that seed.</summary>
    KernelComparison Compare(string name, ulong seed, CancellationToken stop);

    /// <summary>Why it cannot hold so many layers, by how much, and which L' fits; null if it can.</summary>
    string? Refusal(Configuration configuration, int layers);

    /// <summary>Makes the layers resident after releasing what was there; does nothing where they are.</summary>
    void Load(Configuration configuration, int layers, CancellationToken stop);

    /// <summary>Runs what is loaded for about so long.</summary>
    /// <param name="seconds">s.</param>
    /// <param name="metered">Whether the sensor thread reads at 10 Hz meanwhile.</param>
    /// <param name="stop">Ends it after the running step.</param>
    StepStretch RunSteps(double seconds, bool metered, CancellationToken stop);

    /// <summary>Gives memory and context back, so that another process or a grid may have the device. The next call takes them again.</summary>
    void Release();

    /// <summary>The device as a node of a grid, under its own time. Only after <see cref="Release"/>; the caller disposes of it if it can be.</summary>
    (INode Node, TimeProvider Time) OpenNode(string host);
}

/// <summary>A unit of evidence failed on a device that is still there: a kernel faulted, memory ran out, a permission is missing.</summary>
public sealed class EvidenceFaultException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A unit of evidence does not return, and nothing in this process can make it: which, and what becomes of it.</summary>
public sealed class EvidenceHungException(string message) : Exception(message);

/// <summary>The evidence cannot be collected so: what is wrong, and what would be right.</summary>
public sealed class EvidenceRefusedException(string message) : Exception(message);

/// <summary>There is no device to collect evidence from: what is missing, and how to get it.</summary>
public sealed class NoDeviceException(string message) : Exception(message);
