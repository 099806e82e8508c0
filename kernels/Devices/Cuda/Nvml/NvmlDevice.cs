using static EnergyGrid.Devices.Cuda.Nvml.NvmlApi;

namespace EnergyGrid.Devices.Cuda.Nvml;

/// <summary>The fields that we ask for (nvmlDeviceGetFieldValues).</summary>
public enum NvmlField : uint
{
    /// <summary>Time that the power cap held the clocks down, ns.</summary>
    PowerCapTime = 74,

    /// <summary>°C.</summary>
    MemoryTemperature = 82,

    /// <summary>mJ since the driver was loaded.</summary>
    Energy = 83,

    /// <summary>mW, mean of about a second.</summary>
    AveragePower = 185,

    /// <summary>mW, of this moment: on some boards of a part of each update period.</summary>
    InstantPower = 186,

    /// <summary>mW.</summary>
    LeastPowerLimit = 187,

    /// <summary>mW.</summary>
    MostPowerLimit = 188,

    /// <summary>mW.</summary>
    DefaultPowerLimit = 189,

    /// <summary>mW, as enforced now.</summary>
    PowerLimit = 190,

    /// <summary>Time of software thermal slowdown, ns.</summary>
    SoftwareThermalTime = 269,

    /// <summary>Time of hardware thermal slowdown, ns.</summary>
    HardwareThermalTime = 270,

    /// <summary>Time of hardware power brake, ns.</summary>
    PowerBrakeTime = 271,
}

/// <summary>What of a board a field speaks of.</summary>
public enum NvmlScope : uint
{
    Gpu = 0,

    /// <summary>GPU, its memory and the processor on the same module (Grace).</summary>
    Module = 1,

    Memory = 2,
}

/// <summary>Metrics of GPM (Hopper and later), percent.</summary>
public enum GpmMetricId : uint
{
    MultiprocessorUtilisation = 2,
    Occupancy = 3,
    AnyTensor = 5,
    HalfTensor = 7,
    IntegerTensor = 9,
    MemoryBandwidth = 10,
}

/// <summary>A field and its scope, asked for again and again.</summary>
public readonly record struct FieldQuery(NvmlField Field, NvmlScope Scope = NvmlScope.Gpu);

/// <summary>
/// One GPU through NVML. What it lacks, or what we may not see, is null or NaN and never zero. Every member throws
/// <see cref="DeviceLostException"/> when the device does not answer any more.
/// </summary>
public sealed unsafe class NvmlDevice
{
    private const int MostFields = 16;

    private readonly nint _handle;

    internal NvmlDevice(nint handle, string which)
    {
        (_handle, Uuid) = (handle, which);
        Uuid = Text(static (h, text, length) => nvmlDeviceGetUUID(h, (byte*)text, length), "nvmlDeviceGetUUID") ?? which;
        Name = Text(static (h, text, length) => nvmlDeviceGetName(h, (byte*)text, length), "nvmlDeviceGetName") ?? "unknown GPU";
        Serial = Text(static (h, text, length) => nvmlDeviceGetSerial(h, (byte*)text, length), "nvmlDeviceGetSerial");
        PciBusId = Text(
            static (h, text, length) =>
            {
                PciInfo pci;
                var result = nvmlDeviceGetPciInfo_v3(h, &pci);
                new ReadOnlySpan<byte>(pci.BusId, 32).CopyTo(new Span<byte>((byte*)text, (int)length));
                return result;
            },
            "nvmlDeviceGetPciInfo");
    }

    /// <summary>GPU-….</summary>
    public string Uuid { get; }

    /// <summary>As sold.</summary>
    public string Name { get; }

    /// <summary>Of the board; null if it has none to say.</summary>
    public string? Serial { get; }

    /// <summary>domain:bus:device.function.</summary>
    public string? PciBusId { get; }

    /// <summary>The energy counter, J since the driver was loaded; NaN if there is none.</summary>
    public double EnergyJoules() =>
        Answered(nvmlDeviceGetTotalEnergyConsumption(_handle, out var millijoules), "nvmlDeviceGetTotalEnergyConsumption") ? millijoules / 1000.0 : double.NaN;

    /// <summary>nvmlDeviceGetPowerUsage, W: on Ampere and later a mean of about a second. NaN if it is not said.</summary>
    public double PowerUsageWatts() => Answered(nvmlDeviceGetPowerUsage(_handle, out var milliwatts), "nvmlDeviceGetPowerUsage") ? milliwatts / 1000.0 : double.NaN;

    /// <summary>The enforced limit, W; NaN if it is not said.</summary>
    public double PowerLimitWatts()
    {
        if (Answered(nvmlDeviceGetEnforcedPowerLimit(_handle, out var milliwatts), "nvmlDeviceGetEnforcedPowerLimit")) return milliwatts / 1000.0;
        return Field(NvmlField.PowerLimit) / 1000;
    }

    /// <summary>GPU temperature, °C; NaN if it is not said.</summary>
    public double Celsius() => Answered(nvmlDeviceGetTemperature(_handle, 0, out var degrees), "nvmlDeviceGetTemperature") ? degrees : double.NaN;

    /// <summary>Memory temperature, °C; NaN if it is not said.</summary>
    public double MemoryCelsius() => Field(NvmlField.MemoryTemperature);

    /// <summary>Clock of the multiprocessors now, MHz; NaN if it is not said.</summary>
    public double Megahertz() => Clock(1);

    /// <summary>Clock of the memory now, MHz; NaN if it is not said.</summary>
    public double MemoryMegahertz() => Clock(2);

    /// <summary>Highest clock of the multiprocessors, MHz; NaN if it is not said.</summary>
    public double HighestMegahertz() => Answered(nvmlDeviceGetMaxClockInfo(_handle, 1, out var megahertz), "nvmlDeviceGetMaxClockInfo") ? megahertz : double.NaN;

