// kernels: stream copy matrix
// The kernels that measure the device's ceilings read, write and multiply what they say, on any grid.
#include "emulation/registry.hpp"
#include <cstdint>

namespace {

using std::uint32_t;
using std::uint64_t;

int failures = 0;

void expect(bool holds, const char* what) {
    if (holds) return;
    failures++;
    std::printf("FAIL  %s\n", what);
}

struct alignas(16) Quad { uint32_t v[4]; };
struct Stream { const Quad* source; uint32_t* sums; uint64_t tiles; uint32_t passes, unused; };
struct Copy { const Quad* source; Quad* target; uint64_t tiles; uint32_t passes, unused; };
struct Matrix { float* sums; uint64_t key; uint32_t rounds, flip; };

template<class Arguments> void launch(const char* name, Arguments arguments, unsigned grid) {
    const emulation::Kernel* kernel = emulation::find_kernel(name);
    if (!kernel || kernel->parameter_bytes != sizeof(Arguments)) return expect(false, name);
    void* parameters[] = {&arguments};
    try {
        emulation::run({grid, 1, 256, 0, true, [&] { kernel->thunk(parameters); }});
    } catch (const emulation::Fault& fault) {
        expect(false, fault.what());
    }
}

}  // namespace

int main() {
    const uint64_t tiles = 5, quads = tiles * 2048;
    std::vector<Quad> source(quads), target(quads);
    uint32_t state = 1, all = 0;
    for (auto& quad : source)
        for (auto& word : quad.v) all ^= word = state = state * 1664525 + 1013904223;
    for (unsigned grid : {1u, 3u, 7u})
        for (uint32_t passes : {1u, 2u, 3u}) {
            std::vector<uint32_t> sums(grid * 8, 1);
            launch("stream", Stream{source.data(), sums.data(), tiles, passes, 0}, grid);
            uint32_t sum = 0;
            for (uint32_t s : sums) sum ^= s;
            expect(sum == (passes % 2 ? all : 0), "stream reads every word once a pass");
        }
    launch("copy", Copy{source.data(), target.data(), tiles, 2, 0}, 3);
    expect(!std::memcmp(source.data(), target.data(), quads * sizeof(Quad)), "copy");
    const unsigned grid = 2;
    std::vector<float> odd(grid * 256), even(grid * 256), even_of_one_sign(grid * 256);
    launch("matrix", Matrix{odd.data(), 42, 3, 0x80008000u}, grid);
    launch("matrix", Matrix{even.data(), 42, 2, 0x80008000u}, grid);
    launch("matrix", Matrix{even_of_one_sign.data(), 42, 2, 0}, grid);
    double odd_squares = 0, even_squares = 0, difference = 0;
    for (unsigned i = 0; i < grid * 256; i++) {
        odd_squares += odd[i] * odd[i];
        even_squares += even[i] * even[i];
        difference += (even_of_one_sign[i] - 2 * odd[i]) * (even_of_one_sign[i] - 2 * odd[i]);
        expect(odd[i] != 0, "matrix multiplies numbers that are not zero");
    }
    // 128 sums of 16 products of unit variance each: variance 2048.
    expect(odd_squares / (grid * 256) > 1000 && odd_squares / (grid * 256) < 4000, "matrix: the sums have the variance of normal numbers");
    expect(even_squares < odd_squares * 1e-10, "matrix: two rounds of opposite signs cancel");
    expect(difference < odd_squares * 1e-10, "matrix: two rounds of one sign are twice one");
    std::printf("%s ceilings\n", failures ? "FAIL " : "ok   ");
    return failures != 0;
}
