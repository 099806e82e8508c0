using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>NewEntriesArguments of kernels/new_entries.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NewEntriesArguments
{
    public ulong Entry, Value, Gate, IndexValue, IndexGate, Recent, IndexRecent, Angles, EntryAngles, Window, Stored, IndexKeys, Compressed, Arrivals, StoredBytes, IndexBytes;
    public uint Batch, Entries, Tokens, Overlapping, WindowSlot, EntryStride, CompressStride, IndexStride;
}

/// <summary>IndexScoresArguments of kernels/index_scores.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IndexScoresArguments
{
    public ulong Queries, Weights, Keys, Scores, KeyBytes;
    public uint Batch, Entries, WeightStride, Unused;
}

/// <summary>SelectTopArguments of kernels/select_top.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SelectTopArguments
{
    public ulong Scores, Selected, CandidateScores, CandidateEntries, Arrivals;
    public uint Batch, Entries, Slices, Unused;
}

/// <summary>AttentionCompressedArguments of kernels/attention_compressed.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionCompressedArguments
{
    public ulong Queries, Angles, Stored, Window, Selected, Parts, Statistics, StoredBytes;
    public uint Batch, Heads, Reads, Unused;
}
