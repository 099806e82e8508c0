// kernels: none
// attention_latent and merge_latent against doubles, on random caches and queries. One line a case; exit 1 on failure.
#include "../../parts/latent.cuh"
#include "../../parts/merge.cuh"
#include "../../parts/split.cuh"
#define KERNEL_NAME merge_latent
#include "../../kernels/merge_latent.cu"
#undef KERNEL_NAME
namespace rows64 {
#define ROWS 64
#define KERNEL_NAME attention_latent_64
#include "../../kernels/attention_latent.cu"
#undef KERNEL_NAME
#undef ROWS
}  // namespace rows64
namespace rows32 {
#define ROWS 32
#define KERNEL_NAME attention_latent_32
#include "../../kernels/attention_latent.cu"
#undef KERNEL_NAME
#undef ROWS
}  // namespace rows32
#include "attention_reference.hpp"

using namespace checks;

/// Runs a case; false where it is not right.
static bool check(u32 rows, u32 batch, u32 heads, u32 context, u32 blocks) {
    Random random(batch * 1000003u + heads * 10007u + context * 101u + blocks);
    u32 each = ceiling(context, TileEntries), slots = blocks + batch, columns = columns_of(batch);
    auto queries = random.halves(batch * heads * 576, context % 2 ? 2 : 8);
    auto cache = random.halves((size_t)batch * context * 576, 1);
    auto entry = random.floats(batch * 576, 3);
    std::vector<float> parts((size_t)slots * heads * 512, NAN), statistics((size_t)slots * heads * 2, NAN);
    std::vector<u32> panels((size_t)heads * 32 * columns * 64, 0);

    auto expected_cache = cache;
    for (u32 b = 0; b < batch; b++) {
        double squares = 0;
        for (u32 i = 0; i < 512; i++) squares += (double)entry[b * 576 + i] * entry[b * 576 + i];
        double norm = 1 / std::sqrt(squares / 512 + 1e-6);
        for (u32 i = 0; i < 576; i++) expected_cache[((size_t)b * context + context - 1) * 576 + i] = emulation::to_half((float)(entry[b * 576 + i] * (i < 512 ? norm : 1)));
    }

    if (rows == 64) {
        rows64::AttentionLatentArguments attend{queries.data(), entry.data(), cache.data(), parts.data(), statistics.data(), batch, heads, context};
        emulation::run({blocks, 1, LatentThreads, rows64::LatentBytes, true, [&] { rows64::attention_latent_64(attend); }});
    } else {
        rows32::AttentionLatentArguments attend{queries.data(), entry.data(), cache.data(), parts.data(), statistics.data(), batch, heads, context};
        emulation::run({blocks, 1, LatentThreads, rows32::LatentBytes, true, [&] { rows32::attention_latent_32(attend); }});
    }
    MergeLatentArguments merge{parts.data(), statistics.data(), nullptr, nullptr, panels.data(), batch, heads, each, blocks, columns, 1};
    emulation::run({batch * heads, 1, 128, 0, true, [&] { merge_latent(merge); }});

    u32 wrong = 0;
    for (size_t i = 0; i < cache.size(); i++) wrong += std::abs(to_double(cache[i]) - to_double(expected_cache[i])) > 2e-3 * (1e-3 + std::abs(to_double(expected_cache[i])));
    Error error;
    for (u32 b = 0; b < batch; b++) {
        std::vector<double> keys((size_t)context * 576);
        for (size_t i = 0; i < keys.size(); i++) keys[i] = to_double(cache[(size_t)b * context * 576 + i]);
        for (u32 h = 0; h < heads; h++) {
            std::vector<double> query(576);
            for (u32 i = 0; i < 576; i++) query[i] = to_double(queries[(b * heads + h) * 576 + i]);
            auto output = attention(query, keys, 576, context, 1 / std::sqrt(192.0), nullptr);
            for (u32 c = 0; c < 512; c++) error.add(from_panel(panels.data() + (size_t)h * 32 * columns * 64, columns, c, b), output[c]);
        }
    }
    bool right = error.relative() < 1e-3 && wrong == 0;
    std::printf("%s latent rows %u batch %u heads %u context %u blocks %u: error %.2e, wrong in the cache %u\n", right ? "ok  " : "FAIL", rows, batch, heads, context, blocks, error.relative(), wrong);
    return right;
}

int main() {
    bool right = true;
    u32 cases[][5] = {{64, 1, 64, 100, 1}, {64, 3, 64, 77, 2}, {64, 1, 40, 161, 5}, {64, 3, 4, 129, 7}, {64, 1, 2, 1, 3}, {64, 3, 8, 64, 5}, {64, 1, 8, 515, 2},
                      {32, 1, 32, 100, 1}, {32, 3, 32, 77, 2}, {32, 1, 24, 161, 5}, {32, 3, 4, 129, 7}, {32, 1, 2, 33, 3}, {32, 3, 8, 65, 1}, {32, 9, 2, 40, 5}};
    for (auto& c : cases) right &= check(c[0], c[1], c[2], c[3], c[4]);
    return right ? 0 : 1;
}
