// Sums the partial results of attention_latent and attention_compressed, divides by the softmax's sum, and writes the panel of the product that follows.
//
// Reads (blocks + batch)·heads·2 KB, which the attention has just left in the second cache: 17 MB at 132 blocks of 64 heads, 4 µs at 5 TB/s, while the next product fetches weights.
// A kernel of its own because one block, the last to arrive, would need 1.2 µs for each of up to 17 parts of 131 KB.
//
// Grid: batch · heads. Threads: 128, four channels each. Shared memory: none.
#include "../parts/merge.cuh"

KERNEL(KERNEL_NAME, 128, 8)(MergeLatentArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 sequence = block_index() / a.heads, head = block_index() - sequence * a.heads;
    Stretches all = latent_stretches(a.batch, a.tiles, a.blocks);
    u32 first = latent_block_of(all, a.tiles, sequence, 0), last = latent_block_of(all, a.tiles, sequence, a.tiles - 1), count = last - first + 1;
    const float* statistics = a.statistics + ((u64)(first + sequence) * a.heads + head) * 2;
    const float* part = a.parts + ((u64)(first + sequence) * a.heads + head) * 512 + thread_index() * 4;
    u64 step = (u64)a.heads * 512;

    float sink = a.sinks ? a.sinks[head] * Log2E : -infinity(), most = sink;
    for (u32 i = 0; i < count; i++) most = largest(most, statistics[(u64)i * a.heads * 2]);
    float sum = a.sinks ? exp2_fast(sink - most) : 0;
    float output[4] = {0, 0, 0, 0};
    auto add = [&](Quad values, float factor) { UNROLL for (u32 i = 0; i < 4; i++) output[i] = fused(bits_float(values.v[i]), factor, output[i]); };
    for (u32 i = 0; i < count; i += 4) {
        // Four parts in flight; beyond the last one it is read again and counts nothing.
        Quad values[4];
        float factor[4];
        UNROLL for (u32 j = 0; j < 4; j++) {
            u32 at = least(i + j, count - 1);
            values[j] = *(const Quad*)(part + at * step);
            const float* s = statistics + (u64)at * a.heads * 2;
            factor[j] = i + j < count ? exp2_fast(s[0] - most) : 0;
            sum = fused(s[1], factor[j], sum);
        }
        UNROLL for (u32 j = 0; j < 4; j++) add(values[j], factor[j]);
    }
    float inverse_sum = exact_div(1, sum);
    UNROLL for (u32 i = 0; i < 4; i++) output[i] *= inverse_sum;
    if (a.angles) {
        // Channels 448 to 511 are with lanes 16 to 31 of the last warp; partners are 32 channels, 8 lanes, apart.
        u32 channel = thread_index() * 4, pair = channel & 31;
        bool turned = channel >= 448, upper = (channel & 32) != 0;
        UNROLL for (u32 i = 0; i < 4; i++) {
            float partner = shuffle_xor(output[i], 8);
            if (turned) {
                float cosine = a.angles[pair + i], sine = a.angles[32 + pair + i];
                output[i] = upper ? output[i] * cosine - partner * sine : output[i] * cosine + partner * sine;
            }
        }
    }
    u32 k = head % a.heads_together * 512 + thread_index() * 4;
    u64 panel_words = (u64)a.heads_together * 32 * a.column_tiles * 64;
    u32* word = a.panels + head / a.heads_together * panel_words + (((u64)(k / 16) * a.column_tiles + sequence / 8) * 32 + sequence % 8 * 4 + k % 8 / 2) * 2 + k % 16 / 8;
    word[0] = pack_half(output[0], output[1]);
    word[2] = pack_half(output[2], output[3]);
}
