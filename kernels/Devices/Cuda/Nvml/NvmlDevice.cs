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
/// One GPU through NVML. What it lacks, what the library is too old for, or what we may not see, is null or NaN and never zero. Every member throws
/// <see cref="DeviceLostException"/> when the device does not answer any more, and <see cref="NvmlException"/> for any other code, known or not.
/// </summary>
public sealed unsafe class NvmlDevice
{
    private const int MostFields = 16;

    // No board draws twice its highest limit for as long as a sensor looks; a limit beyond this is none, and where none is told this is the bound, W.
    private const double LimitFactor = 2, LargestLimitWatts = 5000;

    private readonly nint _handle;

    internal NvmlDevice(nint handle, string which)
    {
        (_handle, Uuid) = (handle, which);
        Uuid = Text(nvmlDeviceGetUUID, "nvmlDeviceGetUUID") ?? which;
        Name = Text(nvmlDeviceGetName, "nvmlDeviceGetName") ?? "unknown GPU";
        Serial = Text(nvmlDeviceGetSerial, "nvmlDeviceGetSerial");
        Vbios = Text(nvmlDeviceGetVbiosVersion, "nvmlDeviceGetVbiosVersion");
        PciBusId = Text(
            static (h, text, length) =>
            {
                PciInfo pci;
                var result = nvmlDeviceGetPciInfo_v3(h, &pci);
                new ReadOnlySpan<byte>(pci.BusId, 32).CopyTo(new Span<byte>(text, (int)length));
                return result;
            },
            "nvmlDeviceGetPciInfo");
    }

    private delegate NvmlReturn TextQuestion(nint device, byte* text, uint length);

    private delegate NvmlReturn Question<T>(nint device, out T value);

    /// <summary>GPU-….</summary>
    public string Uuid { get; }

    /// <summary>As sold.</summary>
    public string Name { get; }

    /// <summary>Of the board; null if it has none to say.</summary>
    public string? Serial { get; }

    /// <summary>Version of the board's own program, which its sensors are a part of; null if it is not said.</summary>
    public string? Vbios { get; }

    /// <summary>domain:bus:device.function.</summary>
    public string? PciBusId { get; }

    /// <summary>The energy counter, J since the driver was loaded; NaN if there is none.</summary>
    public double EnergyJoules() => Ask(nvmlDeviceGetTotalEnergyConsumption, "nvmlDeviceGetTotalEnergyConsumption", out ulong millijoules) ? millijoules / 1000.0 : double.NaN;

    /// <summary>nvmlDeviceGetPowerUsage, W: on Ampere and later a mean of about a second. NaN if it is not said.</summary>
    public double PowerUsageWatts() => Ask(nvmlDeviceGetPowerUsage, "nvmlDeviceGetPowerUsage", out uint milliwatts) ? milliwatts / 1000.0 : double.NaN;

    /// <summary>Whether it tells its energy or its power at all: a display card, a vGPU or a part in MIG mode may tell neither.</summary>
    public bool CanBeMetered() => !(double.IsNaN(EnergyJoules()) && double.IsNaN(PowerUsageWatts()) && double.IsNaN(Field(NvmlField.InstantPower)));

    /// <summary>The enforced limit, W; NaN if it is not said.</summary>
    public double PowerLimitWatts()
    {
        if (Ask(nvmlDeviceGetEnforcedPowerLimit, "nvmlDeviceGetEnforcedPowerLimit", out uint milliwatts)) return milliwatts / 1000.0;
        return Field(NvmlField.PowerLimit) / 1000;
    }

    /// <summary>More than the board can draw, W: twice the highest of its limits. A power beyond it, and a step of the counter that implies one, is no reading.</summary>
    public double ImpossibleWatts()
    {
        Span<double> limits = stackalloc double[3];
        Fields([new(NvmlField.MostPowerLimit), new(NvmlField.DefaultPowerLimit), new(NvmlField.PowerLimit)], limits);
        var highest = PowerLimitWatts() is var enforced and > 0 and < LargestLimitWatts ? enforced : 0;
        foreach (var milliwatts in limits)
            if (milliwatts / 1000 is var watts and > 0 and < LargestLimitWatts) highest = Math.Max(highest, watts);
        return highest > 0 ? LimitFactor * highest : LargestLimitWatts;
    }

    /// <summary>GPU temperature, °C; NaN if it is not said.</summary>
    public double Celsius() => Ask(static (nint h, out uint value) => nvmlDeviceGetTemperature(h, 0, out value), "nvmlDeviceGetTemperature", out var degrees) ? degrees : double.NaN;

    /// <summary>Memory temperature, °C; NaN if it is not said.</summary>
    public double MemoryCelsius() => Field(NvmlField.MemoryTemperature);

    /// <summary>Clock of the multiprocessors now, MHz; NaN if it is not said.</summary>
    public double Megahertz() => Ask(static (nint h, out uint value) => nvmlDeviceGetClockInfo(h, 1, out value), "nvmlDeviceGetClockInfo", out var megahertz) ? megahertz : double.NaN;

    /// <summary>Clock of the memory now, MHz; NaN if it is not said.</summary>
    public double MemoryMegahertz() => Ask(static (nint h, out uint value) => nvmlDeviceGetClockInfo(h, 2, out value), "nvmlDeviceGetClockInfo", out var megahertz) ? megahertz : double.NaN;

    /// <summary>Highest clock of the multiprocessors, MHz; NaN if it is not said.</summary>
    public double HighestMegahertz() => Ask(static (nint h, out uint value) => nvmlDeviceGetMaxClockInfo(h, 1, out value), "nvmlDeviceGetMaxClockInfo", out var megahertz) ? megahertz : double.NaN;

