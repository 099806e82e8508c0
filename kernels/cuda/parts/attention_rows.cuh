// Decode attention of up to 16 query rows that share keys and values of width 128: one warp takes 16 tokens at a time from its own ring in shared memory,
// the warps of a block take turns at the tiles of its stretch (parts/split.cuh), pieces are merged over warps, then over blocks.
//
// Scores are mma with the query rows on M and tokens on N; their accumulators are, packed to FP16, the A fragment of the product with the values. Keys come
// through ldmatrix, values through its transposed form. A tile's rows of 256 bytes lie with their 16-byte columns XORed with row mod 8: the eight rows that
// ldmatrix reads at once, and the two that a copy writes, fall on different banks.
#pragma once
#include "panel.cuh"
#include "softmax.cuh"
#include "split.cuh"

constexpr u32 AttentionHead = 128;                       // channels of a head
constexpr u32 AttentionTile = 16;                        // tokens of a tile
constexpr u32 AttentionTileBytes = 2 * AttentionTile * AttentionHead * 2;  // keys [16][128], then values [16][128]: 8 KB
constexpr u32 AttentionWarps = 4;
constexpr u32 AttentionThreads = 32 * AttentionWarps;
constexpr u32 AttentionStages = 3;                       // tiles of a warp's ring; all but one are under way while one is used
constexpr u32 AttentionRing = AttentionWarps * AttentionStages * AttentionTileBytes;
// Behind the ring: (maximum, sum) of each warp's 16 rows, where each warp's result lies, the arrival flag.
constexpr u32 AttentionShared = AttentionRing + AttentionWarps * 16 * 8 + AttentionWarps * 4 + 16;
static_assert(2 * (AttentionShared + 1024) <= 228 << 10, "two blocks on a multiprocessor of sm_90, 1 KB of each the system's");
static_assert(AttentionTileBytes == 16 * AttentionHead * 4, "a warp's result, FP32 [16][128], fits the free place of its ring");

/// What is merged over blocks.
struct AttentionParts {
    float* results;   // [slot][group][128], weighted values relative to the piece's maximum
    float* states;    // [slot][group][2], maximum (base 2) and sum
    u32* arrivals;    // [unit], 0
};

/// The tile that a warp asks for next.
struct AttentionCursor { u32 range, at, piece_end; };

constexpr u32 NoRow = ~0u;

/// Sixteen rows of keys and values into a place of the ring; rows from `valid` on become zero. `keys`, `values`: the tile's first row of 128.
/// Row `skipped`, not below `valid`, is left alone: the caller writes it.
FN void load_attention_tile(u8* place, const u16* keys, const u16* values, u32 valid, u32 skipped = NoRow) {
    u32 lane = lane_index(), half = lane >> 4, column = lane & 15;
    const u16 *key = keys + half * AttentionHead + column * 8, *value = values + half * AttentionHead + column * 8;
    if (valid >= AttentionTile) {
        UNROLL for (u32 i = 0; i < AttentionTile / 2; i++) {
            u32 offset = (2 * i + half) * 256 + ((column ^ half ^ (2 * i & 6)) << 4);
            copy_async(place + offset, key + 2 * i * AttentionHead);
            copy_async(place + AttentionTileBytes / 2 + offset, value + 2 * i * AttentionHead);
        }
    } else {
        UNROLL for (u32 i = 0; i < AttentionTile / 2; i++) {
            u32 offset = (2 * i + half) * 256 + ((column ^ half ^ (2 * i & 6)) << 4);
            if (2 * i + half == skipped) continue;
            copy_async_or_zero(place + offset, key + 2 * i * AttentionHead, 2 * i + half < valid);
            copy_async_or_zero(place + AttentionTileBytes / 2 + offset, value + 2 * i * AttentionHead, 2 * i + half < valid);
        }
    }
}

/// A fragments of `group` query rows [group][128], the rest of 16 rows zero.
FN void load_queries(u32 (&fragments)[8][4], const u16* queries, u32 group) {
    u32 g = lane_index() >> 2, t = lane_index() & 3;
    const u32* words = (const u32*)queries + g * (AttentionHead / 2) + t;
    bool lower = g < group, upper = g + 8 < group;
    UNROLL for (u32 k = 0; k < 8; k++) {
        fragments[k][0] = lower ? words[8 * k] : 0;
        fragments[k][1] = upper ? words[8 * k + 8 * (AttentionHead / 2)] : 0;
        fragments[k][2] = lower ? words[8 * k + 4] : 0;
        fragments[k][3] = upper ? words[8 * k + 4 + 8 * (AttentionHead / 2)] : 0;
    }
}

