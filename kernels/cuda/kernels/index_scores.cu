// CSA's indexer: score[b][e] = Σ over 64 heads of weight[b][h] · max(0, query[b][h] · key[b][e]), keys of 128 in FP8 with an FP32 scale.
//
// Reads batch·entries·132 B, writes batch·entries·4 B; FLOP 2·64·128 an entry: 124 FLOP/B. Floor at batch 8 and 262,144 entries: 277 MB, 58 µs at 4.8 TB/s; 34 GFLOP, 53 µs at
// mma.sync's 0.65 PFLOP/s.
//
// A warp works alone: 16 keys on mma's M side against all 64 heads, whose queries stay in 128 registers. The order of the channels is ours, the same on both sides: a lane's 32
// channels are two pieces of 16 that it copies to its own corner of shared memory, so that no thread waits for another; no barrier at all. FP8 becomes FP16 exactly, without the
// scale; w·scale·max(0, x) is w·max(0, scale·x), as the scale is positive. The newest key is the kernels' before: its tile is not read early.
//
// Grid: any number of blocks; as many as multiprocessors (one resides on each). Threads: 256. Shared memory: IndexScoresBytes.
#include "../parts/entries.cuh"
#include "../parts/split.cuh"

struct IndexScoresArguments {
    /// FP16 [batch][64][128], turned.
    const u16* queries;
    /// FP32 [batch][weight_stride]: 64 head weights.
    const float* weights;
    /// Pages of 64 keys, `key_bytes` a sequence.
    const u8* keys;
    /// FP32 [batch][entries].
    float* scores;
    u64 key_bytes;
    u32 batch;
    u32 entries;
    u32 weight_stride;
    u32 unused;
};

constexpr u32 IndexScoresThreads = 256, IndexTile = 16, IndexStages = 8;
/// Of a warp's stage: [4 pieces][32 lanes][16 B], then 16 scales.
constexpr u32 IndexStageBytes = 4 * 512 + 64;
constexpr u32 IndexScoresBytes = IndexScoresThreads / 32 * IndexStages * IndexStageBytes;
static_assert(IndexScoresBytes <= 232448, "sm_90 gives a block 227 KiB");

KERNEL(KERNEL_NAME, IndexScoresThreads, 1)(IndexScoresArguments a) {
    u32 lane = lane_index(), group = lane / 4, quarter = lane % 4;
    u8* ring = shared_memory() + warp_index() * (IndexStages * IndexStageBytes);
    u32 each = ceiling(a.entries, IndexTile);
    // Of the warps, not of the blocks.
    Stretches all = stretches(a.batch * each, grid_size() * (IndexScoresThreads / 32));
    u32 warp = block_index() * (IndexScoresThreads / 32) + warp_index(), begin = stretch_begin(all, warp), end = stretch_begin(all, warp + 1);

    u32 next = begin, next_sequence = begin / each, next_tile = begin - next_sequence * each, next_at = 0;
    auto copy_next = [&]() {
        if (next < end) {
            const u8* page = a.keys + next_sequence * a.key_bytes + (u64)(next_tile / 4) * IndexPageBytes;
            u32 first = next_tile % 4 * IndexTile;
            const u8* from = page + (first + group) * IndexWidth + quarter * 16;
            u8* to = ring + next_at + lane * 16;
            copy_async(to, from);
            copy_async(to + 512, from + 64);
            copy_async(to + 1024, from + 8 * IndexWidth);
            copy_async(to + 1536, from + 8 * IndexWidth + 64);
            // Lane 4g writes key g's score, lane 4g + 1 that of key g + 8.
            if (quarter < 2) copy_async_small<4>(ring + next_at + 2048 + (group + 8 * quarter) * 4, page + PageEntries * IndexWidth + (first + group + 8 * quarter) * 4);
            next++;
            next_tile++;
            if (next_tile == each) {
                next_tile = 0;
                next_sequence++;
            }
            next_at = next_at + IndexStageBytes == IndexStages * IndexStageBytes ? 0 : next_at + IndexStageBytes;
        }
        copy_commit();
    };
    u32 early = 0;
    ROLLED for (; early + 1 < IndexStages && next_tile + 1 < each; early++) copy_next();
    wait_for_previous_kernel();
    let_next_kernel_start();
    ROLLED for (; early + 1 < IndexStages; early++) copy_next();

    u32 at = 0, tile = begin;
    ROLLED while (tile < end) {
        u32 sequence = tile / each, to = least(end, (sequence + 1) * each), first = (tile - sequence * each) * IndexTile;
        // Step 4·half + w multiplies channels 64·half + 16·quarter + 4w and the three after it.
        u32 query[8][8][2];
        float weight[8][2];
        UNROLL for (u32 n = 0; n < 8; n++) {
            const u16* row = a.queries + ((u64)sequence * IndexHeads + 8 * n + group) * IndexWidth + 16 * quarter;
            UNROLL for (u32 half = 0; half < 2; half++)
                UNROLL for (u32 p = 0; p < 2; p++) {
                    Quad words = *(const Quad*)(row + 64 * half + 8 * p);
                    UNROLL for (u32 i = 0; i < 4; i++) query[4 * half + 2 * p + i / 2][n][i % 2] = words.v[i];
                }
            UNROLL for (u32 i = 0; i < 2; i++) weight[n][i] = a.weights[(u64)sequence * a.weight_stride + 8 * n + 2 * quarter + i];
        }
        float* scores = a.scores + (u64)sequence * a.entries;
        ROLLED for (; tile < to; tile++, first += IndexTile) {
            copy_wait<IndexStages - 2>();
            const u8* stage = ring + at;
            float product[8][4];
            UNROLL for (u32 n = 0; n < 8; n++)
                UNROLL for (u32 i = 0; i < 4; i++) product[n][i] = 0;
            UNROLL for (u32 half = 0; half < 2; half++) {
                Quad upper = *(const Quad*)(stage + half * 512 + lane * 16), lower = *(const Quad*)(stage + 1024 + half * 512 + lane * 16);
                UNROLL for (u32 w = 0; w < 4; w++) {
                    u32 key[4] = {half_from_fp8((u16)upper.v[w]), half_from_fp8((u16)lower.v[w]), half_from_fp8((u16)(upper.v[w] >> 16)), half_from_fp8((u16)(lower.v[w] >> 16))};
                    UNROLL for (u32 n = 0; n < 8; n++) mma(product[n], key, query[4 * half + w][n][0], query[4 * half + w][n][1]);
                }
            }
            float scale = *(const float*)(stage + 2048 + (group + 8 * (quarter & 1)) * 4);
            copy_next();
            at = at + IndexStageBytes == IndexStages * IndexStageBytes ? 0 : at + IndexStageBytes;
            float sum[2] = {0, 0};
            UNROLL for (u32 n = 0; n < 8; n++)
                UNROLL for (u32 i = 0; i < 4; i++) sum[i / 2] = fused(largest(product[n][i], 0), weight[n][i % 2], sum[i / 2]);
            UNROLL for (u32 i = 0; i < 2; i++) sum[i] = warp_sum<4>(sum[i]);
            u32 entry = first + group + 8 * quarter;
            if (quarter < 2 && entry < a.entries) scores[entry] = (quarter ? sum[1] : sum[0]) * scale;
        }
    }
}
