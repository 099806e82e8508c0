// Multiplies matrices in registers and touches no memory: the ceiling of mma.sync, FP16 in, FP32 sums, normal numbers.
// A warp holds a 64×64 tile: 32 independent chains of m16n8k16. The left side changes its sign in each round, so operands change and the sums stay small.
// FLOP: 131,072 a warp and round. Duty: the grid, rounds in a launch, and pauses between launches.
//
// Blocks of 256 threads, any grid; full rate from 1 block a multiprocessor. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/noise.cuh"

struct MatrixArguments {
    float* sums;    // [grid][256]: the thread's sums added up; after an even number of rounds 0 but for rounding
    u64 key;        // of the numbers
    u32 rounds;
    u32 flip;       // 0x80008000: what the left side is xored with in each round
};

KERNEL(KERNEL_NAME, 256, 1)(MatrixArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 left[4][4], right[8][2];
    u32 first = (block_index() * 256 + thread_index()) * 16;
    UNROLL for (u32 i = 0; i < 16; i++) {
        float low, high;
        noise_pair(a.key, 2 * (first + i), 1.0f, low, high);
        left[i / 4][i % 4] = pack_half(low, high);
        noise_pair(a.key, 2 * (first + i) + 1, 1.0f, low, high);
        right[i / 2][i % 2] = pack_half(low, high);
    }
    float sums[4][8][4];
    UNROLL for (u32 m = 0; m < 4; m++)
        UNROLL for (u32 n = 0; n < 8; n++)
            UNROLL for (u32 i = 0; i < 4; i++) sums[m][n][i] = 0;
    ROLLED for (u32 round = 0; round < a.rounds; round++) {
        UNROLL for (u32 m = 0; m < 4; m++)
            UNROLL for (u32 n = 0; n < 8; n++) mma(sums[m][n], left[m], right[n][0], right[n][1]);
        UNROLL for (u32 i = 0; i < 16; i++) left[i / 4][i % 4] ^= a.flip;
    }
    float sum = 0;
    UNROLL for (u32 m = 0; m < 4; m++)
        UNROLL for (u32 n = 0; n < 8; n++)
            UNROLL for (u32 i = 0; i < 4; i++) sum += sums[m][n][i];
    a.sums[block_index() * 256 + thread_index()] = sum;
}
