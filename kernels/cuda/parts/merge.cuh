// How attention_latent and attention_compressed share their tiles among blocks, and what merge_latent makes of the blocks' partial results:
//
//   output = Σ 2^(maximum − most)·part / Σ 2^(maximum − most)·sum, in order of the blocks, so that a run gives the same bits again.
//
// A block that goes from one sequence to the next writes a result and fetches queries in between, about as long as two tiles take. So that it does not end last, each sequence
// is counted with that many tiles more, before its first one.
#pragma once
#include "split.cuh"

constexpr u32 SwitchTiles = 2;

/// The stretches of `batch` sequences of so many tiles, counted with their switches.
FN Stretches latent_stretches(u32 batch, u32 tiles, u32 blocks) { return stretches(batch * (tiles + SwitchTiles), blocks); }
/// Where a block's stretch begins, in tiles of all sequences laid end to end.
FN u32 latent_begin(const Stretches& all, u32 tiles, u32 block) {
    u32 at = stretch_begin(all, block), sequence = at / (tiles + SwitchTiles), within = at - sequence * (tiles + SwitchTiles);
    return sequence * tiles + (within > SwitchTiles ? within - SwitchTiles : 0);
}
/// The block that has a tile of a sequence.
FN u32 latent_block_of(const Stretches& all, u32 tiles, u32 sequence, u32 tile) { return stretch_of(all, sequence * (tiles + SwitchTiles) + SwitchTiles + tile); }

struct MergeLatentArguments {
    /// FP32 [blocks + batch][heads][512]: of block b and sequence s in slot b + s.
    const float* parts;
    /// FP32 [blocks + batch][heads][2]: maximum (log2), sum.
    const float* statistics;
    /// FP32 [heads]: logits of a sink without value; null for none.
    const float* sinks;
    /// FP32 [32 cosines][32 sines]: the last 64 channels, pairs (i, i + 32), are turned back by these; null for none.
    const float* angles;
    /// FP16 panels of the product that follows, one for every `heads_together` heads; k = (head % heads_together)·512 + channel.
    u32* panels;
    u32 batch;
    u32 heads;
    /// Tiles of a sequence, and blocks, as the attention was launched.
    u32 tiles;
    u32 blocks;
    /// NT of the panels: batch columns / 8.
    u32 column_tiles;
    u32 heads_together;
};
