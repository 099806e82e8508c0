// Normal numbers by key: inputs, norm gains, sinks (FP32) and the activations of the pool tokens (FP16 panels). Bit for bit the reference implementation's.
// Bytes: what is written, 4 a number, or 2 for each panel. Arithmetic: about 40 operations a number.
//
// Blocks of 256 threads, any grid; a thread makes two numbers at a time. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/noise.cuh"

struct FillNormalArguments {
    float* numbers;      // FP32 [rows][width], or 0
    u16* panel;          // FP16 panel of `rows` columns by `width` inputs (README.md) of the numbers rounded, or 0
    u16* panel_rest;     // the same of 2048·(number − rounded): with both, a product sees 22 bits of the number; or 0
    const u64* keys;     // [rows]
    u32 rows, width;
    float deviation, mean;
    u32 round_to_half;   // 1: `numbers` are rounded to FP16 and kept in FP32
    u32 column_tiles;    // NT of the panels: columns padded to 8·NT
};

FN void place(const FillNormalArguments& a, u32 row, u32 at, float number) {
    if (at >= a.width) return;
    number = exact_add(number, a.mean);
    float rounded = from_half(to_half(number));
    if (a.numbers) a.numbers[(u64)row * a.width + at] = a.round_to_half ? rounded : number;
    u64 half = (((u64)(at / 16 * a.column_tiles + row / 8) * 32 + row % 8 * 4 + at % 8 / 2) * 2 + at % 16 / 8) * 2 + at % 2;
    if (a.panel) a.panel[half] = to_half(number);
    if (a.panel_rest) a.panel_rest[half] = to_half(exact_mul(exact_add(number, -rounded), 2048.0f));
}

KERNEL(KERNEL_NAME, 256, 2)(FillNormalArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 counters = ceiling(a.width, 16) * 8;
    u64 items = (u64)a.rows * counters;
    ROLLED for (u64 item = (u64)block_index() * 256 + thread_index(); item < items; item += (u64)grid_size() * 256) {
        u32 row = (u32)(item / counters), within = (u32)(item % counters), counter = within / 8 * 16 + within % 8;
        float first, second;
        noise_pair(a.keys[row], counter, a.deviation, first, second);
        place(a, row, counter, first);
        place(a, row, counter + 8, second);
    }
}
