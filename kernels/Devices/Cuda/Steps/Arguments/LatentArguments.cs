using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>AttentionLatentArguments of kernels/attention_latent.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionLatentArguments
{
    public ulong Queries, Entry, Cache, Parts, Statistics;
    public uint Batch, Heads, Context;
}

/// <summary>MergeLatentArguments of parts/merge.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MergeLatentArguments
{
    public ulong Parts, Statistics, Sinks, Angles, Panels;
    public uint Batch, Heads, Tiles, Blocks, ColumnTiles, HeadsTogether;
}
