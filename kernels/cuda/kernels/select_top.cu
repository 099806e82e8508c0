// CSA's selection: the 512 entries of each sequence with the highest scores, the earlier first among equals, in ascending order.
//
// Reads batch·entries·4 B that index_scores has just left in the second cache (8.4 MB at batch 8: 2 µs); writes 512 indices a sequence.
// Each block keeps 16,384 scores in registers, finds the 512 best of them and leaves them as candidates; the last block of a sequence to arrive finds the 512 best among these.
//
// To find the 512th: scores become integers of the same order; three histograms of 12, 10 and 10 bits narrow down to its exact value. Equal ones count in order of position.
// Threads hold consecutive scores, so positions grow with the thread and what is written is sorted by itself. Skewed exponents cost a histogram little (12 bits are eight bins a
// binade); a warp of equal scores, as in data of zeros, is counted at once. About 5 µs a stage.
//
// Grid: batch · slices, slices = ⌈entries / 16,384⌉, at most 32 (entries at least 512, at most 524,288). Threads: 512. Shared memory: SelectBytes.
#include "../parts/split.cuh"

struct SelectTopArguments {
    /// FP32 [batch][entries].
    const float* scores;
    /// INT32 [batch][512], ascending.
    u32* selected;
    /// [batch][slices][512]: ordered scores, 0 where there is none; and their entries.
    u32* candidate_scores;
    u32* candidate_entries;
    /// [batch], 0 between launches.
    u32* arrivals;
    u32 batch;
    u32 entries;
    u32 slices;
    u32 unused;
};

constexpr u32 SelectThreads = 512, Kept = 32, SliceEntries = SelectThreads * Kept, Selected = 512, Bins = 4096;
/// Histogram, [16 warps], 4 words.
constexpr u32 SelectBytes = (Bins + 16 + 4) * 4;
static_assert(SelectBytes <= 49152, "no opt-in needed");

