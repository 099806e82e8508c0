// The weight products and begin_step on random data against a double-precision reference, on the host. One line a case; exit 1 if any is off.
//   g++ -std=c++17 -O2 -Wall -Wextra -Werror -o product_check product_check.cpp && SIMT_ORDER=mixed ./product_check
#define BATCH_TILES 1
#define KERNEL_NAME product_f16_b8
#include "../../kernels/product_f16.cu"
#undef KERNEL_NAME
#define KERNEL_NAME product_int8_b8
#include "../../kernels/product_int8.cu"
#undef KERNEL_NAME
#define KERNEL_NAME product_int4_b8
#include "../../kernels/product_int4.cu"
#undef KERNEL_NAME
#include "../../kernels/begin_step.cu"
#include <algorithm>
#include <random>

namespace {

enum class Format { Half, Byte, Nibble };
const char* name_of(Format format) { return format == Format::Half ? "f16" : format == Format::Byte ? "int8" : "int4"; }

std::mt19937_64 random_bits(20260);
double normal() { static std::normal_distribution<double> d; return d(random_bits); }
u32 below(u32 n) { return static_cast<u32>(random_bits() % n); }

/// Stored units, and what they stand for.
struct Weights {
    std::vector<u8> stored;
    std::vector<double> value;  // [rows][inputs]
};

/// Element (row g of the tile, k of 16) of mma's A fragment: register and half; the lane is 4·(row % 8) + (k % 8) / 2.
u32 fragment_register(u32 row, u32 k) { return row / 8 + 2 * (k / 8); }

Weights random_weights(Format format, u32 rows, u32 inputs) {
    const u32 chunk = format == Format::Half ? 64 : 128, chunks = inputs / chunk, slabs = (rows + 255) / 256;
    const u32 tile_bytes = format == Format::Half ? 2048 : format == Format::Byte ? 2080 : 1064;
    Weights w;
    w.value.resize(static_cast<size_t>(rows) * inputs);
    for (u32 slab = 0; slab < slabs; slab++) {
        const u32 tiles = std::min(16u, rows / 16 - slab * 16);
        for (u32 c = 0; c < chunks; c++) {
            std::vector<u8> unit((tiles * tile_bytes + 15) / 16 * 16);
            for (u32 tile = 0; tile < tiles; tile++)
                for (u32 r = 0; r < 16; r++) {
                    const u32 in_unit = tile * 16 + r;
                    const u16 scale = emulation::to_half(0.002 + 0.01 * (below(1000) / 1000.0));
                    const u32 zero = below(16);
                    if (format == Format::Byte) std::memcpy(&unit[tiles * 2048 + in_unit * 2], &scale, 2);
                    if (format == Format::Nibble) {
                        std::memcpy(&unit[tiles * 1024 + in_unit * 2], &scale, 2);
                        unit[tiles * 1056 + in_unit / 2] |= static_cast<u8>(zero << in_unit % 2 * 4);
                    }
                    for (u32 k = 0; k < chunk; k++) {
                        double& value = w.value[static_cast<size_t>(slab * 256 + in_unit) * inputs + c * chunk + k];
                        const u32 lane = r % 8 * 4 + k % 8 / 2, reg = fragment_register(r, k % 16), high = k % 2;
                        if (format == Format::Half) {
                            u16 v = emulation::to_half(normal() / std::sqrt(inputs));
                            std::memcpy(&unit[((tile * 4 + k / 16) * 32 + lane) * 16 + reg * 4 + high * 2], &v, 2);
                            value = emulation::from_half(v);
                        } else if (format == Format::Byte) {
                            const u32 q = below(256);
                            unit[((tile * 4 + k / 32) * 32 + lane) * 16 + k / 16 % 2 * 8 + reg * 2 + high] = static_cast<u8>(q);
                            value = (static_cast<int>(q) - 128) * static_cast<double>(emulation::from_half(scale));
                        } else {
                            const u32 q = below(16), bit = reg * 4 + high * 16;
                            unit[((tile * 2 + k / 64) * 32 + lane) * 16 + k / 16 % 4 * 4 + bit / 8] |= static_cast<u8>(q << bit % 8);
                            value = (static_cast<int>(q) - static_cast<int>(zero)) * static_cast<double>(emulation::from_half(scale));
                        }
                    }
                }
            w.stored.insert(w.stored.end(), unit.begin(), unit.end());
        }
    }
    return w;
}

size_t panel_words(u32 inputs, u32 tiles) { return static_cast<size_t>(inputs) / 16 * tiles * 64; }
u16* panel_half(std::vector<u32>& panel, size_t base, u32 k, u32 b, u32 tiles) {
    return reinterpret_cast<u16*>(panel.data() + base + ((k / 16 * tiles + b / 8) * 32 + b % 8 * 4 + k % 8 / 2) * 2 + k % 16 / 8) + k % 2;
}

struct Error {
    double off = 0, size = 0;
    void add(double got, double want) { off += (got - want) * (got - want); size += want * want; if (!(got == got)) off = INFINITY; }
    double value() const { return std::sqrt(off / std::max(size, 1e-300)); }
};

bool all_right = true;
void report(const std::string& what, double error, double limit) {
    const bool right = error <= limit;
    std::printf("%s %-92s relative error %.2e, at most %.0e\n", right ? "ok  " : "OFF ", what.c_str(), error, limit);
    all_right &= right;
}

struct Case {
    Format format;
    u32 tiles, batch, rows, inputs, grid, block_rows;
    std::vector<u32> kinds;  // equal shares of the rows
    bool deferred;
    u32 head_rows = 64;
};

using Kernel = void (*)(ProductArguments);
struct Variant { Kernel kernel; size_t shared_bytes; };
template<class F, u32 n> void run_variant(ProductArguments arguments) {
    static const std::string name = std::string(F::QuadSteps == 1 ? "product_f16_b" : F::QuadSteps == 2 ? "product_int8_b" : "product_int4_b") + std::to_string(8 * n);
    if (!emulation::noted(name.c_str(), &arguments, sizeof arguments)) run_product<F, n>(arguments);
}
template<class F> Variant variant(u32 tiles, u32 panels) {
    switch (tiles) {
        case 1: return {run_variant<F, 1>, ProductShape<F, 1>::shared_bytes(panels)};
        case 2: return {run_variant<F, 2>, ProductShape<F, 2>::shared_bytes(panels)};
        case 3: return {run_variant<F, 3>, ProductShape<F, 3>::shared_bytes(panels)};
        case 4: return {run_variant<F, 4>, ProductShape<F, 4>::shared_bytes(panels)};
        default: return {run_variant<F, 8>, ProductShape<F, 8>::shared_bytes(panels)};
    }
}

void check(const Case& c) {
    const u32 blocks = c.block_rows ? (c.rows + c.block_rows - 1) / c.block_rows : 1, slabs = (c.rows + 255) / 256;
    const Weights weights = random_weights(c.format, c.rows, c.inputs);
    std::vector<u32> panel(blocks * panel_words(c.inputs, c.tiles));
    std::vector<double> x(static_cast<size_t>(blocks) * c.inputs * c.batch);
    for (u32 p = 0; p < blocks; p++)
        for (u32 k = 0; k < c.inputs; k++)
            for (u32 b = 0; b < c.batch; b++) {
                u16 v = emulation::to_half(normal());
                *panel_half(panel, p * panel_words(c.inputs, c.tiles), k, b, c.tiles) = v;
                x[(static_cast<size_t>(p) * c.inputs + k) * c.batch + b] = emulation::from_half(v);
            }
    std::vector<float> squares(c.batch), cosine(c.head_rows / 2), sine(c.head_rows / 2), gain(c.rows), residual(static_cast<size_t>(c.batch) * c.rows);
    for (auto& s : squares) s = static_cast<float>(c.inputs * (0.5 + below(100) / 50.0));
    for (u32 i = 0; i < c.head_rows / 2; i++) { cosine[i] = static_cast<float>(std::cos(0.1 * i + 0.3)); sine[i] = static_cast<float>(std::sin(0.1 * i + 0.3)); }
    for (auto& v : gain) v = static_cast<float>(1 + 0.1 * normal());
    for (auto& v : residual) v = static_cast<float>(normal());
    const std::vector<float> residual_before = residual;

    // The reference, in the stored order of rows.
    std::vector<double> y(static_cast<size_t>(c.rows) * c.batch);
    for (u32 row = 0; row < c.rows; row++) {
        const u32 p = c.block_rows ? row / c.block_rows : 0;
        for (u32 b = 0; b < c.batch; b++) {
            double sum = 0;
            for (u32 k = 0; k < c.inputs; k++) sum += weights.value[static_cast<size_t>(row) * c.inputs + k] * x[(static_cast<size_t>(p) * c.inputs + k) * c.batch + b];
            if (c.deferred) sum /= std::sqrt(squares[b] / static_cast<double>(c.inputs) + 1e-6);
            y[static_cast<size_t>(row) * c.batch + b] = sum;
        }
    }

    ProductArguments a{};
    a.weights = weights.stored.data();
    a.panel = panel.data();
    a.squares = c.deferred ? squares.data() : nullptr;
    a.inverse_width = 1.0f / static_cast<float>(c.inputs);
    std::vector<float> workspace(static_cast<size_t>(2) * c.grid * 16 * c.tiles * 128, NAN);
    std::vector<u32> arrivals(slabs);
    a.workspace = workspace.data();
    a.arrivals = arrivals.data();
    a.cosine = cosine.data();
    a.sine = sine.data();
    a.residual = residual.data();
    a.rows = c.rows;
    a.inputs = c.inputs;
    a.batch = c.batch;
    a.block_rows = c.block_rows;
    a.panel_stride = static_cast<u32>(panel_words(c.inputs, c.tiles));

    // Every segment's target has room for all batch columns of the tile; those past the batch keep this pattern.
    ProductSegment* segments[4] = {&a.segment0, &a.segment1, &a.segment2, &a.segment3};
    const u32 parts = static_cast<u32>(c.kinds.size()), share = c.rows / parts / c.head_rows * c.head_rows;
    std::vector<std::vector<u32>> targets(4);
    std::vector<std::vector<float>> sums(4, std::vector<float>(c.tiles * 8));
    const u32 padded = c.tiles * 8;
    for (u32 i = 0; i < 4; i++) {
        ProductSegment& s = *segments[i];
        s.first_row = NoSegment;
        if (i >= parts) continue;
        const u32 rows = i + 1 == parts ? c.rows - i * share : share;
        s.first_row = i * share;
        s.kind = c.kinds[i];
        s.batch_stride = s.kind == SegmentResidual ? c.rows : rows + 8;
        s.head_rows = s.kind == SegmentResidual ? rows : c.head_rows;
        s.head_stride = s.kind == SegmentPanel ? static_cast<u32>(panel_words((c.head_rows + 127) / 128 * 128, c.tiles)) : c.head_rows;
        if (s.kind == SegmentRotary || s.kind == SegmentHeads) s.batch_stride = rows + rows / c.head_rows * 16, s.head_stride = c.head_rows + 16;
        targets[i].assign(static_cast<size_t>(padded) * (rows + rows / c.head_rows * 128 + 4096) + 8192, 0xdeadbeefu);
        s.target = targets[i].data();
        s.gain = s.kind == SegmentPanel || s.kind == SegmentResidual ? gain.data() + s.first_row : nullptr;
        s.squares = s.kind == SegmentSwiglu || s.kind == SegmentHalf ? nullptr : sums[i].data();
    }
    if (parts && a.segment0.kind == SegmentResidual) a.residual = residual.data();

    const u32 panels = ProductShape<HalfWeights, 1>::panels_of(c.rows, c.block_rows);
    const Variant v = c.format == Format::Half ? variant<HalfWeights>(c.tiles, panels) : c.format == Format::Byte ? variant<ByteWeights>(c.tiles, panels) : variant<NibbleWeights>(c.tiles, panels);
    emulation::run({c.grid, 1, 256, v.shared_bytes, true, [&] { v.kernel(a); }});

    for (u32 i = 0; i < parts; i++) {
        const ProductSegment& s = *segments[i];
        const u32 first = s.first_row, rows = i + 1 == parts ? c.rows - i * share : share;
        Error error, square_error;
        std::vector<u32> expected_untouched = targets[i];
        size_t written = 0, touched = 0;
        std::vector<double> square(c.batch);
        auto half_at = [&](size_t index) { written++; return emulation::from_half(reinterpret_cast<const u16*>(targets[i].data())[index]); };
        for (u32 b = 0; b < c.batch; b++)
            for (u32 r = 0; r < rows; r++) {
                auto result = [&](u32 row) { return y[static_cast<size_t>(first + row) * c.batch + b]; };
                double want = result(r);
                const u32 head = r / c.head_rows, channel = r % c.head_rows, half = c.head_rows / 2;
                switch (s.kind) {
                    case SegmentRaw: error.add(bits_float(targets[i][static_cast<size_t>(b) * s.batch_stride + r]), want); written += 2; break;
                    case SegmentHalf: error.add(half_at(static_cast<size_t>(b) * s.batch_stride + r), want); break;
                    case SegmentHeads: error.add(half_at(static_cast<size_t>(b) * s.batch_stride + head * s.head_stride + channel), want); break;
                    case SegmentRotary: {
                        const u32 low = head * c.head_rows + channel % half / 8 * 16 + channel % 8, angle = channel % half;
                        want = channel < half ? result(low) * cosine[angle] - result(low + 8) * sine[angle] : result(low + 8) * cosine[angle] + result(low) * sine[angle];
                        error.add(half_at(static_cast<size_t>(b) * s.batch_stride + head * s.head_stride + channel), want);
                        break;
                    }
                    case SegmentPanel:
                        written++;
                        error.add(emulation::from_half(*panel_half(targets[i], static_cast<size_t>(head) * s.head_stride, channel, b, c.tiles)), want * gain[first + r]);
                        break;
                    case SegmentSwiglu:
                        if (r % 16 < 8) {
                            const double up = result(r + 8);
                            written++;
                            error.add(emulation::from_half(*panel_half(targets[i], 0, r / 16 * 8 + r % 8, b, c.tiles)), want / (1 + std::exp(-want)) * up);
                        }
                        break;
                    case SegmentResidual: {
                        const size_t at = static_cast<size_t>(b) * c.rows + r;
                        want += residual_before[at];
                        Error exact;
                        exact.add(residual[at], want);
                        if (exact.off > 1e-8 * (1 + want * want)) error.add(NAN, want);
                        written++;
                        error.add(emulation::from_half(*panel_half(targets[i], 0, r, b, c.tiles)), want * gain[first + r]);
                        break;
                    }
                }
                square[b] += want * want;
            }
        for (u32 word : targets[i]) touched += ((word & 0xffff) != 0xbeef) + (word >> 16 != 0xdead);
        static const char* const kind_names[] = {"raw", "half", "panel", "rotary", "heads", "swiglu", "residual"};
        const std::string what = std::string(name_of(c.format)) + " b" + std::to_string(c.tiles * 8) + " batch " + std::to_string(c.batch) + " rows " + std::to_string(c.rows) + " inputs " + std::to_string(c.inputs)
                                 + " blocks " + std::to_string(c.grid) + (c.block_rows ? " panel a " + std::to_string(c.block_rows) + " rows" : "") + (c.deferred ? " deferred norm" : "") + ": " + kind_names[s.kind];
        report(what, error.value(), s.kind == SegmentRaw ? 1e-5 : 1e-3);
        // A result may equal the pattern by chance: one in 65,536 values.
        if (touched > written || touched + 2 + written / 4096 < written) report(what + ": " + std::to_string(touched) + " halves written, not " + std::to_string(written), INFINITY, 0);
        if (s.squares) {
            for (u32 b = 0; b < c.batch; b++) square_error.add(s.squares[b], square[b]);
            for (u32 b = c.batch; b < padded; b++) if (s.squares[b] != 0) square_error.add(NAN, 0);
            if (square_error.value() > 1e-5) report(what + ": squares", square_error.value(), 1e-5);
        }
    }
    for (u32 count : arrivals) if (count) report("arrivals return to zero", INFINITY, 0);
}

void check_begin_step(u32 tiles, u32 batch, u32 width) {
    std::vector<float> input(batch * width), gain(width), residual(batch * width, NAN), squares(batch + 5 + 700, NAN);
    for (auto& v : input) v = static_cast<float>(normal());
    for (auto& v : gain) v = static_cast<float>(1 + 0.1 * normal());
    std::vector<u32> panel(panel_words((width + 127) / 128 * 128, tiles));
    BeginStepArguments a{input.data(), gain.data(), residual.data(), panel.data(), squares.data(), width, tiles, batch + 5, batch + 5 + 700};
    emulation::run({batch, 1, 256, 32, true, [&] { begin_step(a); }});
    Error error, sums;
    for (u32 b = 0; b < batch; b++) {
        double square = 0;
        for (u32 k = 0; k < width; k++) {
            const float v = input[b * width + k];
            error.add(emulation::from_half(*panel_half(panel, 0, k, b, tiles)), static_cast<double>(v) * gain[k]);
            if (residual[b * width + k] != v) error.add(NAN, 0);
            square += static_cast<double>(v) * v;
        }
        sums.add(squares[b], square);
    }
    for (u32 i = batch; i < squares.size(); i++) if (i >= batch + 5 ? squares[i] != 0 : squares[i] == squares[i]) sums.add(NAN, 0);
    const std::string what = "begin_step batch " + std::to_string(batch) + " width " + std::to_string(width);
    report(what + ": panel", error.value(), 1e-3);
    report(what + ": squares", sums.value(), 1e-5);
}

}  // namespace

