using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp.Gguf;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp;

/// <summary>Keys and values of all layers and sequences but for the new token's, kept while the layers that made them go: [layer][sequence][KV head][token][128] of keys, then of values.</summary>
internal sealed class SequenceCaches : IDisposable
{
    private const int Head = LayerShape.Head;

    private readonly Configuration _configuration;
    private readonly int _layers;
    private readonly AlignedBuffer<Half>[] _caches;

    public SequenceCaches(Configuration c, int layers)
    {
        (_configuration, _layers) = (c, layers);
        _caches = [.. Enumerable.Range(0, 2 * layers).Select(_ => new AlignedBuffer<Half>((long)c.Batch * c.KeyValueHeads * Cells * Head))];
    }

    private int Cells => _configuration.Context - 1;

    /// <summary>Takes what a layer of the reference has.</summary>
    public void Take(int layer, GroupedAttention attention)
    {
        for (var b = 0; b < _configuration.Batch; b++)
        {
            for (var h = 0; h < _configuration.KeyValueHeads; h++)
            {
                attention.Keys(b, h)[..(Cells * Head)].CopyTo(Of(layer, b, h));
                attention.Values(b, h)[..(Cells * Head)].CopyTo(Of(_layers + layer, b, h));
            }
        }
    }

    /// <summary>A sequence's as llama.cpp takes it: a token's heads beside each other, keys in pairs as its rows of k.</summary>
    /// <param name="sequence">Whose.</param>
    /// <param name="sample">What the library saves of a sequence of one cell.</param>
    public SequenceState StateOf(int sequence, ReadOnlySpan<byte> sample)
    {
        var heads = _configuration.KeyValueHeads;
        var state = new SequenceState(sample, Cells, _layers, heads * Head * 2);
        for (var layer = 0; layer < _layers; layer++)
        {
            for (var h = 0; h < heads; h++)
            {
                ReadOnlySpan<Half> keys = Of(layer, sequence, h), values = Of(_layers + layer, sequence, h);
                for (var cell = 0; cell < Cells; cell++)
                {
                    var to = state.Keys(layer, cell).Slice(h * Head, Head);
                    for (var i = 0; i < Head; i++) to[i] = keys[cell * Head + DecoderGguf.InPairs(i)];
                    values.Slice(cell * Head, Head).CopyTo(state.Values(layer, cell)[(h * Head)..]);
                }
            }
        }

        return state;
    }

    public void Dispose()
    {
        foreach (var cache in _caches) cache.Dispose();
    }

    private Span<Half> Of(int part, int sequence, int head) => _caches[part].Slice(((long)sequence * _configuration.KeyValueHeads + head) * Cells * Head, Cells * Head);
}
