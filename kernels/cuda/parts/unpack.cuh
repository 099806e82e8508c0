// The three formats of stored weights: their units' sizes, and from stored bits to mma's A fragment (FP16). Integers up to 2048 are exact in FP16, so is all that happens here.
#pragma once
#include "layout.cuh"

/// What one lane needs to unpack a row tile of a chunk: rows g and g + 8 of the tile (g = lane / 4).
struct RowConstants {
    float scale[2];
    u32 zero[2];  // FP16 pairs: what unpack subtracts from rows g and g + 8
};

/// FP16: [tile][4 k16][32 lanes][16 B].
struct HalfWeights {
    static constexpr u32 ChunkInputs = 64;    // inputs of a unit
    static constexpr u32 TileWeightBytes = 2048;
    static constexpr u32 QuadSteps = 1;       // k16 steps in a lane's 16 bytes
    static constexpr bool Scaled = false;
    FN u32 unit_bytes(u32 tiles) { return tiles * TileWeightBytes; }
    FN RowConstants constants(const u8*, u32, u32, u32) { return {}; }
    FN void unpack(u32 (&a)[4], const Quad& q, u32, const RowConstants&) { UNROLL for (u32 i = 0; i < 4; i++) a[i] = q.v[i]; }
};

/// INT8: [tile][4 k32][32 lanes][two k16 of 8 B], then scales FP16 [row].
struct ByteWeights {
    static constexpr u32 ChunkInputs = 128;
    static constexpr u32 TileWeightBytes = 2048;
    static constexpr u32 QuadSteps = 2;
    static constexpr bool Scaled = true;
    FN u32 unit_bytes(u32 tiles) { return tiles * (TileWeightBytes + 32); }
    FN RowConstants constants(const u8* unit, u32 tiles, u32 tile, u32 g) {
        const u16* scales = reinterpret_cast<const u16*>(unit + tiles * TileWeightBytes) + tile * TileRows + g;
        return {{from_half(scales[0]), from_half(scales[8])}, {0, 0}};
    }
    /// A byte under 0x64 is the FP16 number 1024 + byte; less 1152 it is byte − 128.
    FN void unpack(u32 (&a)[4], const Quad& q, u32 step, const RowConstants&) {
        UNROLL for (u32 i = 0; i < 4; i++) a[i] = half_sub(permute_bytes(q.v[2 * step + i / 2], 0x64646464u, i % 2 ? 0x4342u : 0x4140u), 0x64806480u);
    }
};

/// INT4: [tile][2 k64][32 lanes][a word a k16], then scales FP16 [row], then zeros [tile][16 nibbles].
struct NibbleWeights {
    static constexpr u32 ChunkInputs = 128;
    static constexpr u32 TileWeightBytes = 1024;
    static constexpr u32 QuadSteps = 4;
    static constexpr bool Scaled = true;
    FN u32 unit_bytes(u32 tiles) { return (tiles * (TileWeightBytes + 40) + 15) / 16 * 16; }
    FN RowConstants constants(const u8* unit, u32 tiles, u32 tile, u32 g) {
        const u16* scales = reinterpret_cast<const u16*>(unit + tiles * TileWeightBytes) + tile * TileRows + g;
        const u32* zeros = reinterpret_cast<const u32*>(unit + tiles * (TileWeightBytes + 32)) + tile * 2;
        // 1024 + zero, and 64 + zero, whose unit in the last place is 1/16.
        return {{from_half(scales[0]), from_half(scales[8])}, {(zeros[0] >> 4 * g & 15) * 0x00010001u + 0x64006400u, (zeros[1] >> 4 * g & 15) * 0x00100010u + 0x54005400u}};
    }
    /// A nibble in the lowest mantissa bits of 0x6400 is 1024 + q; four bits higher under 0x5400 it is 64 + q.
    FN void unpack(u32 (&a)[4], const Quad& q, u32 step, const RowConstants& row) {
        u32 word = q.v[step];
        UNROLL for (u32 i = 0; i < 2; i++) {
            a[2 * i] = half_sub(and_or(word, 0x000f000fu, 0x64006400u), row.zero[0]);
            a[2 * i + 1] = half_sub(and_or(word, 0x00f000f0u, 0x54005400u), row.zero[1]);
            word >>= 8;
        }
    }
};
