// Runs every launch of a program both ways, as PTX and on the host, and holds what both store against each other. For the checks of the kernels, unchanged:
//
//   c++ -std=c++17 -include emulation/ptx/interpose.hpp emulation/checks/NAME_check.cpp emulation/ptx/machine.cpp
//   EMULATED_PTX=ptx/sm_90 ./a.out
//
// Kernels that a check includes become objects that say their name and argument when asked; registered kernels do so by themselves. The PTX runs first; what it stored is set aside and undone, the
// host form runs on the same memory, both are compared, and the PTX's results stay: the check's own oracle judges them.
// Without EMULATED_PTX the program runs on the host as ever.
#pragma once
#include "machine.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace ptx {

/// Every store of a launch with what stood there before.
class StoreLog : public StoreObserver {
public:
    struct Store { std::uint64_t address; unsigned bytes; char type; std::uint64_t value; };

    void before_store(std::uint64_t address, unsigned bytes, char type) override { stores_.push_back({address, bytes, type, read(address, bytes)}); }
    /// What stands there now, an address once, in order; what stood there before the first store is put back.
    std::vector<Store> undo() {
        std::vector<Store> now = stores_;
        std::stable_sort(now.begin(), now.end(), [](const Store& a, const Store& b) { return a.address < b.address; });
        now.erase(std::unique(now.begin(), now.end(), [](const Store& a, const Store& b) { return a.address == b.address && a.bytes == b.bytes; }), now.end());
        for (Store& s : now) s.value = read(s.address, s.bytes);
        for (size_t i = stores_.size(); i-- > 0;) write(stores_[i]);
        return now;
    }
    static std::uint64_t read(std::uint64_t address, unsigned bytes) {
        std::uint64_t v = 0;
        std::memcpy(&v, reinterpret_cast<const void*>(address), bytes);
        return v;
    }
    static void write(const Store& s) { std::memcpy(reinterpret_cast<void*>(s.address), &s.value, s.bytes); }

private:
    std::vector<Store> stores_;
};

/// How two results may differ. Exactly rounded arithmetic gives equal bits; sums whose products are contracted on one side only differ by roundings.
class Comparison {
public:
    static constexpr double Tolerance = 1e-6;  // ‖ptx − host‖ / ‖host‖ over a run of neighbouring words; one word by at most 16 times that
    unsigned long long words = 0, equal = 0, halves_apart = 0;
    double worst = 0;

    /// Throws Fault at the first run of words that differ by more.
    void compare(const std::string& kernel, const std::vector<StoreLog::Store>& stores) {
        for (size_t first = 0, last; first < stores.size(); first = last) {
            for (last = first + 1; last < stores.size() && last - first < 4096 && stores[last].bytes == stores[first].bytes && stores[last].address == stores[last - 1].address + stores[last - 1].bytes;) last++;
            run_of_words(kernel, &stores[first], last - first);
        }
    }

private:
    static float as_float(std::uint64_t v) { auto u = static_cast<std::uint32_t>(v); float f; std::memcpy(&f, &u, 4); return f; }
    /// Neighbouring FP16 numbers: the rounding of a sum that differs in its last bits.
    static bool near_halves(std::uint64_t a, std::uint64_t b, unsigned bytes) {
        if (bytes == 4 && a < 65536 && b < 65536) return false;  // rather a number of something
        for (unsigned shift = 0; shift < bytes * 8; shift += 16) {
            auto order = [](std::uint64_t h) { return h & 0x8000 ? -static_cast<int>(h & 0x7fff) : static_cast<int>(h & 0x7fff); };
            if (std::abs(order(a >> shift & 0xffff) - order(b >> shift & 0xffff)) > 1) return false;
        }
        return true;
    }

