// Decode attention of NSA: three branches over the same caches, each with a softmax of its own, a third of each.
//
//   compressed  entries = ⌊(context − 32) / 16⌋ + 1: entry e is the mean of tokens 16·e … 16·e + 31
//   selected    16 blocks of 64 tokens, chosen for each sequence and kv head
//   window      the last 512 tokens
//
// The newest compressed entry covers the new token: the warp that has its tile takes its mean again (FP32 over the cached FP16 tokens in order, rounded to
// FP16), uses it and writes it to the compressed caches. The tiles of a unit (sequence, kv head) are those of its three branches one behind the other; the row
// of all units' tiles is shared equally by the blocks (parts/split.cuh).
//
// bytes  4·128·(entries + 1,536)·kv_heads·batch (G, batch 16, 64k: 184.5 MB)   FLOP 4·128·(entries + 1,536)·heads·batch
// floor  bytes / bandwidth; FLOP per byte = group ≤ 16
// launch 128 threads, AttentionShared = 98,848 bytes (two blocks on an H100 or H200, one on an A100); 64 KB of each block under way
#include "../parts/attention_rows.cuh"

struct AttentionNativeSparseArguments {
    const u16* queries;       // FP16 [batch][heads][128], rotated
    const u16* keys;          // FP16 [batch][kv_heads][context][128]; slot context − 1 is the kernel before's
    const u16* values;        // as keys
    u16* compressed_keys;     // FP16 [batch][kv_heads][entries][128]; the last entry is written here
    u16* compressed_values;   // as compressed_keys
    const i32* selected;      // block numbers [batch][kv_heads][16], each below ⌊context / 64⌋
    u32* output;              // panel FP16, inputs k = head·128 + channel, columns b
    AttentionParts parts;     // results FP32 [grid + 3·units][group][128], states FP32 [grid + 3·units][group][2], arrivals [units] = 0; units = batch·kv_heads
    u32 batch, heads, kv_heads;
    u32 context;              // at least 512
    u32 batch_tiles;          // NT of the output panel
    float scale;              // of q·k before softmax: 1/√128
};

constexpr u32 CompressLength = 32, CompressStride = 16, SelectedBlocks = 16, SelectedBlock = 64, SparseWindow = 512;
constexpr u32 SelectedTiles = SelectedBlocks * SelectedBlock / AttentionTile, WindowTiles = SparseWindow / AttentionTile;

struct SparseBranches {
    static constexpr u32 Ranges = 3;  // compressed, selected, window

    u32 known;   // 1 + the unit whose blocks `blocks` holds
    u32 blocks;  // lane l: number l mod 16

    FN u32 entries(const AttentionNativeSparseArguments& a) { return (a.context - CompressLength) / CompressStride + 1; }
    FN u32 compressed_tiles(const AttentionNativeSparseArguments& a) { return ceiling(entries(a), AttentionTile); }
    FN u32 tiles(const AttentionNativeSparseArguments& a) { return compressed_tiles(a) + SelectedTiles + WindowTiles; }
    FN u32 first_tile(const AttentionNativeSparseArguments& a, u32 range) {
        u32 unit = range / Ranges, branch = range - unit * Ranges;
        return unit * tiles(a) + (branch ? compressed_tiles(a) : 0) + (branch == 2 ? SelectedTiles : 0);
    }
    FN u32 range_of(const AttentionNativeSparseArguments& a, u32 tile) {
        u32 unit = tile / tiles(a), at = tile - unit * tiles(a), compressed = compressed_tiles(a);
        return unit * Ranges + (at >= compressed) + (at >= compressed + SelectedTiles);
    }
    FN u32 valid(const AttentionNativeSparseArguments& a, u32 range, u32 at) {
        return range % Ranges ? AttentionTile : least(entries(a) - (at - first_tile(a, range)) * AttentionTile, AttentionTile);
    }
    /// First token of a tile of the selected blocks or the window.
    FN u32 first_token(const AttentionNativeSparseArguments& a, SparseBranches& source, u32 range, u32 at) {
        u32 unit = range / Ranges, tile = at - first_tile(a, range);
        if (range % Ranges == 2) return a.context - SparseWindow + tile * AttentionTile;
        if (source.known != unit + 1) {
            source.known = unit + 1;
            source.blocks = (u32)a.selected[unit * SelectedBlocks + lane_index() % SelectedBlocks];
        }
        return shuffle(source.blocks, tile / (SelectedBlock / AttentionTile)) * SelectedBlock + tile % (SelectedBlock / AttentionTile) * AttentionTile;
    }
    FN bool renewed(const AttentionNativeSparseArguments& a, SparseBranches& source, u32 range, u32 at) {
        if (range % Ranges == 0) return at + 1 == first_tile(a, range + 1);
        return first_token(a, source, range, at) + AttentionTile >= a.context;
    }
    /// The mean of the newest entry's tokens, channels 4·lane to 4·lane + 3, FP16.
    FN Pair mean(const u16* cache, u64 first_row) {
        const u16* from = cache + first_row * AttentionHead + lane_index() * 4;
        float sum[4] = {};
        ROLLED for (u32 rows = 0; rows < CompressLength; rows += 16) {
            Pair row[16];
            UNROLL for (u32 i = 0; i < 16; i++) row[i] = *(const Pair*)(from + (rows + i) * AttentionHead);
            UNROLL for (u32 i = 0; i < 16; i++) {
                sum[0] += low_half(row[i].v[0]);
                sum[1] += high_half(row[i].v[0]);
                sum[2] += low_half(row[i].v[1]);
                sum[3] += high_half(row[i].v[1]);
            }
        }
        constexpr float share = 1.0f / CompressLength;
        return {{pack_half(sum[0] * share, sum[1] * share), pack_half(sum[2] * share, sum[3] * share)}};
    }
    FN void load(const AttentionNativeSparseArguments& a, SparseBranches& source, u32 range, u32 at, u8* place) {
        u32 unit = range / Ranges, all = entries(a), valid = AttentionTile, newest = NoRow;
        const u16 *keys, *values;
        u64 row;
        if (range % Ranges) {
            row = (u64)unit * a.context + first_token(a, source, range, at);
            keys = a.keys;
            values = a.values;
        } else {
            u32 tile = at - first_tile(a, range);
            row = (u64)unit * all + tile * AttentionTile;
            keys = a.compressed_keys;
            values = a.compressed_values;
            if ((tile + 1) * AttentionTile >= all) valid = newest = (all - 1) % AttentionTile;
        }
        load_attention_tile(place, keys + row * AttentionHead, values + row * AttentionHead, valid, newest);
        if (newest == NoRow) return;
        u32 lane = lane_index();
        u64 tokens = (u64)unit * a.context + (all - 1) * CompressStride, target = ((u64)unit * all + all - 1) * AttentionHead + lane * 4;
        u8* here = place + newest * 256 + (((lane >> 1) ^ (newest & 7)) << 4) + (lane & 1) * 8;
        ROLLED for (u32 which = 0; which < 2; which++) {
            Pair entry = mean(which ? a.values : a.keys, tokens);
            *(Pair*)(here + which * (AttentionTileBytes / 2)) = entry;
            *(Pair*)((which ? a.compressed_values : a.compressed_keys) + target) = entry;
        }
    }
};

KERNEL(attention_native_sparse, 128, 2)(AttentionNativeSparseArguments a) { attend<SparseBranches>(a); }
