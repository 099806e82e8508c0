// The seam's device form against its host form: every function of arch/ runs as PTX, in the interpreter, and on the host, on the same inputs.
//
//   ptx_check DIRECTORY     holds sm_80/seam.ptx and sm_90/seam.ptx
//
// One line a comparison; exit 1 on a difference. Then mutants of the PTX: each must be told apart by the function that it spoils.
#include "seam.cu"
#include "../ptx/machine.hpp"
#include "../ptx/numbers.hpp"
#include <algorithm>
#include <chrono>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

struct Inputs { std::vector<u32> a, b, c; };

/// What separates the two forms.
struct Difference { size_t count = 0, apart = 0, first = 0; double worst = 0; };

class Randoms {
public:
    u32 word() {
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return (u32)(state_ >> 32);
    }
    /// Of magnitude 2^-20 to 2^20.
    float number() { return std::ldexp((float)(word() >> 8) * 0x1p-24f + 1.0f, (int)(word() % 40) - 20) * (word() & 1 ? 1.0f : -1.0f); }
    u32 half() { return (word() & 0x8000) | ((word() % 29 + 1) << 10) | (word() & 1023); }
    u32 halves() { u32 low = half(); return low | half() << 16; }

private:
    u64 state_ = 0x9E3779B97F4A7C15ull;
};

const float Edges[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 1.5f, 2.5f, -2.5f, 1e-45f, -1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f, 65504.0f, 65519.99f, 65520.0f, -65520.0f, 6.1035156e-5f, 5.9604645e-8f,
    2.9802322e-8f, 2.9802326e-8f, 448.0f, 464.0f, -448.0f, 0.001953125f, 0.0009765625f, 0.015625f, 8388607.5f, 8388608.0f, 16777216.0f, 126.0f, -126.0f, -149.0f, -150.0f, 127.99f, 128.0f};
const float Unbounded[] = {INFINITY, -INFINITY, NAN};

float as_float(u32 v) { return bits_float(v); }
bool both_nan(u32 a, u32 b) { return as_float(a) != as_float(a) && as_float(b) != as_float(b); }
bool nan_half(u32 h) { return (h & 0x7c00) == 0x7c00 && (h & 1023); }

enum class Agree { Bits, Halves, Float, Approximate, Matrix };

/// Whether two words are the same; NaN is NaN whatever its bits.
bool same(u32 ptx, u32 host, Agree how, double& apart) {
    apart = 0;
    if (ptx == host) return true;
    if (how == Agree::Halves) {
        for (u32 shift = 0; shift < 32; shift += 16)
            if ((ptx >> shift & 0xffff) != (host >> shift & 0xffff) && !(nan_half(ptx >> shift & 0xffff) && nan_half(host >> shift & 0xffff))) return false;
        return true;
    }
    if (how == Agree::Bits) return false;
    if (both_nan(ptx, host)) return true;
    if (how == Agree::Float) return false;
    apart = std::fabs((double)as_float(ptx) - as_float(host)) / std::fabs((double)as_float(host));
    return apart <= 1e-6;
}

struct Test {
    const char* name;
    u32 function;
    Agree how;
    void (*make)(Randoms&, Inputs&, u32 count);
    u32 blocks;
};

