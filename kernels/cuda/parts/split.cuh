// Work split over blocks without regard to where one sequence's ends: the tiles of all units lie in one row, every block takes an equal stretch of it.
// No wave of blocks is ever half empty, whatever the batch. A stretch crosses units; what a block has of one unit is a *piece*:
//
//   units    |      0      |      1      |      2      |
//   blocks   |   0   |   1   |   2   |   3   |   4   | …        pieces: (0,0) (1,0) (1,1) (2,1) (3,1) (3,2) …
//
// Each piece of a unit that several blocks share goes to the workspace; the last block to arrive there merges them in order. Piece (block, unit) lies in
// workspace slot block + unit: either grows by one from piece to piece, so slots are dense and a unit's follow one another.
#pragma once
#include "../arch/arch.cuh"

/// `tiles` in one row, shared by `blocks`: the first `tiles % blocks` take one more.
struct Stretches { u32 tiles, blocks, each, more; };

FN Stretches stretches(u32 tiles, u32 blocks) {
    u32 each = tiles / blocks;
    return {tiles, blocks, each, tiles - each * blocks};
}

/// Where a block's stretch begins; that of the next block is where it ends.
FN u32 stretch_begin(const Stretches& s, u32 block) { return block * s.each + least(block, s.more); }

/// The block that has tile `tile`.
FN u32 stretch_of(const Stretches& s, u32 tile) {
    u32 larger = s.more * (s.each + 1);  // tiles of the blocks that take one more
    bool among = tile < larger;
    return (among ? 0 : s.more) + (among ? tile : tile - larger) / (s.each + among);
}

/// Counts this block in at `arrivals`, after all its threads' writes. True on all threads of the block that is the last of `expected`: what the others wrote
/// before is seen by load_written, and the counter is 0 again for the next launch. All threads call it; `flag` is a word in shared memory. Two block barriers.
/// One thread fences for all: the barrier before orders the others' writes, and their copies under way need not be waited for.
FN bool last_to_arrive(u32* arrivals, u32 expected, u32* flag) {
    sync_block();
    if (thread_index() == 0) {
        fence_device();
        bool last = atomic_add(arrivals, 1u) + 1 == expected;
        fence_device();
        if (last) *arrivals = 0;
        *flag = last;
    }
    sync_block();
    return *flag != 0;
}
