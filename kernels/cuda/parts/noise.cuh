// The reference implementation's random numbers by counter, bit for bit: what stands at a place depends on its key alone. Every operation is rounded by itself.
#pragma once
#include "../arch/arch.cuh"

constexpr u64 GoldenRatio = 0x9E3779B97F4A7C15ull;
/// A row's weights are drawn in chunks of so many inputs, a key each.
constexpr u32 NoiseChunk = 512;

FN u64 noise_mix(u64 z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
/// The key of two coordinates under a key.
FN u64 noise_key(u64 seed, u64 first, u64 second) {
    u64 key = noise_mix(seed + GoldenRatio);
    key = noise_mix(key ^ (first + GoldenRatio));
    return noise_mix(key ^ (second + GoldenRatio));
}
/// 64 well mixed bits of a key and an index.
FN u64 noise_bits(u64 key, u64 index) { return noise_mix(key + (index + 1) * GoldenRatio); }

FN u32 noise_hash(u32 x, u32 key) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= (x >> 15) ^ key;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}
/// c + a·b in two roundings.
FN float noise_step(float c, float a, float b) { return exact_add(c, exact_mul(a, b)); }
/// Natural logarithm of a positive normal number.
FN float noise_logarithm(float x) {
    i32 bits = (i32)float_bits(x), exponent = (bits - 0x3f3504f3) >> 23;
    float m = exact_add(bits_float((u32)bits - ((u32)exponent << 23)), -1.0f), z = exact_mul(m, m);
    float p = 7.0376836292e-2f;
    p = noise_step(-1.1514610310e-1f, p, m);
    p = noise_step(1.1676998740e-1f, p, m);
    p = noise_step(-1.2420140846e-1f, p, m);
    p = noise_step(1.4249322787e-1f, p, m);
    p = noise_step(-1.6668057665e-1f, p, m);
    p = noise_step(2.0000714765e-1f, p, m);
    p = noise_step(-2.4999993993e-1f, p, m);
    p = noise_step(3.3333331174e-1f, p, m);
    float sum = exact_add(m, -exact_mul(z, 0.5f));
    sum = exact_add(sum, exact_mul(exact_mul(p, m), z));
    return exact_add(sum, exact_mul((float)exponent, 0.69314718056f));
}
/// Counter c of a key: in each run of 16 numbers, counter 16·n + i (i below 8) gives the numbers 16·n + i (first) and 16·n + i + 8 (second).
FN void noise_pair(u64 key, u32 counter, float deviation, float& first_number, float& second_number) {
    u32 low = (u32)key, high = (u32)(key >> 32) | 1u;
    u32 first = noise_hash(counter * 0x9E3779B9u ^ low, high), second = noise_hash(first ^ high, low);
    // (0, 1] and quarter turns in [0, 4).
    float u = exact_mul((float)((first >> 8) + 1), 1.0f / 16777216.0f), turn = exact_mul((float)(second >> 8), 4.0f / 16777216.0f);
    float radius = exact_mul(exact_sqrt(exact_mul(noise_logarithm(u), -2.0f)), deviation);
    u32 quadrant = (u32)exact_add(turn, 0.5f);
    float angle = exact_mul(exact_add(turn, -(float)quadrant), 1.57079632679f), square = exact_mul(angle, angle);
    float sine = noise_step(8.3321608736e-3f, square, -1.9515295891e-4f);
    sine = noise_step(-1.6666654611e-1f, square, sine);
    sine = exact_mul(angle, noise_step(1.0f, square, sine));
    float cosine = noise_step(-1.388731625493765e-3f, square, 2.443315711809948e-5f);
    cosine = noise_step(4.166664568298827e-2f, square, cosine);
    cosine = exact_add(exact_add(1.0f, -exact_mul(square, 0.5f)), exact_mul(exact_mul(square, square), cosine));
    u32 sign = (quadrant & 2) << 30;
    bool swap = quadrant & 1;
    first_number = exact_mul(radius, bits_float(float_bits(swap ? sine : cosine) ^ sign));
    second_number = exact_mul(radius, bits_float(float_bits(swap ? cosine : sine) ^ sign));
}
