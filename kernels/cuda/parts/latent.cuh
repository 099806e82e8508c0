// Attention of up to 32 or 64 heads over entries that all heads share, the values being the first 512 channels of the keys (MLA's latent, H's entries): the core.
//
// A block of 8 warps takes tiles of 32 entries, FP16 in shared memory, rows of `Width` channels in pieces of 16 bytes, piece p of row r at place p ^ (r & 7).
//   score     warp (half h of the heads, quarter q of the channels): half the heads × 32 entries over every fourth k16 step, queries in registers for good; the quarters' sums
//             meet in shared memory
//   weigh     warp w owns Rows/8 heads; 8 lanes a head, 4 entries a lane: online softmax, weights as FP16 to shared memory
//   gather    warp w owns channels 64w to 64w + 63 of all heads: accumulators in registers
// Half of the warps weigh tile i while the other half gathers tile i − 1, then they change over: the matrix units have work during the exponentials, and a tile costs two barriers.
//
// Why these shapes: shared memory gives 128 bytes a cycle; an mma.sync takes 1.6 cycles of a multiprocessor's four matrix units. Per tile and 64 heads score reads 73.7 KB, the
// exchange moves 64 KB, gather reads 64 KB and the copy writes 36.9 KB: 1,900 cycles at most, against 1,740 of mma. Queries in shared memory would cost another 1,000.
//
// A maximum is replaced only when the new one is 2^8 times larger: weights stay below 2^8 in FP16, the sum knows them exactly, and accumulators are rarely rescaled.
#pragma once
#include "merge.cuh"

/// Entries of a tile.
constexpr u32 TileEntries = 32;
/// Value channels: the first 512 of an entry.
constexpr u32 ValueWidth = 512;
/// Threads of a block.
constexpr u32 LatentThreads = 256;
/// How far, as a power of two, a score may exceed the maximum in use.
constexpr float LatentHeadroom = 8;

template<u32 rows, u32 width> struct LatentShape {
    /// Heads of a block, padded with zero queries: 32 or 64.
    static constexpr u32 Rows = rows;
    /// Channels of a key.
    static constexpr u32 Width = width;
    /// Tiles of 16 heads in a half.
    static constexpr u32 Tiles = rows / 32;
    /// k16 steps of a quarter.
    static constexpr u32 Steps = width / 64;
    /// Bytes of an entry or a query in shared memory.
    static constexpr u32 Pitch = width * 2;
    static constexpr u32 TileBytes = TileEntries * Pitch;
    /// FP32 [4 quarters][rows][32], rows padded to 160 bytes: neither stores nor loads collide in a bank.
    static constexpr u32 SumPitch = 160, SumBytes = 4 * rows * SumPitch;
    /// FP16 [rows][32], rows padded to 80 bytes.
    static constexpr u32 WeightPitch = 80, WeightBytes = rows * WeightPitch;
    /// Queries first; sums and two sets of weights lie over them later.
    static constexpr u32 QueryBytes = rows * Pitch;
    static constexpr u32 ScratchBytes = QueryBytes > SumBytes + 2 * WeightBytes ? QueryBytes : SumBytes + 2 * WeightBytes;
    /// Of one set: FP32 [rows] factors of the accumulators, then [8 warps] whether any is not 1.
    static constexpr u32 FactorBytes = (rows + 8) * 4;
    /// Running[Tiles][threads].
    static constexpr u32 RunningBytes = Tiles * 256 * 8;
    static_assert((rows == 32 || rows == 64) && width % 64 == 0, "whole warps");
};

/// What a thread holds for a segment.
template<class Shape> struct LatentState {
    u32 query[Shape::Tiles][Shape::Steps][4];
    /// Heads 16m + lane/4 and 8 more, channels 64·warp + 8n + 2·(lane%4) and the next: [m][n][row half · 2 + channel].
    float output[2 * Shape::Tiles][8][4];
};

/// What a thread remembers of the heads that it weighs, head warp·Rows/8 + 4i + lane/8: the maximum in use (log2) and its lane's share of the sum. In shared memory, where only this
/// thread touches it: registers are short.
struct alignas(8) Running { float maximum, sum; };
FN Running* running_at(u8* base, u32 i) { return (Running*)base + i * LatentThreads + thread_index(); }

/// Where piece `piece` (8 channels) of row `row` lies.
template<u32 pitch> FN u32 piece_at(u32 row, u32 piece) { return row * pitch + (piece ^ (row & 7)) * 16; }

/// Copies 32 entries of FP16 [entries][Width] whose first is at `entries`; rows from `count` on become zero. 8 threads a row, 128 bytes at a time.
template<class Shape> FN void copy_tile(u8* tile, const u16* entries, u32 count) {
    u32 row = thread_index() / 8, piece = thread_index() % 8;
    u8* to = tile + piece_at<Shape::Pitch>(row, piece);
    const u8* from = (const u8*)entries + row * Shape::Pitch + piece * 16;
    UNROLL for (u32 j = 0; j < Shape::Width / 64; j++) copy_async_or_zero(to + j * 128, from + j * 128, row < count);
}

