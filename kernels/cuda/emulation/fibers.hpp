// A GPU's block on one host thread: every CUDA thread is a fiber. Included by arch/target.cuh in the host form only.
//
// A fiber runs until it must wait for others (barrier, warp collective) and yields then. What a GPU leaves undefined is made to fail:
//   shared memory is filled with NaN before each block; the destination of an asynchronous copy is filled with NaN until the copy is waited for;
//   a barrier or collective that not all threads reach is a fault; so are copies outside shared memory and a wait for the previous kernel that was forgotten.
// SIMT_ORDER=forward|backward|mixed chooses in which order the fibers of a block run: a missing barrier shows in one of them.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <sys/mman.h>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulation {

/// What went wrong in a kernel, as the driver reports it.
struct Fault : std::exception {
    std::string text;
    explicit Fault(std::string t) : text(std::move(t)) {}
    const char* what() const noexcept override { return text.c_str(); }
};

struct Launch {
    unsigned grid_x, grid_y, threads;
    size_t shared_bytes;
    bool programmatic;  // launched so that it may begin before its predecessor ends: it must wait by itself
    std::function<void()> body;
};

namespace detail {

struct Copy { void* to; const void* from; unsigned bytes; bool valid; };

#if defined(__x86_64__)
// Saves the callee-saved registers on one stack and takes them from the other: 20 times faster than swapcontext, which asks the kernel.
extern "C" void simt_switch(void** save, void* to);
__asm__(R"(
.weak simt_switch
.type simt_switch,@function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#endif

struct Fiber {
#if defined(__x86_64__)
    void* sp = nullptr;
#else
    ucontext_t context;
#endif
    bool done = true, waited = false;
    std::vector<Copy> copies;
    std::vector<size_t> groups;  // copies before the end of each group
};

struct Warp {
    unsigned arrived = 0, generation = 0, alive = 32;
    unsigned word[32];
    unsigned a[32][4], b[32][2];
    float c[32][4];
    const void* row[32];
    unsigned result[32];
};

struct Barrier { unsigned arrived = 0, generation = 0; };

constexpr size_t StackBytes = 128 << 10;

struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    Barrier barriers[16];
    char* stacks = nullptr;
    size_t stack_count = 0;
    unsigned char* shared = nullptr;
    size_t shared_capacity = 0;
#if defined(__x86_64__)
    void* scheduler = nullptr;
#else
    ucontext_t scheduler;
#endif
    unsigned current = 0, x = 0, y = 0, alive = 0;
    unsigned long long progress = 0;
    const Launch* launch = nullptr;
    std::string fault;
};

inline Block& block() { static Block b; return b; }

inline void yield() {
    Block& b = block();
    Fiber& f = b.fibers[b.current];
#if defined(__x86_64__)
    simt_switch(&f.sp, b.scheduler);
#else
    swapcontext(&f.context, &b.scheduler);
#endif
}

inline void entry() {
    Block& b = block();
    try {
        b.launch->body();
        Fiber& f = b.fibers[b.current];
        if (b.launch->programmatic && !f.waited) throw Fault("a thread ended without waiting for the previous kernel");
    } catch (const Fault& fault) {
        if (b.fault.empty()) b.fault = fault.text + " (block " + std::to_string(b.x) + "," + std::to_string(b.y) + " thread " + std::to_string(b.current) + ")";
    }
    Fiber& f = b.fibers[b.current];
    f.done = true;
    b.alive--;
    b.warps[b.current / 32].alive--;
    b.progress++;
    for (;;) yield();
}

inline void prepare(Fiber& f, char* stack) {
#if defined(__x86_64__)
    auto top = reinterpret_cast<unsigned long long*>(stack + StackBytes);
    *--top = 0;                                                   // alignment, and a return address that faults
    *--top = reinterpret_cast<unsigned long long>(&entry);        // where the first switch returns to
    for (int i = 0; i < 6; i++) *--top = 0;
    f.sp = top;
#else
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = stack;
    f.context.uc_stack.ss_size = StackBytes;
    f.context.uc_link = nullptr;
    makecontext(&f.context, reinterpret_cast<void (*)()>(&entry), 0);
#endif
    f.done = false;
    f.waited = false;
    f.copies.clear();
    f.groups.clear();
}

inline void resume(unsigned i) {
    Block& b = block();
    b.current = i;
#if defined(__x86_64__)
    simt_switch(&b.scheduler, b.fibers[i].sp);
#else
    swapcontext(&b.scheduler, &b.fibers[i].context);
#endif
}

enum class Order { Forward, Backward, Mixed };

inline Order order() {
    const char* text = std::getenv("SIMT_ORDER");
    return !text || !std::strcmp(text, "forward") ? Order::Forward : !std::strcmp(text, "backward") ? Order::Backward : Order::Mixed;
}

/// Does `fn` once when all 32 threads of the warp are there; all go on when the last of them has read what it gave.
template<class Fn> inline void collective(Fn fn) {
    Block& b = block();
    Warp& w = b.warps[b.current / 32];
    unsigned generation = w.generation;
    b.progress++;
    if (++w.arrived == 32) {
        fn(w);
        w.arrived = 0;
        w.generation++;
    } else {
        while (w.generation == generation) yield();
    }
}

inline void wait_at(Barrier& barrier, unsigned threads) {
    unsigned generation = barrier.generation;
    block().progress++;
    if (++barrier.arrived == threads) {
        barrier.arrived = 0;
        barrier.generation++;
    } else {
        while (barrier.generation == generation) yield();
    }
}

}  // namespace detail

