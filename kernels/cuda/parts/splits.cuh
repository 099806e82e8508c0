// How the blocks of a launch share the tiles of all sequences: block b takes tiles b·total/blocks up to (b + 1)·total/blocks of the sequences laid end to end,
//
//     sequence   |     0     |     1     |     2     |
//     block      |   0    |   1    |   2    |   3    |
//     segment     0,0     1,0 1,1   2,1 2,2    3,2         slot = block + sequence
//
// so that any number of blocks is busy to within one tile. A segment is one block's part of one sequence; its partial result lies in slot block + sequence.
#pragma once
#include "../arch/arch.cuh"

struct Share { u32 begin, end; };

/// The tiles of block `index` of `blocks`; blocks beyond the number of tiles have none.
FN Share share_of(u32 index, u32 blocks, u32 total) {
    u32 used = least(blocks, total);
    if (index >= used) return {0, 0};
    return {(u32)((u64)index * total / used), (u32)((u64)(index + 1) * total / used)};
}
/// The block that takes tile `tile`.
FN u32 block_of(u32 tile, u32 blocks, u32 total) {
    return (u32)(((u64)(tile + 1) * least(blocks, total) - 1) / total);
}
