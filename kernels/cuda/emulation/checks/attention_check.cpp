// The attention kernels on the emulation, against plain double precision on the same rounded inputs: one line a case, exit code 1 if one fails.
// Shapes are small; contexts have tails, grids do not divide the work.
#include "../../kernels/attention_grouped.cu"

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
    Panel(u32 k, u32 b) : inputs(k), batch(b), tiles((b + 7) / 8 == 5 ? 8 : (b + 7) / 8), words(k / 16 * tiles * 64, 0) {}
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
    return failed;
}
