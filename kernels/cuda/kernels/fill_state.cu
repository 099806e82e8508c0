// Lightning attention's state after the history's first tokens: S ← r·S + kᵀv with k and v through SiLU.
// Bytes written: 65,536 a head and sequence. Arithmetic: 3 · 16,384 a token.
//
// A block of 256 threads makes one (sequence, head): grid (heads, batch). Shared memory: 16,384 B.
#include "../arch/arch.cuh"
#include "../parts/history.cuh"

struct FillStateArguments {
    Pool keys, values;     // columns: head · 128 + channel, the same activations
    const float* decays;   // [heads]
    float* state;          // FP32 [batch][heads][128 keys][128 values]
    u32 heads, tokens;     // tokens: at most 256 of the history, context − 1 if that is less
};

KERNEL(KERNEL_NAME, 256, 2)(FillStateArguments a) {
    constexpr u32 TokensAtOnce = 16;
    wait_for_previous_kernel();
    let_next_kernel_start();
    float* shared = (float*)shared_memory();  // [16 tokens][128 keys, 128 values]
    u32 thread = thread_index(), head = block_index(), sequence = block_index_y();
    // A thread holds value `column` of every other key.
    u32 column = thread % 128, first_key = thread / 128;
    float decay = a.decays[head], state[64];
    UNROLL for (u32 i = 0; i < 64; i++) state[i] = 0;
    ROLLED for (u32 from = 0; from < a.tokens; from += TokensAtOnce) {
        u32 count = least(a.tokens - from, TokensAtOnce);
        ROLLED for (u32 token = 0; token < count; token++) {
            float v = thread < 128 ? token_value(a.keys, token_bits(a.keys, sequence, from + token), head * 128 + column)
                                   : token_value(a.values, token_bits(a.values, sequence, from + token), head * 128 + column);
            shared[token * 256 + thread] = exact_mul(v, sigmoid(v));
        }
        sync_block();
        ROLLED for (u32 token = 0; token < count; token++) {
            const float* keys = shared + token * 256;
            float value = keys[128 + column];
            UNROLL for (u32 i = 0; i < 64; i++) state[i] = fused(value, keys[2 * i + first_key], exact_mul(state[i], decay));
        }
        sync_block();
    }
    float* out = a.state + ((u64)sequence * a.heads + head) * 16384 + column;
    UNROLL for (u32 i = 0; i < 64; i++) out[(2 * i + first_key) * 128] = state[i];
}
