// Reads memory and nothing else: the ceiling that every kernel's bandwidth is compared with. The exclusive or of all words tells that they were read.
// Bytes: 32,768 a tile, read once each pass. Duty: the grid (fewer blocks read more slowly), passes in a launch, and pauses between launches.
//
// Blocks of 256 threads, any grid; full rate from 4 blocks a multiprocessor: 131,072 bytes in flight on each. No shared memory.
#include "../arch/arch.cuh"

struct StreamArguments {
    const Quad* source;   // [tiles][2048] sixteen bytes
    u32* sums;            // [grid][8 warps]: exclusive or of the words that the warp read, all passes together
    u64 tiles;
    u32 passes, unused;
};

KERNEL(KERNEL_NAME, 256, 4)(StreamArguments a) {
    constexpr u32 QuadsPerThread = 8, TileQuads = 256 * QuadsPerThread;
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 sum = 0;
    ROLLED for (u32 pass = 0; pass < a.passes; pass++) {
        ROLLED for (u64 tile = block_index(); tile < a.tiles; tile += grid_size()) {
            const Quad* from = a.source + tile * TileQuads + thread_index();
            Quad words[QuadsPerThread];
            UNROLL for (u32 i = 0; i < QuadsPerThread; i++) words[i] = load_stream(from + i * 256);
            UNROLL for (u32 i = 0; i < QuadsPerThread; i++)
                UNROLL for (u32 j = 0; j < 4; j++) sum ^= words[i].v[j];
        }
    }
    UNROLL for (u32 m = 16; m; m /= 2) sum ^= shuffle_xor(sum, m);
    if (lane_index() == 0) a.sums[block_index() * 8 + warp_index()] = sum;
}
