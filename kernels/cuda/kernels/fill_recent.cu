// The projections of the tokens that H's newest entry compresses: values and gates as they are.
// Bytes written: 8 · width a token and sequence.
//
// Blocks of 256 threads, any grid. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/history.cuh"

struct FillRecentArguments {
    Pool values, gates;   // width columns, the same activations
    float* recent;        // FP32 [batch][tokens][value, gate][width]
    u32 batch, tokens;    // the last `tokens` of the context: 8 (CSA) or 128 (HCA)
    u32 width, context;
};

KERNEL(KERNEL_NAME, 256, 2)(FillRecentArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 items = a.batch * a.tokens * a.width;
    ROLLED for (u32 item = block_index() * 256 + thread_index(); item < items; item += grid_size() * 256) {
        u32 column = item % a.width, token = item / a.width % a.tokens, sequence = item / a.width / a.tokens;
        u64 bits = token_bits(a.values, sequence, a.context - a.tokens + token);
        float* to = a.recent + ((u64)sequence * a.tokens + token) * 2 * a.width + column;
        to[0] = token_value(a.values, bits, column);
        to[a.width] = token_value(a.gates, bits, column);
    }
}