/// A tile that has arrived, its first `valid` tokens: output[n] gathers channels 8n to 8n + 7 of the 16 rows.
FN void take_tile(const u8* place, u32 valid, float scale, const u32 (&queries)[8][4], SoftmaxRows& rows, float (&output)[16][4]) {
    u32 lane = lane_index(), row = lane & 7;
    // Keys: matrices (tokens 0–7, channels 0–7), (0–7, 8–15), (8–15, 0–7), (8–15, 8–15) of 16 channels.
    const u8* keys = place + (row + (lane >> 4) * 8) * 256;
    u32 key_column = (row ^ (lane >> 3 & 1)) << 4;
    float scores[2][4] = {}, more[2][4] = {};  // two chains each, for the latency
    u32 b[8][4];
    UNROLL for (u32 k = 0; k < 8; k++) load_matrices(b[k], keys + (key_column ^ (k << 5)));
    UNROLL for (u32 k = 0; k < 8; k++) {
        mma(k & 1 ? more[0] : scores[0], queries[k], b[k][0], b[k][1]);
        mma(k & 1 ? more[1] : scores[1], queries[k], b[k][2], b[k][3]);
    }
    UNROLL for (u32 i = 0; i < 4; i++) {
        scores[0][i] += more[0][i];
        scores[1][i] += more[1][i];
    }
    if (valid < AttentionTile) {
        u32 token = 2 * (lane & 3);
        UNROLL for (u32 i = 0; i < 4; i++) {
            if (token + (i & 1) >= valid) scores[0][i] = -infinity();
            if (token + 8 + (i & 1) >= valid) scores[1][i] = -infinity();
        }
    }
    u32 weights[4];
    float keep[2];
    if (take_scores(rows, scores, scale, weights, keep)) {
        UNROLL for (u32 n = 0; n < 16; n++) {
            UNROLL for (u32 i = 0; i < 4; i++) output[n][i] *= keep[i >> 1];
        }
    }
    // Values: matrices (tokens 0–7, channels 0–7), (8–15, 0–7), (0–7, 8–15), (8–15, 8–15) of 16 channels.
    const u8* values = place + AttentionTileBytes / 2 + (row + (lane >> 3 & 1) * 8) * 256;
    u32 value_column = (row ^ (lane >> 4)) << 4;
    UNROLL for (u32 n = 0; n < 8; n++) load_matrices_transposed(b[n], values + (value_column ^ (n << 5)));
    UNROLL for (u32 n = 0; n < 8; n++) {
        mma(output[2 * n], weights, b[n][0], b[n][1]);
        mma(output[2 * n + 1], weights, b[n][2], b[n][3]);
    }
}

/// Channels 2t, 2t + 1, 2t + 8, 2t + 9 of 16-channel group j, for lane 4·j + t, into the panel: 8 bytes.
FN void store_attention_output(u32* output, u32 batch_tiles, u32 sequence, u32 head, const float (&v)[4]) {
    u32 lane = lane_index(), k = head * AttentionHead + (lane >> 2) * 16 + (lane & 3) * 2;
    Pair words = {{pack_half(v[0], v[1]), pack_half(v[2], v[3])}};
    *(Pair*)(output + panel_word(k, sequence, batch_tiles)) = words;
}

/// To the next piece in which this warp has a tile; `at` stays at `end` where there is none.
template<class Source, class Arguments> FN void settle(AttentionCursor& next, const Arguments& a, u32 end) {
    while (next.at >= next.piece_end && next.piece_end < end) {
        next.range++;
        next.at = next.piece_end + warp_index();
        next.piece_end = least(Source::first_tile(a, next.range + 1), end);
    }
}

