// Partial results of the blocks of one sequence to one: output = Σ 2^(maximum − most)·part / Σ 2^(maximum − most)·sum. In order of the blocks, so that a run gives the same bits again.
#pragma once
#include "splits.cuh"

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
