// The panel: activations that a weight product reads, FP16 in the order of mma's B fragments (README, Layouts).
#pragma once
#include "../arch/arch.cuh"

/// Word of element (input k, column b) in a panel of 8·batch_tiles columns; the element is the word's half k & 1. Channels 2t, 2t+1, 2t+8 and 2t+9 of 16
/// are two words side by side, aligned to eight bytes.
FN u32 panel_word(u32 k, u32 b, u32 batch_tiles) {
    return (((k / 16) * batch_tiles + b / 8) * 32 + (b % 8) * 4 + (k % 8) / 2) * 2 + (k % 16) / 8;
}