/// The sum of a unit's pieces, over its ranges, by the last block to arrive: rows warp, warp + 4, … of the group, four channels a lane.
template<class Source, class Arguments> FN void merge_pieces(const Arguments& a, const Stretches& split, u32 unit, u32 group) {
    constexpr u32 Rows = 16 / AttentionWarps;
    u32 lane = lane_index(), warp = warp_index(), channel = (lane >> 2) * 16 + (lane & 3) * 2;
    float total[Rows][4] = {};
    ROLLED for (u32 r = 0; r < Source::Ranges; r++) {
        u32 range = unit * Source::Ranges + r;
        u32 slot = stretch_of(split, Source::first_tile(a, range)) + range, last = stretch_of(split, Source::first_tile(a, range + 1) - 1) + range;
        float maximum[Rows], sum[Rows] = {}, gathered[Rows][4] = {};
        UNROLL for (u32 i = 0; i < Rows; i++) maximum[i] = -infinity();
        ROLLED for (; slot <= last; slot += 2) {  // two at once: their latencies overlap
            float state[2][Rows][2], part[2][Rows][4];
            UNROLL for (u32 c = 0; c < 2; c++) {
                UNROLL for (u32 i = 0; i < Rows; i++) {
                    u64 row = (u64)least(slot + c, last) * group + least(warp + i * AttentionWarps, group - 1);
                    const float* result = a.parts.results + row * AttentionHead + channel;
                    state[c][i][0] = load_written(a.parts.states + row * 2);
                    state[c][i][1] = load_written(a.parts.states + row * 2 + 1);
                    UNROLL for (u32 e = 0; e < 4; e++) part[c][i][e] = load_written(result + (e & 1) + (e >> 1) * 8);
                }
            }
            bool both = slot < last;
            UNROLL for (u32 i = 0; i < Rows; i++) {
                float second = both ? state[1][i][0] : -infinity();
                float common = largest(maximum[i], largest(state[0][i][0], second));
                float before = part_factor(maximum[i], common), first_factor = part_factor(state[0][i][0], common), second_factor = part_factor(second, common);
                maximum[i] = common;
                sum[i] = sum[i] * before + state[0][i][1] * first_factor + state[1][i][1] * second_factor;
                UNROLL for (u32 e = 0; e < 4; e++) gathered[i][e] = gathered[i][e] * before + part[0][i][e] * first_factor + part[1][i][e] * second_factor;
            }
        }
        UNROLL for (u32 i = 0; i < Rows; i++) {
            float weight = inverse(sum[i] * Source::Ranges);
            UNROLL for (u32 e = 0; e < 4; e++) total[i][e] = fused(gathered[i][e], weight, total[i][e]);
        }
    }
    u32 sequence = unit / a.kv_heads, first_head = unit % a.kv_heads * group;
    UNROLL for (u32 i = 0; i < Rows; i++) {
        u32 row = warp + i * AttentionWarps;
        if (row < group) store_attention_output(a.output, a.batch_tiles, sequence, first_head + row, total[i]);
    }
}

/// Ends a piece: the warps' parts are summed through the free places of their rings, and stored, or put into the workspace where others have pieces of the unit.
template<class Source, class Arguments>
FN void end_piece(const Arguments& a, const Stretches& split, u32 range, u32 group, u32 free_place, const SoftmaxRows& rows, const float (&output)[16][4]) {
    u8* memory = shared_memory();
    Pair* warp_states = (Pair*)(memory + AttentionRing);                           // [warp][16] (maximum, sum)
    u32* warp_places = (u32*)(memory + AttentionRing + AttentionWarps * 16 * 8);   // [warp] where its result lies
    u32* flag = warp_places + AttentionWarps;
    u32 lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;

    u32 unit = range / Source::Ranges;
    u32 expected = 0;  // pieces of the unit
    ROLLED for (u32 r = 0; r < Source::Ranges; r++) {
        u32 one = unit * Source::Ranges + r;
        expected += stretch_of(split, Source::first_tile(a, one + 1) - 1) - stretch_of(split, Source::first_tile(a, one)) + 1;
    }

    // [row][128], 32-byte columns XORed with row mod 8 against bank conflicts.
    float sums[2];
    row_sums(rows, sums);
    if (t == 0) {
        warp_states[warp * 16 + g] = {{float_bits(rows.maximum[0]), float_bits(sums[0])}};
        warp_states[warp * 16 + g + 8] = {{float_bits(rows.maximum[1]), float_bits(sums[1])}};
    }
    if (lane == 0) warp_places[warp] = free_place;
    Pair* result = (Pair*)(memory + free_place) + g * (AttentionHead / 2) + t;
    if (g < group) {
        UNROLL for (u32 n = 0; n < 16; n++) result[(n ^ g) * 4] = {{float_bits(output[n][0]), float_bits(output[n][1])}};
    }
    if (g + 8 < group) {
        UNROLL for (u32 n = 0; n < 16; n++) result[8 * (AttentionHead / 2) + (n ^ g) * 4] = {{float_bits(output[n][2]), float_bits(output[n][3])}};
    }
    sync_block();

    u32 slot = block_index() + range, sequence = unit / a.kv_heads, first_head = unit % a.kv_heads * group;
    ROLLED for (u32 row = warp; row < group; row += AttentionWarps) {
        Pair states[AttentionWarps];
        UNROLL for (u32 w = 0; w < AttentionWarps; w++) states[w] = warp_states[w * 16 + row];
        float common = bits_float(states[0].v[0]), sum = 0, v[4] = {};
        UNROLL for (u32 w = 1; w < AttentionWarps; w++) common = largest(common, bits_float(states[w].v[0]));
        UNROLL for (u32 w = 0; w < AttentionWarps; w++) {
            float factor = part_factor(bits_float(states[w].v[0]), common);
            const Pair* from = (const Pair*)(memory + warp_places[w]) + row * (AttentionHead / 2) + t;
            Pair near = from[((2 * g) ^ (row & 7)) * 4], far = from[((2 * g + 1) ^ (row & 7)) * 4];
            sum = fused(bits_float(states[w].v[1]), factor, sum);
            v[0] = fused(bits_float(near.v[0]), factor, v[0]);
            v[1] = fused(bits_float(near.v[1]), factor, v[1]);
            v[2] = fused(bits_float(far.v[0]), factor, v[2]);
            v[3] = fused(bits_float(far.v[1]), factor, v[3]);
        }
        if (expected == 1) {
            float weight = inverse(sum);
            UNROLL for (u32 e = 0; e < 4; e++) v[e] *= weight;
            store_attention_output(a.output, a.batch_tiles, sequence, first_head + row, v);
        } else {
            u64 at = (u64)slot * group + row;
            Pair* part = (Pair*)(a.parts.results + at * AttentionHead + g * 16 + t * 2);
            part[0] = {{float_bits(v[0]), float_bits(v[1])}};
            part[4] = {{float_bits(v[2]), float_bits(v[3])}};
            if (lane == 0) *(Pair*)(a.parts.states + at * 2) = {{float_bits(common), float_bits(sum)}};
        }
    }
    if (expected == 1) sync_block();  // before the places are filled again
    else if (last_to_arrive(a.parts.arrivals + unit, expected, flag)) merge_pieces<Source>(a, split, unit, group);
}

