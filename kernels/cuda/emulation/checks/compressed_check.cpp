// kernels: none
// H's kernels against doubles: the entries' encodings, index scores, the selection, the attention. One line a case; exit 1 on failure.
#include "../../parts/entries.cuh"
#include "../../parts/latent.cuh"
#include "../../parts/merge.cuh"
#include "../../parts/split.cuh"
#define KERNEL_NAME attention_compressed
#include "../../kernels/attention_compressed.cu"
#undef KERNEL_NAME
#define KERNEL_NAME merge_latent
#include "../../kernels/merge_latent.cu"
#undef KERNEL_NAME
#define KERNEL_NAME new_entries
#include "../../kernels/new_entries.cu"
#undef KERNEL_NAME
#define KERNEL_NAME index_scores
#include "../../kernels/index_scores.cu"
#undef KERNEL_NAME
#define KERNEL_NAME select_top
#include "../../kernels/select_top.cu"
#undef KERNEL_NAME
#include "attention_reference.hpp"
#include <algorithm>

using namespace checks;

static double fp8(u8 byte) {
    int exponent = byte >> 3 & 15, mantissa = byte & 7;
    double magnitude = exponent ? std::ldexp(8 + mantissa, exponent - 10) : std::ldexp(mantissa, -9);
    return byte & 0x80 ? -magnitude : magnitude;
}

/// An entry's 512 channels.
static void read_entry(const u8* pages, u32 entry, double* to) {
    const u8 *data = pages + entry_data_at(entry), *scales = pages + entry_scales_at(entry);
    for (u32 i = 0; i < 448; i++) to[i] = fp8(data[i]) * std::ldexp(1.0, scales[i / 64] - 127);
    for (u32 i = 0; i < 64; i++) {
        u16 brain;
        std::memcpy(&brain, data + 448 + 2 * i, 2);
        to[448 + i] = from_bfloat(brain);
    }
}

/// Random pages; pad rows of the last page are NaN.
static std::vector<u8> random_pages(Random& random, u32 entries) {
    std::vector<u8> pages((size_t)ceiling(entries, 64) * EntryPageBytes, 0xff);
    for (u32 e = 0; e < entries; e++) {
        for (u32 i = 0; i < 448; i++) {
            u8 byte = (u8)random.bits();
            pages[entry_data_at(e) + i] = (byte & 0x7f) == 0x7f ? (u8)(byte & 0xfe) : byte;
        }
        for (u32 i = 0; i < 64; i++) {
            u16 brain = to_bfloat((float)random.normal());
            std::memcpy(&pages[entry_data_at(e) + 448 + 2 * i], &brain, 2);
        }
        for (u32 g = 0; g < 8; g++) pages[entry_scales_at(e) + g] = g == 7 ? 0 : (u8)(127 - 7 - random.bits() % 3);
    }
    return pages;
}

static std::vector<float> random_angles(Random& random) {
    std::vector<float> angles(64);
    for (u32 i = 0; i < 32; i++) {
        double angle = random.normal() * 3;
        angles[i] = (float)std::cos(angle);
        angles[32 + i] = (float)std::sin(angle);
    }
    return angles;
}

static void rotate(double* x, const std::vector<float>& angles, bool back) {
    for (u32 i = 0; i < 32; i++) {
        double a = x[i], b = x[i + 32], c = angles[i], s = back ? -angles[32 + i] : angles[32 + i];
        x[i] = a * c - b * s;
        x[i + 32] = a * s + b * c;
    }
}

static void normalise(double* x, u32 count) {
    double squares = 0;
    for (u32 i = 0; i < count; i++) squares += x[i] * x[i];
    double norm = 1 / std::sqrt(squares / count + 1e-6);
    for (u32 i = 0; i < count; i++) x[i] *= norm;
}

