using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>What becomes of a row segment's results: parts/epilogue.cuh.</summary>
internal enum SegmentKind : uint
{
    /// <summary>FP32 target[b·batch_stride + row].</summary>
    Raw = 0,

    /// <summary>FP16 target[b·batch_stride + row].</summary>
    Half = 1,

    /// <summary>FP16 panels of a later product: gain·y.</summary>
    Panel = 2,

    /// <summary>FP16 [head][channel], turned; the stored row order is the rotary one.</summary>
    Rotary = 3,

    /// <summary>FP16 [head][channel], natural order.</summary>
    Heads = 4,

    /// <summary>FP16 panel of silu(gate)·up.</summary>
    SwiGlu = 5,

    /// <summary>residual += y; then a panel of gain·residual.</summary>
    Residual = 6,

    /// <summary>FP32 target[b·batch_stride + head·head_stride + channel], turned; the stored row order is the rotary one.</summary>
    RotaryRaw = 7,
}

/// <summary>ProductSegment of parts/epilogue.cuh, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProductSegment
{
    public const uint None = 0xffffffff;

    public ulong Target, Gain, Squares;
    public uint FirstRow, Kind, BatchStride, HeadRows, HeadStride, Unused;
}

/// <summary>ProductArguments of parts/epilogue.cuh, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProductArguments
{
    public ulong Weights, Panel, Squares, Workspace, Arrivals, Cosine, Sine, Residual;
    public ProductSegment Segment0, Segment1, Segment2, Segment3;
    public uint Rows, Inputs, Batch, BlockRows, PanelStride;
    public float InverseWidth;
}
