// NSA's compressed cache: entry e is the mean of the cached tokens 16·e … 16·e + 31. Launched for the keys and for the values.
// Bytes: reads each cache row twice (the second time mostly from a cache), writes 256 an entry.
//
// Blocks of 256 threads, any grid; a warp makes one entry after the other. No shared memory.
#include "../arch/arch.cuh"

struct FillCompressedArguments {
    const u16* cache;   // FP16 [rows][context][128]; rows = batch · KV heads
    u16* compressed;    // FP16 [rows][entries][128]
    u32 rows, context, entries, unused;
};

KERNEL(KERNEL_NAME, 256, 2)(FillCompressedArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index();
    u64 items = (u64)a.rows * a.entries;
    ROLLED for (u64 item = (u64)block_index() * 8 + warp_index(); item < items; item += (u64)grid_size() * 8) {
        u64 row = item / a.entries, entry = item % a.entries;
        const Pair* from = (const Pair*)(a.cache + (row * a.context + entry * 16) * 128) + lane;
        float sum[4] = {0, 0, 0, 0};
        UNROLL for (u32 token = 0; token < 32; token++) {
            Pair four = from[token * 32];
            UNROLL for (u32 i = 0; i < 2; i++) {
                sum[2 * i] = exact_add(sum[2 * i], low_half(four.v[i]));
                sum[2 * i + 1] = exact_add(sum[2 * i + 1], high_half(four.v[i]));
            }
        }
        Pair mean;
        UNROLL for (u32 i = 0; i < 2; i++) mean.v[i] = pack_half(exact_mul(sum[2 * i], 1.0f / 32), exact_mul(sum[2 * i + 1], 1.0f / 32));
        ((Pair*)(a.compressed + item * 128))[lane] = mean;
    }
}