int main() {
    try {
        check_begin_step(1, 1, 128);
        check_begin_step(3, 20, 4240);
        for (Format format : {Format::Half, Format::Byte, Format::Nibble}) {
            check({format, 1, 1, 272, 384, 2, 0, {SegmentRaw}, false});
            check({format, 1, 7, 16, 128, 3, 0, {SegmentRaw}, true, 16});             // one tile, more blocks than stages
            check({format, 1, 8, 1024, 1152, 7, 0, {SegmentRotary, SegmentHeads, SegmentHalf, SegmentPanel}, true});
            check({format, 2, 9, 512, 256, 5, 0, {SegmentPanel, SegmentRaw}, false, 128});
            check({format, 3, 20, 592, 640, 5, 0, {SegmentSwiglu, SegmentRaw}, true, 16});
            check({format, 3, 24, 528, 1408, 4, 0, {SegmentResidual}, false, 16});
            check({format, 3, 24, 640, 512, 3, 128, {SegmentPanel}, false, 128});     // two panels a slab
            check({format, 3, 17, 2048, 128, 5, 512, {SegmentHeads}, false, 512});    // short: several slabs a block
            check({format, 4, 32, 384, 2304, 4, 0, {SegmentRotary, SegmentHeads, SegmentRaw}, true, 128});
            check({format, 8, 33, 384, 384, 1, 128, {SegmentRaw}, false, 128});
            check({format, 8, 64, 304, 1152, 3, 0, {SegmentResidual}, true, 16});
        }
    } catch (const emulation::Fault& fault) {
        std::printf("OFF  %s\n", fault.what());
        return 1;
    }
    std::printf(all_right ? "all right\n" : "NOT all right\n");
    return all_right ? 0 : 1;
}
