// What becomes of a product's results: by row segment, a tile of 16 rows at a time, from mma's D fragments. Batch columns past the batch are never written.
#pragma once
#include "layout.cuh"

/// Kinds of row segment. `row` counts from the segment's first row.
constexpr u32 SegmentRaw = 0;       // FP32 target[b·batch_stride + row]
constexpr u32 SegmentHalf = 1;      // FP16 target[b·batch_stride + row]
constexpr u32 SegmentPanel = 2;     // FP16 panel(s) of a later product: gain[row]·y; head_rows inputs a panel, panels head_stride words apart
constexpr u32 SegmentRotary = 3;    // FP16 target[b·batch_stride + head·head_stride + channel], rotated; head_rows = head width; stored row order as in README.md
constexpr u32 SegmentHeads = 4;     // the same, not rotated, natural row order
constexpr u32 SegmentSwiglu = 5;    // FP16 panel of half as many inputs: silu(gate)·up; tile rows 0 to 7 are gates, 8 to 15 their partners
constexpr u32 SegmentResidual = 6;  // residual[b·batch_stride + row] += y, then as SegmentPanel with the new residual in place of y
constexpr u32 SegmentRotaryRaw = 7;  // FP32 target[b·batch_stride + head·head_stride + channel], rotated; otherwise as SegmentRotary
constexpr u32 NoSegment = 0xffffffffu;

/// Rows first_row up to the next segment's. 48 bytes.
struct ProductSegment {
    void* target;        // see the kinds; null allowed for SegmentResidual: no panel then
    const float* gain;   // FP32 [rows of the segment], or null for ones (panel, residual)
    float* squares;      // FP32 [batch]: += Σ over the segment's rows of result² (residual: of the new residual²), or null. Not for SwiGLU
    u32 first_row;       // a multiple of 16, ascending; NoSegment where there is none
    u32 kind;
    u32 batch_stride;    // elements
    u32 head_rows;       // a multiple of 16 (see the kinds)
    u32 head_stride;     // elements; panels: 32-bit words
    u32 unused;          // 0
};

/// One kernel's argument. C# mirrors it field by field.
struct ProductArguments {
    const u8* weights;        // units [slab][chunk], see README.md
    const u32* panel;         // FP16 panels [block][inputs / 16][batch tiles][32][2] words; padded columns are zero
    const float* squares;     // FP32 [batch]: results × 1/√(squares[b]·inverse_width + 1e-6); or null
    float* workspace;         // FP32 [2·grid][16 tiles][batch tiles][32][4]; contents are of no account
    u32* arrivals;            // [slabs], zero before and after
    const float* cosine;      // FP32 [head_rows / 2] of the rotary segments
    const float* sine;        // as cosine
    float* residual;          // FP32 [batch][batch_stride]
    ProductSegment segment0, segment1, segment2, segment3;
    u32 rows;                 // a multiple of 16
    u32 inputs;               // a multiple of 128 (of one block, for block-diagonal products)
    u32 batch;                // 1 to 8·batch tiles
    u32 block_rows;           // rows that share a panel: a multiple of 64, at least 128; 0: all rows
    u32 panel_stride;         // 32-bit words between the panels of two blocks
    float inverse_width;      // 1 / width of the deferred norm
};

/// `segment`, or `found` where the row lies before it. Field by field: a copy of the whole would put the arguments into local memory.
FN ProductSegment later_segment(const ProductSegment& found, const ProductSegment& segment, u32 row) {
    const bool later = row >= segment.first_row;
    return {later ? segment.target : found.target,         later ? segment.gain : found.gain,           later ? segment.squares : found.squares,
            later ? segment.first_row : found.first_row,   later ? segment.kind : found.kind,           later ? segment.batch_stride : found.batch_stride,
            later ? segment.head_rows : found.head_rows,   later ? segment.head_stride : found.head_stride, 0};
}
/// The segment that holds `row`.
FN ProductSegment segment_at(const ProductArguments& arguments, u32 row) {
    ProductSegment found = later_segment(arguments.segment0, arguments.segment1, row);
    found = later_segment(found, arguments.segment2, row);
    return later_segment(found, arguments.segment3, row);
}

/// Lanes that differ in the lowest bit of g exchange, so that each holds two neighbouring rows of one column: rows g & ~1 and its successor of column 2t + g % 2.
FN u32 pair_rows(float first_column, float second_column, u32 g) {
    bool odd = g & 1;
    float received = shuffle_xor(odd ? first_column : second_column, 4);
    return odd ? pack_half(received, second_column) : pack_half(first_column, received);
}

