using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads.Tests.Independent;

/// <summary>
/// A decode step in double precision, formulated otherwise than the reference: latent attention with K and V expanded, sparse attentions as dense ones under a mask,
/// lightning as an explicit sum over the runs. The past is read from the step's stores before it runs; slot s − 1 is computed here.
/// </summary>
internal sealed class Model
{
    private readonly Configuration _c;
    private readonly List<DecoderLayer> _layers;
    private readonly List<Func<int, double[], double[]>> _attentions;
    private readonly double[][] _inputs;

    public Model(DecodeStep step)
    {
        _c = step.Configuration;
        _layers = [.. step.LayerList];
        _attentions = [.. _layers.Select(l => l.Attention switch
        {
            GroupedAttention a => Grouped(a, l.Kind == LayerKind.NativeSparse),
            LatentAttention a => Latent(a),
            LightningAttention a => Lightning(a),
            CompressedAttention a => Compressed(a, l.Kind == LayerKind.CompressedSparse),
            _ => throw new InvalidOperationException(),
        })];
        var input = Dense.ToDouble(step.Input);
        _inputs = [.. Enumerable.Range(0, _c.Batch).Select(b => input[(b * _c.ModelWidth)..((b + 1) * _c.ModelWidth)])];
    }

    /// <summary>[batch · d_model] after one more run.</summary>
    public double[] Run() => [.. Enumerable.Range(0, _c.Batch).SelectMany(b =>
    {
        var x = _inputs[b];
        for (var i = 0; i < _layers.Count; i++)
        {
            var layer = _layers[i];
            var gains = new[] { Dense.ToDouble((ReadOnlySpan<float>)layer.Gains(0)), Dense.ToDouble((ReadOnlySpan<float>)layer.Gains(1)) };
            var normed = Dense.Norm(x).Zip(gains[0], (a, g) => a * g).ToArray();
            x = [.. x.Zip(_attentions[i](b, normed), (p, q) => p + q)];
            normed = [.. Dense.Norm(x).Zip(gains[1], (a, g) => a * g)];
            var gate = Dense.Multiply(layer.FeedForward.Gate, normed);
            var up = Dense.Multiply(layer.FeedForward.Up, normed);
            var hidden = gate.Zip(up, (p, q) => p * Dense.Sigmoid(p) * q).ToArray();
            x = [.. x.Zip(Dense.Multiply(layer.FeedForward.Down, hidden), (p, q) => p + q)];
        }

        return x;
    })];

    private static double[] Part(double[] x, int index, int width) => x[(index * width)..((index + 1) * width)];

    private Func<int, double[], double[]> Grouped(GroupedAttention a, bool sparse)
    {
        var (q, k, v, o) = (a.Matrices[0], a.Matrices[1], a.Matrices[2], a.Matrices[3]);
        var past = Enumerable.Range(0, _c.Batch).Select(b => Enumerable.Range(0, _c.KeyValueHeads).Select(h => (Keys: Dense.ToDouble(a.Keys(b, h)), Values: Dense.ToDouble(a.Values(b, h)))).ToArray()).ToArray();
        var s = _c.Context;
        return (b, x) =>
        {
            var (queries, newKeys, newValues) = (Dense.Multiply(q, x), Dense.Multiply(k, x), Dense.Multiply(v, x));
            return Dense.Multiply(o, [.. Enumerable.Range(0, _c.Heads).SelectMany(h =>
            {
                var kv = h / (_c.Heads / _c.KeyValueHeads);
                double[][] keys = [.. Enumerable.Range(0, s - 1).Select(t => Part(past[b][kv].Keys, t, 128)), Dense.Half(Dense.Rope(Part(newKeys, kv, 128), s - 1))];
                double[][] values = [.. Enumerable.Range(0, s - 1).Select(t => Part(past[b][kv].Values, t, 128)), Dense.Half(Part(newValues, kv, 128))];
                var query = Dense.Rope(Part(queries, h, 128), s - 1);
                var scale = 1 / Math.Sqrt(128);
                if (!sparse)
                {
                    return Dense.Attend(query, keys, values, scale);
                }

                var blocks = a.Selected(b, kv).ToArray();
                var compressed = Enumerable.Range(0, (s - 32) / 16 + 1).ToArray();
                var branches = new[]
                {
                    Dense.Attend(query, [.. compressed.Select(e => Mean(keys, e))], [.. compressed.Select(e => Mean(values, e))], scale),
                    Dense.Attend(query, keys, values, scale, t => blocks.Contains(t / 64)),
                    Dense.Attend(query, keys, values, scale, t => t >= s - 512),
                };
                return [.. Enumerable.Range(0, 128).Select(d => branches.Average(branch => branch[d]))];
            })]);
        };

        static double[] Mean(double[][] rows, int e) => Dense.Half([.. Enumerable.Range(0, 128).Select(d => rows.Skip(16 * e).Take(32).Average(r => r[d]))]);
    }

