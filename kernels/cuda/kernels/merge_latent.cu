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

    // A lane fetches one block's statistics; parts come four at a time, the first of them while the statistics are on their way.
    float most = a.sinks ? a.sinks[head] * Log2E : -infinity(), sum = a.sinks ? 1 : 0, output[4] = {0, 0, 0, 0};
    ROLLED for (u32 base = 0; base < count; base += 32) {
        u32 here = least(count - base, 32), lane = lane_index();
        Quad values[4];
        // Beyond the last one it is read again and counts nothing.
        auto fetch = [&](u32 from) { UNROLL for (u32 j = 0; j < 4; j++) values[j] = *(const Quad*)(part + (base + least(from + j, here - 1)) * step); };
        fetch(0);
        Pair of = lane < here ? *(const Pair*)(statistics + (u64)(base + lane) * a.heads * 2) : Pair{{float_bits(-infinity()), 0}};
        float maximum = bits_float(of.v[0]), larger = largest(most, warp_max(maximum)), keep = exp2_fast(most - larger), factor = exp2_fast(maximum - larger);
        sum = sum * keep + warp_sum(factor * bits_float(of.v[1]));
        UNROLL for (u32 i = 0; i < 4; i++) output[i] *= keep;
        most = larger;
        ROLLED for (u32 i = 0;;) {
            UNROLL for (u32 j = 0; j < 4; j++) {
                float weight = shuffle(factor, least(i + j, 31));
                if (i + j < here) UNROLL for (u32 c = 0; c < 4; c++) output[c] = fused(bits_float(values[j].v[c]), weight, output[c]);
            }
            i += 4;
            if (i >= here) break;
            fetch(i);
        }
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
