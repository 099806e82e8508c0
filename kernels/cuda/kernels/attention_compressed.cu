// H's attention: up to 64 heads over shared K = V entries of 512: a list of compressed ones (CSA: 512 selected; HCA: all), then the window of the last 128.
//
// Reads (reads + 128)·608 B of sectors a sequence and writes (blocks + batch) partial results of heads·2 KB, which merge_latent sums, with the sinks and the turn back.
// FLOP: 4·heads·512·(reads + 128) a sequence, 224 FLOP/B. Floor at batch 8, 64 heads, a million tokens: CSA 3.1 MB, 0.67 GFLOP, 1 µs; HCA 38.9 MB, 8.7 GFLOP: 8.1 µs at 4.8 TB/s,
// 13 µs at mma.sync's 0.65 PFLOP/s.
//
// Grid: any number of blocks; as many as multiprocessors (one resides on each). Threads: 256. Shared memory: CompressedBytes.
// Raw entries arrive in a ring of three tiles; during the weights of tile i, tile i + 1 becomes FP16.
#include "../parts/entries.cuh"
#include "../parts/latent.cuh"

#ifndef ROWS
#define ROWS 64
#endif

struct AttentionCompressedArguments {
    /// FP32 [batch][heads][512]: q_b's product, neither normalised nor turned.
    const float* queries;
    /// FP32 [32 cosines][32 sines] of position context − 1.
    const float* angles;
    /// Entry pages, `stored_bytes` a sequence; and the window's, 2 pages a sequence. Both hold the newest already.
    const u8* stored;
    const u8* window;
    /// INT32 [batch][reads]: entries to read; null: entries 0 to reads − 1.
    const u32* selected;
    /// FP32 [blocks + batch][heads][512].
    float* parts;
    /// FP32 [blocks + batch][heads][2]: maximum (log2), sum.
    float* statistics;
    u64 stored_bytes;
    u32 batch;
    /// Up to ROWS.
    u32 heads;
    u32 reads;
    u32 unused;
};

using Shape = LatentShape<ROWS, 512>;
constexpr u32 Converted = 3, Raw = 3;
constexpr u32 RawBytes = TileEntries * (EntryDataBytes + EntryScaleBytes);
/// Tiles of a sequence: those of the list, then the window's.
FN u32 list_tiles(u32 reads) { return ceiling(reads, TileEntries); }
constexpr u32 WindowTiles = WindowEntries / TileEntries;
/// Shared memory of a launch.
constexpr u32 CompressedBytes = Converted * Shape::TileBytes + Raw * RawBytes + Shape::ScratchBytes + Shape::RunningBytes + 2 * Shape::FactorBytes;
static_assert(CompressedBytes <= 232448, "sm_90 gives a block 227 KiB");

/// One tile of 8-byte and 16-byte pieces to FP16; 8 threads a row, each group of 64 channels in one step.
FN void convert_tile(u8* tile, const u8* raw) {
    u32 row = thread_index() / 8, piece = thread_index() % 8;
    const u8* data = raw + row * EntryDataBytes + piece * 8;
    Pair scales = *(const Pair*)(raw + TileEntries * EntryDataBytes + row * EntryScaleBytes);
    u8* to = tile + piece_at<Shape::Pitch>(row, piece);
    UNROLL for (u32 j = 0; j < EntryPlain / EntryGroup; j++) {
        Pair bytes = *(const Pair*)(data + j * EntryGroup);
        u32 scale = twice(to_half(entry_scale(scales.v[j / 4] >> j % 4 * 8 & 0xff)));
        Quad halves;
        UNROLL for (u32 i = 0; i < 4; i++) halves.v[i] = half_mul(half_from_fp8((u16)(bytes.v[i / 2] >> i % 2 * 16)), scale);
        *(Quad*)(to + j * 128) = halves;
    }
    Quad brain = *(const Quad*)(raw + row * EntryDataBytes + EntryPlain + piece * 16), halves;
    UNROLL for (u32 i = 0; i < 4; i++) halves.v[i] = pack_half(bits_float(brain.v[i] << 16), bits_float(brain.v[i] & 0xffff0000u));
    *(Quad*)(to + EntryPlain / EntryGroup * 128) = halves;
}

/// Normalises and turns the queries of a sequence, FP16 in the layout of a tile; heads that are not there become zero. A warp takes every eighth head.
FN void prepare_queries(u8* to, const float* queries, const float* angles, u32 heads) {
    u32 lane = lane_index();
    ROLLED for (u32 first = warp_index(); first < ROWS; first += 32) {
        Quad part[4][4];
        UNROLL for (u32 r = 0; r < 4; r++)
            UNROLL for (u32 j = 0; j < 4; j++) part[r][j] = first + 8 * r < heads ? *(const Quad*)(queries + (first + 8 * r) * 512 + 128 * j + 4 * lane) : Quad{{0, 0, 0, 0}};
        UNROLL for (u32 r = 0; r < 4; r++) {
            u32 head = first + 8 * r;
            float squares = 0;
            UNROLL for (u32 j = 0; j < 4; j++)
                UNROLL for (u32 i = 0; i < 4; i++) squares = fused(bits_float(part[r][j].v[i]), bits_float(part[r][j].v[i]), squares);
            float norm = exact_div(1, exact_sqrt(warp_sum(squares) / 512 + 1e-6f));
            UNROLL for (u32 j = 0; j < 4; j++) {
                float value[4];
                UNROLL for (u32 i = 0; i < 4; i++) {
                    value[i] = bits_float(part[r][j].v[i]) * norm;
                    if (j == 3) {
                        // Lanes 16 to 31 have channels 448 to 511; partners are eight lanes apart.
                        float partner = shuffle_xor(value[i], 8);
                        if (lane >= 16) value[i] = turned(value[i], partner, (lane & 8) != 0, angles, lane % 8 * 4 + i);
                    }
                }
                *(Pair*)(to + piece_at<Shape::Pitch>(head, 16 * j + lane / 2) + lane % 2 * 8) = {pack_half(value[0], value[1]), pack_half(value[2], value[3])};
            }
        }
    }
}