    private Func<int, double[], double[]> Latent(LatentAttention a)
    {
        var m = a.Matrices;
        var past = Enumerable.Range(0, _c.Batch).Select(b => Dense.ToDouble(a.Cache(b))).ToArray();
        var s = _c.Context;
        return (b, x) =>
        {
            var queries = Dense.Multiply(m[1], Dense.Norm(Dense.Multiply(m[0], x)));
            var entry = Dense.Multiply(m[2], x);
            double[] newest = Dense.Half([.. Dense.Norm(entry[..512]), .. Dense.Rope(entry[512..], s - 1)]);
            double[][] cache = [.. Enumerable.Range(0, s - 1).Select(t => Part(past[b], t, 576)), newest];
            return Dense.Multiply(m[5], [.. Enumerable.Range(0, _c.Heads).SelectMany(h =>
            {
                // Expanded: k = [W_UK'·latent, rope], v = W_UV·latent.
                var expand = Dense.Rows(m[3], h * 512, 512);
                double[][] keys = [.. cache.Select(e => (double[])[.. Enumerable.Range(0, 128).Select(i => Enumerable.Range(0, 512).Sum(l => expand[l * 128 + i] * e[l])), .. e[512..]])];
                double[][] values = [.. cache.Select(e => Dense.Multiply(m[4], e, h * 128, 128))];
                var query = Part(queries, h, 192);
                return Dense.Attend([.. query[..128], .. Dense.Rope(query[128..], s - 1)], keys, values, 1 / Math.Sqrt(192));
            })]);
        };
    }

    private Func<int, double[], double[]> Lightning(LightningAttention a)
    {
        var m = a.Matrices;
        var initial = Enumerable.Range(0, _c.Batch).Select(b => Enumerable.Range(0, _c.Heads).Select(h => Dense.ToDouble(a.StateOf(b, h))).ToArray()).ToArray();
        var history = Enumerable.Range(0, _c.Batch).Select(_ => new List<(double[] K, double[] V)>()).ToArray();
        return (b, x) =>
        {
            double[] Silu(PackedMatrix w) => [.. Dense.Multiply(w, x).Select(y => y * Dense.Sigmoid(y))];
            var query = Silu(m[0]);
            history[b].Add((Silu(m[1]), Silu(m[2])));
            var n = history[b].Count;
            double[] mixed = [.. Enumerable.Range(0, _c.Heads).SelectMany(h =>
            {
                var rate = Math.Pow(2, -8.0 * (h + 1) / _c.Heads);
                var q = Part(query, h, 128);
                return Enumerable.Range(0, 128).Select(d =>
                    Math.Exp(-rate * n) * Enumerable.Range(0, 128).Sum(i => q[i] * initial[b][h][i * 128 + d])
                    + history[b].Select((t, j) => Math.Exp(-rate * (n - 1 - j)) * Dense.Dot(q, Part(t.K, h, 128)) * t.V[h * 128 + d]).Sum());
            })];
            var gate = Dense.Multiply(m[3], x);
            return Dense.Multiply(m[4], [.. Dense.Norm(mixed).Zip(gate, (y, g) => y * Dense.Sigmoid(g))]);
        };
    }

