// Stored entries as the reference implementation writes them (EntryPages, EightBitFloat): pages of 64 entries, first 64 data parts of 576 B (448 FP8, 64 BF16),
// then 64 scale parts of 8 B (7 powers of two as e8m0, 1 pad). One warp writes one entry.
#pragma once
#include "../arch/arch.cuh"

constexpr u32 EntryPlain = 448, EntryTurned = 64, EntryWidth = EntryPlain + EntryTurned, EntryDataBytes = 576, EntryPageEntries = 64;
constexpr u32 EntryPageBytes = EntryPageEntries * 584;
constexpr u32 IndexKeyWidth = 128, IndexKeyPageBytes = EntryPageEntries * (IndexKeyWidth + 4);

/// What lane l holds of an entry: elements 64·g + 2l and 64·g + 2l + 1 of the plain groups g, and the pair (l, l + 32) of the turned 64.
struct EntryShare { float plain[7][2], turned[2]; };

/// The least power of two that brings `greatest` to at most 448, as e8m0.
FN u32 entry_scale(float greatest) {
    if (greatest <= 0) return 127;
    u32 bits = float_bits(exact_div(greatest, 448.0f)), scale = (bits >> 23) + ((bits & 0x7fffff) != 0);
    return scale < 1 ? 1 : scale;
}
FN float magnitude(float v) { return bits_float(float_bits(v) & 0x7fffffff); }

/// `pages`: the first page of a sequence.
FN void write_entry(u8* pages, u32 entry, const EntryShare& share) {
    u8* page = pages + (u64)(entry / EntryPageEntries) * EntryPageBytes;
    u8* data = page + entry % EntryPageEntries * EntryDataBytes;
    u32 lane = lane_index();
    Pair scales{};
    UNROLL for (u32 g = 0; g < 7; g++) {
        u32 scale = entry_scale(warp_max(largest(magnitude(share.plain[g][0]), magnitude(share.plain[g][1]))));
        float inverse = bits_float((254 - scale) << 23);
        u32 low = fp8_from_float(exact_mul(share.plain[g][0], inverse)), high = fp8_from_float(exact_mul(share.plain[g][1], inverse));
        ((u16*)data)[g * 32 + lane] = (u16)(low | high << 8);
        scales.v[g / 4] |= scale << 8 * (g % 4);
    }
    if (lane == 0) *(Pair*)(page + EntryPageEntries * EntryDataBytes + entry % EntryPageEntries * 8) = scales;
    u16* brain = (u16*)(data + EntryPlain);
    brain[lane] = to_bfloat(share.turned[0]);
    brain[32 + lane] = to_bfloat(share.turned[1]);
}

/// An index key: lane l holds elements 2l and 2l + 1, and the pair (l, l + 32) of the turned 64 behind them. Pages: 64 · 128 FP8, then 64 FP32 scales.
FN void write_index_key(u8* pages, u32 entry, const float (&plain)[2], const float (&turned)[2]) {
    u8* page = pages + (u64)(entry / EntryPageEntries) * IndexKeyPageBytes;
    u32 lane = lane_index(), slot = entry % EntryPageEntries;
    float greatest = warp_max(largest(largest(magnitude(plain[0]), magnitude(plain[1])), largest(magnitude(turned[0]), magnitude(turned[1]))));
    float scale = exact_div(largest(greatest, 1e-20f), 448.0f);
    u8* key = page + slot * IndexKeyWidth;
    u32 low = fp8_from_float(exact_div(plain[0], scale)), high = fp8_from_float(exact_div(plain[1], scale));
    ((u16*)key)[lane] = (u16)(low | high << 8);
    key[64 + lane] = fp8_from_float(exact_div(turned[0], scale));
    key[96 + lane] = fp8_from_float(exact_div(turned[1], scale));
    if (lane == 0) ((float*)(page + EntryPageEntries * IndexKeyWidth))[slot] = scale;
}
