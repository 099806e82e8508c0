// What the checks of the shared-entry attentions have in common: random numbers, attention in doubles, panels, error norms.
#pragma once
#include <cmath>
#include <cstdio>
#include <vector>

namespace checks {

/// xorshift; the same numbers on every machine.
struct Random {
    unsigned long long state;
    explicit Random(unsigned long long seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) { for (int i = 0; i < 8; i++) bits(); }
    unsigned bits() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<unsigned>(state >> 32);
    }
    /// Variance one, sum of four uniform numbers.
    double normal() {
        double sum = 0;
        for (int i = 0; i < 4; i++) sum += bits() / 4294967296.0 - 0.5;
        return sum * std::sqrt(3.0);
    }
    std::vector<float> floats(size_t count, double scale) {
        std::vector<float> r(count);
        for (auto& v : r) v = static_cast<float>(normal() * scale);
        return r;
    }
    std::vector<unsigned short> halves(size_t count, double scale) {
        std::vector<unsigned short> r(count);
        for (auto& v : r) v = emulation::to_half(normal() * scale);
        return r;
    }
};

inline double to_double(unsigned short half) { return emulation::from_half(half); }

/// ‖out − reference‖ / ‖reference‖
struct Error {
    double difference = 0, reference = 0;
    void add(double out, double expected) {
        difference += (out - expected) * (out - expected);
        reference += expected * expected;
    }
    double relative() const { return std::sqrt(difference / reference); }
};

/// softmax(scale·query·keys)·values, values being the keys' first 512 channels; a sink takes part of the weight and has no value.
inline std::vector<double> attention(const std::vector<double>& query, const std::vector<double>& keys, unsigned width, unsigned count, double scale, const float* sink) {
    std::vector<double> scores(count), output(512);
    double most = sink ? *sink : -INFINITY, sum = 0;
    for (unsigned t = 0; t < count; t++) {
        double s = 0;
        for (unsigned i = 0; i < width; i++) s += query[i] * keys[static_cast<size_t>(t) * width + i];
        scores[t] = s * scale;
        most = std::fmax(most, scores[t]);
    }
    if (sink) sum = std::exp(*sink - most);
    for (unsigned t = 0; t < count; t++) {
        double weight = std::exp(scores[t] - most);
        sum += weight;
        for (unsigned i = 0; i < 512; i++) output[i] += weight * keys[static_cast<size_t>(t) * width + i];
    }
    for (auto& v : output) v /= sum;
    return output;
}

/// NT of a panel that holds `batch` columns.
inline unsigned columns_of(unsigned batch) {
    for (unsigned n : {1u, 2u, 3u, 4u})
        if (batch <= 8 * n) return n;
    return 8;
}

/// Element (k, b) of a panel.
inline double from_panel(const unsigned* panel, unsigned columns, unsigned k, unsigned b) {
    unsigned word = panel[((static_cast<size_t>(k / 16) * columns + b / 8) * 32 + b % 8 * 4 + k % 8 / 2) * 2 + k % 16 / 8];
    return to_double(static_cast<unsigned short>(k & 1 ? word >> 16 : word));
}

}  // namespace checks