/// Results d of one tile, whose first row is `row`, go where their segment says. `sums` collects squares by column for the segment's `squares`.
template<u32 batch_tiles> FN void store_tile(const ProductArguments& arguments, const ProductSegment& segment, u32 row, float (&d)[batch_tiles][4], float (&sums)[batch_tiles][2]) {
    const u32 g = lane_index() / 4, t = lane_index() % 4, batch = arguments.batch;
    const u32 local = row - segment.first_row;
    const u32 kind = segment.kind;

    if (kind == SegmentRotary || kind == SegmentRotaryRaw) {
        const u32 head = local / segment.head_rows, channel = (local - head * segment.head_rows) / 2 + g;
        const float cosine = arguments.cosine[channel], sine = arguments.sine[channel];
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 i = 0; i < 2; i++) {
                float low = d[n][i], high = d[n][i + 2];
                d[n][i] = low * cosine - high * sine;
                d[n][i + 2] = high * cosine + low * sine;
            }
    }
    if (kind == SegmentResidual) {
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 i = 0; i < 4; i++) {
                u32 b = 8 * n + 2 * t + i % 2;
                if (b < batch) {
                    float* x = arguments.residual + (u64)b * segment.batch_stride + local + g + i / 2 * 8;
                    d[n][i] += *x;
                    *x = d[n][i];
                }
            }
    }
    if (segment.squares)
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 i = 0; i < 2; i++) sums[n][i] += d[n][i] * d[n][i] + d[n][i + 2] * d[n][i + 2];

    if (kind == SegmentRaw || kind == SegmentRotaryRaw) {
        u32 offset = local + g, further = 8;
        if (kind == SegmentRotaryRaw) {
            const u32 head = local / segment.head_rows, inside = local - head * segment.head_rows;
            offset = head * segment.head_stride + inside / 2 + g;
            further = segment.head_rows / 2;
        }
        float* target = static_cast<float*>(segment.target) + offset;
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 i = 0; i < 4; i++) {
                u32 b = 8 * n + 2 * t + i % 2;
                if (b < batch) target[(u64)b * segment.batch_stride + i / 2 * further] = d[n][i];
            }
        return;
    }
    if (kind == SegmentSwiglu) {
        u32* target = static_cast<u32*>(segment.target);
        const u32 k = local / 2 + (g & ~1u);
        UNROLL for (u32 n = 0; n < batch_tiles; n++) {
            float first = d[n][0] * sigmoid(d[n][0]) * d[n][2], second = d[n][1] * sigmoid(d[n][1]) * d[n][3];
            u32 word = pair_rows(first, second, g), b = 8 * n + 2 * t + g % 2;
            if (b < batch) target[panel_word(k, b, batch_tiles)] = word;
        }
        return;
    }
    if (kind == SegmentPanel || kind == SegmentResidual) {
        if (!segment.target) return;
        const u32 block = local / segment.head_rows, k = local - block * segment.head_rows + (g & ~1u);
        u32* target = static_cast<u32*>(segment.target) + (u64)block * segment.head_stride;
        float low = 1, high = 1;
        if (segment.gain) { low = segment.gain[local + g]; high = segment.gain[local + g + 8]; }
        UNROLL for (u32 n = 0; n < batch_tiles; n++) {
            Pair words = {{pair_rows(d[n][0] * low, d[n][1] * low, g), pair_rows(d[n][2] * high, d[n][3] * high, g)}};
            u32 b = 8 * n + 2 * t + g % 2;
            if (b < batch) *reinterpret_cast<Pair*>(target + panel_word(k, b, batch_tiles)) = words;
        }
        return;
    }
    // Half, heads, rotary: two neighbouring rows a thread; the tile's second half lies 8 further, or half a head.
    u32 offset = local + (g & ~1u), further = 8;
    if (kind != SegmentHalf) {
        const u32 head = local / segment.head_rows, inside = local - head * segment.head_rows;
        const bool rotary = kind == SegmentRotary;
        offset = head * segment.head_stride + (rotary ? inside / 2 : inside) + (g & ~1u);
        if (rotary) further = segment.head_rows / 2;
    }
    u16* target = static_cast<u16*>(segment.target) + offset;
    UNROLL for (u32 n = 0; n < batch_tiles; n++) {
        u32 low = pair_rows(d[n][0], d[n][1], g), high = pair_rows(d[n][2], d[n][3], g);
        u32 b = 8 * n + 2 * t + g % 2;
        if (b < batch) {
            u16* at = target + (u64)b * segment.batch_stride;
            *reinterpret_cast<u32*>(at) = low;
            *reinterpret_cast<u32*>(at + further) = high;
        }
    }
}

/// Adds what store_tile collected to the segment's squares: one atomic a warp and column.
template<u32 batch_tiles> FN void add_squares(float* squares, u32 batch, float (&sums)[batch_tiles][2]) {
    const u32 lane = lane_index();
    UNROLL for (u32 n = 0; n < batch_tiles; n++)
        UNROLL for (u32 i = 0; i < 2; i++) {
            float sum = sums[n][i];
            UNROLL for (u32 mask = 4; mask < 32; mask *= 2) sum += shuffle_xor(sum, mask);
            u32 b = 8 * n + 2 * lane + i;
            if (lane < 4 && b < batch) atomic_add(squares + b, sum);
            sums[n][i] = 0;
        }
}

/// The warp's two neighbouring tiles of results, the first of them beginning at `row`: deferred norm, then each to its segment.
template<u32 batch_tiles> FN void store_results(const ProductArguments& arguments, u32 row, float (&d)[2][batch_tiles][4]) {
    const u32 t = lane_index() % 4;
    if (arguments.squares)
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 i = 0; i < 2; i++) {
                u32 b = 8 * n + 2 * t + i;
                float factor = b < arguments.batch ? inverse_sqrt(fused(arguments.squares[b], arguments.inverse_width, 1e-6f)) : 0.0f;
                UNROLL for (u32 tile = 0; tile < 2; tile++) { d[tile][n][i] *= factor; d[tile][n][i + 2] *= factor; }
            }
    float sums[batch_tiles][2] = {};
    float* squares = nullptr;  // where sums belong
    UNROLL for (u32 tile = 0; tile < 2; tile++)
        if (row + tile * TileRows < arguments.rows) {
            ProductSegment segment = segment_at(arguments, row + tile * TileRows);
            if (tile && squares && segment.squares != squares) add_squares<batch_tiles>(squares, arguments.batch, sums);
            squares = segment.squares;
            store_tile<batch_tiles>(arguments, segment, row + tile * TileRows, d[tile], sums);
        }
    if (squares) add_squares<batch_tiles>(squares, arguments.batch, sums);
}
