// H's stored entries and index keys of the whole history: each drawn from 64 compressed ones and turned to its own position.
// Bytes written: 584 an entry and sequence, 132 an index key; read, from the first caches: 2,048 and 512. Floor: the writes at memory bandwidth.
//
// Blocks of 256 threads, any grid; a warp makes all sequences of one entry after the other. No shared memory.
#include "../parts/entry_writer.cuh"
#include "../parts/history.cuh"

struct FillEntriesArguments {
    const float* pool;         // FP32 [64][512] of fill_entry_pool
    const float* index_pool;   // FP32 [64][128], or 0 (HCA)
    Turns turns;               // 32 pairs
    u8* stored;                // [batch][entries / 64, rounded up] pages of 64 · 584 B
    u8* index_keys;            // [batch][entries / 64, rounded up] pages of 64 · 132 B, or 0
    u64 key;                   // StepContext.Key(layer, "entries")
    u32 batch, entries, ratio; // ratio: tokens an entry, 4 or 128
    u32 unused;
};

KERNEL(KERNEL_NAME, 256, 2)(FillEntriesArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index();
    u64 pages = ceiling(a.entries, PageEntries);
    ROLLED for (u32 entry = block_index() * 8 + warp_index(); entry < a.entries; entry += grid_size() * 8) {
        float cosine, sine;
        turn_of(a.turns, entry * a.ratio, lane, 32, cosine, sine);
        ROLLED for (u32 sequence = 0; sequence < a.batch; sequence++) {
            u32 drawn = (u32)(noise_bits(a.key, ((u64)sequence << 40) + entry) % PoolTokens);
            const float* from = a.pool + drawn * EntryWidth;
            EntryShare share;
            UNROLL for (u32 g = 0; g < 7; g++)
                UNROLL for (u32 i = 0; i < 2; i++) share.plain[g][i] = from[g * 64 + 2 * lane + i];
            UNROLL for (u32 i = 0; i < 2; i++) share.turned[i] = from[EntryPlain + 32 * i + lane];
            turn_pair(cosine, sine, share.turned[0], share.turned[1]);
            write_entry(a.stored + sequence * pages * EntryPageBytes, entry, share);
            if (a.index_keys == nullptr) continue;
            const float* index = a.index_pool + drawn * IndexWidth;
            float plain[2], turned[2];
            UNROLL for (u32 i = 0; i < 2; i++) {
                plain[i] = index[2 * lane + i];
                turned[i] = index[64 + 32 * i + lane];
            }
            turn_pair(cosine, sine, turned[0], turned[1]);
            write_index_key(a.index_keys + sequence * pages * IndexPageBytes, entry, plain, turned);
        }
    }
}