/// Takes the queries, FP16 [Rows][Width] in the layout of a tile, into registers, and begins a new sum.
template<class Shape> FN void begin_segment(LatentState<Shape>& state, const u8* queries, u8* running) {
    u32 lane = lane_index(), warp = warp_index();
    u32 row = warp / 4 * (Shape::Rows / 2) + (lane / 8 & 1) * 8 + lane % 8;
    const u8* at = queries + piece_at<Shape::Pitch>(row, warp % 4 * 2 + lane / 16);
    UNROLL for (u32 m = 0; m < Shape::Tiles; m++)
        UNROLL for (u32 s = 0; s < Shape::Steps; s++) load_matrices(state.query[m][s], at + m * 16 * Shape::Pitch + s * 128);
    UNROLL for (u32 m = 0; m < 2 * Shape::Tiles; m++)
        UNROLL for (u32 n = 0; n < 8; n++)
            UNROLL for (u32 i = 0; i < 4; i++) state.output[m][n][i] = 0;
    UNROLL for (u32 i = 0; i < Shape::Tiles; i++) *running_at(running, i) = {-infinity(), 0};
}

/// This warp's quarter of queries · keys, to the sums.
template<class Shape> FN void score(const LatentState<Shape>& state, const u8* tile, u8* sums) {
    u32 lane = lane_index(), warp = warp_index();
    // Entries at once: 16 accumulators whatever the number of heads.
    constexpr u32 Groups = 2 / Shape::Tiles;
    const u8* at = tile + piece_at<Shape::Pitch>(lane / 16 * 8 + lane % 8, warp % 4 * 2 + (lane / 8 & 1));
    u8* to = sums + (warp % 4 * Shape::Rows + warp / 4 * (Shape::Rows / 2) + lane / 4) * Shape::SumPitch + lane % 4 * 8;
    // Keys are loaded one step ahead of their use.
    auto load = [&](u32 (&key)[4], u32 step) {
        u32 group = step / (Shape::Steps * Groups) + step % Groups, s = step / Groups % Shape::Steps;
        load_matrices(key, at + group * 16 * Shape::Pitch + s * 128);
    };
    u32 key[2][4];
    load(key[0], 0);
    UNROLL for (u32 first = 0; first < 2; first += Groups) {
        float product[Shape::Tiles][2 * Groups][4];
        UNROLL for (u32 m = 0; m < Shape::Tiles; m++)
            UNROLL for (u32 n = 0; n < 2 * Groups; n++)
                UNROLL for (u32 i = 0; i < 4; i++) product[m][n][i] = 0;
        UNROLL for (u32 s = 0; s < Shape::Steps; s++)
            UNROLL for (u32 g = 0; g < Groups; g++) {
                u32 step = first * Shape::Steps + s * Groups + g;
                if (step + 1 < 2 * Shape::Steps) load(key[(step + 1) % 2], step + 1);
                UNROLL for (u32 m = 0; m < Shape::Tiles; m++) {
                    mma(product[m][2 * g], state.query[m][s], key[step % 2][0], key[step % 2][1]);
                    mma(product[m][2 * g + 1], state.query[m][s], key[step % 2][2], key[step % 2][3]);
                }
            }
        UNROLL for (u32 m = 0; m < Shape::Tiles; m++)
            UNROLL for (u32 n = 0; n < 2 * Groups; n++) {
                u8* p = to + m * 16 * Shape::SumPitch + (first * 2 + n) * 32;
                *(Pair*)p = {float_bits(product[m][n][0]), float_bits(product[m][n][1])};
                *(Pair*)(p + 8 * Shape::SumPitch) = {float_bits(product[m][n][2]), float_bits(product[m][n][3])};
            }
    }
}