    private Func<int, double[], double[]> Compressed(CompressedAttention a, bool sparse)
    {
        var m = a.Matrices;
        var s = _c.Context;
        var entries = s / (sparse ? 4 : 128);
        var tokens = sparse ? 8 : 128;
        var width = sparse ? 1024 : 512;
        var stored = Enumerable.Range(0, _c.Batch).Select(b => Enumerable.Range(0, entries).Select(e => Entries.Read(a.Stored(b), e)).ToArray()).ToArray();
        var window = Enumerable.Range(0, _c.Batch).Select(b => Enumerable.Range(0, 128).Select(e => Entries.Read(a.WindowOf(b), e)).ToArray()).ToArray();
        var recent = Enumerable.Range(0, _c.Batch).Select(b => Tokens(Dense.ToDouble(a.Recent(b)), width)).ToArray();
        var keys = Enumerable.Range(0, sparse ? _c.Batch : 0).Select(b => Enumerable.Range(0, entries).Select(e => Entries.ReadKey(a.IndexKeys(b), e)).ToArray()).ToArray();
        var indexRecent = Enumerable.Range(0, sparse ? _c.Batch : 0).Select(b => Tokens(Dense.ToDouble(a.IndexRecent(b)), 256)).ToArray();
        var sinks = Dense.ToDouble(a.Sinks);

        List<(double[], double[])> Tokens(double[] all, int w) => [.. Enumerable.Range(0, tokens - 1).Select(t => (Part(all, 2 * t, w), Part(all, 2 * t + 1, w)))];
        double[] Turn(double[] x, double position, int plain = 448) => [.. x[..plain], .. Dense.Rope(x[plain..], position)];

        return (b, x) =>
        {
            var low = Dense.Norm(Dense.Multiply(m[0], x));
            var queries = Dense.Multiply(m[1], low);
            window[b][(s - 1) % 128] = Entries.Round(Turn(Dense.Norm(Dense.Multiply(m[2], x)), s - 1));
            var first = (entries - 1) * (sparse ? 4 : 128);
            var compressed = Entries.Compress([.. recent[b], (Dense.Multiply(m[5], x), Dense.Multiply(m[6], x))], 512, sparse);
            stored[b][entries - 1] = Entries.Round(Turn(compressed, first));
            HashSet<int> read = [.. Enumerable.Range(0, entries)];
            if (sparse)
            {
                keys[b][entries - 1] = Entries.RoundKey(Turn(Entries.Compress([.. indexRecent[b], (Dense.Multiply(m[7], x), Dense.Multiply(m[8], x))], 128, true), first, 64));
                var index = Dense.Multiply(m[9], low);
                var weights = Dense.Multiply(m[10], x);
                var turned = Enumerable.Range(0, 64).Select(h => Turn(Part(index, h, 128), s - 1, 64)).ToArray();
                read = [.. Enumerable.Range(0, entries).OrderByDescending(e => Enumerable.Range(0, 64).Sum(h => weights[h] * Math.Max(0, Dense.Dot(turned[h], keys[b][e])))).Take(512)];
            }

            double[][] all = [.. stored[b], .. window[b]];
            double[] mixed = [.. Enumerable.Range(0, _c.Heads).SelectMany(h =>
            {
                var query = Turn(Dense.Norm(Part(queries, h, 512)), s - 1);
                return Turn(Dense.Attend(query, all, all, 1 / Math.Sqrt(512), t => t >= entries || read.Contains(t), sinks[h]), -(s - 1));
            })];
            var share = mixed.Length / 8;
            double[] grouped = [.. Enumerable.Range(0, 8).SelectMany(g => Dense.Multiply(m[3], Part(mixed, g, share), g * 1024, 1024))];
            return Dense.Multiply(m[4], grouped);
        };
    }
}
