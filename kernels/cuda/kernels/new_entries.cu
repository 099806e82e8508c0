// H's new entries: the window's entry of this token, the compressed entry that covers it, and (CSA) its index key.
//
//   window        RMSNorm(kv), turned by the token's position, to page slot (context − 1) % 128
//   compressed    for each column Σ softmax(gate)·value over the recent tokens, RMSNorm, turned by the entry's position; overlapping (CSA) the earlier half of the tokens takes
//                 the first columns of a row, the later half the last
//   index key     the same over 128 columns; FP8 with one FP32 scale
// This step's values and gates become the last row of `recent` first.
//
// Reads batch·tokens·2·width·4 B: HCA 524 KB a sequence (4.2 MB at batch 8, 0.9 µs at 4.8 TB/s), CSA 33 KB (half of each row). No FLOPs to speak of.
// All but the last token are read before the kernels before have ended.
//
// Grid: batch · (9 + overlapping) blocks: 8 slices of 64 compressed columns, whose last to arrive normalises and stores; the window's entry; the index key.
// Threads: 256. Shared memory: NewEntriesBytes.
#include "../parts/entries.cuh"
#include "../parts/split.cuh"

struct NewEntriesArguments {
    /// FP32 [batch][entry_stride]: kv's product, 512.
    const float* entry;
    /// FP32 [batch][compress_stride]: this token's value and gate, `width` each: 512, or 1024 where overlapping.
    const float* value;
    const float* gate;
    /// FP32 [batch][index_stride], 256 each; null without an indexer.
    const float* index_value;
    const float* index_gate;
    /// FP32 [batch][tokens][value, gate][width]; the last token's row is written.
    float* recent;
    /// FP32 [batch][tokens][value, gate][256]; null without an indexer.
    float* index_recent;
    /// FP32 [32 cosines][32 sines] of position context − 1, and of the compressed entry's position.
    const float* angles;
    const float* entry_angles;
    /// Entry pages: window [batch][2 pages]; stored and index keys so many bytes a sequence.
    u8* window;
    u8* stored;
    u8* index_keys;
    /// FP32 [batch][512], for the slices; and [batch] counts, 0 between launches.
    float* compressed;
    u32* arrivals;
    u64 stored_bytes;
    u64 index_bytes;
    u32 batch;
    /// Compressed entries of a sequence; the last one is made anew.
    u32 entries;
    /// Tokens of `recent`: 8 (CSA), 128 (HCA).
    u32 tokens;
    u32 overlapping;
    /// (context − 1) % 128
    u32 window_slot;
    u32 entry_stride, compress_stride, index_stride;
};

constexpr u32 NewEntriesThreads = 256, Slices = 8, SliceColumns = EntryWidth / Slices;
/// FP32 [3][256]: what the threads of a column have; [8] sums of warps; one word.
constexpr u32 NewEntriesBytes = (3 * 256 + 8 + 4) * 4;
static_assert(NewEntriesBytes <= 49152, "no opt-in needed");

/// Sum over the block's 256 threads; `sums` holds 8.
FN float block_sum(float v, float* sums) {
    v = warp_sum(v);
    sync_block();
    if (lane_index() == 0) sums[warp_index()] = v;
    sync_block();
    float sum = 0;
    UNROLL for (u32 i = 0; i < 8; i++) sum += sums[i];
    return sum;
}

/// Softmax over tokens so far: largest gate, Σ weight, Σ weight·value.
struct Column { float most, weights, sum; };
FN void add_token(Column& c, float gate, float value) {
    float most = largest(c.most, gate), keep = exp2_fast((c.most - most) * Log2E), weight = exp2_fast((gate - most) * Log2E);
    c = {most, c.weights * keep + weight, c.sum * keep + weight * value};
}

/// One compressed column for each of the first `columns` threads, before the norm. The block takes columns `first` and on, thread = token group · columns + column.
template<u32 columns> FN float compress(const float* value, const float* gate, float* recent, u32 first, u32 half, u32 tokens, bool overlapping, float* shared) {
    u32 thread = thread_index(), column = first + thread % columns, group = thread / columns, width = overlapping ? 2 * half : half;
    constexpr u32 Groups = NewEntriesThreads / columns, Unrolled = 8;
    Column c = {-infinity(), 0, 0};
    ROLLED for (u32 t = group; t + 1 < tokens; t += Groups * Unrolled) {
        float values[Unrolled], gates[Unrolled];
        UNROLL for (u32 i = 0; i < Unrolled; i++) {
            u32 token = t + i * Groups;
            bool there = token + 1 < tokens;
            const float* row = recent + (u64)token * 2 * width + (overlapping && token >= tokens / 2 ? half : 0) + column;
            values[i] = there ? row[0] : 0;
            gates[i] = there ? row[width] : -infinity();
        }
        float most = c.most;
        UNROLL for (u32 i = 0; i < Unrolled; i++) most = largest(most, gates[i]);
        float keep = exp2_fast((c.most - most) * Log2E);
        c = {most, c.weights * keep, c.sum * keep};
        UNROLL for (u32 i = 0; i < Unrolled; i++) {
            float weight = exp2_fast((gates[i] - most) * Log2E);
            c.weights += weight;
            c.sum = fused(weight, values[i], c.sum);
        }
    }
    wait_for_previous_kernel();
    let_next_kernel_start();
    // The last token: its row is stored, and its later columns count where the halves overlap.
    if (group == 0) {
        float* row = recent + (u64)(tokens - 1) * 2 * width + column;
        float last_value = value[column], last_gate = gate[column];
        row[0] = last_value;
        row[width] = last_gate;
        if (overlapping) {
            last_value = value[half + column];
            last_gate = gate[half + column];
            row[half] = last_value;
            row[width + half] = last_gate;
        }
        add_token(c, last_gate, last_value);
    }
    shared[thread] = c.most;
    shared[256 + thread] = c.weights;
    shared[512 + thread] = c.sum;
    sync_block();
    float most = -infinity(), weights = 0, sum = 0;
    UNROLL for (u32 g = 0; g < Groups; g++) most = largest(most, shared[g * columns + thread % columns]);
    UNROLL for (u32 g = 0; g < Groups; g++) {
        u32 at = g * columns + thread % columns;
        float keep = exp2_fast((shared[at] - most) * Log2E);
        weights += shared[256 + at] * keep;
        sum += shared[512 + at] * keep;
    }
    return exact_div(sum, weights);
}