/// From sums to weights 2^(score − maximum), for the first `count` entries of the tile; `scale` holds log2 e.
template<class Shape> FN void weigh(u8* running, const u8* sums, u8* weights, float* factors, float scale, u32 count) {
    u32 lane = lane_index(), warp = warp_index();
    bool changed = false;
    UNROLL for (u32 i = 0; i < Shape::Tiles; i++) {
        u32 row = warp * (Shape::Rows / 8) + 4 * i + lane / 8, entry = lane % 8 * 4;
        float value[4] = {0, 0, 0, 0};
        UNROLL for (u32 q = 0; q < 4; q++) {
            Quad part = *(const Quad*)(sums + (q * Shape::Rows + row) * Shape::SumPitch + entry * 4);
            UNROLL for (u32 e = 0; e < 4; e++) value[e] += bits_float(part.v[e]);
        }
        float most = -infinity();
        UNROLL for (u32 e = 0; e < 4; e++) {
            value[e] = entry + e < count ? value[e] * scale : -infinity();
            most = largest(most, value[e]);
        }
        most = warp_max<8>(most);
        Running kept = *running_at(running, i);
        bool grown = most > kept.maximum + LatentHeadroom;
        float maximum = grown ? most : kept.maximum, factor = grown ? exp2_fast(kept.maximum - most) : 1, sum = kept.sum * factor;
        changed |= grown;
        UNROLL for (u32 e = 0; e < 4; e++) {
            value[e] = exp2_fast(value[e] - maximum);
            sum += value[e];
        }
        *running_at(running, i) = {maximum, sum};
        *(Pair*)(weights + row * Shape::WeightPitch + entry * 2) = {pack_half(value[0], value[1]), pack_half(value[2], value[3])};
        if (lane % 8 == 0) factors[row] = factor;
    }
    bool any = ballot(changed) != 0;
    if (lane == 0) ((u32*)factors)[Shape::Rows + warp] = any;
}

/// output += weights · values.
template<class Shape> FN void gather(LatentState<Shape>& state, const u8* tile, const u8* weights, const float* factors) {
    u32 lane = lane_index(), warp = warp_index();
    const Quad* flags = (const Quad*)(factors + Shape::Rows);
    Quad low = flags[0], high = flags[1];
    if (low.v[0] | low.v[1] | low.v[2] | low.v[3] | high.v[0] | high.v[1] | high.v[2] | high.v[3]) {
        UNROLL for (u32 m = 0; m < 2 * Shape::Tiles; m++) {
            float upper = factors[16 * m + lane / 4], lower = factors[16 * m + 8 + lane / 4];
            UNROLL for (u32 n = 0; n < 8; n++) {
                state.output[m][n][0] *= upper;
                state.output[m][n][1] *= upper;
                state.output[m][n][2] *= lower;
                state.output[m][n][3] *= lower;
            }
        }
    }
    u32 half = lane / 8 & 1, row = half * 8 + lane % 8;
    const u8* weight_at = weights + row * Shape::WeightPitch + lane / 16 * 16;
    const u8* value_at = tile + row * Shape::Pitch + warp * 128;
    u32 place = ((lane / 16) ^ (lane & 7)) * 16;
    auto load = [&](u32 (&value)[4], u32 step) { load_matrices_transposed(value, value_at + (place ^ step % 4 * 32) + step / 4 * 16 * Shape::Pitch); };
    u32 value[2][4], weight[2 * Shape::Tiles][4];
    load(value[0], 0);
    UNROLL for (u32 step = 0; step < 8; step++) {
        if (step % 4 == 0) UNROLL for (u32 m = 0; m < 2 * Shape::Tiles; m++) load_matrices(weight[m], weight_at + m * 16 * Shape::WeightPitch + step / 4 * 32);
        if (step < 7) load(value[(step + 1) % 2], step + 1);
        UNROLL for (u32 m = 0; m < 2 * Shape::Tiles; m++) {
            mma(state.output[m][step % 4 * 2], weight[m], value[step % 2][0], value[step % 2][1]);
            mma(state.output[m][step % 4 * 2 + 1], weight[m], value[step % 2][2], value[step % 2][3]);
        }
    }
}

/// Writes the segment's share, not divided by its sum: parts FP32 [slot][heads][512], statistics FP32 [slot][heads][maximum (log2), sum].
template<class Shape> FN void end_segment(const LatentState<Shape>& state, u8* running, float* parts, float* statistics, u32 slot, u32 heads) {
    u32 lane = lane_index(), warp = warp_index();
    float* to = parts + ((u64)slot * heads + lane / 4) * ValueWidth + warp * 64 + lane % 4 * 2;
    UNROLL for (u32 m = 0; m < 2 * Shape::Tiles; m++)
        UNROLL for (u32 h = 0; h < 2; h++)
            if (16 * m + 8 * h + lane / 4 < heads)
                UNROLL for (u32 n = 0; n < 8; n++)
                    *(Pair*)(to + (16 * m + 8 * h) * ValueWidth + n * 8) = {float_bits(state.output[m][n][2 * h]), float_bits(state.output[m][n][2 * h + 1])};
    UNROLL for (u32 i = 0; i < Shape::Tiles; i++) {
        u32 row = warp * (Shape::Rows / 8) + 4 * i + lane / 8;
        Running kept = *running_at(running, i);
        float sum = warp_sum<8>(kept.sum);
        if (lane % 8 == 0 && row < heads) *(Pair*)(statistics + ((u64)slot * heads + row) * 2) = {float_bits(kept.maximum), float_bits(sum)};
    }
}