    /// <summary>Whether ECC is on; null if the board has none or does not say.</summary>
    public bool? EccEnabled() => Answered(nvmlDeviceGetEccMode(_handle, out var current, out _), "nvmlDeviceGetEccMode") ? current != 0 : null;

    /// <summary>ECC errors since the driver was loaded: corrected, uncorrected; null if they are not said.</summary>
    public (ulong Corrected, ulong Uncorrected)? EccErrors() =>
        Answered(nvmlDeviceGetTotalEccErrors(_handle, 0, 0, out var corrected), "nvmlDeviceGetTotalEccErrors")
        && Answered(nvmlDeviceGetTotalEccErrors(_handle, 1, 0, out var uncorrected), "nvmlDeviceGetTotalEccErrors")
            ? (corrected, uncorrected)
            : null;

    /// <summary>Whether MIG is on; null if the board has none or does not say.</summary>
    public bool? MigEnabled() => Try("nvmlDeviceGetMigMode", static h => (nvmlDeviceGetMigMode(h, out var current, out _), (double)current), out var value) ? value != 0 : null;

    /// <summary>Why the clocks are held down now, bits: 0x4 power cap, 0x8 hardware slowdown, 0x20 and 0x40 thermal, 0x80 power brake; null if it is not said.</summary>
    public ulong? ThrottleReasons() =>
        Answered(nvmlDeviceGetCurrentClocksThrottleReasons(_handle, out var reasons), "nvmlDeviceGetCurrentClocksThrottleReasons") ? reasons : null;

    /// <summary>
    /// The processes with a compute context, by their numbers in this process's namespace where NVML knows them; null if it is not said.
    /// </summary>
    public int[]? ComputeProcesses()
    {
        var room = new ProcessInfo[16];
        try
        {
            while (true)
            {
                var count = (uint)room.Length;
                NvmlReturn result;
                fixed (ProcessInfo* at = room) result = nvmlDeviceGetComputeRunningProcesses_v3(_handle, ref count, at);
                if (result == NvmlReturn.InsufficientSize)
                {
                    // Some may come in between.
                    room = new ProcessInfo[count + 16];
                    continue;
                }
                if (!Answered(result, "nvmlDeviceGetComputeRunningProcesses")) return null;
                return [.. room[..(int)count].Select(p => (int)p.Pid)];
            }
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>One field; NaN if it is absent.</summary>
    public double Field(NvmlField field, NvmlScope scope = NvmlScope.Gpu)
    {
        Span<double> value = stackalloc double[1];
        Fields([new FieldQuery(field, scope)], value);
        return value[0];
    }

    /// <summary>Several fields in one call; NaN for what is absent. In the field's own unit.</summary>
    /// <param name="queries">At most 16.</param>
    /// <param name="values">As many.</param>
    public void Fields(ReadOnlySpan<FieldQuery> queries, Span<double> values)
    {
        if (queries.Length > MostFields || values.Length < queries.Length) throw new ArgumentException($"At most {MostFields} fields, with room for as many values.", nameof(queries));
        var asked = stackalloc FieldValue[MostFields];
        for (var i = 0; i < queries.Length; i++) asked[i] = new FieldValue { Field = (uint)queries[i].Field, Scope = (uint)queries[i].Scope };
        var result = nvmlDeviceGetFieldValues(_handle, queries.Length, asked);
        // An older driver calls a field that it does not know an invalid argument.
        var whole = result != NvmlReturn.InvalidArgument && Answered(result, "nvmlDeviceGetFieldValues");
        for (var i = 0; i < queries.Length; i++)
        {
            // Whatever a single field answers, it must not cost the others, and with them the reading; only a lost device is more than an absent value.
            if (asked[i].Result is NvmlReturn.GpuIsLost or NvmlReturn.ResetRequired) _ = Answered(asked[i].Result, $"field {(uint)queries[i].Field}");
            values[i] = whole && asked[i].Result == NvmlReturn.Success ? asked[i].Value : double.NaN;
        }
    }

    /// <summary>Starts a measurement by GPM; null if the board has none or it is not permitted.</summary>
    public GpmMeasurement? StartGpm()
    {
        static (NvmlReturn, double) Support(nint handle)
        {
            var support = new GpmSupport { Version = 1 };
            var result = nvmlGpmQueryDeviceSupport(handle, &support);
            return (result, support.Supported);
        }

        if (!Try("nvmlGpmQueryDeviceSupport", Support, out var supported) || supported == 0) return null;
        var measurement = new GpmMeasurement(_handle, Uuid);
        if (measurement.Began) return measurement;
        measurement.Dispose();
        return null;
    }

    private double Clock(int kind) => Answered(nvmlDeviceGetClockInfo(_handle, kind, out var megahertz), "nvmlDeviceGetClockInfo") ? megahertz : double.NaN;

    private bool Answered(NvmlReturn result, string function) => NvmlException.Answered(result, function, Uuid);

    private bool Try(string function, Func<nint, (NvmlReturn Result, double Value)> call, out double value)
    {
        try
        {
            (var result, value) = call(_handle);
            return Answered(result, function);
        }
        catch (EntryPointNotFoundException)
        {
            // The library is older than the function.
            value = double.NaN;
            return false;
        }
    }

    private string? Text(Func<nint, nint, uint, NvmlReturn> call, string function)
    {
        var at = NvmlSession.Buffer(out var buffer);
        return Try(function, h => (call(h, (nint)at, NvmlSession.BufferBytes), 0), out _) ? NvmlSession.Text(NvmlReturn.Success, buffer) : null;
    }
}
