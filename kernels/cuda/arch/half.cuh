// FP16 and BF16: conversions and packed arithmetic (f16x2: low half first).
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
/// Two FP32 to two FP16, to nearest even.
FN u32 pack_half(float low, float high) { u32 r; asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(r) : "f"(low), "f"(high)); return r; }
FN u16 to_half(float v) { u16 r; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(v)); return r; }
FN float from_half(u16 v) { float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v)); return r; }
FN u32 half_sub(u32 a, u32 b) { u32 r; asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
FN u32 half_mul(u32 a, u32 b) { u32 r; asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
/// a·b + c, rounded once.
FN u32 half_fma(u32 a, u32 b, u32 c) { u32 r; asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }
#else
FN u16 to_half(float v) { return emulation::to_half(v); }
FN float from_half(u16 v) { return emulation::from_half(v); }
FN u32 pack_half(float low, float high) { return to_half(low) | (u32)to_half(high) << 16; }
FN u32 half_sub(u32 a, u32 b) { return pack_half(from_half((u16)a) - from_half((u16)b), from_half(a >> 16) - from_half(b >> 16)); }
FN u32 half_mul(u32 a, u32 b) { return pack_half(from_half((u16)a) * from_half((u16)b), from_half(a >> 16) * from_half(b >> 16)); }
FN u32 half_fma(u32 a, u32 b, u32 c) { return emulation::half_fma((u16)a, (u16)b, (u16)c) | (u32)emulation::half_fma(a >> 16, b >> 16, c >> 16) << 16; }
#endif
FN float low_half(u32 v) { return from_half((u16)(v & 0xffff)); }
FN float high_half(u32 v) { return from_half((u16)(v >> 16)); }
/// One value in both halves.
FN u32 twice(u16 v) { return v | (u32)v << 16; }
/// BF16 is the upper half of FP32.
FN float from_bfloat(u16 v) { union { u32 u; float f; } c; c.u = (u32)v << 16; return c.f; }
/// To nearest even; finite numbers only.
FN u16 to_bfloat(float v) { union { float f; u32 u; } c; c.f = v; return (u16)((c.u + 0x7fff + (c.u >> 16 & 1)) >> 16); }
