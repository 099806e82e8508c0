using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>AttentionParts of parts/attention_rows.cuh: what is merged over blocks.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionParts
{
    public ulong Results, States, Arrivals;
}

/// <summary>AttentionGroupedArguments of kernels/attention_grouped.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionGroupedArguments
{
    public ulong Queries, Keys, Values, Output;
    public AttentionParts Parts;
    public uint Batch, Heads, KvHeads, Context, BatchTiles;
    public float Scale;
}

/// <summary>AttentionNativeSparseArguments of kernels/attention_native_sparse.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionNativeSparseArguments
{
    public ulong Queries, Keys, Values, CompressedKeys, CompressedValues, Selected, Output;
    public AttentionParts Parts;
    public uint Batch, Heads, KvHeads, Context, BatchTiles;
    public float Scale;
}

/// <summary>LightningStateArguments of kernels/lightning_state.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LightningStateArguments
{
    public ulong Projections, State, Decay, Output, Squares;
    public uint Batch, Heads, BatchTiles;
}