/// `selected` of `entries`, or all where `selected` is 0.
static bool check_attention(u32 batch, u32 heads, u32 entries, u32 selected, u32 blocks) {
    Random random(batch * 1000003u + heads * 10007u + entries * 101u + selected * 13 + blocks);
    u32 reads = selected ? selected : entries, each = list_tiles(reads) + WindowTiles, slots = blocks + batch, columns = columns_of(batch);
    u32 together = heads % 8 ? heads : heads / 8;
    auto queries = random.floats((size_t)batch * heads * 512, 2);
    auto angles = random_angles(random);
    auto sinks = random.floats(heads, 1);
    size_t stored_bytes = (size_t)ceiling(entries, 64) * EntryPageBytes;
    std::vector<u8> stored, window;
    std::vector<u32> list;
    for (u32 b = 0; b < batch; b++) {
        auto pages = random_pages(random, entries), last = random_pages(random, 128);
        stored.insert(stored.end(), pages.begin(), pages.end());
        window.insert(window.end(), last.begin(), last.end());
        for (u32 i = 0, at = 0; i < selected; i++) {
            at += random.bits() % ((entries - at) / (selected - i));
            list.push_back(at++);
        }
    }
    std::vector<float> parts((size_t)slots * heads * 512, NAN), statistics((size_t)slots * heads * 2, NAN);
    std::vector<u32> panels((size_t)heads * 32 * columns * 64, 0);
    AttentionCompressedArguments attend{queries.data(), angles.data(), stored.data(), window.data(), selected ? list.data() : nullptr, parts.data(), statistics.data(), stored_bytes, batch, heads, reads, 0};
    emulation::run({blocks, 1, LatentThreads, CompressedBytes, true, [&] { attention_compressed(attend); }});
    MergeLatentArguments merge{parts.data(), statistics.data(), sinks.data(), angles.data(), panels.data(), batch, heads, each, blocks, columns, together};
    emulation::run({batch * heads, 1, 128, 0, true, [&] { merge_latent(merge); }});

    Error error;
    for (u32 b = 0; b < batch; b++) {
        std::vector<double> keys((size_t)(reads + 128) * 512);
        for (u32 i = 0; i < reads; i++) read_entry(stored.data() + b * stored_bytes, selected ? list[(size_t)b * selected + i] : i, &keys[(size_t)i * 512]);
        for (u32 i = 0; i < 128; i++) read_entry(window.data() + b * WindowBytes, i, &keys[(size_t)(reads + i) * 512]);
        for (u32 h = 0; h < heads; h++) {
            std::vector<double> query(queries.begin() + ((size_t)b * heads + h) * 512, queries.begin() + ((size_t)b * heads + h + 1) * 512);
            normalise(query.data(), 512);
            rotate(query.data() + 448, angles, false);
            for (auto& q : query) q = to_double(emulation::to_half(q));
            auto output = attention(query, keys, 512, reads + 128, 1 / std::sqrt(512.0), &sinks[h]);
            rotate(output.data() + 448, angles, true);
            for (u32 c = 0; c < 512; c++) error.add(from_panel(panels.data() + (size_t)(h / together) * together * 32 * columns * 64, columns, h % together * 512 + c, b), output[c]);
        }
    }
    bool right = error.relative() < 1e-3;
    std::printf("%s attention batch %u heads %u entries %u selected %u blocks %u: error %.2e\n", right ? "ok  " : "FAIL", batch, heads, entries, selected, blocks, error.relative());
    return right;
}

/// The byte that the reference implementation stores.
static u8 encoded(double x) {
    double magnitude = std::fmin(std::fabs(x), 448);
    int exponent = magnitude < 1.0 / 64 ? -6 : std::ilogb(magnitude), steps = (int)std::nearbyint(std::ldexp(magnitude, 3 - exponent));
    return (u8)((x < 0 ? 0x80 : 0) | (steps < 8 ? steps : (exponent + 6) * 8 + steps));
}

