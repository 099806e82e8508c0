// Decode attention over the whole context, MHA and GQA: one new token a sequence.
//
//   o[b][h] = softmax(q[b][h] · K[b][h / group]ᵀ · scale) · V[b][h / group]
//
// group = heads / kv_heads, 1 to 16: one kv head's query rows are the 16 rows of mma's M side, padded with zeros (one row of 16 is memory-bound all the same).
// The tiles (16 tokens of keys and values, 8 KB) of all (sequence, kv head) pairs lie in one row, shared equally by the blocks (parts/split.cuh): any grid is
// right, multiprocessors × resident blocks is the one to take.
//
// bytes  4·128·context·kv_heads·batch (A, batch 8, 4096: 1.074 GB; I0, batch 20, 64k: 5.369 GB)   FLOP 4·128·context·heads·batch
// floor  bytes / bandwidth; FLOP per byte = group ≤ 16
// launch 128 threads, AttentionShared = 98,848 bytes (two blocks on an H100 or H200, one on an A100); 64 KB of each block under way
#include "../parts/attention_rows.cuh"

struct AttentionGroupedArguments {
    const u16* queries;    // FP16 [batch][heads][128], rotated
    const u16* keys;       // FP16 [batch][kv_heads][context][128]; slot context − 1 is the kernel before's
    const u16* values;     // as keys
    u32* output;           // panel FP16, inputs k = head·128 + channel, columns b
    AttentionParts parts;  // results FP32 [grid + units][group][128], states FP32 [grid + units][group][2], arrivals [units] = 0; units = batch·kv_heads
    u32 batch, heads, kv_heads, context;
    u32 batch_tiles;       // NT of the output panel
    float scale;           // of q·k before softmax: 1/√128
};

struct WholeContext {
    static constexpr u32 Ranges = 1;
    FN u32 tiles(const AttentionGroupedArguments& a) { return ceiling(a.context, AttentionTile); }
    FN u32 first_tile(const AttentionGroupedArguments& a, u32 range) { return range * tiles(a); }
    FN u32 range_of(const AttentionGroupedArguments& a, u32 tile) { return tile / tiles(a); }
    FN u32 valid(const AttentionGroupedArguments& a, u32 range, u32 at) { return least(a.context - (at - first_tile(a, range)) * AttentionTile, AttentionTile); }
    FN bool renewed(const AttentionGroupedArguments& a, WholeContext&, u32 range, u32 at) { return at + 1 == first_tile(a, range + 1); }
    FN void load(const AttentionGroupedArguments& a, WholeContext&, u32 range, u32 at, u8* place) {
        u64 row = (u64)range * a.context + (at - first_tile(a, range)) * AttentionTile;
        load_attention_tile(place, a.keys + row * AttentionHead, a.values + row * AttentionHead, valid(a, range, at));
    }
};

KERNEL(attention_grouped, 128, 2)(AttentionGroupedArguments a) { attend<WholeContext>(a); }
