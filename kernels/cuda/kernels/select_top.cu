// CSA's selection: the 512 entries of each sequence with the highest scores, the earlier first among equals, in ascending order.
//
// Reads batch·entries·4 B that index_scores has just left in the second cache (8.4 MB at batch 8: 2 µs); writes 512 indices a sequence.
// Each block keeps 16,384 scores in shared memory, finds the 512 best of them and leaves them as candidates; the last block of a sequence to arrive finds the 512 best among these.
//
// To find the 512th: scores become integers of the same order; three histograms of 12, 10 and 10 bits narrow down to its exact value. Equal ones count in order of position.
// For the writing threads take consecutive scores, so positions grow with the thread and what is written is sorted by itself. Lanes that
// count the same bin are counted at once by the hardware, so equal exponents, or data of zeros, cost nothing. Little code, since all of it is fetched cold: about 2 µs a stage.
//
// Grid: batch · slices, slices = ⌈entries / 16,384⌉, at most 32 (entries at least 512, at most 524,288). Threads: 1024. Shared memory: SelectBytes.
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

constexpr u32 SelectThreads = 1024, Kept = 16, SliceEntries = SelectThreads * Kept, Selected = 512, Bins = 4096;
/// Scores, histogram, [32 warps], 4 words.
constexpr u32 ScoreWords = SliceEntries + SliceEntries / Kept, SelectBytes = (ScoreWords + Bins + 32 + 4) * 4;
static_assert(SelectBytes <= 101376, "two blocks on a multiprocessor");

/// Where score `position` lies: neither neighbours nor every 16th collide in a bank.
FN u32 place_of(u32 position) { return position + position / Kept; }
/// From a position to the one SelectThreads further on.
constexpr u32 PlaceStep = SelectThreads + SelectThreads / Kept;

/// Same order as the scores; 0 stands for none.
FN u32 ordered(float score) {
    u32 bits = float_bits(score);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/// Sum over the threads before this one; `sums` holds 32. Two barriers.
FN u32 sum_before(u32 v, u32* sums) {
    u32 lane = lane_index(), inclusive = v;
    UNROLL for (u32 d = 1; d < 32; d *= 2) {
        u32 other = shuffle(inclusive, lane - d);
        inclusive += lane >= d ? other : 0;
    }
    if (lane == 31) sums[warp_index()] = inclusive;
    sync_block();
    u32 warps = sums[lane], until = warps;
    UNROLL for (u32 d = 1; d < 32; d *= 2) {
        u32 other = shuffle(until, lane - d);
        until += lane >= d ? other : 0;
    }
    u32 before = shuffle(until - warps, warp_index());
    sync_block();
    return before + inclusive - v;
}

/// Value and how many of it count.
struct Threshold { u32 value, rank; };

/// The 512th largest of the block's scores; `rank` of those that equal it are among the 512. There are at least 512, counting the zeros.
FN Threshold find_threshold(const u32* scores, u32* histogram, u32* sums, u32* found) {
    u32 thread = thread_index();
    const u32* mine = scores + place_of(thread);
    Threshold t = {0, Selected};
    ROLLED for (u32 pass = 0; pass < 3; pass++) {
        // Digits of 12, 10 and 10 bits, largest first; above them a score must agree with what is known.
        u32 shift = 20 - 10 * pass, mask = pass ? 1023 : 4095;
        UNROLL for (u32 i = 0; i < Bins / SelectThreads; i++) histogram[thread + i * SelectThreads] = 0;
        sync_block();
        UNROLL for (u32 i = 0; i < Kept; i++) {
            u32 score = mine[i * PlaceStep], above = score >> shift;
            if (pass == 0 || above >> 10 == t.value) atomic_add_shared(histogram + (mask - (above & mask)), 1);
        }
        sync_block();
        Quad count = ((const Quad*)histogram)[thread];
        u32 before = sum_before(count.v[0] + count.v[1] + count.v[2] + count.v[3], sums);
        UNROLL for (u32 i = 0; i < 4; i++) {
            if (before < t.rank && t.rank <= before + count.v[i]) {
                found[0] = mask - (thread * 4 + i);
                found[1] = t.rank - before;
            }
            before += count.v[i];
        }
        sync_block();
        t = {pass ? t.value << 10 | found[0] : found[0], found[1]};
    }
    return t;
}

KERNEL(KERNEL_NAME, SelectThreads, 1)(SelectTopArguments a) {
    u32* shared = (u32*)shared_memory();
    u32 thread = thread_index(), sequence = block_index() / a.slices, slice = block_index() - sequence * a.slices;
    wait_for_previous_kernel();
    let_next_kernel_start();

    u32 first = slice * SliceEntries;
    u32* strided = shared + place_of(thread);
    const float* scores = a.scores + (u64)sequence * a.entries + first + thread;
    u32 left = a.entries - least(a.entries, first + thread);
    UNROLL for (u32 i = 0; i < Kept; i++) strided[i * PlaceStep] = i * SelectThreads < left ? ordered(scores[i * SelectThreads]) : 0;
    u32 *histogram = shared + ScoreWords, *sums = histogram + Bins, *found = sums + 32;
    u32* candidate_scores = a.candidate_scores + (u64)sequence * a.slices * Selected;
    u32* candidate_entries = a.candidate_entries + (u64)sequence * a.slices * Selected;
    sync_block();
    // Of this block's scores; then, in the last block of the sequence, of all blocks' candidates.
    bool final = a.slices == 1, candidates = false;
    ROLLED for (;;) {
        Threshold t = find_threshold(shared, histogram, sums, found);
        const u32* mine = shared + place_of(thread * Kept);
        u32 equal = 0, above = 0;
        UNROLL for (u32 i = 0; i < Kept; i++) {
            equal += mine[i] == t.value;
            above += mine[i] > t.value;
        }
        // Both counts in one sum: 16,384 fits in 16 bits.
        u32 before = sum_before(equal << 16 | above, sums), equal_before = before >> 16, place = (before & 0xffff) + least(equal_before, t.rank);
        ROLLED for (u32 i = 0; i < Kept; i++) {
            u32 score = mine[i], position = thread * Kept + i;
            bool same = score == t.value;
            if (score > t.value || (same && equal_before < t.rank)) {
                if (final) {
                    a.selected[(u64)sequence * Selected + place] = candidates ? float_bits(load_written((const float*)candidate_entries + position)) : first + position;
                } else {
                    candidate_scores[slice * Selected + place] = score;
                    candidate_entries[slice * Selected + place] = first + position;
                }
                place++;
            }
            equal_before += same;
        }
        if (final || !last_to_arrive(a.arrivals + sequence, a.slices, found)) return;
        final = candidates = true;
        const float* from = (const float*)candidate_scores + thread;
        left = a.slices * Selected - least(a.slices * Selected, thread);
        UNROLL for (u32 i = 0; i < Kept; i++) strided[i * PlaceStep] = i * SelectThreads < left ? float_bits(load_written(from + i * SelectThreads)) : 0;
        sync_block();
    }
}