// Inputs. `count` threads; a, b, c begin with `count` zeros each, more may be appended.
void words(Randoms& r, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = r.word(), in.b[i] = r.word(), in.c[i] = r.word(); }
void all_halves(Randoms&, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = i & 0xffff; }
void all_pairs_of_bytes(Randoms&, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = (i & 0x7f) == 0x7f || (i >> 8 & 0x7f) == 0x7f ? 0x3837 : i & 0xffff; }
void all_upper_halves(Randoms&, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = i << 16 | 0x3c00; }
void halves_of_operation(Randoms& r, Inputs& in, u32 count) {
    for (u32 i = 0; i < count; i++) {
        in.a[i] = i & 1 ? r.word() : r.halves();
        in.b[i] = i & 2 ? r.word() : r.halves();
        in.c[i] = i & 4 ? r.word() : r.halves();
        if (i % 8 == 0) in.c[i] = (in.c[i] & 0x83ff83ff) | 0x04000400;  // small third operands, for the last bit of a sum
    }
}
void fill_floats(Randoms& r, Inputs& in, u32 count, bool unbounded) {
    const u32 edges = sizeof Edges / sizeof *Edges, all = edges + (unbounded ? 3 : 0);
    auto edge = [&](u32 i) { return float_bits(i < edges ? Edges[i] : Unbounded[i - edges]); };
    for (u32 i = 0; i < count; i++) {
        bool pairs = i < all * all;
        in.a[i] = pairs ? edge(i % all) : float_bits(r.number());
        in.b[i] = pairs ? edge(i / all) : float_bits(r.number());
        in.c[i] = pairs ? edge((i * 7) % all) : float_bits(r.number());
    }
}
void floats(Randoms& r, Inputs& in, u32 count) { fill_floats(r, in, count, true); }
void finite_floats(Randoms& r, Inputs& in, u32 count) { fill_floats(r, in, count, false); }
/// Also every neighbourhood of a half: where rounding turns.
void floats_near_halves(Randoms& r, Inputs& in, u32 count) {
    fill_floats(r, in, count, true);
    for (u32 i = 4096; i < count; i++) {
        float x = (float)ptx::Half::decode(i & 0xffff), y = (float)ptx::Half::decode((i + 1) & 0xffff);
        float middle = 0.5f * (x + y);
        in.a[i] = float_bits(middle) + (i >> 16) - 1;
        in.b[i] = float_bits(middle) + 1 - (i >> 16);
    }
}
void floats_near_bytes(Randoms& r, Inputs& in, u32 count) {
    fill_floats(r, in, count, false);
    for (u32 i = 2048; i < count; i++) {
        float x = (float)ptx::Eight::decode(i & 0x7e), y = (float)ptx::Eight::decode((i & 0x7e) + 1);
        in.a[i] = float_bits(0.5f * (x + (y == y ? y : x))) + (i >> 7) % 5 - 2;
        if (as_float(in.a[i]) != as_float(in.a[i])) in.a[i] = 0;
        if (i & 0x80) in.a[i] |= 0x80000000u;
    }
}
void exponents(Randoms& r, Inputs& in, u32 count) {
    for (u32 i = 0; i < count; i++) in.a[i] = float_bits(((float)(r.word() >> 8) * 0x1p-23f - 1.0f) * (i & 1 ? 120.0f : 4.0f));
    in.a[0] = float_bits(-INFINITY); in.a[1] = 0; in.a[2] = 0x80000000u; in.a[3] = float_bits(-1000.0f); in.a[4] = float_bits(1000.0f); in.a[5] = float_bits(NAN);
    for (u32 i = 6; i < 30; i++) in.a[i] = float_bits(-120.0f - (float)i);  // down to the least subnormal, exact
}
void positives(Randoms& r, Inputs& in, u32 count) {
    for (u32 i = 0; i < count; i++) in.a[i] = float_bits(std::fabs(r.number()) + 0.0f);
    for (u32 i = 0; i < count; i++) if (std::fabs(as_float(in.a[i]) - 1) < 0.05f) in.a[i] = float_bits(2.0f);  // the logarithm has no relative error near 0
    in.a[0] = float_bits(INFINITY); in.a[1] = float_bits(0x1p-126f); in.a[2] = 0x40000000;
}
void divisors(Randoms& r, Inputs& in, u32 count) {
    for (u32 i = 0; i < count; i++) in.a[i] = r.word() >> (i & 31), in.b[i] = (r.word() >> (i >> 5 & 31)) | 1;
}
void all_masks(Randoms& r, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = float_bits(r.number()), in.b[i] = i / 32 % 32; }
void all_lanes_of_all_lanes(Randoms& r, Inputs& in, u32 count) { for (u32 i = 0; i < count; i++) in.a[i] = r.word() & 0x7f7fffff, in.b[i] = (i * (i / 32 + 1) + i / 1024) % 32; }
void memory_units(Randoms& r, Inputs& in, u32 count) {
    in.a.resize(4 * count);
    for (u32& v : in.a) v = r.word() & 0x7f7fffff;
    for (u32 i = 0; i < count; i++) in.b[i] = r.word();
}
/// Each warp reads rows in another order.
void rows(Randoms& r, Inputs& in, u32 count) {
    memory_units(r, in, count);
    for (u32 i = 0; i < count; i++) in.b[i] = i / 32 % 2 ? r.word() : (i * 2 * (i / 64 % 16) + i + i / 64) % 64;
}
/// First one element of A and one of B after the other, so that every position is seen alone; then random ones.
void fragments(Randoms& r, Inputs& in, u32 count) {
    in.a.assign(4 * count, 0);
    in.b.assign(2 * count, 0);
    in.c.assign(4 * count, 0);
    for (u32 i = 0; i < count; i++) {
        u32 warp = i / 32, lane = i % 32;
        for (u32 k = 0; k < 4; k++) in.c[4 * i + k] = float_bits(warp & 1 ? r.number() : (float)(lane * 4 + k));
        for (u32 k = 0; k < 4; k++) in.a[4 * i + k] = warp < 256 ? 0 : r.halves();
        for (u32 k = 0; k < 2; k++) in.b[k * count + i] = warp < 256 ? (0x3c00u + lane * 2 + k * 64) | (0x4000u + lane * 2 + k * 64) << 16 : r.halves();
        if (warp < 256 && lane == warp % 32) in.a[4 * i + warp / 64] = warp / 32 & 1 ? 0x3c000000u : 0x3c00u;
    }
}

