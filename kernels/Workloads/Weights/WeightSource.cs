using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>The file of weights that a configuration's data name. Once a file was found to be the right one it stays open: its hash is not taken again for every leg. Not thread-safe.</summary>
/// <param name="pathOf">Where the file lies; null where nobody said.</param>
public sealed class WeightSource(Func<Configuration, string?> pathOf) : IDisposable
{
    private SafetensorsFile? _file;

    /// <summary>Why the data of a configuration cannot be had here, as far as can be said without reading the file; null if they can.</summary>
    public string? Refusal(Configuration configuration)
    {
        if (configuration.Data is "normal" or "zeros") return null;
        if (!WeightFile.IsOne(configuration.Data)) return $"data '{configuration.Data}' are none that the cpu can make; it makes normal and zeros, and reads {WeightFile.Prefix}SHA256:PATTERN";
        try
        {
            _ = WeightFile.Parse(configuration.Data);
        }
        catch (WeightsRefusedException refused)
        {
            return refused.Message;
        }
        if (pathOf(configuration) is not { } path) return "the data name a file of weights, and nobody said where it lies on this node";
        return File.Exists(path) ? null : $"the file of weights '{path}' is not there";
    }

    /// <summary>The values of its tensors; null where the data name no file.</summary>
    /// <exception cref="WeightsRefusedException">It is not the file that they name, or cannot be read.</exception>
    public IWeightValues? Values(Configuration configuration, CancellationToken stop)
    {
        if (!WeightFile.IsOne(configuration.Data)) return null;
        var choice = WeightFile.Parse(configuration.Data);
        var path = pathOf(configuration) ?? throw new WeightsRefusedException("the data name a file of weights, and nobody said where it lies on this node");
        if (_file is null || _file.Path != path || _file.Sha256 != choice.Sha256 || !_file.IsUnchanged)
        {
            _file?.Dispose();
            _file = null;
            _file = SafetensorsFile.Open(path, choice.Sha256, stop);
        }
        return _file.Values(choice);
    }

    public void Dispose() => _file?.Dispose();
}
