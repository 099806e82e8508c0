// Words and bytes: lop3.b32, prmt.b32.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
/// (a & mask) | or, one instruction.
FN u32 and_or(u32 a, u32 mask, u32 bits) { u32 r; asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(r) : "r"(a), "r"(mask), "r"(bits)); return r; }
/// Byte i of the result is byte (selector >> 4·i & 7) of b:a, a being bytes 0 to 3; where bit 3 of those four bits is set, its sign in all eight bits.
FN u32 permute_bytes(u32 a, u32 b, u32 selector) { u32 r; asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector)); return r; }
#else
FN u32 and_or(u32 a, u32 mask, u32 bits) { return (a & mask) | bits; }
FN u32 permute_bytes(u32 a, u32 b, u32 selector) {
    u64 both = (u64)b << 32 | a;
    u32 r = 0;
    for (u32 i = 0; i < 4; i++) {
        u32 byte = (u32)(both >> 8 * (selector >> 4 * i & 7) & 0xff);
        if (selector >> 4 * i & 8) byte = byte & 0x80 ? 0xff : 0;
        r |= byte << 8 * i;
    }
    return r;
}
#endif
FN u32 float_bits(float v) { union { float f; u32 u; } c; c.f = v; return c.u; }
FN float bits_float(u32 v) { union { u32 u; float f; } c; c.u = v; return c.f; }