const Test Tests[] = {
    {"and_or", 0, Agree::Bits, words, 64}, {"permute_bytes", 1, Agree::Bits, words, 512}, {"half_from_fp8, all 65,536 pairs but NaN", 2, Agree::Bits, all_pairs_of_bytes, 1024},
    {"fp8_from_float", 3, Agree::Bits, floats_near_bytes, 256}, {"pack_half", 4, Agree::Halves, floats_near_halves, 3136}, {"to_half", 5, Agree::Halves, floats_near_halves, 3136},
    {"from_half, all 65,536", 6, Agree::Float, all_halves, 1024}, {"half_sub", 7, Agree::Halves, halves_of_operation, 1024}, {"half_mul", 8, Agree::Halves, halves_of_operation, 1024},
    {"half_fma", 9, Agree::Halves, halves_of_operation, 1024}, {"low_half", 10, Agree::Float, all_halves, 1024}, {"high_half", 11, Agree::Float, all_upper_halves, 1024},
    {"twice", 12, Agree::Bits, all_halves, 1024}, {"from_bfloat, all 65,536", 13, Agree::Float, all_halves, 1024}, {"to_bfloat", 14, Agree::Bits, finite_floats, 256},
    {"fused", 15, Agree::Float, floats, 256}, {"exact_mul", 16, Agree::Float, floats, 256}, {"exact_add", 17, Agree::Float, floats, 256}, {"exact_div", 18, Agree::Float, floats, 256},
    {"exact_sqrt", 19, Agree::Float, floats, 256}, {"nearest", 20, Agree::Float, floats, 256}, {"exp2_fast", 21, Agree::Approximate, exponents, 256}, {"log2_fast", 22, Agree::Approximate, positives, 256},
    {"inverse_sqrt", 23, Agree::Approximate, positives, 256}, {"inverse", 24, Agree::Float, floats, 256}, {"largest", 25, Agree::Float, floats, 256}, {"least", 26, Agree::Bits, words, 64},
    {"ceiling", 27, Agree::Bits, divisors, 64}, {"sigmoid", 28, Agree::Approximate, exponents, 256}, {"infinity", 29, Agree::Bits, all_halves, 2},
    {"shuffle_xor u32, all masks", 32, Agree::Bits, all_masks, 32}, {"shuffle_xor float, all masks", 33, Agree::Float, all_masks, 32}, {"shuffle u32, all lanes", 34, Agree::Bits, all_lanes_of_all_lanes, 64},
    {"shuffle float, all lanes", 35, Agree::Float, all_lanes_of_all_lanes, 64}, {"ballot", 36, Agree::Bits, words, 32}, {"warp_sum", 37, Agree::Float, all_masks, 16}, {"warp_sum of 4", 38, Agree::Float, all_masks, 16},
    {"warp_max", 39, Agree::Float, all_masks, 16}, {"warp_max of 8", 40, Agree::Float, all_masks, 16}, {"thread, lane, warp", 41, Agree::Bits, words, 3}, {"block, grid", 42, Agree::Bits, words, 5},
    {"copy_async, copy_wait<1>", 64, Agree::Bits, memory_units, 16}, {"copy_async_or_zero", 65, Agree::Bits, memory_units, 16}, {"copy_async_small", 66, Agree::Bits, memory_units, 16},
    {"load_matrices", 67, Agree::Bits, rows, 64}, {"load_matrices_transposed", 68, Agree::Bits, rows, 64}, {"mma, every position alone, then random", 69, Agree::Bits, fragments, 192},
    {"load_stream, store_stream", 70, Agree::Bits, memory_units, 16}, {"atomic_add_shared", 71, Agree::Bits, memory_units, 16}, {"sync_some, sync_warp", 72, Agree::Bits, memory_units, 16},
    {"atomic_add, load_written", 73, Agree::Bits, memory_units, 16}, {"divergent lanes", 74, Agree::Bits, memory_units, 64},
};

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A fault that the inline assembly or the compiler could have: a change of the PTX, and the function whose test must see it.
struct Mutant { const char* name; u32 function; const char* pattern; const char* replacement; bool only_90; };

