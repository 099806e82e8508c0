// Executes PTX 8.0 without a GPU: what the driver would be given, inline assembly and the compiler's output alike.
//
//   syntax.hpp       text to statements: directives, scopes, labels, operands
//   program.hpp      the compact form and a warp's state: registers as vectors of 32 lanes
//   numbers.hpp      FP16, BF16, FP8 and roundings, bit by bit
//   decode.hpp       a statement's operands, checked, to offsets in the register file
//   arithmetic.hpp   what every lane does by itself
//   convert.hpp      cvt
//   memory.hpp       loads, stores, atomics, asynchronous copies; state spaces and their checks
//   collective.hpp   what a warp does together: shuffles, votes, ldmatrix, mma
//   machine.cpp      warps, divergence, barriers, blocks
//
// A warp runs in lockstep; lanes that diverge run by least program counter and join where they meet. Collectives and barriers wait until all their lanes
// stand at them and are a fault if they never do. What a GPU leaves undefined is made to fail as in ../fibers.hpp: shared memory and destinations of
// asynchronous copies are NaN until written, accesses are checked for bounds and alignment. What is not known is refused, never skipped.
#pragma once
#include "../fibers.hpp"
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ptx {

using emulation::Fault;

/// The global memory that kernels may touch: (base, bytes) of every allocation.
class MemoryMap {
public:
    void add(std::uint64_t base, std::uint64_t bytes) { allocations_[base] = bytes; }
    void remove(std::uint64_t base) { allocations_.erase(base); }
    /// The allocation that holds `address` whole, as [first, last); {0, 0} if none.
    std::pair<std::uint64_t, std::uint64_t> find(std::uint64_t address, std::uint64_t bytes) const {
        auto next = allocations_.upper_bound(address);
        if (next == allocations_.begin()) return {0, 0};
        --next;
        if (address + bytes > next->first + next->second) return {0, 0};
        return {next->first, next->first + next->second};
    }

private:
    std::map<std::uint64_t, std::uint64_t> allocations_;
};

/// What a kernel stored to global memory: told of each store before it happens.
struct StoreObserver {
    /// `type` is the store's: 'f' for floating point, 'b' else; `bytes` of one element.
    virtual void before_store(std::uint64_t address, unsigned bytes, char type) = 0;
    virtual ~StoreObserver() = default;
};

struct Module;

/// Reads and decodes a module. On failure returns nullptr, `log` names line and opcode of everything that was not understood (the first 20).
std::unique_ptr<Module, void (*)(Module*)> parse(const char* text, std::string& log);

/// What a module exports.
std::vector<std::string> entries(const Module& module);
/// Bytes of the entry's parameter struct; throws Fault if there is no such entry.
std::size_t parameter_bytes(const Module& module, const std::string& entry);

/// Runs all blocks of a kernel, one after the other. Throws Fault with block, thread and line. `map` nullptr: global addresses are not checked.
/// Returns the thread instructions that were executed. SIMT_ORDER=forward|backward|mixed: the order of the warps of a block.
std::uint64_t launch(const Module& module, const std::string& entry, unsigned grid_x, unsigned grid_y, unsigned threads, std::size_t shared_bytes, const void* parameters,
    std::size_t bytes, bool programmatic, const MemoryMap* map, StoreObserver* observer = nullptr);

}  // namespace ptx
