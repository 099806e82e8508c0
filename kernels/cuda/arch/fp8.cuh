// FP8 e4m3 (no infinities, largest 448) to FP16 and back. sm_89 and later have an instruction; others move the bits.
#pragma once
#include "half.cuh"
#include "bits.cuh"

/// Two e4m3 (low byte first) to two FP16: exact.
FN u32 half_from_fp8(u16 v) {
#if SIMT_DEVICE && __CUDA_ARCH__ >= 890
    u32 r;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(r) : "h"(v));
    return r;
#else
    // Exponent and mantissa move up by 7 bits into FP16's places; the biases 15 and 7 differ by 8, so the value is 2^-8 too small; subnormals come out right.
    u32 wide = (v & 0xffu) | (u32)(v >> 8) << 16;
    u32 moved = (wide & 0x00800080u) << 8 | (wide & 0x007f007fu) << 7;
    return half_mul(moved, 0x5c005c00u);  // 2^8
#endif
}

/// To nearest even, saturating at ±448. Finite numbers only.
FN u8 fp8_from_float(float v) {
    u32 bits = float_bits(v), sign = bits >> 24 & 0x80;
    float magnitude = bits_float(bits & 0x7fffffffu);
    if (magnitude >= 448) return (u8)(sign | 0x7e);
    // Adding 1.5·2^23 units of the spacing rounds to nearest even: the spacing is 2^-9 below 2^-6 and an eighth of the binade above.
    u32 exponent = float_bits(magnitude) >> 23;
    if (exponent < 121) exponent = 121;
    float scale = bits_float((254 - (exponent - 3)) << 23);
    u32 steps = float_bits(magnitude * scale + 8388608.0f) - 0x4b000000u;
    return (u8)(sign | (exponent == 121 && steps < 8 ? steps : (exponent - 120) * 8 + steps - 8));
}