const Mutant Mutants[] = {
    {"lop3 with another table", 0, "0xEA", "0xCA", false},
    {"prmt with its sources exchanged", 1, "prmt\\.b32 (%r\\d+), (%r\\d+), (%r\\d+)", "prmt.b32 $1, $3, $2", false},
    {"FP8 pair the wrong way round", 2, "cvt\\.rn\\.f16x2\\.e4m3x2 (%r\\d+), (%rs\\d+);", "cvt.rn.f16x2.e4m3x2 $1, $2; shf.l.wrap.b32 $1, $1, $1, 16;", true},
    {"two FP32 packed the wrong way round", 4, "cvt\\.rn\\.f16x2\\.f32 (%r\\d+), (%f\\d+), (%f\\d+)", "cvt.rn.f16x2.f32 $1, $3, $2", false},
    {"rounded to zero", 5, "cvt\\.rn\\.f16\\.f32", "cvt.rz.f16.f32", false},
    {"sub.f16x2 with its sources exchanged", 7, "sub\\.rn\\.f16x2 (%r\\d+), (%r\\d+), (%r\\d+)", "sub.rn.f16x2 $1, $3, $2", false},
    {"add for mul in FP16", 8, "mul\\.rn\\.f16x2", "add.rn.f16x2", false},
    {"fma.f16x2 with factor and summand exchanged", 9, "fma\\.rn\\.f16x2 (%r\\d+), (%r\\d+), (%r\\d+), (%r\\d+)", "fma.rn.f16x2 $1, $2, $4, $3", false},
    {"div with its sources exchanged", 18, "div\\.rn\\.f32 +\t*(%f\\d+), (%f\\d+), (%f\\d+)", "div.rn.f32 $1, $3, $2", false},
    {"to the nearest integer, truncated", 20, "cvt\\.rni\\.f32\\.f32", "cvt.rzi.f32.f32", false},
    {"ex2 flushing subnormals", 21, "ex2\\.approx\\.f32", "ex2.approx.ftz.f32", false},
    {"lg2 for ex2", 28, "ex2\\.approx\\.f32", "lg2.approx.f32", false},
    {"rsqrt without the r", 23, "rsqrt\\.approx", "sqrt.approx", false},
    {"shuffle within 16 lanes", 32, "0x1f, 0xffffffff", "0x100f, 0xffffffff", false},
    {"shuffle down for butterfly", 33, "shfl\\.sync\\.bfly", "shfl.sync.down", false},
    {"ballot of the opposite", 36, "setp\\.ne\\.u32 p", "setp.eq.u32 p", false},
    {"ballot of half a warp", 36, "p, 0xffffffff; \\}", "p, 0xffff; }", false},
    {"a group less waited for", 64, "wait_group 1;", "wait_group 2;", false},
    {"the last group not waited for", 65, "wait_group 0;", "wait_group 1;", false},
    {"copies without a size to read", 65, ", 16, %r\\d+;", ", 16;", false},
    {"no commit", 66, "cp\\.async\\.commit_group;", "", false},
    {"ldmatrix transposed", 67, "x4\\.shared", "x4.trans.shared", false},
    {"ldmatrix not transposed", 68, "x4\\.trans", "x4", false},
    {"ldmatrix into registers in another order", 67, "ldmatrix(\\S*x4\\.shared\\S*) \\{(%r\\d+), (%r\\d+), ", "ldmatrix$1 {$3, $2, ", false},
    {"mma with two of A exchanged", 69, "mma(\\S*) (\\{.*?\\}), \\{(%r\\d+), (%r\\d+), ", "mma$1 $2, {$4, $3, ", false},
    {"mma with B exchanged", 69, "mma(\\S*) (\\{.*?\\}), (\\{.*?\\}), \\{(%r\\d+), (%r\\d+)\\}", "mma$1 $2, $3, {$5, $4}", false},
    {"a streaming store of other words", 70, "st\\.global\\.cs\\.v4\\.u32 (\\[.*?\\]), \\{(%r\\d+), (%r\\d+), ", "st.global.cs.v4.u32 $1, {$3, $2, ", false},
    {"largest for add in shared memory", 71, "atom\\.shared\\.add", "atom.shared.max", false},
    {"no barrier", 71, "bar\\.sync 0;", "", false},
    {"a named barrier of the wrong size", 72, "bar\\.sync (%r\\d+), %r\\d+;", "bar.sync $1, 32;", false},
    {"no fp32 sum in memory", 73, "red\\.global\\.add\\.f32 .*?;", "", false},
    {"no wait for the previous kernel", 12, "griddepcontrol\\.wait;", "", true},
};