/// Same order as the scores; 0 stands for none.
FN u32 ordered(float score) {
    u32 bits = float_bits(score);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/// Sum over the threads before this one; `sums` holds 16. Two barriers.
FN u32 sum_before(u32 v, u32* sums) {
    u32 lane = lane_index(), inclusive = v;
    UNROLL for (u32 d = 1; d < 32; d *= 2) {
        u32 other = shuffle(inclusive, lane - d);
        inclusive += lane >= d ? other : 0;
    }
    if (lane == 31) sums[warp_index()] = inclusive;
    sync_block();
    u32 warps = lane < SelectThreads / 32 ? sums[lane] : 0, until = warps;
    UNROLL for (u32 d = 1; d < 32; d *= 2) {
        u32 other = shuffle(until, lane - d);
        until += lane >= d ? other : 0;
    }
    u32 before = shuffle(until - warps, warp_index());
    sync_block();
    return before + inclusive - v;
}

/// Of the block's scores that agree with `prefix` above bit shift + bits: moves `prefix` on to the digit in which the `rank`-th largest lies, and `rank` to its rank there.
template<u32 bits, u32 shift> FN void narrow(const u32 (&score)[Kept], u32& prefix, u32& rank, u32* histogram, u32* sums, u32* found) {
    constexpr u32 Digits = 1 << bits, Each = Digits / SelectThreads;
    u32 thread = thread_index();
    UNROLL for (u32 i = 0; i < Each; i++) histogram[thread + i * SelectThreads] = 0;
    sync_block();
    UNROLL for (u32 i = 0; i < Kept; i++) {
        bool counts = bits + shift == 32 || score[i] >> (bits + shift) % 32 == prefix;
        // Largest first.
        u32 digit = Digits - 1 - (score[i] >> shift & (Digits - 1));
        u32 first = shuffle(digit, 0);
        if (ballot(counts && digit == first) == 0xffffffffu) {
            if (lane_index() == 0) atomic_add_shared(histogram + digit, 32);
        } else if (counts) {
            atomic_add_shared(histogram + digit, 1);
        }
    }
    sync_block();
    u32 count[Each], own = 0;
    UNROLL for (u32 i = 0; i < Each; i++) own += count[i] = histogram[thread * Each + i];
    u32 before = sum_before(own, sums);
    UNROLL for (u32 i = 0; i < Each; i++) {
        if (before < rank && rank <= before + count[i]) {
            found[0] = Digits - 1 - (thread * Each + i);
            found[1] = rank - before;
        }
        before += count[i];
    }
    sync_block();
    prefix = prefix << bits | found[0];
    rank = found[1];
}

/// Calls `take(place, i)` for the 512 largest of the block's scores, places 0 to 511 in order of position. There are at least 512 of them, counting the zeros.
template<class Take> FN void best(const u32 (&score)[Kept], u32* shared, Take take) {
    u32 *histogram = shared, *sums = shared + Bins, *found = sums + 16;
    u32 threshold = 0, rank = Selected;
    narrow<12, 20>(score, threshold, rank, histogram, sums, found);
    narrow<10, 10>(score, threshold, rank, histogram, sums, found);
    narrow<10, 0>(score, threshold, rank, histogram, sums, found);
    // Now `rank` of those that equal the threshold belong to it.
    u32 equal = 0, above = 0;
    UNROLL for (u32 i = 0; i < Kept; i++) {
        equal += score[i] == threshold;
        above += score[i] > threshold;
    }
    // Both counts in one sum: 16,384 fits in 16 bits.
    u32 before = sum_before(equal << 16 | above, sums), equal_before = before >> 16, place = (before & 0xffff) + least(equal_before, rank);
    UNROLL for (u32 i = 0; i < Kept; i++) {
        bool same = score[i] == threshold;
        if (score[i] > threshold || (same && equal_before < rank)) take(place++, i);
        equal_before += same;
    }
}

KERNEL(KERNEL_NAME, SelectThreads, 1)(SelectTopArguments a) {
    u32* shared = (u32*)shared_memory();
    u32 thread = thread_index(), sequence = block_index() / a.slices, slice = block_index() - sequence * a.slices;
    wait_for_previous_kernel();
    let_next_kernel_start();

    u32 first = slice * SliceEntries + thread * Kept, score[Kept];
    const float* scores = a.scores + (u64)sequence * a.entries + first;
    if (a.entries % 4 == 0 && first + Kept <= a.entries) {
        UNROLL for (u32 i = 0; i < Kept / 4; i++) {
            Quad four = ((const Quad*)scores)[i];
            UNROLL for (u32 j = 0; j < 4; j++) score[4 * i + j] = ordered(bits_float(four.v[j]));
        }
    } else {
        UNROLL for (u32 i = 0; i < Kept; i++) score[i] = first + i < a.entries ? ordered(scores[i]) : 0;
    }
    u32* selected = a.selected + (u64)sequence * Selected;
    if (a.slices == 1) {
        best(score, shared, [&](u32 place, u32 i) { selected[place] = first + i; });
        return;
    }
    u64 candidates = ((u64)sequence * a.slices + slice) * Selected;
    best(score, shared, [&](u32 place, u32 i) {
        a.candidate_scores[candidates + place] = score[i];
        a.candidate_entries[candidates + place] = first + i;
    });
    if (!last_to_arrive(a.arrivals + sequence, a.slices, shared + Bins + 16)) return;
    u32 mine = thread * Kept, all = a.slices * Selected;
    const u32* from = a.candidate_scores + (u64)sequence * all;
    const u32* entries = a.candidate_entries + (u64)sequence * all;
    UNROLL for (u32 i = 0; i < Kept; i++) score[i] = mine + i < all ? float_bits(load_written((const float*)from + mine + i)) : 0;
    best(score, shared, [&](u32 place, u32 i) { selected[place] = float_bits(load_written((const float*)entries + mine + i)); });
}