/// What is asked first to run a launch, where set: returns whether it did (ptx/interpose.hpp).
inline std::function<bool(const Launch&)>& interposer() {
    static std::function<bool(const Launch&)> function;
    return function;
}

/// A kernel that is called while this is asked says its name and argument instead of running.
struct Call {
    bool asked = false;
    std::string kernel;
    std::vector<unsigned char> argument;
};
inline Call& call() { static Call c; return c; }
/// Whether a kernel was only asked for its call.
inline bool noted(const char* kernel, const void* argument, size_t bytes) {
    if (!call().asked) return false;
    call().kernel = kernel;
    call().argument.assign(static_cast<const unsigned char*>(argument), static_cast<const unsigned char*>(argument) + bytes);
    return true;
}

/// Runs all blocks of a kernel, one after the other. Throws Fault.
inline void run(const Launch& launch) {
    using namespace detail;
    if (interposer() && interposer()(launch)) return;
    Block& b = block();
    if (launch.threads == 0 || launch.threads > 1024 || launch.threads % 32) throw Fault("a block has 32 to 1024 threads, in whole warps");
    if (b.stack_count < launch.threads) {
        if (b.stacks) munmap(b.stacks, b.stack_count * StackBytes);
        b.stack_count = launch.threads;
        b.stacks = static_cast<char*>(mmap(nullptr, b.stack_count * StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    }
    if (b.shared_capacity < launch.shared_bytes + 16) {
        std::free(b.shared);
        b.shared_capacity = (launch.shared_bytes + 4095) / 4096 * 4096 + 4096;
        b.shared = static_cast<unsigned char*>(std::aligned_alloc(4096, b.shared_capacity));
    }
    b.launch = &launch;
    b.fibers.resize(launch.threads);
    Order how = order();
    unsigned long long random = 0x9E3779B97F4A7C15ull;
    for (b.y = 0; b.y < launch.grid_y; b.y++)
        for (b.x = 0; b.x < launch.grid_x; b.x++) {
            std::memset(b.shared, 0xff, launch.shared_bytes);
            b.warps.assign(launch.threads / 32, Warp{});
            for (auto& barrier : b.barriers) barrier = Barrier{};
            b.alive = launch.threads;
            b.fault.clear();
            for (unsigned i = 0; i < launch.threads; i++) prepare(b.fibers[i], b.stacks + i * StackBytes);
            while (b.alive && b.fault.empty()) {
                unsigned long long before = b.progress;
                random = random * 6364136223846793005ull + 1442695040888963407ull;
                unsigned start = how == Order::Mixed ? (random >> 33) % launch.threads : 0;
                for (unsigned i = 0; i < launch.threads && b.fault.empty(); i++) {
                    unsigned at = how == Order::Backward ? launch.threads - 1 - i : (i + start) % launch.threads;
                    if (!b.fibers[at].done) resume(at);
                }
                if (b.progress == before && b.fault.empty()) b.fault = "deadlock: a barrier or warp collective that not all threads reach (block " + std::to_string(b.x) + ")";
            }
            if (!b.fault.empty()) throw Fault(b.fault);
        }
}

inline unsigned thread() { return detail::block().current; }
inline unsigned lane() { return detail::block().current % 32; }
inline unsigned block_x() { return detail::block().x; }
inline unsigned block_y() { return detail::block().y; }
inline unsigned grid_x() { return detail::block().launch->grid_x; }
inline unsigned char* shared_memory() { return detail::block().shared; }

inline void sync_block() { detail::wait_at(detail::block().barriers[0], detail::block().launch->threads); }
inline void sync_some(unsigned id, unsigned threads) {
    if (id == 0 || id > 15 || threads % 32) throw Fault("named barriers are 1 to 15, of whole warps");
    detail::wait_at(detail::block().barriers[id], threads);
}
inline void sync_warp() { detail::collective([](detail::Warp&) {}); }
inline void waited_for_previous_kernel() { detail::block().fibers[detail::block().current].waited = true; }

template<class T> inline T exchange(T value, unsigned from) {
    static_assert(sizeof(T) == 4, "one register");
    detail::Warp& w = detail::block().warps[thread() / 32];
    std::memcpy(&w.word[lane()], &value, 4);
    detail::collective([](detail::Warp& all) { std::memcpy(all.result, all.word, sizeof all.word); });
    T got;
    std::memcpy(&got, &w.result[from & 31], 4);
    detail::collective([](detail::Warp&) {});
    return got;
}

inline unsigned ballot(bool value) {
    detail::Warp& w = detail::block().warps[thread() / 32];
    w.word[lane()] = value;
    detail::collective([](detail::Warp& all) {
        all.result[0] = 0;
        for (unsigned i = 0; i < 32; i++) all.result[0] |= all.word[i] << i;
    });
    unsigned got = w.result[0];
    detail::collective([](detail::Warp&) {});
    return got;
}

inline void copy_async(void* to, const void* from, unsigned bytes, bool valid) {
    using namespace detail;
    Block& b = block();
    auto offset = static_cast<unsigned char*>(to) - b.shared;
    if (offset < 0 || static_cast<size_t>(offset) + bytes > b.launch->shared_bytes) throw Fault("asynchronous copy outside shared memory");
    if (offset % bytes || (valid && reinterpret_cast<unsigned long long>(from) % bytes)) throw Fault("asynchronous copy that is not aligned to its size");
    std::memset(to, 0xff, bytes);
    b.fibers[b.current].copies.push_back({to, from, bytes, valid});
}

inline void copy_commit() { auto& f = detail::block().fibers[thread()]; f.groups.push_back(f.copies.size()); }

inline void copy_wait(unsigned pending) {
    auto& f = detail::block().fibers[thread()];
    if (f.groups.size() <= pending) return;
    size_t ended = f.groups.size() - pending, upto = f.groups[ended - 1];
    for (size_t i = 0; i < upto; i++) {
        if (f.copies[i].valid) std::memcpy(f.copies[i].to, f.copies[i].from, f.copies[i].bytes);
        else std::memset(f.copies[i].to, 0, f.copies[i].bytes);
    }
    f.copies.erase(f.copies.begin(), f.copies.begin() + static_cast<long>(upto));
    f.groups.erase(f.groups.begin(), f.groups.begin() + static_cast<long>(ended));
    for (auto& g : f.groups) g -= upto;
}

// Through integers, so that no compiler's choice of FP16 support matters.
inline unsigned short to_half(double v) {
    unsigned long long bits;
    std::memcpy(&bits, &v, 8);
    unsigned sign = static_cast<unsigned>(bits >> 48) & 0x8000;
    if (v != v) return static_cast<unsigned short>(sign | 0x7e00);
    double m = std::fabs(v);
    if (m >= 65520) return static_cast<unsigned short>(sign | 0x7c00);
    int exponent = m < 6.103515625e-05 ? -14 : std::ilogb(m);
    double steps = std::nearbyint(std::ldexp(m, 10 - exponent));
    return static_cast<unsigned short>(sign | static_cast<unsigned>(steps + (exponent + 14) * 1024.0));
}
inline float from_half(unsigned short h) {
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    float m = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? std::ldexp(1024.0f + static_cast<float>(mantissa), exponent - 25) : std::ldexp(static_cast<float>(mantissa), -24);
    return h & 0x8000 ? -m : m;
}
inline unsigned short half_fma(unsigned short a, unsigned short b, unsigned short c) {
    return to_half(static_cast<double>(from_half(a)) * from_half(b) + from_half(c));
}

inline void load_matrices(unsigned (&r)[4], const void* row, bool transposed) {
    detail::Warp& w = detail::block().warps[thread() / 32];
    auto& b = detail::block();
    auto offset = static_cast<const unsigned char*>(row) - b.shared;
    if (offset < 0 || static_cast<size_t>(offset) + 16 > b.launch->shared_bytes || offset % 16) throw Fault("ldmatrix row outside shared memory or not aligned to 16");
    unsigned l = lane();
    w.row[l] = row;
    detail::collective([transposed](detail::Warp& all) {
        for (unsigned t = 0; t < 32; t++)
            for (unsigned i = 0; i < 4; i++) {
                unsigned short half[2];
                for (unsigned e = 0; e < 2; e++) {
                    unsigned at_row = transposed ? 2 * (t % 4) + e : t / 4, at_column = transposed ? t / 4 : 2 * (t % 4) + e;
                    std::memcpy(&half[e], static_cast<const char*>(all.row[8 * i + at_row]) + 2 * at_column, 2);
                }
                all.a[t][i] = half[0] | static_cast<unsigned>(half[1]) << 16;
            }
    });
    std::memcpy(r, w.a[l], 16);
    detail::collective([](detail::Warp&) {});
}

inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    unsigned l = lane();
    detail::Warp& w = detail::block().warps[thread() / 32];
    std::memcpy(w.a[l], a, 16);
    w.b[l][0] = b0;
    w.b[l][1] = b1;
    std::memcpy(w.c[l], d, 16);
    detail::collective([](detail::Warp& all) {
        float A[16][16], B[16][8];
        for (unsigned t = 0; t < 32; t++) {
            unsigned g = t / 4, c = t % 4;
            for (unsigned i = 0; i < 4; i++)
                for (unsigned h = 0; h < 2; h++) A[g + 8 * (i & 1)][2 * c + h + 8 * (i >> 1)] = from_half(static_cast<unsigned short>(all.a[t][i] >> 16 * h));
            for (unsigned i = 0; i < 2; i++)
                for (unsigned h = 0; h < 2; h++) B[2 * c + h + 8 * i][g] = from_half(static_cast<unsigned short>(all.b[t][i] >> 16 * h));
        }
        for (unsigned t = 0; t < 32; t++)
            for (unsigned i = 0; i < 4; i++) {
                unsigned m = t / 4 + 8 * (i >> 1), n = 2 * (t % 4) + (i & 1);
                float sum = all.c[t][i];
                for (unsigned k = 0; k < 16; k++) sum += A[m][k] * B[k][n];
                all.c[t][i] = sum;
            }
    });
    std::memcpy(d, w.c[l], 16);
    detail::collective([](detail::Warp&) {});
}

}  // namespace emulation