/// Columns of Σ softmax(gate)·value, normalised.
static std::vector<double> compressed(const float* recent, u32 tokens, u32 columns, bool overlapping) {
    u32 width = overlapping ? 2 * columns : columns;
    std::vector<double> result(columns);
    for (u32 j = 0; j < columns; j++) {
        double weights = 0, sum = 0;
        for (u32 t = 0; t < tokens; t++) {
            const float* at = recent + (size_t)t * 2 * width + (overlapping && t >= tokens / 2 ? columns + j : j);
            double weight = std::exp((double)at[width]);
            weights += weight;
            sum += weight * at[0];
        }
        result[j] = sum / weights;
    }
    normalise(result.data(), columns);
    return result;
}

/// Values that round to a neighbour because FP32 is not double; more than a few in a thousand are wrong.
static void compare(double expected, double stored, double step, u32& near, u32& wrong) {
    if (stored == expected) return;
    if (std::fabs(stored - expected) <= step * 1.001) near++; else wrong++;
}

static void compare_entry(const u8* pages, u32 entry, const std::vector<double>& x, u32& near, u32& wrong) {
    const u8 *data = pages + entry_data_at(entry), *scales = pages + entry_scales_at(entry);
    for (u32 g = 0; g < 7; g++) {
        double most = 0;
        for (u32 i = 0; i < 64; i++) most = std::fmax(most, std::fabs(x[g * 64 + i]));
        int scale = 127 + (int)std::ceil(std::log2(most / 448));
        if (scales[g] != scale) { wrong++; continue; }
        for (u32 i = 0; i < 64; i++) {
            double expected = fp8(encoded(std::ldexp(x[g * 64 + i], 127 - scale)));
            compare(expected, fp8(data[g * 64 + i]), std::fmax(std::ldexp(1, -9), std::fabs(expected) / 8), near, wrong);
        }
    }
    wrong += scales[7] != 0;
    for (u32 i = 0; i < 64; i++) {
        u16 brain;
        std::memcpy(&brain, data + 448 + 2 * i, 2);
        double expected = from_bfloat(to_bfloat((float)x[448 + i]));
        compare(expected, from_bfloat(brain), std::fabs(expected) / 128, near, wrong);
    }
}