/// Normalises, turns and stores an entry; thread t has channels 2t and 2t + 1, so that a warp has a group of 64.
FN void store_entry(u8* pages, u32 slot, float low, float high, const float* angles, float* sums) {
    u32 lane = lane_index(), warp = warp_index();
    float norm = exact_div(1, exact_sqrt(block_sum(low * low + high * high, sums) / EntryWidth + 1e-6f));
    low = exact_mul(low, norm);
    high = exact_mul(high, norm);
    u8* data = pages + entry_data_at(slot) + thread_index() * 2;
    if (warp < 7) {
        float a = low < 0 ? -low : low, b = high < 0 ? -high : high;
        u32 scale = entry_scale_of(warp_max(largest(a, b)));
        float inverse = inverse_entry_scale(scale);
        *(u16*)data = (u16)(fp8_from_float(low * inverse) | (u32)fp8_from_float(high * inverse) << 8);
        if (lane == 0) pages[entry_scales_at(slot) + warp] = (u8)scale;
    } else {
        float low_partner = shuffle_xor(low, 16), high_partner = shuffle_xor(high, 16);
        u32 pair = lane % 16 * 2;
        low = turned(low, low_partner, lane >= 16, angles, pair);
        high = turned(high, high_partner, lane >= 16, angles, pair + 1);
        *(u32*)(pages + entry_data_at(slot) + EntryPlain + lane * 4) = to_bfloat(low) | (u32)to_bfloat(high) << 16;
        if (lane == 0) pages[entry_scales_at(slot) + 7] = 0;
    }
}

KERNEL(KERNEL_NAME, NewEntriesThreads, 2)(NewEntriesArguments a) {
    float* shared = (float*)shared_memory();
    float* sums = shared + 768;
    u32* flag = (u32*)(sums + 8);
    u32 jobs = Slices + 1 + (a.overlapping ? 1 : 0), sequence = block_index() / jobs, job = block_index() - sequence * jobs, thread = thread_index();
    u32 width = a.overlapping ? 2 * EntryWidth : EntryWidth;
    if (job < Slices) {
        float v = compress<SliceColumns>(a.value + (u64)sequence * a.compress_stride, a.gate + (u64)sequence * a.compress_stride, a.recent + (u64)sequence * a.tokens * 2 * width, job * SliceColumns,
                                         EntryWidth, a.tokens, a.overlapping != 0, shared);
        float* compressed = a.compressed + (u64)sequence * EntryWidth;
        if (thread < SliceColumns) compressed[job * SliceColumns + thread] = v;
        if (last_to_arrive(a.arrivals + sequence, Slices, flag))
            store_entry(a.stored + sequence * a.stored_bytes, a.entries - 1, load_written(compressed + 2 * thread), load_written(compressed + 2 * thread + 1), a.entry_angles, sums);
    } else if (job == Slices) {
        wait_for_previous_kernel();
        let_next_kernel_start();
        const float* entry = a.entry + (u64)sequence * a.entry_stride + 2 * thread;
        store_entry(a.window + (u64)sequence * WindowBytes, a.window_slot, entry[0], entry[1], a.angles, sums);
    } else {
        float v = compress<IndexWidth>(a.index_value + (u64)sequence * a.index_stride, a.index_gate + (u64)sequence * a.index_stride, a.index_recent + (u64)sequence * a.tokens * 4 * IndexWidth, 0,
                                       IndexWidth, a.tokens, true, shared);
        float norm = exact_div(1, exact_sqrt(block_sum(thread < IndexWidth ? v * v : 0, sums) / IndexWidth + 1e-6f));
        v = exact_mul(v, norm);
        // Channels 64 to 127 turn, pairs 32 apart: through shared memory, since partners sit in different warps.
        if (thread < IndexWidth) shared[thread] = v;
        sync_block();
        float most = 0;
        if (thread < IndexWidth) {
            if (thread >= 64) v = turned(v, shared[thread ^ 32], (thread & 32) != 0, a.entry_angles, thread % 32);
            most = v < 0 ? -v : v;
        }
        most = warp_max(most);
        sync_block();
        if (lane_index() == 0) sums[warp_index()] = most;
        sync_block();
        UNROLL for (u32 i = 0; i < 8; i++) most = largest(most, sums[i]);
        float scale = exact_div(largest(most, 1e-20f), 448);
        u8* page = a.index_keys + sequence * a.index_bytes + (u64)((a.entries - 1) / PageEntries) * IndexPageBytes;
        u32 slot = (a.entries - 1) % PageEntries;
        if (thread < IndexWidth) page[slot * IndexWidth + thread] = fp8_from_float(exact_div(v, scale));
        if (thread == 0) *(float*)(page + PageEntries * IndexWidth + slot * 4) = scale;
    }
}