u64 executed = 0;
double seconds = 0;

/// `quiet`: only whether they agree.
bool run_test(const Test& test, const ptx::Module& module, const char* architecture, bool programmatic, bool quiet = false) {
    const u32 count = test.blocks * SeamThreads, words_out = test.function >= SeamWords ? 4 * count : count;
    Inputs in{std::vector<u32>(count), std::vector<u32>(count), std::vector<u32>(count)};
    Randoms randoms;
    test.make(randoms, in, count);
    // Sixteen-byte alignment comes from malloc.
    std::vector<u32> on_ptx(words_out, 0x3f800000u), on_host(words_out, 0x3f800000u);
    SeamArguments arguments{in.a.data(), in.b.data(), in.c.data(), on_ptx.data(), test.function, count};
    ptx::MemoryMap map;
    map.add((u64)in.a.data(), in.a.size() * 4);
    map.add((u64)in.b.data(), in.b.size() * 4);
    map.add((u64)in.c.data(), in.c.size() * 4);
    map.add((u64)on_ptx.data(), on_ptx.size() * 4);
    u32 grid_y = test.function == 42 ? 3 : 1;
    const size_t shared = SeamThreads * 32;
    try {
        auto start = std::chrono::steady_clock::now();
        executed += ptx::launch(module, "seam", test.blocks, grid_y, SeamThreads, shared, &arguments, sizeof arguments, programmatic, &map);
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        arguments.out = on_host.data();
        emulation::run({test.blocks, grid_y, SeamThreads, shared, programmatic, [&] { seam(arguments); }});
    } catch (const emulation::Fault& fault) {
        if (!quiet) std::printf("FAIL  %s %-45s %s\n", architecture, test.name, fault.what());
        return false;
    }
    Difference d;
    for (size_t i = 0; i < words_out; i++) {
        double apart;
        if (!same(on_ptx[i], on_host[i], test.how, apart) && !d.count++) d.first = i;
        d.worst = std::max(d.worst, apart);
        d.apart += on_ptx[i] != on_host[i];
    }
    if (quiet) return !d.count;
    if (d.count) {
        size_t at = test.function >= SeamWords ? d.first / 4 : d.first;
        std::printf("FAIL  %s %-45s %zu of %u words; word %zu: PTX %08x (%g), host %08x (%g), from %08x %08x %08x\n", architecture, test.name, d.count, words_out, d.first, on_ptx[d.first], (double)as_float(on_ptx[d.first]),
            on_host[d.first], (double)as_float(on_host[d.first]), in.a[at], in.b[at], in.c[at]);
        return false;
    }
    std::printf("ok    %s %-45s %u words%s", architecture, test.name, words_out, d.apart ? "" : ", equal bits\n");
    if (d.apart) std::printf(", %zu differ (NaN, or by at most %.1e)\n", d.apart, d.worst);
    return true;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) { std::fprintf(stderr, "usage: ptx_check DIRECTORY\n"); return 2; }
    bool good = true;
    for (const char* architecture : {"sm_80", "sm_90"}) {
        const std::string path = std::string(arguments[1]) + "/" + architecture + "/seam.ptx", text = read_text(path);
        std::string log;
        auto module = ptx::parse(text.c_str(), log);
        if (!module) { std::printf("FAIL  %s: %s\n", path.c_str(), log.c_str()); good = false; continue; }
        for (const Test& test : Tests) good &= run_test(test, *module, architecture, true);
        for (const Mutant& mutant : Mutants) {
            if (mutant.only_90 && std::string(architecture) != "sm_90") continue;
            const std::string changed = std::regex_replace(text, std::regex(mutant.pattern), mutant.replacement);
            auto spoilt = ptx::parse(changed.c_str(), log);
            const Test* test = nullptr;
            for (const Test& t : Tests) if (t.function == mutant.function) test = &t;
            const bool seen = changed != text && spoilt && !run_test(*test, *spoilt, architecture, true, true);
            std::printf("%s  %s mutant: %s%s\n", seen ? "ok  " : "FAIL", architecture, mutant.name, changed == text ? " (changes nothing)" : !spoilt ? (" (" + log + ")").c_str() : seen ? "" : " (not seen)");
            good &= seen;
        }
    }
    std::printf("%.0f million thread instructions in %.2f s: %.0f million a second\n", (double)executed * 1e-6, seconds, (double)executed * 1e-6 / seconds);
    return good ? 0 : 1;
}