    /// <summary>Share of its last sampling period (a sixth of a second to a second) in which a kernel ran, 0–1; NaN if it is not said.</summary>
    public double Utilisation() => Ask<Utilization>(nvmlDeviceGetUtilizationRates, "nvmlDeviceGetUtilizationRates", out var rates) ? rates.Gpu / 100.0 : double.NaN;

    /// <summary>Memory that is taken, by whomever and by the driver, B; NaN if it is not said.</summary>
    public double MemoryUsedBytes() => Ask<Memory>(nvmlDeviceGetMemoryInfo, "nvmlDeviceGetMemoryInfo", out var memory) ? memory.Used : double.NaN;

    /// <summary>Whether ECC is on; null if the board has none or does not say.</summary>
    public bool? EccEnabled() => Ask(static (nint h, out int value) => nvmlDeviceGetEccMode(h, out value, out _), "nvmlDeviceGetEccMode", out var current) ? current != 0 : null;

    /// <summary>ECC errors since the driver was loaded: corrected, uncorrected; null if they are not said.</summary>
    public (ulong Corrected, ulong Uncorrected)? EccErrors() =>
        Ask(static (nint h, out ulong value) => nvmlDeviceGetTotalEccErrors(h, 0, 0, out value), "nvmlDeviceGetTotalEccErrors", out var corrected)
        && Ask(static (nint h, out ulong value) => nvmlDeviceGetTotalEccErrors(h, 1, 0, out value), "nvmlDeviceGetTotalEccErrors", out var uncorrected)
            ? (corrected, uncorrected)
            : null;

    /// <summary>Whether MIG is on; null if the board has none or does not say.</summary>
    public bool? MigEnabled() => Ask(static (nint h, out uint value) => nvmlDeviceGetMigMode(h, out value, out _), "nvmlDeviceGetMigMode", out var current) ? current != 0 : null;

    /// <summary>Why the clocks are held down now, bits: 0x4 power cap, 0x8 hardware slowdown, 0x20 and 0x40 thermal, 0x80 power brake; null if it is not said.</summary>
    public ulong? ThrottleReasons() => Ask(nvmlDeviceGetCurrentClocksThrottleReasons, "nvmlDeviceGetCurrentClocksThrottleReasons", out ulong reasons) ? reasons : null;

    /// <summary>
    /// The processes with a compute context, by their numbers in this process's namespace where NVML knows them; null if it is not said.
    /// </summary>
    public int[]? ComputeProcesses()
    {
        var room = new ProcessInfo[16];
        while (true)
        {
            var (into, found) = (room, (uint)room.Length);
            // A list that is too long for its room is an answer too: some may come in between.
            if (!Ask(Listed, "nvmlDeviceGetComputeRunningProcesses", out bool fits)) return null;
            if (fits) return [.. room[..(int)found].Select(p => (int)p.Pid)];
            room = new ProcessInfo[found + 16];

            NvmlReturn Listed(nint handle, out bool whole)
            {
                NvmlReturn result;
                fixed (ProcessInfo* at = into) result = nvmlDeviceGetComputeRunningProcesses_v3(handle, ref found, at);
                whole = result != NvmlReturn.InsufficientSize;
                return whole ? result : NvmlReturn.Success;
            }
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
        var (at, count) = ((nint)asked, queries.Length);
        var whole = Ask(Asked, "nvmlDeviceGetFieldValues", out bool known) && known;
        for (var i = 0; i < queries.Length; i++)
        {
            // Whatever a single field answers, it must not cost the others, and with them the reading; only a lost device is more than an absent value.
            if (asked[i].Result is NvmlReturn.GpuIsLost or NvmlReturn.GpuNotFound or NvmlReturn.ResetRequired) _ = NvmlException.Answered(asked[i].Result, $"field {(uint)queries[i].Field}", Uuid);
            values[i] = whole && asked[i].Result == NvmlReturn.Success ? asked[i].Value : double.NaN;
        }

        NvmlReturn Asked(nint handle, out bool known)
        {
            var result = nvmlDeviceGetFieldValues(handle, count, (FieldValue*)at);
            // An older driver calls a field that it does not know an invalid argument.
            known = result != NvmlReturn.InvalidArgument;
            return known ? result : NvmlReturn.Success;
        }
    }

    /// <summary>Starts a measurement by GPM; null if the board has none or it is not permitted.</summary>
    public GpmMeasurement? StartGpm()
    {
        static NvmlReturn Support(nint handle, out uint supported)
        {
            var support = new GpmSupport { Version = 1 };
            var result = nvmlGpmQueryDeviceSupport(handle, &support);
            supported = support.Supported;
            return result;
        }

        if (!Ask(Support, "nvmlGpmQueryDeviceSupport", out uint supported) || supported == 0) return null;
        var measurement = new GpmMeasurement(_handle, Uuid);
        if (measurement.Began) return measurement;
        measurement.Dispose();
        return null;
    }

    // The one way to ask: what the library is too old for is as absent as what the board lacks.
    private bool Ask<T>(Question<T> call, string function, out T value)
        where T : unmanaged
    {
        value = default;
        try
        {
            return NvmlException.Answered(call(_handle, out value), function, Uuid);
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private string? Text(TextQuestion call, string function)
    {
        var at = NvmlSession.Buffer(out var buffer);
        return Ask(Read, function, out bool _) ? NvmlSession.Text(NvmlReturn.Success, buffer) : null;

        NvmlReturn Read(nint handle, out bool read)
        {
            read = true;
            return call(handle, at, NvmlSession.BufferBytes);
        }
    }
}