static bool check_new(u32 batch, bool overlapping, u32 entries, u32 slot) {
    Random random(batch * 77 + overlapping * 5 + entries + slot);
    u32 tokens = overlapping ? 8 : 128, width = overlapping ? 1024 : 512;
    // The product that makes all of them leaves them in one row.
    u32 stride = 512 + 2 * 1024 + 2 * 256;
    auto outputs = random.floats((size_t)batch * stride, 2);
    auto recent = random.floats((size_t)batch * tokens * 2 * width, 1), index_recent = random.floats((size_t)batch * 8 * 2 * 256, 1);
    auto angles = random_angles(random), entry_angles = random_angles(random);
    size_t stored_bytes = (size_t)ceiling(entries, 64) * EntryPageBytes, index_bytes = (size_t)ceiling(entries, 64) * IndexPageBytes;
    std::vector<u8> stored(batch * stored_bytes, 0x11), window((size_t)batch * WindowBytes, 0x11), keys(batch * index_bytes, 0x11);
    std::vector<float> workspace((size_t)batch * 512, NAN);
    std::vector<u32> arrivals(batch, 0);
    auto expected_recent = recent, expected_index = index_recent;
    const float *value = outputs.data() + 512, *gate = value + 1024, *index_value = gate + 1024, *index_gate = index_value + 256;
    for (u32 b = 0; b < batch; b++) {
        std::memcpy(&expected_recent[((size_t)b * tokens + tokens - 1) * 2 * width], value + (size_t)b * stride, width * 4);
        std::memcpy(&expected_recent[((size_t)b * tokens + tokens - 1) * 2 * width + width], gate + (size_t)b * stride, width * 4);
        std::memcpy(&expected_index[((size_t)b * 8 + 7) * 512], index_value + (size_t)b * stride, 1024);
        std::memcpy(&expected_index[((size_t)b * 8 + 7) * 512 + 256], index_gate + (size_t)b * stride, 1024);
    }
    NewEntriesArguments a{outputs.data(), value, gate, overlapping ? index_value : nullptr, overlapping ? index_gate : nullptr, recent.data(), overlapping ? index_recent.data() : nullptr,
                          angles.data(), entry_angles.data(), window.data(), stored.data(), overlapping ? keys.data() : nullptr, workspace.data(), arrivals.data(), stored_bytes, index_bytes,
                          batch, entries, tokens, overlapping, slot, stride, stride, stride};
    for (u32 run = 0; run < 2; run++) emulation::run({batch * (overlapping ? 10 : 9), 1, NewEntriesThreads, NewEntriesBytes, true, [&] { new_entries(a); }});

    u32 near = 0, wrong = recent != expected_recent;
    if (overlapping) wrong += index_recent != expected_index;
    for (u32 b = 0; b < batch; b++) {
        std::vector<double> entry(outputs.begin() + (size_t)b * stride, outputs.begin() + (size_t)b * stride + 512);
        normalise(entry.data(), 512);
        rotate(&entry[448], angles, false);
        compare_entry(&window[(size_t)b * WindowBytes], slot, entry, near, wrong);
        auto newest = compressed(&expected_recent[(size_t)b * tokens * 2 * width], tokens, 512, overlapping);
        rotate(&newest[448], entry_angles, false);
        compare_entry(&stored[b * stored_bytes], entries - 1, newest, near, wrong);
        if (overlapping) {
            auto key = compressed(&expected_index[(size_t)b * 8 * 512], 8, 128, true);
            rotate(&key[64], entry_angles, false);
            double most = 0;
            for (double k : key) most = std::fmax(most, std::fabs(k));
            const u8* page = &keys[b * index_bytes + (size_t)((entries - 1) / 64) * IndexPageBytes];
            float scale;
            std::memcpy(&scale, page + 64 * 128 + (entries - 1) % 64 * 4, 4);
            wrong += std::fabs(scale / (most / 448) - 1) > 1e-6;
            for (u32 i = 0; i < 128; i++) {
                double expected = fp8(encoded(key[i] / scale));
                compare(expected, fp8(page[(entries - 1) % 64 * 128 + i]), std::fmax(std::ldexp(1, -9), std::fabs(expected) / 8), near, wrong);
            }
        }
        // Neighbours are as they were.
        if (entries > 1)
            for (u32 i = 0; i < 576; i++) wrong += stored[b * stored_bytes + entry_data_at(entries - 2) + i] != 0x11;
        wrong += arrivals[b] != 0;
    }
    bool right = wrong == 0 && near <= batch * 3;
    std::printf("%s new entries batch %u %s entries %u: %u one step beside, %u wrong\n", right ? "ok  " : "FAIL", batch, overlapping ? "CSA" : "HCA", entries, near, wrong);
    return right;
}

static bool check_scores(u32 batch, u32 entries, u32 blocks) {
    Random random(batch * 31 + entries * 7 + blocks);
    size_t key_bytes = (size_t)ceiling(entries, 64) * IndexPageBytes;
    u32 stride = 71;
    auto queries = random.halves((size_t)batch * 64 * 128, 1);
    auto weights = random.floats(batch * stride, 1);
    std::vector<u8> keys(batch * key_bytes, 0xff);
    for (u32 b = 0; b < batch; b++)
        for (u32 e = 0; e < entries; e++) {
            u8* page = &keys[b * key_bytes + (size_t)(e / 64) * IndexPageBytes];
            for (u32 i = 0; i < 128; i++) {
                u8 byte = (u8)random.bits();
                page[e % 64 * 128 + i] = (byte & 0x7f) == 0x7f ? (u8)(byte & 0xfe) : byte;
            }
            float scale = (float)(0.005 + 0.001 * (random.bits() % 7));
            std::memcpy(page + 64 * 128 + e % 64 * 4, &scale, 4);
        }
    std::vector<float> scores((size_t)batch * entries, NAN);
    IndexScoresArguments a{queries.data(), weights.data(), keys.data(), scores.data(), key_bytes, batch, entries, stride, 0};
    emulation::run({blocks, 1, IndexScoresThreads, IndexScoresBytes, true, [&] { index_scores(a); }});
    Error error;
    for (u32 b = 0; b < batch; b++)
        for (u32 e = 0; e < entries; e++) {
            const u8* page = &keys[b * key_bytes + (size_t)(e / 64) * IndexPageBytes];
            float scale;
            std::memcpy(&scale, page + 64 * 128 + e % 64 * 4, 4);
            double sum = 0;
            for (u32 h = 0; h < 64; h++) {
                double product = 0;
                for (u32 i = 0; i < 128; i++) product += to_double(queries[((size_t)b * 64 + h) * 128 + i]) * fp8(page[e % 64 * 128 + i]) * scale;
                sum += weights[b * stride + h] * std::fmax(product, 0);
            }
            error.add(scores[(size_t)b * entries + e], sum);
        }
    bool right = error.relative() < 1e-5;
    std::printf("%s index scores batch %u entries %u blocks %u: error %.2e\n", right ? "ok  " : "FAIL", batch, entries, blocks, error.relative());
    return right;
}

