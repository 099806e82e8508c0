// MLA's cache of every token of the history: the latent normalised, the rotary part turned.
// Bytes written: 1152 a token and sequence; read, from the second cache: 8 times that. Floor: the writes at memory bandwidth.
//
// Blocks of 256 threads, any grid; a warp makes all sequences of one position after the other. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/history.cuh"

struct FillLatentArguments {
    Pool entries;     // columns: 512 latent, 64 rotary
    Turns turns;      // 32 pairs
    u16* cache;       // FP16 [batch][context][576]
    u32 batch, context;
};

KERNEL(KERNEL_NAME, 256, 2)(FillLatentArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index();
    ROLLED for (u32 position = block_index() * 8 + warp_index(); position < a.context; position += grid_size() * 8) {
        float cosine, sine;
        turn_of(a.turns, position, lane, 32, cosine, sine);
        ROLLED for (u32 sequence = 0; sequence < a.batch; sequence++) {
            u64 bits = token_bits(a.entries, sequence, position);
            float latent[16], squares = 0;
            UNROLL for (u32 i = 0; i < 16; i++) {
                latent[i] = token_value(a.entries, bits, i / 2 * 64 + 2 * lane + i % 2);
                squares = fused(latent[i], latent[i], squares);
            }
            float factor = exact_div(1.0f, exact_sqrt(exact_add(exact_div(warp_sum(squares), 512.0f), 1e-6f)));
            float first = token_value(a.entries, bits, 512 + lane), second = token_value(a.entries, bits, 544 + lane);
            turn_pair(cosine, sine, first, second);
            u16* entry = a.cache + ((u64)sequence * a.context + position) * 576;
            UNROLL for (u32 i = 0; i < 8; i++) ((u32*)entry)[i * 32 + lane] = pack_half(exact_mul(latent[2 * i], factor), exact_mul(latent[2 * i + 1], factor));
            entry[512 + lane] = to_half(first);
            entry[544 + lane] = to_half(second);
        }
    }
}
