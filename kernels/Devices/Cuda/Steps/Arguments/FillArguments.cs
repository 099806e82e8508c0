using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>FillWeightsArguments of kernels/fill_weights.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillWeightsArguments
{
    public ulong Units, Rows, Keys;
    public uint RowCount, Inputs;
}

/// <summary>FillNormalArguments of kernels/fill_normal.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillNormalArguments
{
    public ulong Numbers, Panel, PanelRest, Keys;
    public uint Rows, Width;
    public float Deviation, Mean;
    public uint RoundToHalf, ColumnTiles;
}

/// <summary>Pool of parts/history.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HistoryPool
{
    public ulong Projected, Rest, Columns, Key;
    public uint Stride, Unused;
}

/// <summary>Turns of parts/history.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HistoryTurns
{
    public ulong Coarse, Fine;
}

/// <summary>FillGroupedArguments of kernels/fill_grouped.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillGroupedArguments
{
    public HistoryPool Keys, Values;
    public HistoryTurns Turns;
    public ulong KeyCache, ValueCache;
    public uint Batch, KeyValueHeads, Context, Unused;
}

/// <summary>FillCompressedArguments of kernels/fill_compressed.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillCompressedArguments
{
    public ulong Cache, Compressed;
    public uint Rows, Context, Entries, Unused;
}

/// <summary>FillLatentArguments of kernels/fill_latent.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillLatentArguments
{
    public HistoryPool Entries;
    public HistoryTurns Turns;
    public ulong Cache;
    public uint Batch, Context;
}

/// <summary>FillStateArguments of kernels/fill_state.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillStateArguments
{
    public HistoryPool Keys, Values;
    public ulong Decays, State;
    public uint Heads, Tokens;
}

/// <summary>FillEntryPoolArguments of kernels/fill_entry_pool.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillEntryPoolArguments
{
    public HistoryPool Values, Gates;
    public ulong Entries;
    public uint Columns, Tokens, Overlapping, Unused;
}

/// <summary>FillEntriesArguments of kernels/fill_entries.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillEntriesArguments
{
    public ulong Pool, IndexPool;
    public HistoryTurns Turns;
    public ulong Stored, IndexKeys, Key;
    public uint Batch, Entries, Ratio, Unused;
}

/// <summary>FillWindowArguments of kernels/fill_window.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillWindowArguments
{
    public HistoryPool Entries;
    public HistoryTurns Turns;
    public ulong Window;
    public uint Batch, Context;
}

/// <summary>FillRecentArguments of kernels/fill_recent.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillRecentArguments
{
    public HistoryPool Values, Gates;
    public ulong Recent;
    public uint Batch, Tokens, Width, Context;
}
