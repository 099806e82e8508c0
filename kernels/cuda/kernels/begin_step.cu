// begin_step: the first kernel of a decode step: input → residual stream, first panel, first squares; the other squares of the step become zero.
//
// Shapes  input FP32 [batch][width] → residual FP32 [batch][width]; panel FP16 of gain·input; squares[0 … batch − 1] = Σ input² by batch column; squares[first_zeroed … count − 1] = 0
// Launch  one block of 256 threads a batch column; no shared memory beyond 32 bytes. A block writes its own entry of the first squares and shares only the zeroing: no order matters.
// Bytes   batch·width·(4 read, 4 + 2 written) + 4·width a block of gain: 2 MB at batch 24 and width 8192, in the second-level cache. FLOPs: 3·batch·width. Floor: a launch, under 2 µs.
#include "../parts/layout.cuh"

struct BeginStepArguments {
    const float* input;     // FP32 [batch][width]
    const float* gain;      // FP32 [width]: of the norm before the first product
    float* residual;        // FP32 [batch][width]
    u32* panel;             // FP16 panel [width / 16][batch_tiles][32][2] words
    float* squares;         // FP32 [squares_count]: all squares of the step, this kernel's (batch entries) first
    u32 width;              // a multiple of 16
    u32 batch_tiles;        // 1, 2, 3, 4, 8
    u32 first_zeroed;       // index of the second array of squares: at least batch
    u32 squares_count;
};

KERNEL(begin_step, 256, 1)(BeginStepArguments arguments) {
    const u32 thread = thread_index(), b = block_index();
    float* warp_sums = reinterpret_cast<float*>(shared_memory());  // [8]
    wait_for_previous_kernel();
    let_next_kernel_start();

    float sum = 0;
    // Sixteen inputs a thread: they are 32 neighbouring bytes of the panel.
    for (u32 step = thread; step < arguments.width / 16; step += 256) {
        const u64 at = (u64)b * arguments.width + step * 16;
        float values[16], scaled[16];
        UNROLL for (u32 i = 0; i < 4; i++) {
            const Quad read = *reinterpret_cast<const Quad*>(arguments.input + at + 4 * i), gain = *reinterpret_cast<const Quad*>(arguments.gain + step * 16 + 4 * i);
            *reinterpret_cast<Quad*>(arguments.residual + at + 4 * i) = read;
            UNROLL for (u32 e = 0; e < 4; e++) {
                values[4 * i + e] = bits_float(read.v[e]);
                scaled[4 * i + e] = values[4 * i + e] * bits_float(gain.v[e]);
                sum += values[4 * i + e] * values[4 * i + e];
            }
        }
        UNROLL for (u32 i = 0; i < 2; i++) {
            Quad words;
            UNROLL for (u32 e = 0; e < 4; e++) {
                const u32 k = 2 * (2 * i + e / 2) + e % 2 * 8;  // pairs k, k + 1 and k + 8, k + 9 lie beside each other
                words.v[e] = pack_half(scaled[k], scaled[k + 1]);
            }
            *reinterpret_cast<Quad*>(arguments.panel + panel_word(step * 16, b, arguments.batch_tiles) + 4 * i) = words;
        }
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) warp_sums[warp_index()] = sum;
    sync_block();
    if (thread == 0) {
        float all = 0;
        for (u32 i = 0; i < 8; i++) all += warp_sums[i];
        arguments.squares[b] = all;
    }
    for (u32 i = arguments.first_zeroed + b * 256 + thread; i < arguments.squares_count; i += grid_size() * 256) arguments.squares[i] = 0;
}
