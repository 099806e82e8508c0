// Online softmax in base 2. A part of a row's softmax is (maximum, sum, weighted values), relative to its own maximum; parts are brought to a common
// maximum by 2^(maximum − common). Scores enter as score · scale · log2(e), folded into one factor.
#pragma once
#include "../arch/arch.cuh"

/// Factor that brings a part with that maximum to the common one. A part without tokens has maximum −∞: factor 0. `common` must be finite.
FN float part_factor(float maximum, float common) { return exp2_fast(maximum - common); }

/// Query rows of one thread as mma's accumulators lay 16 of them: rows g and g + 8, the lane's own columns. The four lanes of a row share its maximum; each
/// sums its own columns.
struct SoftmaxRows {
    float maximum[2];
    float sum[2];
};

FN void clear(SoftmaxRows& rows) {
    rows.maximum[0] = rows.maximum[1] = -infinity();
    rows.sum[0] = rows.sum[1] = 0;
}

/// Takes the scores of 16 rows × 16 columns (two accumulators, columns 0–7 and 8–15; those of missing tokens −∞, at least one a row finite) and gives their
/// weights as mma's A fragment. `keep` are the factors for what rows g and g + 8 have gathered before; true where a factor of the warp is not 1.
FN bool take_scores(SoftmaxRows& rows, const float (&scores)[2][4], float scale, u32 (&weights)[4], float (&keep)[2]) {
    float lower = largest(largest(scores[0][0], scores[0][1]), largest(scores[1][0], scores[1][1])) * scale;
    float upper = largest(largest(scores[0][2], scores[0][3]), largest(scores[1][2], scores[1][3])) * scale;
    lower = largest(rows.maximum[0], warp_max<4>(lower));
    upper = largest(rows.maximum[1], warp_max<4>(upper));
    bool moved = ballot(lower > rows.maximum[0] || upper > rows.maximum[1]) != 0;
    keep[0] = part_factor(rows.maximum[0], lower);
    keep[1] = part_factor(rows.maximum[1], upper);
    rows.maximum[0] = lower;
    rows.maximum[1] = upper;
    float low[4], high[4];  // columns 2t, 2t+1, 2t+8, 2t+9 of rows g and g + 8
    UNROLL for (u32 i = 0; i < 4; i++) {
        low[i] = exp2_fast(fused(scores[i >> 1][i & 1], scale, -lower));
        high[i] = exp2_fast(fused(scores[i >> 1][2 + (i & 1)], scale, -upper));
    }
    rows.sum[0] = fused(rows.sum[0], keep[0], (low[0] + low[1]) + (low[2] + low[3]));
    rows.sum[1] = fused(rows.sum[1], keep[1], (high[0] + high[1]) + (high[2] + high[3]));
    weights[0] = pack_half(low[0], low[1]);
    weights[1] = pack_half(high[0], high[1]);
    weights[2] = pack_half(low[2], low[3]);
    weights[3] = pack_half(high[2], high[3]);
    return moved;
}

/// The sums over all columns, on all four lanes of a row.
FN void row_sums(const SoftmaxRows& rows, float (&sums)[2]) {
    sums[0] = warp_sum<4>(rows.sum[0]);
    sums[1] = warp_sum<4>(rows.sum[1]);
}
