// Copies memory: the ceiling of reading and writing at once.
// Bytes: 32,768 a tile read and as many written. Duty: as of stream.
//
// Blocks of 256 threads, any grid; full rate from 4 blocks a multiprocessor. No shared memory.
#include "../arch/arch.cuh"

struct CopyArguments {
    const Quad* source;   // [tiles][2048] sixteen bytes
    Quad* target;         // the same; not overlapping
    u64 tiles;
    u32 passes, unused;
};

KERNEL(KERNEL_NAME, 256, 4)(CopyArguments a) {
    constexpr u32 QuadsPerThread = 8, TileQuads = 256 * QuadsPerThread;
    wait_for_previous_kernel();
    let_next_kernel_start();
    ROLLED for (u32 pass = 0; pass < a.passes; pass++) {
        ROLLED for (u64 tile = block_index(); tile < a.tiles; tile += grid_size()) {
            u64 first = tile * TileQuads + thread_index();
            Quad words[QuadsPerThread];
            UNROLL for (u32 i = 0; i < QuadsPerThread; i++) words[i] = load_stream(a.source + first + i * 256);
            UNROLL for (u32 i = 0; i < QuadsPerThread; i++) store_stream(a.target + first + i * 256, words[i]);
        }
    }
}