KERNEL(KERNEL_NAME, LatentThreads, 1)(AttentionCompressedArguments a) {
    u8* tiles = shared_memory();
    u8* raw = tiles + Converted * Shape::TileBytes;
    u8* scratch = raw + Raw * RawBytes;
    u8* weights = scratch + Shape::SumBytes;
    u8* running = scratch + Shape::ScratchBytes;
    float* factors = (float*)(running + Shape::RunningBytes);
    constexpr u32 FactorWords = Shape::FactorBytes / 4;
    constexpr float Scale = 0.044194173824159216f * Log2E;  // 1/√512

    u32 listed = list_tiles(a.reads), each = listed + WindowTiles;
    Stretches all = latent_stretches(a.batch, each, grid_size());
    u32 begin = latent_begin(all, each, block_index()), end = latent_begin(all, each, block_index() + 1);
    u32 row = thread_index() / 8, piece = thread_index() % 8;
    // The tile to copy next, its sequence, and its entry for this thread's row, read ahead because the copy needs it.
    u32 next = begin, next_sequence = begin / each, next_tile = begin - next_sequence * each, entry = 0;
    auto look_up = [&]() {
        if (next >= end) return;
        if (next_tile >= listed) entry = (next_tile - listed) * TileEntries + row;
        else {
            entry = next_tile * TileEntries + row;
            if (a.selected && entry < a.reads) entry = a.selected[(u64)next_sequence * a.reads + entry];
        }
    };
    auto copy_next = [&](u32 at) {
        if (next < end) {
            bool in_list = next_tile < listed, valid = !in_list || next_tile * TileEntries + row < a.reads;
            const u8* pages = in_list ? a.stored + next_sequence * a.stored_bytes : a.window + next_sequence * WindowBytes;
            if (!valid) entry = 0;
            const u8* data = pages + entry_data_at(entry) + piece * 16;
            u8* to = raw + at + row * EntryDataBytes + piece * 16;
            UNROLL for (u32 j = 0; j < 4; j++) copy_async_or_zero(to + j * 128, data + j * 128, valid);
            if (piece < 4) copy_async_or_zero(to + 512, data + 512, valid);
            // A row without an entry takes the scales of entry 0: any finite ones will do for zeros.
            if (piece == 4) copy_async_small<8>(raw + at + TileEntries * EntryDataBytes + row * EntryScaleBytes, pages + entry_scales_at(entry));
            next++;
            next_tile++;
            if (next_tile == each) {
                next_tile = 0;
                next_sequence++;
            }
            look_up();
        }
        copy_commit();
    };
    // Before the kernels before have ended, only entries that none of them writes: listed in order, and not the newest.
    u32 early = 0;
    if (!a.selected) {
        look_up();
        ROLLED for (; early < Raw && next_tile + 1 < listed; early++) copy_next(early * RawBytes);
    }
    wait_for_previous_kernel();
    let_next_kernel_start();
    look_up();
    ROLLED for (; early < Raw; early++) copy_next(early * RawBytes);

    // Tile t lies raw in place (t − begin) % Raw, as FP16 in (t − begin) % Converted.
    u32 at = 0, raw_at = 0, tile = begin;
    if (tile < end) {
        copy_wait<Raw - 1>();
        sync_block();
        convert_tile(tiles, raw);
    }
    ROLLED while (tile < end) {
        u32 sequence = tile / each, from = tile, to = least(end, (sequence + 1) * each);
        prepare_queries(scratch, a.queries + (u64)sequence * a.heads * 512, a.angles, a.heads);
        sync_block();
        LatentState<Shape> state;
        begin_segment(state, scratch, running);
        ROLLED for (; tile < to; tile++) {
            copy_wait<Raw - 2>();
            sync_block();
            copy_next(raw_at);
            raw_at = raw_at + RawBytes == Raw * RawBytes ? 0 : raw_at + RawBytes;
            u32 after = at + Shape::TileBytes == Converted * Shape::TileBytes ? 0 : at + Shape::TileBytes;
            score(state, tiles + at, scratch);
            sync_block();
            ROLLED for (u32 turn = 0; turn < 2; turn++) {
                u32 odd = tile & 1;
                if (turn == warp_index() / 4) {
                    u32 local = tile - (to - 1) / each * each;
                    weigh<Shape>(running, scratch, weights + odd * Shape::WeightBytes, factors + odd * FactorWords, Scale, local < listed ? least(TileEntries, a.reads - local * TileEntries) : TileEntries);
                    if (tile + 1 < end) convert_tile(tiles + after, raw + raw_at);
                } else if (tile > from)
                    gather(state, tiles + (at ? at : Converted * Shape::TileBytes) - Shape::TileBytes, weights + (odd ^ 1) * Shape::WeightBytes, factors + (odd ^ 1) * FactorWords);
            }
            at = after;
        }
        sync_block();
        u32 odd = (to - 1) & 1;
        gather(state, tiles + (at ? at : Converted * Shape::TileBytes) - Shape::TileBytes, weights + odd * Shape::WeightBytes, factors + odd * FactorWords);
        end_segment(state, running, a.parts, a.statistics, block_index() + (to - 1) / each, a.heads);
        // The next segment's queries overwrite the weights.
        sync_block();
    }
}
