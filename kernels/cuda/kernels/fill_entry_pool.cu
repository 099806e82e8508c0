// H's 64 exactly compressed entries (or index keys), from which the history's are drawn: Σ softmax(gate)·value over the tokens, each column apart, then RMSNorm.
// Overlapping (CSA): the earlier half of the tokens takes the first columns, the later half the last.
// Bytes: 4 · columns an entry. Arithmetic: small.
//
// Grid: 64 blocks of 256 threads. Shared memory: 32 B.
#include "../arch/arch.cuh"
#include "../parts/history.cuh"

struct FillEntryPoolArguments {
    Pool values, gates;   // columns: overlapping 2·columns, else columns; the same activations
    float* entries;       // FP32 [64][columns], normalised, not turned
    u32 columns;          // 512, or 128 of index keys
    u32 tokens;           // that an entry compresses: 8 or 128
    u32 overlapping;      // 1 or 0
    u32 unused;
};

KERNEL(KERNEL_NAME, 256, 1)(FillEntryPoolArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    float* sums = (float*)shared_memory();  // [8 warps]
    u32 entry = block_index(), sequence = 1u << 20 | entry;
    float result[2] = {0, 0}, squares = 0;
    UNROLL for (u32 i = 0; i < 2; i++) {
        u32 column = i * 256 + thread_index();
        if (column >= a.columns) continue;
        float greatest = -infinity(), weights = 0, sum = 0;
        ROLLED for (u32 token = 0; token < a.tokens; token++) {
            u32 at = column + (a.overlapping && token >= a.tokens / 2 ? a.columns : 0);
            greatest = largest(greatest, token_value(a.gates, token_bits(a.gates, sequence, token), at));
        }
        ROLLED for (u32 token = 0; token < a.tokens; token++) {
            u32 at = column + (a.overlapping && token >= a.tokens / 2 ? a.columns : 0);
            u64 bits = token_bits(a.values, sequence, token);
            float weight = exp2_fast((token_value(a.gates, bits, at) - greatest) * Log2E);
            weights += weight;
            sum = fused(weight, token_value(a.values, bits, at), sum);
        }
        result[i] = exact_div(sum, weights);
        squares = fused(result[i], result[i], squares);
    }
    squares = warp_sum(squares);
    if (lane_index() == 0) sums[warp_index()] = squares;
    sync_block();
    float total = 0;
    UNROLL for (u32 w = 0; w < 8; w++) total += sums[w];
    float factor = exact_div(1.0f, exact_sqrt(exact_add(exact_div(total, (float)a.columns), 1e-6f)));
    UNROLL for (u32 i = 0; i < 2; i++) {
        u32 column = i * 256 + thread_index();
        if (column < a.columns) a.entries[entry * a.columns + column] = exact_mul(result[i], factor);
    }
}
