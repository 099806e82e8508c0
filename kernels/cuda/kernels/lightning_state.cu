// Lightning attention's recurrence for one new token a sequence, per head:
//
//   q, k, v ← fp16(silu(q)), fp16(silu(k)), fp16(silu(v));   S ← decay·S + kᵀ·v;   o = q·S;   panel ← sigmoid(gate)·o;   squares[b] += Σ o²
//
// RMSNorm over all heads' o comes before the gate but is one factor a sequence: the product that reads the panel applies it (deferred norm).
//
// The state is nearly all the bytes and is read and written once. An item is half a head: 128 keys × 64 values, 32 KB; o of a column needs no other column, so
// items are independent. Blocks take equal stretches of all items. A thread owns rows r, r + 16, … and four columns of each item, copies them into its own part
// of a ring of three items and writes them back from registers; nothing but q, k, v, gate and the partial o passes between threads: one barrier an item.
//
// bytes  2·4·128²·heads·batch (I, batch 20, 64 heads: 167.8 MB)   FLOP 5·128²·heads·batch
// floor  bytes / bandwidth
// launch 256 threads, LightningShared = 108,544 bytes (two blocks on an H100 or H200, one on an A100), grid multiprocessors × resident blocks;
//        64 to 96 KB of each block under way
#include "../parts/panel.cuh"

struct LightningStateArguments {
    const float* projections;  // FP32 [batch][4·heads·128]: q, k, v, gate, each [heads][128], as the product gave them
    float* state;              // FP32 [batch][heads][128 keys][128 values], updated
    const float* decay;        // FP32 [heads]
    u32* output;               // panel FP16, inputs k = head·128 + channel, columns b
    float* squares;            // FP32 [batch], Σ o² is added
    u32 batch, heads;
    u32 batch_tiles;           // NT of the output panel
};

constexpr u32 LightningHead = 128, LightningColumns = 64, LightningThreads = 256, LightningStages = 3;
constexpr u32 LightningRows = 8;                                             // of a thread: 16 threads a row of 64 columns, 16 rows at a time
constexpr u32 LightningItemBytes = LightningHead * LightningColumns * 4;     // 32 KB
constexpr u32 LightningVectors = 4;                                          // items whose q, k, v and gate are kept
constexpr u32 LightningVectorFloats = 2 * LightningHead + 2 * LightningColumns;
constexpr u32 LightningPartialFloats = LightningThreads / 32 * LightningColumns;
constexpr u32 LightningShared = LightningStages * LightningItemBytes + LightningVectors * LightningVectorFloats * 4 + 2 * LightningPartialFloats * 4;
static_assert(2 * (LightningShared + 1024) <= 228 << 10, "two blocks on a multiprocessor of sm_90, 1 KB of each the system's");

/// fp16(a · sigmoid(a))
FN float rounded_silu(float a) { return from_half(to_half(a * sigmoid(a))); }

struct LightningVector { float first, second, decay; };

/// This thread's part of an item's vectors: q or k (threads from 128 on); v (below 64) or gate (below 128). With the decay.
FN LightningVector load_vector(const LightningStateArguments& a, u32 item) {
    u32 thread = thread_index(), width = a.heads * LightningHead, pair = item >> 1;
    const float* from = a.projections + (u64)(pair / a.heads) * 4 * width + pair % a.heads * LightningHead;
    LightningVector r = {from[(thread >> 7) * width + (thread & 127)], 0, a.decay[pair % a.heads]};
    if (thread < 128) r.second = from[(2 + (thread >> 6)) * width + (item & 1) * LightningColumns + (thread & 63)];
    return r;
}

/// [128] (k, q), then v [64], then sigmoid(gate) [64].
FN void store_vector(float* to, LightningVector raw) {
    u32 thread = thread_index();
    to[(thread & 127) * 2 + (thread < 128)] = rounded_silu(raw.first);
    if (thread < 128) to[2 * LightningHead + thread] = thread < 64 ? rounded_silu(raw.second) : sigmoid(raw.second);
}