/// `kind`: 0 normal numbers, 1 few distinct ones, 2 all equal.
static bool check_selection(u32 batch, u32 entries, u32 kind) {
    Random random(batch * 17 + entries + kind);
    u32 slices = ceiling(entries, SliceEntries);
    std::vector<float> scores((size_t)batch * entries);
    for (auto& s : scores) s = kind == 0 ? (float)random.normal() : kind == 1 ? (float)(random.bits() % 5) - 2 : 0.0f;
    std::vector<u32> selected(batch * 512, ~0u), candidate_scores((size_t)batch * slices * 512, 0xffffffffu), candidate_entries((size_t)batch * slices * 512, ~0u), arrivals(batch, 0);
    SelectTopArguments a{scores.data(), selected.data(), candidate_scores.data(), candidate_entries.data(), arrivals.data(), batch, entries, slices, 0};
    for (u32 run = 0; run < 2; run++) emulation::run({batch * slices, 1, SelectThreads, SelectBytes, true, [&] { select_top(a); }});
    u32 wrong = 0;
    for (u32 b = 0; b < batch; b++) {
        std::vector<u32> order(entries);
        for (u32 e = 0; e < entries; e++) order[e] = e;
        const float* of = &scores[(size_t)b * entries];
        std::stable_sort(order.begin(), order.end(), [&](u32 x, u32 y) { return of[x] > of[y]; });
        order.resize(512);
        std::sort(order.begin(), order.end());
        for (u32 i = 0; i < 512; i++) wrong += selected[b * 512 + i] != order[i];
        wrong += arrivals[b] != 0;
    }
    std::printf("%s selection batch %u entries %u kind %u: %u wrong\n", wrong ? "FAIL" : "ok  ", batch, entries, kind, wrong);
    return wrong == 0;
}

int main() {
    bool right = true;
    u32 scores[][3] = {{1, 64, 1}, {3, 77, 2}, {1, 515, 5}, {3, 1, 1}, {2, 130, 3}};
    for (auto& c : scores) right &= check_scores(c[0], c[1], c[2]);
    u32 selections[][3] = {{1, 512, 0}, {3, 1001, 0}, {1, 20000, 0}, {2, 16900, 1}, {1, 40001, 2}, {1, 16385, 0}};
    for (auto& c : selections) right &= check_selection(c[0], c[1], c[2]);
    for (u32 batch : {1u, 3u}) {
        right &= check_new(batch, true, 77, 5);
        right &= check_new(batch, true, 64, 127);
        right &= check_new(batch, false, 65, 64);
        right &= check_new(batch, false, 1, 0);
    }
    u32 attentions[][5] = {{1, 64, 128, 0, 1}, {3, 8, 77, 0, 2}, {1, 16, 200, 65, 5}, {3, 64, 150, 64, 7}, {1, 4, 1, 0, 2}, {3, 2, 333, 0, 5}, {9, 2, 40, 33, 1}};
    for (auto& c : attentions) right &= check_attention(c[0], c[1], c[2], c[3], c[4]);
    return right ? 0 : 1;
}