/// The whole kernel. A *unit* (sequence, kv head) has Source::Ranges ranges of tiles, each with a softmax of its own; the output is the mean over the ranges.
/// Source, with `a` its arguments (batch, heads, kv_heads, batch_tiles, scale, queries, output, parts):
///   Ranges                                    ranges of a unit
///   tiles(a)                                  tiles of a unit
///   first_tile(a, range)                      where range number `range` (Ranges · unit + r) begins in the row of all tiles
///   range_of(a, tile)                         which range a tile belongs to
///   valid(a, range, at)                       tokens of a tile, 1 to 16
///   renewed(a, source, range, at)             whether it needs what the kernel before wrote; called before load
///   load(a, source, range, at, place)         starts its copies
template<class Source, class Arguments> FN void attend(const Arguments& a) {
    u32 group = a.heads / a.kv_heads, warp = warp_index();
    float scale = a.scale * Log2E;
    Stretches split = stretches(a.batch * a.kv_heads * Source::tiles(a), grid_size());
    u32 begin = stretch_begin(split, block_index()), end = stretch_begin(split, block_index() + 1);
    if (begin == end) {
        wait_for_previous_kernel();
        let_next_kernel_start();
        return;
    }
    u8* memory = shared_memory();
    u32 range = Source::range_of(a, begin);
    u32 ring = warp * (AttentionStages * AttentionTileBytes), ring_end = ring + AttentionStages * AttentionTileBytes;
    u32 used = ring, free_place = ring;  // where the next tile to use lies; where the next to load goes
    Source source = {};
    AttentionCursor next = {range, begin + warp, least(Source::first_tile(a, range + 1), end)};
    settle<Source>(next, a, end);
    bool waited = false;
    ROLLED for (u32 i = 0; i < AttentionStages - 1; i++) {
        if (next.at < end) {
            if (!waited && Source::renewed(a, source, next.range, next.at)) {
                wait_for_previous_kernel();
                waited = true;
            }
            Source::load(a, source, next.range, next.at, memory + free_place);
            next.at += AttentionWarps;
            settle<Source>(next, a, end);
        }
        copy_commit();
        free_place += AttentionTileBytes;
    }
    if (!waited) wait_for_previous_kernel();

    ROLLED for (u32 piece = begin; piece < end; range++) {
        u32 piece_end = least(Source::first_tile(a, range + 1), end);
        u32 queries[8][4];
        load_queries(queries, a.queries + (u64)(range / Source::Ranges) * group * AttentionHead, group);
        SoftmaxRows rows;
        clear(rows);
        float output[16][4] = {};
        ROLLED for (u32 at = piece + warp; at < piece_end; at += AttentionWarps) {
            copy_wait<AttentionStages - 2>();
            sync_warp();  // all lanes' copies are there, and all have done with the free place
            if (next.at < end) {
                Source::load(a, source, next.range, next.at, memory + free_place);
                next.at += AttentionWarps;
                settle<Source>(next, a, end);
            }
            copy_commit();
            take_tile(memory + used, Source::valid(a, range, at), scale, queries, rows, output);
            free_place = used;
            used = used + AttentionTileBytes == ring_end ? ring : used + AttentionTileBytes;
        }
        sync_warp();
        if (piece_end == end) let_next_kernel_start();
        end_piece<Source>(a, split, range, group, free_place, rows, output);
        piece = piece_end;
    }
}
