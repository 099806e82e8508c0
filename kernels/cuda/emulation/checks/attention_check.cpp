// The attention kernels on the emulation, against plain double precision on the same rounded inputs: one line a case, exit code 1 if one fails.
// Shapes are small; contexts have tails, grids do not divide the work.
#include "../../kernels/attention_grouped.cu"
#include "../../kernels/attention_native_sparse.cu"
#include "../../kernels/lightning_state.cu"

#include <random>

namespace {

std::mt19937 generator(20240611);
bool failed = false;

float normal() { return std::normal_distribution<float>()(generator); }

std::vector<u16> halves(size_t count, float deviation = 1) {
    std::vector<u16> v(count);
    for (auto& x : v) x = emulation::to_half(normal() * deviation);
    return v;
}

void launch(const char* what, unsigned grid, unsigned threads, size_t shared, std::function<void()> body) {
    try {
        emulation::run({grid, 1, threads, shared, true, std::move(body)});
    } catch (const emulation::Fault& fault) {
        std::printf("%s: FAULT %s\n", what, fault.what());
        failed = true;
    }
}

/// ‖got − expected‖ / ‖expected‖
double distance(const std::vector<double>& got, const std::vector<double>& expected) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < got.size(); i++) {
        difference += (got[i] - expected[i]) * (got[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    double ratio = std::sqrt(difference / size);
    return ratio == ratio ? ratio : INFINITY;
}

void verdict(const std::string& what, double error, double allowed, bool right = true) {
    bool good = error <= allowed && right;
    std::printf("%-72s %.2e (at most %.0e)%s%s\n", what.c_str(), error, allowed, right ? "" : ", other state is wrong", good ? "" : "  FAILED");
    if (!good) failed = true;
}

struct Panel {
    u32 inputs, batch, tiles;
    std::vector<u32> words;
    Panel(u32 k, u32 b) : inputs(k), batch(b), tiles(b <= 32 ? (b + 7) / 8 : 8), words(k / 16 * tiles * 64, 0) {}
    double at(u32 k, u32 b) const { return emulation::from_half((u16)(words[panel_word(k, b, tiles)] >> 16 * (k & 1))); }
    std::vector<double> values() const {
        std::vector<double> v;
        for (u32 b = 0; b < batch; b++)
            for (u32 k = 0; k < inputs; k++) v.push_back(at(k, b));
        return v;
    }
    /// Columns that no sequence has.
    bool padding_is_zero() const {
        for (u32 b = batch; b < 8 * tiles; b++)
            for (u32 k = 0; k < inputs; k++)
                if (at(k, b) != 0) return false;
        return true;
    }
};

/// One row over the given tokens of a cache; adds share · the row's result.
void attend_exactly(const u16* query, const u16* keys, const u16* values, const std::vector<u32>& tokens, double scale, double share, double* output) {
    std::vector<double> weights;
    double maximum = -INFINITY, sum = 0;
    for (u32 t : tokens) {
        double score = 0;
        for (u32 c = 0; c < 128; c++) score += (double)emulation::from_half(query[c]) * emulation::from_half(keys[t * 128 + c]);
        weights.push_back(score * scale);
        maximum = std::max(maximum, weights.back());
    }
    for (auto& w : weights) sum += w = std::exp(w - maximum);
    for (size_t i = 0; i < tokens.size(); i++)
        for (u32 c = 0; c < 128; c++) output[c] += share * weights[i] / sum * emulation::from_half(values[tokens[i] * 128 + c]);
}

template<class T> T* data(std::vector<T>& v) { return v.data(); }

struct Workspace {
    std::vector<float> results, states;
    std::vector<u32> arrivals;
    Workspace(u32 slots, u32 group, u32 units) : results(slots * group * 128, NAN), states(slots * group * 2, NAN), arrivals(units, 0) {}
    AttentionParts parts() { return {data(results), data(states), data(arrivals)}; }
    bool arrivals_are_zero() const {
        for (u32 a : arrivals)
            if (a) return false;
        return true;
    }
};

void grouped(u32 batch, u32 kv_heads, u32 group, u32 context, u32 grid, float deviation = 1) {
    u32 heads = kv_heads * group, units = batch * kv_heads;
    auto queries = halves(batch * heads * 128, deviation), keys = halves((size_t)units * context * 128), values = halves((size_t)units * context * 128);
    Panel panel(heads * 128, batch);
    Workspace workspace(grid + units, group, units);
    AttentionGroupedArguments a = {data(queries), data(keys), data(values), data(panel.words), workspace.parts(), batch, heads, kv_heads, context, panel.tiles, 0.08838834764831845f};
    std::string what = "grouped batch " + std::to_string(batch) + " kv heads " + std::to_string(kv_heads) + " group " + std::to_string(group) + " context " +
                       std::to_string(context) + " grid " + std::to_string(grid);
    for (u32 repeat = 0; repeat < 2; repeat++)  // the second finds the counters as the first left them
        launch(what.c_str(), grid, AttentionThreads, AttentionShared, [a] { attention_grouped(a); });
    std::vector<double> expected(batch * heads * 128, 0);
    std::vector<u32> tokens(context);
    for (u32 t = 0; t < context; t++) tokens[t] = t;
    for (u32 b = 0; b < batch; b++)
        for (u32 h = 0; h < heads; h++) {
            size_t cache = (size_t)(b * kv_heads + h / group) * context * 128;
            attend_exactly(&queries[(b * heads + h) * 128], &keys[cache], &values[cache], tokens, a.scale, 1, &expected[(b * heads + h) * 128]);
        }
    verdict(what, distance(panel.values(), expected), 1e-3, panel.padding_is_zero() && workspace.arrivals_are_zero());
}

void sparse(u32 batch, u32 kv_heads, u32 group, u32 context, u32 grid) {
    u32 heads = kv_heads * group, units = batch * kv_heads, entries = (context - 32) / 16 + 1, blocks = context / 64;
    auto queries = halves(batch * heads * 128), keys = halves((size_t)units * context * 128), values = halves((size_t)units * context * 128);
    std::vector<u16> compressed[2];
    for (u32 which = 0; which < 2; which++) {
        const auto& cache = which ? values : keys;
        compressed[which].resize((size_t)units * entries * 128);
        for (u32 u = 0; u < units; u++)
            for (u32 e = 0; e < entries; e++)
                for (u32 c = 0; c < 128; c++) {
                    float sum = 0;
                    for (u32 t = 0; t < 32; t++) sum += emulation::from_half(cache[((size_t)u * context + e * 16 + t) * 128 + c]);
                    compressed[which][((size_t)u * entries + e) * 128 + c] = emulation::to_half(sum / 32);
                }
    }
    std::vector<i32> selected;
    for (u32 u = 0; u < units; u++) {
        std::vector<bool> chosen(blocks);
        chosen[0] = chosen[blocks - 2] = chosen[blocks - 1] = true;
        for (u32 count = 3; count < 16;) {
            u32 b = generator() % blocks;
            count += !chosen[b];
            chosen[b] = true;
        }
        for (u32 b = 0; b < blocks; b++)
            if (chosen[b]) selected.push_back((i32)b);
    }
    // The kernel finds the newest entry stale.
    std::vector<u16> stale[2] = {compressed[0], compressed[1]};
    for (auto& cache : stale)
        for (u32 u = 0; u < units; u++)
            for (u32 c = 0; c < 128; c++) cache[((size_t)u * entries + entries - 1) * 128 + c] = 0x7e00;
    Panel panel(heads * 128, batch);
    Workspace workspace(grid + 3 * units, group, units);
    AttentionNativeSparseArguments a = {data(queries), data(keys), data(values), data(stale[0]), data(stale[1]), data(selected), data(panel.words), workspace.parts(),
                                        batch, heads, kv_heads, context, panel.tiles, 0.08838834764831845f};
    std::string what = "sparse batch " + std::to_string(batch) + " kv heads " + std::to_string(kv_heads) + " group " + std::to_string(group) + " context " +
                       std::to_string(context) + " grid " + std::to_string(grid);
    launch(what.c_str(), grid, AttentionThreads, AttentionShared, [a] { attention_native_sparse(a); });
    std::vector<double> expected(batch * heads * 128, 0);
    std::vector<u32> all(entries), window, chosen;
    for (u32 e = 0; e < entries; e++) all[e] = e;
    for (u32 t = context - 512; t < context; t++) window.push_back(t);
    for (u32 b = 0; b < batch; b++)
        for (u32 h = 0; h < heads; h++) {
            u32 unit = b * kv_heads + h / group;
            const u16 *query = &queries[(b * heads + h) * 128], *key = &keys[(size_t)unit * context * 128], *value = &values[(size_t)unit * context * 128];
            double* output = &expected[(b * heads + h) * 128];
            attend_exactly(query, &compressed[0][(size_t)unit * entries * 128], &compressed[1][(size_t)unit * entries * 128], all, a.scale, 1 / 3.0, output);
            chosen.clear();
            for (u32 i = 0; i < 16; i++)
                for (u32 t = 0; t < 64; t++) chosen.push_back((u32)selected[unit * 16 + i] * 64 + t);
            attend_exactly(query, key, value, chosen, a.scale, 1 / 3.0, output);
            attend_exactly(query, key, value, window, a.scale, 1 / 3.0, output);
        }
    verdict(what, distance(panel.values(), expected), 1e-3,
            panel.padding_is_zero() && workspace.arrivals_are_zero() && stale[0] == compressed[0] && stale[1] == compressed[1]);
}

void lightning(u32 batch, u32 heads, u32 grid) {
    u32 width = heads * 128;
    std::vector<float> projections((size_t)batch * 4 * width), state((size_t)batch * heads * 128 * 128), decay(heads), squares(batch, 0);
    for (auto& p : projections) p = normal();
    for (auto& s : state) s = normal();
    for (u32 h = 0; h < heads; h++) decay[h] = (float)std::exp(-std::pow(2, -8.0 * (h + 1) / heads));
    std::vector<double> expected_state(state.begin(), state.end()), expected(batch * width), expected_squares(batch, 0);
    auto silu = [](float x) { return (double)emulation::from_half(emulation::to_half(x / (1 + std::exp(-(double)x)))); };
    for (u32 b = 0; b < batch; b++)
        for (u32 h = 0; h < heads; h++) {
            const float* q = &projections[(size_t)b * 4 * width + h * 128];
            double* s = &expected_state[(size_t)(b * heads + h) * 128 * 128];
            for (u32 j = 0; j < 128; j++) {
                double o = 0;
                for (u32 i = 0; i < 128; i++) {
                    s[i * 128 + j] = decay[h] * s[i * 128 + j] + silu(q[width + i]) * silu(q[2 * width + j]);
                    o += silu(q[i]) * s[i * 128 + j];
                }
                expected_squares[b] += o * o;
                expected[b * width + h * 128 + j] = o / (1 + std::exp(-(double)q[3 * width + j]));
            }
        }
    Panel panel(width, batch);
    LightningStateArguments a = {data(projections), data(state), data(decay), data(panel.words), data(squares), batch, heads, panel.tiles};
    std::string what = "lightning batch " + std::to_string(batch) + " heads " + std::to_string(heads) + " grid " + std::to_string(grid);
    launch(what.c_str(), grid, LightningThreads, LightningShared, [a] { lightning_state(a); });
    verdict(what + " output", distance(panel.values(), expected), 1e-3, panel.padding_is_zero());
    verdict(what + " state", distance({state.begin(), state.end()}, expected_state), 1e-5);
    verdict(what + " squares", distance({squares.begin(), squares.end()}, expected_squares), 1e-5);
}

}  // namespace

int main() {
    for (u32 context : {1u, 15u, 16u, 33u, 100u, 1000u})
        for (u32 group : {1u, 8u, 16u}) grouped(1, 2, group, context, 3);
    for (u32 grid : {1u, 2u, 7u, 64u}) {
        grouped(1, 1, 16, 500, grid);
        grouped(3, 2, 8, 333, grid);
        grouped(3, 4, 1, 129, grid);
    }
    grouped(20, 1, 8, 100, 7);
    grouped(20, 2, 1, 40, 11);
    grouped(1, 1, 5, 4097, 9);
    grouped(2, 1, 12, 200, 5, 8);  // peaked: the maximum moves often
    for (u32 context : {1024u, 1056u, 1072u, 1100u}) sparse(1, 1, 16, context, 3);
    sparse(1, 1, 8, 2048, 1);
    sparse(1, 1, 8, 2051, 2);
    sparse(2, 2, 16, 1291, 7);
    sparse(3, 1, 1, 1039, 13);
    sparse(1, 1, 16, 1040, 200);
    for (u32 grid : {1u, 2u, 5u, 7u, 30u}) lightning(1, 3, grid);
    lightning(3, 2, 7);
    lightning(20, 2, 9);
    return failed;
}
