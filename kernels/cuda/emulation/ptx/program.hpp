// The compact form of a kernel, and the state that it runs on.
//
// A warp's register file is one piece of memory. A register is 32 lanes side by side (16, 32 or 64 bits each), a predicate one word with a bit a lane.
// Constants and special registers lie in the same file, so that every operand is an offset into it. Offsets of predicates are multiples of 4; bit 0 says "not".
#pragma once
#include "machine.hpp"
#include "numbers.hpp"
#include "syntax.hpp"

namespace ptx {

struct Warp;
struct Operation;
/// Does it for the lanes of `mask`, which is not 0.
typedef void (*Handler)(Warp& warp, const Operation& operation, u32 mask);

enum class Step : u8 {
    Lanes,       // each lane by itself
    Collective,  // all lanes of the member mask, which is operand `members` or full
    Barrier,     // the whole warp, then others of the block
    Branch,
    IndexedBranch,
    Exit
};

enum class Space : u8 { Generic, Global, Shared, Param };

struct Operation {
    Handler run = nullptr;
    u32 at[14] = {};       // offsets into the register file; which is which is the handler's affair
    u64 value = 0;         // an address's offset, or a handler's constant
    u32 guard = 0;         // predicate offset, bit 0 negates; 0: none
    u32 members = 0;       // Collective: offset of the member mask; 0: all 32
    u32 target = 0;        // Branch: operation; IndexedBranch: table
    u32 line = 0;
    u32 flags = 0;
    Step step = Step::Lanes;
    Space space = Space::Generic;
    u8 base_bits = 0;      // of an address's register: 0 (none), 32, 64
    u8 count = 1;          // elements of a vector access
    u8 wide = 0;           // bits of one element
    char type = 'b';
};

struct Constant { u32 at; unsigned bits; u64 value; };
struct SpecialRegister { u32 at; std::string name; };

struct Program {
    std::string name;
    u64 parameter_bytes = 0;
    u32 most_threads = 1024;
    std::vector<Operation> operations;
    std::vector<std::vector<u32>> tables;  // of indexed branches
    std::vector<Constant> constants;
    std::vector<SpecialRegister> specials;
    u32 file_bytes = 64;                   // 0 is no register
};

struct Module {
    unsigned architecture = 0;
    std::vector<Program> programs;
};

constexpr u32 AllLanes = 0xffffffffu;
/// Generic addresses of shared memory begin here: no address of the host. Within its window shared memory begins at SharedStart, so that 0 is no address.
constexpr u64 SharedWindow = 0x4000000000000000ull;
constexpr u32 SharedStart = 1024;

struct Copy { u32 to; u64 from; u32 bytes, read; };

/// Lanes that stand at the same operation.
struct Group { u32 at, mask; bool stuck; };

/// What a lane did that it must not.
struct LaneFault { u32 lane; std::string text; };

struct Block {
    unsigned char* shared = nullptr;
    std::size_t shared_bytes = 0;
    const unsigned char* parameters = nullptr;
    std::size_t parameter_bytes = 0;
    const MemoryMap* map = nullptr;
    StoreObserver* observer = nullptr;
    u64 known_first = 0, known_last = 0;  // the allocation of the last access
    u32 threads = 0, x = 0, y = 0, grid_x = 0, grid_y = 0;
};

struct Warp {
    unsigned char* file = nullptr;
    Block* block = nullptr;
    u32 index = 0, alive = AllLanes, waited = 0;
    std::vector<Group> groups;
    std::vector<Copy> copies[32];
    std::vector<std::size_t> closed[32];  // copies before the end of each group
    int barrier = -1;                     // where it waits, or −1
    u32 barrier_line = 0;
};

/// One operand's lanes. Copies, so that the compiler knows that results do not overlap it.
template<class T> struct Lane {
    T value[32];
    Lane(const Warp& w, u32 at) { std::memcpy(value, w.file + at, sizeof value); }
    T operator[](u32 i) const { return value[i]; }
};
template<> struct Lane<bool> {
    u32 bits;
    Lane(const Warp& w, u32 at) {
        std::memcpy(&bits, w.file + (at & ~1u), 4);
        if (at & 1) bits = ~bits;
    }
    bool operator[](u32 i) const { return bits >> i & 1; }
};

inline u32 predicate(const Warp& w, u32 at) { return Lane<bool>(w, at).bits; }
inline void set_predicate(Warp& w, u32 at, u32 bits, u32 mask) {
    u32 old;
    std::memcpy(&old, w.file + at, 4);
    old = (old & ~mask) | (bits & mask);
    std::memcpy(w.file + at, &old, 4);
}
template<class T> inline void set_lane(Warp& w, u32 at, u32 lane, T v) { std::memcpy(w.file + at + lane * sizeof(T), &v, sizeof v); }
template<class T> inline T get_lane(const Warp& w, u32 at, u32 lane) {
    T v;
    std::memcpy(&v, w.file + at + lane * sizeof(T), sizeof v);
    return v;
}

/// Writes the lanes of `mask`.
template<class T> inline void store_lanes(Warp& w, u32 at, const T (&r)[32], u32 mask) {
    if (mask == AllLanes) { std::memcpy(w.file + at, r, sizeof r); return; }
    for (u32 m = mask; m; m &= m - 1) {
        u32 i = static_cast<u32>(__builtin_ctz(m));
        set_lane(w, at, i, r[i]);
    }
}
inline void store_lanes(Warp& w, u32 at, const bool (&r)[32], u32 mask) {
    u32 bits = 0;
    for (u32 i = 0; i < 32; i++) bits |= static_cast<u32>(r[i]) << i;
    set_predicate(w, at, bits, mask);
}

}  // namespace ptx
