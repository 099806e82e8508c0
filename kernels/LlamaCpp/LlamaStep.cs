using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.LlamaCpp.Gguf;
using EnergyGrid.Workloads;
using LLama.Native;

namespace EnergyGrid.LlamaCpp;

/// <summary>
/// One decode step of a configuration as llama.cpp executes it: each sequence gets its next token, at the plan's context, in one call for the batch. Weights, inputs and KV are the
/// reference's, number by number. What llama.cpp does beside the layers (its graph, a norm and an output of 32 rows) falls out of the slope over two L'.
/// </summary>
/// <remarks>llama.cpp as its users run it: file mapped, weights repacked where it has kernels for that, flash attention. Not thread-safe.</remarks>
public sealed unsafe class LlamaStep : ILoadedStep
{
    /// <summary>Cells of a sequence are made in multiples of that many.</summary>
    private const int CellsAtOnce = 256;

    private readonly Configuration _configuration;
    private readonly SafeLlamaModelHandle _model;
    private readonly SafeLLamaContextHandle _context;
    private readonly LLamaBatchEmbeddings _batch;

    private LlamaStep(Configuration c, SafeLlamaModelHandle model, SafeLLamaContextHandle context, LLamaBatchEmbeddings batch) =>
        (_configuration, _model, _context, _batch) = (c, model, context, batch);

    /// <summary>Makes the layers resident in llama.cpp.</summary>
    /// <param name="c">Resolved; with layers of dense attention, in FP16 or in blocks.</param>
    /// <param name="layers">L', at least 1.</param>
    /// <param name="threads">Threads that compute.</param>
    /// <param name="weights">Values of a file, where the data name one.</param>
    /// <param name="stop">Between two layers.</param>
    /// <exception cref="InvalidOperationException">llama.cpp does not take it: the message has what it said.</exception>
    public static LlamaStep Create(Configuration c, int layers, int threads, IWeightValues? weights = null, CancellationToken stop = default)
    {
        if (LlamaLibrary.Refusal() is { } refusal) throw new InvalidOperationException(refusal);
        using var file = MemoryFile.Create("llama.cpp weights");
        var gguf = new DecoderGguf(c, layers);
        gguf.WriteHead(file);
        // Their numbers of cells and layers are known, their form is the library's: it makes a sample once there is a model.
        using var caches = new SequenceCaches(c, layers);
        using (var pool = new WorkerPool(threads))
        using (var context = new StepContext(c, pool, roundActivations: true, weights))
        {
            for (var i = 0; i < layers; i++)
            {
                stop.ThrowIfCancellationRequested();
                using var layer = new DecoderLayer(context, i, Catalogue.KindOf(c, i));
                gguf.WriteLayer(file, i, layer);
                caches.Take(i, (GroupedAttention)layer.Attention);
            }
        }

        stop.ThrowIfCancellationRequested();
        return Load(c, threads, MemoryFile.PathOf(file), caches);
    }

    /// <summary>FP32 [d_model] of a sequence: the residual stream behind the last layer of the last run, normalised.</summary>
    public ReadOnlySpan<float> Output(int sequence) => _context.GetEmbeddingsIth(sequence);

    /// <summary>Weights as llama.cpp counts them, B.</summary>
    public ulong WeightBytes => _model.SizeInBytes;

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">llama.cpp cannot.</exception>
    public void Run()
    {
        var result = _context.Decode(_batch);
        if (result != DecodeResult.Ok) throw new InvalidOperationException($"llama.cpp did not decode: {result}. {LlamaLibrary.LastError}".TrimEnd());
        // The new token's cell again: each step repeats itself.
        for (var b = 0; b < _configuration.Batch; b++) _context.MemorySequenceRemove((LLamaSeqId)b, _configuration.Context - 1, -1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _context.Dispose();
        _model.Dispose();
    }

    private static LlamaStep Load(Configuration c, int threads, string path, SequenceCaches caches)
    {
        var modelParameters = LLamaModelParams.Default();
        modelParameters.n_gpu_layers = 0;
        modelParameters.use_extra_bufts = true;
        modelParameters.load_mode = LLamaLoadMode.MemoryMap;
        SafeLlamaModelHandle? model = null;
        SafeLLamaContextHandle? context = null;
        try
        {
            model = SafeLlamaModelHandle.LoadFromFile(path, modelParameters);
            context = SafeLLamaContextHandle.Create(model, ContextParameters(c, threads));
            var batch = new LLamaBatchEmbeddings(c.ModelWidth);
            if (c.Context > 1) Fill(c, context, batch, caches);
            using var input = new AlignedBuffer<float>((long)c.Batch * c.ModelWidth);
            DecodeStep.FillInput(c, input);
            batch.Clear();
            for (var b = 0; b < c.Batch; b++) batch.Add(input.Slice((long)b * c.ModelWidth, c.ModelWidth), c.Context - 1, (LLamaSeqId)b, true);
            return new LlamaStep(c, model, context, batch);
        }
        catch (Exception error)
        {
            context?.Dispose();
            model?.Dispose();
            if (error is LLama.Exceptions.RuntimeError or LLama.Exceptions.LoadWeightsFailedException) throw new InvalidOperationException($"llama.cpp: {error.Message} {LlamaLibrary.LastError}".TrimEnd(), error);
            throw;
        }
    }

    private static LLamaContextParams ContextParameters(Configuration c, int threads)
    {
        var parameters = LLamaContextParams.Default();
        parameters.n_seq_max = (uint)c.Batch;
        parameters.n_ctx = (uint)(c.Batch * ((c.Context + CellsAtOnce - 1) / CellsAtOnce * CellsAtOnce));
        (parameters.n_batch, parameters.n_ubatch) = ((uint)Math.Max(CellsAtOnce, c.Batch), (uint)Math.Max(CellsAtOnce, c.Batch));
        (parameters.n_threads, parameters.n_threads_batch) = (threads, threads);
        // Each sequence's cells lie for themselves: a step reads no other's.
        parameters.kv_unified = false;
        parameters.llama_flash_attn_type = LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_ENABLED;
        // What is behind the last layer is wanted, for comparison with the reference.
        parameters.embeddings = true;
        parameters.llama_pooling_type = LLamaPoolingType.None;
        parameters.offload_kqv = false;
        parameters.op_offload = false;
        parameters.no_perf = true;
        return parameters;
    }

    private static void Fill(Configuration c, SafeLLamaContextHandle context, LLamaBatchEmbeddings batch, SequenceCaches caches)
    {
        batch.Add(new float[c.ModelWidth], 0, (LLamaSeqId)0, true);
        if (context.Decode(batch) != DecodeResult.Ok) throw new InvalidOperationException($"llama.cpp did not decode a token. {LlamaLibrary.LastError}".TrimEnd());
        var sample = new byte[(int)context.GetStateSize((LLamaSeqId)0)];
        fixed (byte* to = sample)
        {
            if (context.GetState(to, (nuint)sample.Length, (LLamaSeqId)0) != (nuint)sample.Length) throw new InvalidOperationException("llama.cpp did not save a sequence.");
        }

        context.MemoryClear(true);
        for (var b = 0; b < c.Batch; b++)
        {
            using var state = caches.StateOf(b, sample);
            if (context.SetState(state.Pointer, (nuint)state.Bytes, (LLamaSeqId)b) != (nuint)state.Bytes) throw new InvalidOperationException($"llama.cpp did not take the cache of sequence {b}. {LlamaLibrary.LastError}".TrimEnd());
        }
    }
}
