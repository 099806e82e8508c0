// H's cache entries as the reference implementation stores them: 584 bytes in pages of 64, first the 64 data parts of 576 B (448 FP8, 64 BF16), then the 64 scale parts of 8 B
// (7 exponents, e8m0: 2^(byte − 127), and a pad). Index keys lie in pages of 64: 64 · 128 FP8, then 64 FP32 scales.
#pragma once
#include "../arch/arch.cuh"

constexpr u32 PageEntries = 64, EntryDataBytes = 576, EntryScaleBytes = 8, EntryPageBytes = PageEntries * (EntryDataBytes + EntryScaleBytes);
/// Channels of an entry, those in FP8, and how many share a scale.
constexpr u32 EntryWidth = 512, EntryPlain = 448, EntryGroup = 64;
/// The last tokens that are read uncompressed, two pages a sequence.
constexpr u32 WindowEntries = 128, WindowBytes = WindowEntries / PageEntries * EntryPageBytes;
constexpr u32 IndexWidth = 128, IndexHeads = 64, IndexPageBytes = PageEntries * (IndexWidth + 4);

/// Where an entry's data and its scales begin, bytes from the first page.
FN u64 entry_data_at(u32 entry) { return (u64)(entry / PageEntries) * EntryPageBytes + entry % PageEntries * EntryDataBytes; }
FN u64 entry_scales_at(u32 entry) { return (u64)(entry / PageEntries) * EntryPageBytes + PageEntries * EntryDataBytes + entry % PageEntries * EntryScaleBytes; }

/// 2^(byte − 127), for bytes from 1 to 254
FN float entry_scale(u32 byte) { return bits_float(byte << 23); }

/// What becomes of one of a pair (i, i + 32) of the last 64 channels: angles are FP32 [32 cosines][32 sines] of the position, each operation rounded.
FN float turned(float own, float partner, bool upper, const float* angles, u32 pair) {
    float cosine = angles[pair], sine = angles[32 + pair];
    return exact_add(exact_mul(own, cosine), exact_mul(partner, upper ? sine : -sine));
}

/// e8m0 of the least power of two that brings `most` to at most 448: the exponent of most / 448, rounded up.
FN u32 entry_scale_of(float most) {
    u32 bits = float_bits(exact_div(most, 448)), exponent = (bits >> 23) + ((bits & 0x7fffff) != 0);
    return most <= 0 ? 127 : exponent < 1 ? 1 : least(exponent, 254);
}
/// 1 / 2^(byte − 127)
FN float inverse_entry_scale(u32 byte) { return bits_float((254 - byte) << 23); }
