using static EnergyGrid.Devices.Cuda.Nvml.NvmlApi;

namespace EnergyGrid.Devices.Cuda.Nvml;

/// <summary>What the multiprocessors and the memory did between two samples, which must be more than 100 ms apart.</summary>
public sealed unsafe class GpmMeasurement : IDisposable
{
    // nvmlGpmMetricsGet_t has room for as many metrics as the library knows: more than any header to date.
    private const int RoomBytes = 24 + 512 * 40;

    private readonly nint _device;
    private readonly string _uuid;
    private nint _first;
    private nint _second;

    internal GpmMeasurement(nint device, string uuid)
    {
        (_device, _uuid) = (device, uuid);
        if (!Answered(nvmlGpmSampleAlloc(out _first), "nvmlGpmSampleAlloc") || !Answered(nvmlGpmSampleAlloc(out _second), "nvmlGpmSampleAlloc")) return;
        Began = Answered(nvmlGpmSampleGet(_device, _first), "nvmlGpmSampleGet");
    }

    internal bool Began { get; }

    /// <summary>Takes the second sample. Percent; what is not said is left out.</summary>
    public IReadOnlyDictionary<GpmMetricId, double> End()
    {
        var result = new Dictionary<GpmMetricId, double>();
        if (!Answered(nvmlGpmSampleGet(_device, _second), "nvmlGpmSampleGet")) return result;
        var ids = Enum.GetValues<GpmMetricId>();
        var room = stackalloc byte[RoomBytes];
        new Span<byte>(room, RoomBytes).Clear();
        *(GpmMetrics*)room = new GpmMetrics { Version = 1, Count = (uint)ids.Length, First = _first, Second = _second };
        var metrics = (GpmMetric*)(room + sizeof(GpmMetrics));
        for (var i = 0; i < ids.Length; i++) metrics[i].Id = (uint)ids[i];
        if (!Answered(nvmlGpmMetricsGet((GpmMetrics*)room), "nvmlGpmMetricsGet")) return result;
        for (var i = 0; i < ids.Length; i++)
            if (metrics[i].Result == NvmlReturn.Success && double.IsFinite(metrics[i].Value)) result[ids[i]] = metrics[i].Value;
        return result;
    }

    public void Dispose()
    {
        if (_first != 0) _ = nvmlGpmSampleFree(_first);
        if (_second != 0) _ = nvmlGpmSampleFree(_second);
        (_first, _second) = (0, 0);
    }

    private bool Answered(NvmlReturn result, string function) => NvmlException.Answered(result, function, _uuid);
}