    void run_of_words(const std::string& kernel, const StoreLog::Store* s, size_t count) {
        double square = 0, error_square = 0;
        std::vector<double> apart(count, 0.0);
        for (size_t i = 0; i < count; i++) {
            std::uint64_t host = StoreLog::read(s[i].address, s[i].bytes);
            words++;
            if (s[i].bytes == 4 && std::isfinite(as_float(host))) square += static_cast<double>(as_float(host)) * as_float(host);
            if (host == s[i].value) { equal++; continue; }
            float a = as_float(s[i].value), b = as_float(host);
            if (s[i].bytes == 4 && a != a && b != b) { equal++; continue; }
            if (s[i].bytes == 4 && std::isfinite(a) && std::isfinite(b) && (s[i].type == 'f' || std::fabs(a - b) <= 16 * Tolerance * std::fabs(b))) {
                apart[i] = static_cast<double>(a) - b;
                error_square += apart[i] * apart[i];
            } else if (s[i].type != 'f' && (s[i].bytes == 4 || s[i].bytes == 2) && near_halves(s[i].value, host, s[i].bytes)) {
                halves_apart++;
            } else {
                fail(kernel, s[i], host, "differ");
            }
        }
        if (error_square == 0) return;
        double norm = std::sqrt(error_square / square), mean = std::sqrt(square / static_cast<double>(count));
        worst = std::max(worst, norm);
        for (size_t i = 0; i < count; i++) {
            std::uint64_t host = StoreLog::read(s[i].address, s[i].bytes);
            if (std::fabs(apart[i]) > 16 * Tolerance * std::max(mean, std::fabs(static_cast<double>(as_float(host)))) || norm > Tolerance) fail(kernel, s[i], host, "differ by " + std::to_string(norm / Tolerance) + "e-6");
        }
    }
    [[noreturn]] static void fail(const std::string& kernel, const StoreLog::Store& s, std::uint64_t host, const std::string& how) {
        char text[160];
        std::snprintf(text, sizeof text, "%s: PTX and host %s: %u bytes at %p are %llx (%g) and %llx (%g)", kernel.c_str(), how.c_str(), s.bytes, reinterpret_cast<void*>(s.address),
            static_cast<unsigned long long>(s.value), static_cast<double>(as_float(s.value)), static_cast<unsigned long long>(host), static_cast<double>(as_float(host)));
        throw Fault(text);
    }
};

/// What has been compared so far; says it at the end of the program.
class Comparisons {
public:
    struct Line { unsigned long long launches = 0, instructions = 0; Comparison comparison; };

    Comparisons() {
        const char* folder = std::getenv("EMULATED_PTX");
        if (!folder || !*folder) return;
        folder_ = folder;
        emulation::interposer() = [this](const emulation::Launch& launch) { return run(launch); };
    }
    ~Comparisons() {
        for (const auto& l : lines_) {
            const Comparison& c = l.second.comparison;
            std::printf("ptx %s %s: %llu launches, %llu thread instructions, %llu words stored, %llu with equal bits, %llu halves a step apart, worst run %.1e apart\n", folder_.c_str(), l.first.c_str(),
                l.second.launches, l.second.instructions, c.words, c.equal, c.halves_apart, c.worst);
        }
    }

private:
    std::string folder_;
    bool on_host_ = false;
    std::map<std::string, std::unique_ptr<Module, void (*)(Module*)>> modules_;
    std::map<std::string, Line> lines_;

    const Module& module(const std::string& kernel) {
        auto found = modules_.find(kernel);
        if (found != modules_.end()) return *found->second;
        std::string path = folder_ + "/" + kernel + ".ptx", log;
        std::ifstream file(path);
        if (!file) throw Fault("no " + path);
        std::stringstream text;
        text << file.rdbuf();
        auto module = parse(text.str().c_str(), log);
        if (!module) throw Fault(path + ": " + log);
        return *modules_.emplace(kernel, std::move(module)).first->second;
    }

    bool run(const emulation::Launch& launch) {
        if (on_host_) return false;
        emulation::call() = {true, "", {}};
        launch.body();
        emulation::call().asked = false;
        const std::string kernel = emulation::call().kernel;
        const std::vector<unsigned char> argument = emulation::call().argument;
        if (kernel.empty()) throw Fault("a launch of what is no kernel");
        Line& line = lines_[kernel];
        StoreLog log;
        line.instructions += ptx::launch(module(kernel), kernel, launch.grid_x, launch.grid_y, launch.threads, launch.shared_bytes, argument.data(), argument.size(), launch.programmatic, nullptr, &log);
        std::vector<StoreLog::Store> stores = log.undo();
        on_host_ = true;
        try {
            emulation::run(launch);
        } catch (...) {
            on_host_ = false;
            throw;
        }
        on_host_ = false;
        line.launches++;
        line.comparison.compare(kernel, stores);
        for (const auto& s : stores) StoreLog::write(s);
        return true;
    }
};
inline Comparisons comparisons;

}  // namespace ptx

#define KERNEL(name, threads, blocks) KERNEL_INTERPOSED(name)
#define KERNEL_INTERPOSED(name)                                                                                                                       \
    struct name##_interposed {                                                                                                                        \
        template<class Argument> void operator()(const Argument& argument) const { if (!emulation::noted(#name, &argument, sizeof argument)) name##_on_host(argument); } \
        template<class Argument> using Function = void (*)(Argument);                                                                                 \
        template<class Argument> operator Function<Argument>() const { return [](Argument argument) { name##_interposed()(argument); }; }               \
    };                                                                                                                                                \
    [[maybe_unused]] static const name##_interposed name{};                                                                                           \
    [[maybe_unused]] static void name##_on_host
