// One warp writes one entry or index key of the history: parts/entries.cuh has the format.
#pragma once
#include "entries.cuh"
#include "../arch/arch.cuh"

/// What lane l holds of an entry: elements 64·g + 2l and 64·g + 2l + 1 of the plain groups g, and the pair (l, l + 32) of the turned 64.
struct EntryShare { float plain[7][2], turned[2]; };

FN float magnitude(float v) { return bits_float(float_bits(v) & 0x7fffffff); }

/// `pages`: the first page of a sequence.
FN void write_entry(u8* pages, u32 entry, const EntryShare& share) {
    u8* data = pages + entry_data_at(entry);
    u32 lane = lane_index();
    Pair scales{};
    UNROLL for (u32 g = 0; g < 7; g++) {
        u32 scale = entry_scale_of(warp_max(largest(magnitude(share.plain[g][0]), magnitude(share.plain[g][1]))));
        float inverse = inverse_entry_scale(scale);
        u32 low = fp8_from_float(exact_mul(share.plain[g][0], inverse)), high = fp8_from_float(exact_mul(share.plain[g][1], inverse));
        ((u16*)data)[g * 32 + lane] = (u16)(low | high << 8);
        scales.v[g / 4] |= scale << 8 * (g % 4);
    }
    if (lane == 0) *(Pair*)(pages + entry_scales_at(entry)) = scales;
    u16* brain = (u16*)(data + EntryPlain);
    brain[lane] = to_bfloat(share.turned[0]);
    brain[32 + lane] = to_bfloat(share.turned[1]);
}

/// An index key: lane l holds elements 2l and 2l + 1, and the pair (l, l + 32) of the turned 64 behind them. Pages: 64 · 128 FP8, then 64 FP32 scales.
FN void write_index_key(u8* pages, u32 entry, const float (&plain)[2], const float (&turned)[2]) {
    u8* page = pages + (u64)(entry / PageEntries) * IndexPageBytes;
    u32 lane = lane_index(), slot = entry % PageEntries;
    float greatest = warp_max(largest(largest(magnitude(plain[0]), magnitude(plain[1])), largest(magnitude(turned[0]), magnitude(turned[1]))));
    float scale = exact_div(largest(greatest, 1e-20f), 448.0f);
    u8* key = page + slot * IndexWidth;
    u32 low = fp8_from_float(exact_div(plain[0], scale)), high = fp8_from_float(exact_div(plain[1], scale));
    ((u16*)key)[lane] = (u16)(low | high << 8);
    key[64 + lane] = fp8_from_float(exact_div(turned[0], scale));
    key[96 + lane] = fp8_from_float(exact_div(turned[1], scale));
    if (lane == 0) ((float*)(page + PageEntries * IndexWidth))[slot] = scale;
}
