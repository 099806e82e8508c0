// Arithmetic that C++ would take from a library: fma, square roots, exponentials.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
FN float fused(float a, float b, float c) { float r; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(a), "f"(b), "f"(c)); return r; }
/// Products and sums that must not be contracted into one rounding: the generated data are the same numbers on every machine.
FN float exact_mul(float a, float b) { float r; asm("mul.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
FN float exact_add(float a, float b) { float r; asm("add.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
FN float exact_div(float a, float b) { float r; asm("div.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
FN float exact_sqrt(float a) { float r; asm("sqrt.rn.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
/// To the nearest integer, ties to even, as a float.
FN float nearest(float a) { float r; asm("cvt.rni.f32.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
/// 2^a to 2 units in the last place; −∞ gives 0.
FN float exp2_fast(float a) { float r; asm("ex2.approx.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
FN float log2_fast(float a) { float r; asm("lg2.approx.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
FN float inverse_sqrt(float a) { float r; asm("rsqrt.approx.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
FN float inverse(float a) { float r; asm("rcp.rn.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
#else
#include <cmath>
FN float fused(float a, float b, float c) { return std::fma(a, b, c); }
FN float exact_mul(float a, float b) { volatile float r = a * b; return r; }
FN float exact_add(float a, float b) { volatile float r = a + b; return r; }
FN float exact_div(float a, float b) { volatile float r = a / b; return r; }
FN float exact_sqrt(float a) { return std::sqrt(a); }
FN float nearest(float a) { return std::nearbyint(a); }
FN float exp2_fast(float a) { return std::exp2(a); }
FN float log2_fast(float a) { return std::log2(a); }
FN float inverse_sqrt(float a) { return 1 / std::sqrt(a); }
FN float inverse(float a) { return 1 / a; }
#endif
FN float largest(float a, float b) { return a > b ? a : b; }
FN u32 least(u32 a, u32 b) { return a < b ? a : b; }
FN u32 ceiling(u32 a, u32 b) { return (a + b - 1) / b; }
constexpr float Log2E = 1.4426950408889634f;
FN float infinity() { union { u32 u; float f; } c; c.u = 0x7f800000u; return c.f; }
/// 1 / (1 + e^−a)
FN float sigmoid(float a) { return inverse(1 + exp2_fast(-a * Log2E)); }
