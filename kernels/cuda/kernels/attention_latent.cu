// MLA, absorbed: each head's query of 576 over a cache of [512 normalised latent, 64 rotary] that all heads share; values are the first 512.
//
// Reads the cache once: batch·context·1152 B; writes batch new entries and (blocks + batch) partial results of heads·2 KB, which merge_latent sums.
// FLOP: 2·heads·1088·context a sequence: 121 FLOP/B at 64 heads, 60 at 32. Floor at batch 24, 64 heads, context 4096: 113 MB, 13.7 GFLOP: 23.6 µs at 4.8 TB/s, 21 at mma.sync's
// 0.65 PFLOP/s; at batch 64, 32 heads: 302 MB, 63 µs.
//
// Grid: any number of blocks; as many as multiprocessors (one resides on each). Threads: 256. Shared memory: LatentBytes.
// The block that has the newest token normalises its latent, stores it and puts it over the old entry in its tile.
#include "../parts/latent.cuh"

#ifndef ROWS
#define ROWS 64
#endif

struct AttentionLatentArguments {
    /// FP16 [batch][heads][576]: 512 absorbed, 64 rotated.
    const u16* queries;
    /// FP32 [batch][576]: the newest token's latent, not yet normalised, and its rotary part, rotated.
    const float* entry;
    /// FP16 [batch][context][576]; slot context − 1 is written.
    u16* cache;
    /// FP32 [blocks + batch][heads][512].
    float* parts;
    /// FP32 [blocks + batch][heads][2]: maximum (log2), sum.
    float* statistics;
    u32 batch;
    /// Up to ROWS.
    u32 heads;
    u32 context;
};

constexpr u32 Stages = ROWS == 64 ? 4 : 5, Ahead = Stages - 2;
using Shape = LatentShape<ROWS, 576>;
constexpr u32 FreshBytes = 576 * 4;
/// Shared memory of a launch.
constexpr u32 LatentBytes = Stages * Shape::TileBytes + Shape::ScratchBytes + Shape::RunningBytes + FreshBytes + 2 * Shape::FactorBytes;
static_assert(LatentBytes <= 232448, "sm_90 gives a block 227 KiB");

/// Warp 0 puts the newest entry into row `row` of the tile and into the cache.
FN void insert_entry(u8* tile, u32 row, const float* fresh, u16* slot) {
    u32 lane = lane_index();
    float squares = 0;
    UNROLL for (u32 j = 0; j < 8; j++) {
        float a = fresh[64 * j + 2 * lane], b = fresh[64 * j + 2 * lane + 1];
        squares += a * a + b * b;
    }
    float norm = exact_div(1, exact_sqrt(warp_sum(squares) / 512 + 1e-6f));
    UNROLL for (u32 j = 0; j < 9; j++) {
        float factor = j < 8 ? norm : 1;
        u32 word = pack_half(fresh[64 * j + 2 * lane] * factor, fresh[64 * j + 2 * lane + 1] * factor);
        *(u32*)(tile + piece_at<Shape::Pitch>(row, lane / 4) + j * 128 + lane % 4 * 4) = word;
        *(u32*)(slot + 64 * j + 2 * lane) = word;
    }
}

KERNEL(KERNEL_NAME, LatentThreads, 1)(AttentionLatentArguments a) {
    u8* tiles = shared_memory();
    u8* scratch = tiles + Stages * Shape::TileBytes;
    u8* weights = scratch + Shape::SumBytes;
    u8* running = scratch + Shape::ScratchBytes;
    float* fresh = (float*)(running + Shape::RunningBytes);
    float* factors = fresh + 576;
    constexpr u32 FactorWords = Shape::FactorBytes / 4;
    constexpr float Scale = 0.07216878364870322f * Log2E;  // 1/√192

    u32 each = ceiling(a.context, TileEntries), short_count = a.context - (each - 1) * TileEntries;
    Stretches all = latent_stretches(a.batch, each, grid_size());
    u32 begin = latent_begin(all, each, block_index()), end = latent_begin(all, each, block_index() + 1);
    // The tile to copy next: its first row in the cache and how many its sequence has from there. Tile t lies in stage (t − begin) % Stages.
    u32 sequence = begin / each, token = (begin - sequence * each) * TileEntries;
    u32 next_row = sequence * a.context + token, next_left = a.context - token;
    auto copy_next = [&](u32 at, bool valid) {
        if (valid) {
            copy_tile<Shape>(tiles + at, a.cache + (u64)next_row * 576, next_left);
            u32 taken = least(next_left, TileEntries);
            next_row += taken;
            next_left = next_left > TileEntries ? next_left - TileEntries : a.context;
        }
        copy_commit();
    };
    UNROLL for (u32 i = 0; i < Ahead; i++) copy_next(i * Shape::TileBytes, begin + i < end);
    wait_for_previous_kernel();
    let_next_kernel_start();

    u32 at = 0, tile = begin;
    ROLLED while (tile < end) {
        sequence = tile / each;
        u32 from = tile, to = least(end, (sequence + 1) * each);
        bool closing = to == (sequence + 1) * each;
        UNROLL for (u32 j = 0; j < ROWS / 32; j++) copy_tile<Shape>(scratch + j * 32 * Shape::Pitch, a.queries + ((u64)sequence * a.heads + 32 * j) * 576, a.heads - least(a.heads, 32 * j));
        if (closing && thread_index() < 144) copy_async(fresh + thread_index() * 4, a.entry + (u64)sequence * 576 + thread_index() * 4);
        copy_commit();
        copy_wait<0>();
        sync_block();
        LatentState<Shape> state;
        begin_segment(state, scratch, running);
        ROLLED for (; tile < to; tile++) {
            copy_wait<Ahead - 1>();
            sync_block();
            copy_next(at >= 2 * Shape::TileBytes ? at - 2 * Shape::TileBytes : at + Ahead * Shape::TileBytes, tile + Ahead < end);
            bool newest = closing && tile + 1 == to;
            if (newest) {
                u32 row = tile / each;
                if (warp_index() == 0) insert_entry(tiles + at, short_count - 1, fresh, a.cache + ((u64)(row + 1) * a.context - 1) * 576);
                sync_block();
            }
            score(state, tiles + at, scratch);
            sync_block();
            ROLLED for (u32 turn = 0; turn < 2; turn++) {
                u32 odd = tile & 1;
                if (turn == warp_index() / 4) weigh<Shape>(running, scratch, weights + odd * Shape::WeightBytes, factors + odd * FactorWords, Scale, newest ? short_count : TileEntries);
                else if (tile > from) gather(state, tiles + (at ? at : Stages * Shape::TileBytes) - Shape::TileBytes, weights + (odd ^ 1) * Shape::WeightBytes, factors + (odd ^ 1) * FactorWords);
            }
            at = at + Shape::TileBytes == Stages * Shape::TileBytes ? 0 : at + Shape::TileBytes;
        }
        sync_block();
        u32 odd = (to - 1) & 1;
        gather(state, tiles + (at ? at : Stages * Shape::TileBytes) - Shape::TileBytes, weights + odd * Shape::WeightBytes, factors + odd * FactorWords);
        end_segment(state, running, a.parts, a.statistics, block_index() + (to - 1) / each, a.heads);
        // The next segment's queries overwrite the weights.
        sync_block();
    }
}