KERNEL(lightning_state, 256, 2)(LightningStateArguments a) {
    u32 thread = thread_index(), lane = lane_index(), warp = warp_index();
    u32 row = thread >> 4, column = (thread & 15) * 4;
    u32 items = a.batch * a.heads * 2, each = items / grid_size(), more = items - each * grid_size();
    u32 begin = block_index() * each + least(block_index(), more), end = begin + each + (block_index() < more);
    u8* memory = shared_memory();
    u8* place = memory + thread * 16;  // this thread's part: 16 bytes of each 4 KB
    float* vectors = (float*)(memory + LightningStages * LightningItemBytes);
    float* partials = vectors + LightningVectors * LightningVectorFloats;  // [2][8 warps][64]
    // A thread's first element of an item; its rows lie 16 · 128 apart.
    auto element = [&](u32 item) { return a.state + (u64)(item >> 1) * (LightningHead * LightningHead) + (item & 1) * LightningColumns + row * LightningHead + column; };

    UNROLL for (u32 s = 0; s < LightningStages; s++) {
        if (begin + s < end) {
            const float* from = element(begin + s);
            UNROLL for (u32 i = 0; i < LightningRows; i++) copy_async(place + s * LightningItemBytes + i * 4096, from + i * 16 * LightningHead);
        }
        copy_commit();
    }
    wait_for_previous_kernel();
    if (begin == end) {
        let_next_kernel_start();
        return;
    }
    LightningVector raw = load_vector(a, begin);
    store_vector(vectors + (begin & 3) * LightningVectorFloats, raw);
    float next_decay = raw.decay;
    raw = load_vector(a, least(begin + 1, end - 1));
    sync_block();

    u32 stage = 0;
    ROLLED for (u32 item = begin; item < end; item++) {
        store_vector(vectors + ((item + 1) & 3) * LightningVectorFloats, raw);
        float decay = next_decay;
        next_decay = raw.decay;
        raw = load_vector(a, least(item + 2, end - 1));
        const float* vector = vectors + (item & 3) * LightningVectorFloats;
        Quad v = *(const Quad*)(vector + 2 * LightningHead + column);
        float* state = element(item);
        u8* here = place + stage * LightningItemBytes;
        float o[4] = {};
        copy_wait<LightningStages - 1>();
        Quad rows[LightningRows];  // all at once: one latency of shared memory
        UNROLL for (u32 i = 0; i < LightningRows; i++) rows[i] = *(const Quad*)(here + i * 4096);
        UNROLL for (u32 i = 0; i < LightningRows; i++) {
            Pair kq = *(const Pair*)(vector + (row + 16 * i) * 2);
            UNROLL for (u32 e = 0; e < 4; e++) {
                float next = fused(bits_float(kq.v[0]), bits_float(v.v[e]), decay * bits_float(rows[i].v[e]));
                o[e] = fused(bits_float(kq.v[1]), next, o[e]);
                rows[i].v[e] = float_bits(next);
            }
        }
        UNROLL for (u32 i = 0; i < LightningRows; i++) store_stream(state + i * 16 * LightningHead, rows[i]);
        if (item + LightningStages < end) {
            const float* from = element(item + LightningStages);
            UNROLL for (u32 i = 0; i < LightningRows; i++) copy_async(here + i * 4096, from + i * 16 * LightningHead);
        } else if (item + LightningStages == end || (item == begin && item + LightningStages > end)) {
            let_next_kernel_start();
        }
        copy_commit();
        stage = stage + 1 == LightningStages ? 0 : stage + 1;

        float* sums = partials + (item & 1) * LightningPartialFloats;
        UNROLL for (u32 e = 0; e < 4; e++) o[e] += shuffle_xor(o[e], 16);
        if (lane < 16) *(Quad*)(sums + warp * LightningColumns + column) = {{float_bits(o[0]), float_bits(o[1]), float_bits(o[2]), float_bits(o[3])}};
        sync_block();
        if (warp == (item & 7)) {  // in turn: the others go on
            float near = 0, far = 0;
            UNROLL for (u32 w = 0; w < LightningThreads / 32; w++) {
                Pair two = *(const Pair*)(sums + w * LightningColumns + 2 * lane);
                near += bits_float(two.v[0]);
                far += bits_float(two.v[1]);
            }
            Pair gate = *(const Pair*)(vector + 2 * LightningHead + LightningColumns + 2 * lane);
            u32 head = item >> 1, sequence = head / a.heads, k = head % a.heads * LightningHead + (item & 1) * LightningColumns + 2 * lane;
            a.output[panel_word(k, sequence, a.batch_tiles)] = pack_half(near * bits_float(gate.v[0]), far * bits_float(gate.v[1]));
            float square = warp_sum(near * near + far * far);
            if (lane == 0) atomic_add(a.squares + sequence, square);
        }
    }
}
