// K and V of every token of the history, from the projections of 64 pool tokens: MHA, GQA, NSA. Keys turned by their position.
// Bytes written: 512 a token, KV head and sequence; read, from the second cache: 16 times that. Floor: the writes at memory bandwidth.
//
// Blocks of 256 threads, any grid; a warp makes all heads and sequences of one position after the other. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/history.cuh"

struct FillGroupedArguments {
    Pool keys, values;     // columns: KV head · 128 + channel, the same activations
    Turns turns;           // 64 pairs
    u16* key_cache;        // FP16 [batch][KV heads][context][128]
    u16* value_cache;      // the same
    u32 batch, key_value_heads, context, unused;
};

KERNEL(KERNEL_NAME, 256, 2)(FillGroupedArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index();
    ROLLED for (u32 position = block_index() * 8 + warp_index(); position < a.context; position += grid_size() * 8) {
        float cosine[2], sine[2];
        UNROLL for (u32 i = 0; i < 2; i++) turn_of(a.turns, position, 2 * lane + i, 64, cosine[i], sine[i]);
        ROLLED for (u32 sequence = 0; sequence < a.batch; sequence++) {
            u64 key_bits = token_bits(a.keys, sequence, position), value_bits = token_bits(a.values, sequence, position);
            ROLLED for (u32 head = 0; head < a.key_value_heads; head++) {
                float key[4], value[4];
                UNROLL for (u32 i = 0; i < 4; i++) {
                    u32 column = head * 128 + i / 2 * 64 + 2 * lane + i % 2;
                    key[i] = token_value(a.keys, key_bits, column);
                    value[i] = token_value(a.values, value_bits, column);
                }
                UNROLL for (u32 i = 0; i < 2; i++) turn_pair(cosine[i], sine[i], key[i], key[i + 2]);
                u64 row = (((u64)sequence * a.key_value_heads + head) * a.context + position) * 128;
                u32* key_words = (u32*)(a.key_cache + row);
                u32* value_words = (u32*)(a.value_cache + row);
                UNROLL for (u32 part = 0; part < 2; part++) {
                    key_words[part * 32 + lane] = pack_half(key[2 * part], key[2 * part + 1]);
                    value_words[part * 32 + lane] = pack_half(value[2 * part], value[2 * part + 1]);
                }
            }
        }
    }
}
