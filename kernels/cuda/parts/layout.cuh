// Where things lie in memory that several kernels read or write: activation panels and weight units. See README.md, "Layouts".
#pragma once
#include "../arch/arch.cuh"

constexpr u32 TileRows = 16;   // rows of one mma tile
constexpr u32 SlabTiles = 16;  // tiles of a full slab
constexpr u32 SlabRows = SlabTiles * TileRows;

/// Index of the word (two FP16: inputs k and k + 1, k even) of batch column b in a panel of `batch_tiles` times 8 columns.
FN u32 panel_word(u32 k, u32 b, u32 batch_tiles) {
    return (((k / 16) * batch_tiles + b / 8) * 32 + (b % 8) * 4 + (k % 8) / 2) * 2 + (k % 16) / 8;
}
