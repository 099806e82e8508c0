// The history's tokens as the reference implementation draws them: half the signed sum of four of 64 projected activations; and the rotation by a token's position.
#pragma once
#include "../arch/arch.cuh"
#include "noise.cuh"

constexpr u32 PoolTokens = 64, PositionsPerTurn = 1024;

/// The projections of the 64 pool activations, as a product at batch 64 leaves them. 8-byte members first: part of arguments.
struct Pool {
    const float* projected;  // FP32 [64][stride]
    const float* rest;       // FP32 [64][stride]: of what FP16 lost of the activations, times 2048; or 0
    const u32* columns;      // [columns of the matrix] where each stands in a row of `projected`; 0: where it stands in the matrix
    u64 key;                 // StepContext.Key(layer, "history")
    u32 stride, unused;
};
/// cos and sin of position · 10000^(−2i/width) in double: of multiples of 1024 and of the rest, whose angles add up.
struct Turns {
    const double* coarse;  // [positions / 1024, rounded up][width / 2][cos, sin]
    const double* fine;    // [1024][width / 2][cos, sin]
};

/// Which four pool tokens a token sums, with their signs.
FN u64 token_bits(const Pool& pool, u32 sequence, u32 position) { return noise_bits(pool.key, ((u64)sequence << 40) + position); }
/// Column of a token's projection.
FN float token_value(const Pool& pool, u64 bits, u32 column) {
    u32 at = pool.columns ? pool.columns[column] : column;
    float sum = 0;
    UNROLL for (u32 i = 0; i < 4; i++) {
        u64 place = (u64)((u32)(bits >> 16 * i) & (PoolTokens - 1)) * pool.stride + at;
        float value = pool.projected[place];
        if (pool.rest) value = exact_add(value, exact_mul(pool.rest[place], 1.0f / 2048));
        sum = exact_add(sum, exact_mul(value, bits >> 16 * i & 64 ? -0.5f : 0.5f));
    }
    return sum;
}
/// Of pair i of a rotation of so many pairs.
FN void turn_of(const Turns& turns, u32 position, u32 i, u32 pairs, float& cosine, float& sine) {
    const double* a = turns.coarse + ((u64)(position / PositionsPerTurn) * pairs + i) * 2;
    const double* b = turns.fine + ((u64)(position % PositionsPerTurn) * pairs + i) * 2;
    cosine = (float)(a[0] * b[0] - a[1] * b[1]);
    sine = (float)(a[1] * b[0] + a[0] * b[1]);
}
/// Turns a pair as the reference implementation does, each operation rounded.
FN void turn_pair(float cosine, float sine, float& first, float& second) {
    float a = first, b = second;
    first = exact_add(exact_mul(a, cosine), -exact_mul(b, sine));
    second = exact_add(exact_mul(a, sine), exact_mul(b, cosine));
}
