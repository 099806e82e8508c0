// State spaces: loads, stores, atomics, asynchronous copies. Every access is checked for its space, bounds and alignment.
#pragma once
#include "arithmetic.hpp"

namespace ptx {

inline std::string place(u64 address) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
    return text;
}

/// Where an access goes on the host.
inline unsigned char* resolve(Block& b, Space space, u64 address, u32 bytes, u32 lane) {
    if (space == Space::Generic) {
        if (address >= SharedWindow && address < SharedWindow + (1ull << 32)) {
            space = Space::Shared;
            address -= SharedWindow;
        } else {
            space = Space::Global;
        }
    }
    if (address % bytes) throw LaneFault{lane, "an access of " + std::to_string(bytes) + " bytes at " + place(address) + " is not aligned"};
    if (space == Space::Shared) {
        u64 offset = address - SharedStart;
        if (address < SharedStart || offset + bytes > b.shared_bytes)
            throw LaneFault{lane, "an access of " + std::to_string(bytes) + " bytes at offset " + std::to_string(static_cast<i64>(offset)) + " of shared memory, which has " + std::to_string(b.shared_bytes)};
        return b.shared + offset;
    }
    if (address < b.known_first || address + bytes > b.known_last) {
        if (address < 4096 || address >= SharedWindow) throw LaneFault{lane, "an access of " + std::to_string(bytes) + " bytes at " + place(address) + ", which is no global address"};
        if (b.map) {
            auto range = b.map->find(address, bytes);
            if (!range.second) throw LaneFault{lane, "an access of " + std::to_string(bytes) + " bytes at " + place(address) + ", outside of all allocations"};
            b.known_first = range.first;
            b.known_last = range.second;
        }
    }
    return reinterpret_cast<unsigned char*>(address);
}

/// The addresses of the lanes.
struct Addresses {
    u64 value[32];
    Addresses(const Warp& w, const Operation& o, u32 slot) {
        if (o.base_bits == 64) {
            Lane<u64> base(w, o.at[slot]);
            for (u32 i = 0; i < 32; i++) value[i] = base[i] + o.value;
        } else if (o.base_bits == 32) {
            Lane<u32> base(w, o.at[slot]);
            for (u32 i = 0; i < 32; i++) value[i] = base[i] + static_cast<u32>(o.value);
        } else {
            for (u32 i = 0; i < 32; i++) value[i] = o.value;
        }
    }
};

/// at[0] is the address, at[1]… the registers.
template<class Memory, class Register> void load(Warp& w, const Operation& o, u32 mask) {
    Addresses addresses(w, o, 0);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        const unsigned char* p = resolve(*w.block, o.space, addresses.value[lane], o.count * static_cast<u32>(sizeof(Memory)), lane);
        for (u32 k = 0; k < o.count; k++) {
            Memory v;
            std::memcpy(&v, p + k * sizeof v, sizeof v);
            set_lane(w, o.at[1 + k], lane, static_cast<Register>(v));
        }
    }
}
template<class Memory> void load_parameter(Warp& w, const Operation& o, u32 mask) {
    Addresses addresses(w, o, 0);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        u64 from = addresses.value[lane], bytes = o.count * sizeof(Memory);
        if (from % bytes || from + bytes > w.block->parameter_bytes) throw LaneFault{lane, "a parameter at offset " + std::to_string(from) + " outside of the struct or not aligned"};
        for (u32 k = 0; k < o.count; k++) {
            Memory v;
            std::memcpy(&v, w.block->parameters + from + k * sizeof v, sizeof v);
            if (o.wide == 16) set_lane(w, o.at[1 + k], lane, static_cast<u16>(v));
            else if (o.wide == 32) set_lane(w, o.at[1 + k], lane, static_cast<u32>(v));
            else set_lane(w, o.at[1 + k], lane, static_cast<u64>(v));
        }
    }
}
inline void observe(Block& b, const unsigned char* p, u32 bytes, u32 count, char type) {
    u64 address = reinterpret_cast<u64>(p);
    if (b.observer && !(p >= b.shared && p < b.shared + b.shared_bytes))
        for (u32 k = 0; k < count; k++) b.observer->before_store(address + k * bytes, bytes, type);
}
template<class Memory, class Register> void store(Warp& w, const Operation& o, u32 mask) {
    Addresses addresses(w, o, 0);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        unsigned char* p = resolve(*w.block, o.space, addresses.value[lane], o.count * static_cast<u32>(sizeof(Memory)), lane);
        observe(*w.block, p, sizeof(Memory), o.count, o.type);
        for (u32 k = 0; k < o.count; k++) {
            Memory v = static_cast<Memory>(get_lane<Register>(w, o.at[1 + k], lane));
            std::memcpy(p + k * sizeof v, &v, sizeof v);
        }
    }
}
inline void touch(Warp& w, const Operation& o, u32 mask) {
    Addresses addresses(w, o, 0);
    for (u32 m = mask; m; m &= m - 1) resolve(*w.block, o.space, addresses.value[__builtin_ctz(m)], 1, static_cast<u32>(__builtin_ctz(m)));
}

struct Exchange { template<class T> static T apply(T, T b, T) { return b; } };
struct CompareExchange { template<class T> static T apply(T old, T expected, T b) { return old == expected ? b : old; } };
struct AtomAdd { template<class T> static T apply(T old, T b, T) { if constexpr (std::is_integral<T>::value) return AddInteger::apply(old, b); else return old + b; } };
struct AtomAnd { template<class T> static T apply(T old, T b, T) { return old & b; } };
struct AtomOr { template<class T> static T apply(T old, T b, T) { return old | b; } };
struct AtomXor { template<class T> static T apply(T old, T b, T) { return old ^ b; } };
struct AtomMin { template<class T> static T apply(T old, T b, T) { return old < b ? old : b; } };
struct AtomMax { template<class T> static T apply(T old, T b, T) { return old > b ? old : b; } };
struct AtomIncrement { template<class T> static T apply(T old, T b, T) { return old >= b ? 0 : old + 1; } };
struct AtomDecrement { template<class T> static T apply(T old, T b, T) { return old == 0 || old > b ? b : old - 1; } };

/// at[0] address, at[1] the old value's register (atom), at[2], at[3] the operands.
template<class Op, class T> void atomic(Warp& w, const Operation& o, u32 mask) {
    Addresses addresses(w, o, 0);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        unsigned char* p = resolve(*w.block, o.space, addresses.value[lane], sizeof(T), lane);
        observe(*w.block, p, sizeof(T), 1, o.type);
        T old;
        std::memcpy(&old, p, sizeof old);
        T result = Op::apply(old, get_lane<T>(w, o.at[2], lane), o.at[3] ? get_lane<T>(w, o.at[3], lane) : T());
        std::memcpy(p, &result, sizeof result);
        if (o.at[1]) set_lane(w, o.at[1], lane, old);
    }
}

/// cp.async: at[0] the address in shared memory, at[1] the one in global memory (64 bits, offset in at[2] as a constant), at[3] the bytes to read, or 0.
inline void copy_async(Warp& w, const Operation& o, u32 mask) {
    Addresses to(w, o, 0);
    Lane<u64> from(w, o.at[1]);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m)), bytes = o.wide, read = o.at[3] ? get_lane<u32>(w, o.at[3], lane) : bytes;
        if (read > bytes) throw LaneFault{lane, "an asynchronous copy that reads " + std::to_string(read) + " of " + std::to_string(bytes) + " bytes"};
        unsigned char* p = resolve(*w.block, Space::Shared, to.value[lane], bytes, lane);
        u64 source = from[lane] + o.flags;
        if (source % bytes) throw LaneFault{lane, "an asynchronous copy from " + place(source) + ", which is not aligned to " + std::to_string(bytes)};
        if (read) resolve(*w.block, Space::Global, source, read & (read - 1) ? 1 : read, lane), resolve(*w.block, Space::Global, source + read - 1, 1, lane);
        std::memset(p, 0xff, bytes);
        w.copies[lane].push_back({static_cast<u32>(p - w.block->shared), source, bytes, read});
    }
}
inline void copy_commit(Warp& w, const Operation&, u32 mask) {
    for (u32 m = mask; m; m &= m - 1) w.closed[__builtin_ctz(m)].push_back(w.copies[__builtin_ctz(m)].size());
}
/// value: how many groups may stay under way.
inline void copy_wait(Warp& w, const Operation& o, u32 mask) {
    for (u32 m = mask; m; m &= m - 1) {
        auto &copies = w.copies[__builtin_ctz(m)];
        auto &closed = w.closed[__builtin_ctz(m)];
        if (closed.size() <= o.value) continue;
        std::size_t ended = closed.size() - o.value, upto = closed[ended - 1];
        for (std::size_t i = 0; i < upto; i++) {
            unsigned char* p = w.block->shared + copies[i].to;
            std::memset(p, 0, copies[i].bytes);
            std::memcpy(p, reinterpret_cast<const void*>(copies[i].from), copies[i].read);
        }
        copies.erase(copies.begin(), copies.begin() + static_cast<long>(upto));
        closed.erase(closed.begin(), closed.begin() + static_cast<long>(ended));
        for (auto& c : closed) c -= upto;
    }
}
inline void copy_wait_all(Warp& w, const Operation& o, u32 mask) {
    copy_commit(w, o, mask);
    copy_wait(w, o, mask);
}

inline void nothing(Warp&, const Operation&, u32) {}
inline void trap(Warp&, const Operation&, u32 mask) { throw LaneFault{static_cast<u32>(__builtin_ctz(mask)), "trap"}; }
inline void wait_for_previous(Warp& w, const Operation&, u32 mask) { w.waited |= mask; }

inline void to_shared(Warp& w, const Operation& o, u32 mask) {
    Lane<u64> a(w, o.at[1]);
    u64 r[32];
    for (u32 i = 0; i < 32; i++) {
        r[i] = a[i] - SharedWindow;
        if ((mask >> i & 1) && r[i] >> 32) throw LaneFault{i, "cvta.to.shared of " + place(a[i]) + ", which is not in shared memory"};
    }
    store_lanes(w, o.at[0], r, mask);
}
inline void from_shared(Warp& w, const Operation& o, u32 mask) {
    Lane<u64> a(w, o.at[1]);
    u64 r[32];
    for (u32 i = 0; i < 32; i++) r[i] = a[i] + SharedWindow;
    store_lanes(w, o.at[0], r, mask);
}
inline void to_global(Warp& w, const Operation& o, u32 mask) {
    Lane<u64> a(w, o.at[1]);
    store_lanes(w, o.at[0], a.value, mask);
}

inline Space take_space(Decoder& d) {
    if (d.take("global")) return Space::Global;
    if (d.take("shared") || d.take("shared::cta")) return Space::Shared;
    if (d.take("param") || d.take("param::entry")) return Space::Param;
    return Space::Generic;
}

template<class Memory> Handler load_into(unsigned register_bits) {
    if constexpr (sizeof(Memory) <= 2) { if (register_bits == 16) return load<Memory, u16>; }
    if constexpr (sizeof(Memory) <= 4) { if (register_bits == 32) return load<Memory, u32>; }
    return register_bits == 64 ? load<Memory, u64> : nullptr;
}
template<class Memory> Handler store_from(unsigned register_bits) {
    if constexpr (sizeof(Memory) <= 2) { if (register_bits == 16) return store<Memory, u16>; }
    if constexpr (sizeof(Memory) <= 4) { if (register_bits == 32) return store<Memory, u32>; }
    return register_bits == 64 ? store<Memory, u64> : nullptr;
}

inline void decode_access(Decoder& d, bool loads) {
    Operation& o = d.operation();
    Type t = d.take_type();
    o.space = take_space(d);
    o.count = d.take("v2") ? 2 : d.take("v4") ? 4 : 1;
    if (t.bits * o.count > 128 || t.kind == 'p' || t.elements > 1) d.fail("not for this type");
    bool uncached = loads && d.take("nc");
    if (uncached && o.space != Space::Global) d.fail(".nc outside global memory");
    std::string order = d.take_one_of({"relaxed", "acquire", "release", "volatile", "weak"});
    if (order == (loads ? "release" : "acquire")) d.fail("." + order + " of the other direction");
    if (order == "relaxed" || order == "acquire" || order == "release")
        if (d.take_one_of({"cta", "gpu", "sys"}).empty()) d.fail("no scope");
    if (loads) d.take_one_of({"ca", "cg", "cs", "lu", "cv"});
    else d.take_one_of({"wb", "cg", "cs", "wt"});
    bool hinted = !d.take_one_of({"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate"}).empty();
    if (loads) hinted |= !d.take_one_of({"L2::64B", "L2::128B", "L2::256B"}).empty();
    if (hinted && o.space != Space::Global && o.space != Space::Generic) d.fail("a cache hint outside global memory");
    d.need_operands(2);
    size_t memory = loads ? 1 : 0, data = loads ? 0 : 1;
    if (!loads && o.space == Space::Param) d.fail("a store to the parameters");
    d.address(memory, 0);
    std::vector<Operand> single{d.operand(data)};
    const std::vector<Operand>& parts = o.count == 1 ? single : d.vector(data, o.count);
    unsigned bits = 0;
    // Whatever is not floating point may go to a wider register.
    for (size_t k = 0; k < parts.size(); k++) {
        unsigned found = t.bits;
        unsigned least_bits = t.bits < 16 ? 16 : t.bits;
        unsigned* any = t.kind == 'f' && t.bits > 16 ? nullptr : &found;
        o.at[1 + k] = loads ? d.destination(parts[k], least_bits, class_of(t), any) : d.source(parts[k], least_bits, class_of(t), any);
        if (bits && bits != found) d.fail("registers of different sizes");
        bits = found < 16 ? 16 : found;
    }
    o.wide = static_cast<u8>(bits);
    o.type = t.kind == 'f' ? 'f' : 'b';
    bool is_signed = t.kind == 's';
    if (o.space == Space::Param) {
        o.run = t.bits == 8 ? (is_signed ? load_parameter<i8> : load_parameter<u8>) : t.bits == 16 ? (is_signed ? load_parameter<i16> : load_parameter<u16>)
              : t.bits == 32 ? (is_signed ? load_parameter<i32> : load_parameter<u32>) : load_parameter<u64>;
    } else if (loads) {
        o.run = t.bits == 8 ? (is_signed ? load_into<i8>(bits) : load_into<u8>(bits)) : t.bits == 16 ? (is_signed ? load_into<i16>(bits) : load_into<u16>(bits))
              : t.bits == 32 ? (is_signed ? load_into<i32>(bits) : load_into<u32>(bits)) : load_into<u64>(bits);
    } else {
        o.run = t.bits == 8 ? store_from<u8>(bits) : t.bits == 16 ? store_from<u16>(bits) : t.bits == 32 ? store_from<u32>(bits) : store_from<u64>(bits);
    }
    if (!o.run) d.fail("not for registers of this size");
}

template<class Op> Handler atomic_integer(Type t) {
    if (t.kind == 's') return t.bits == 32 ? atomic<Op, i32> : atomic<Op, i64>;
    return t.bits == 32 ? atomic<Op, u32> : atomic<Op, u64>;
}

inline void decode_atomic(Decoder& d, bool returns) {
    Operation& o = d.operation();
    Type t = d.take_type();
    o.space = take_space(d);
    if (o.space == Space::Param || t.bits < 32 || t.elements > 1) d.fail("not for this type or state space");
    d.take_one_of({"relaxed", "acquire", "release", "acq_rel"});
    d.take_one_of({"cta", "gpu", "sys"});
    std::string what = d.take_one_of({"add", "exch", "cas", "min", "max", "and", "or", "xor", "inc", "dec"});
    size_t first = returns ? 1 : 0, operands = what == "cas" ? 2 : 1;
    d.need_operands(first + 1 + operands);
    if (returns) o.at[1] = d.destination(0, t.bits, class_of(t));
    d.address(first, 0);
    for (size_t i = 0; i < operands; i++) o.at[2 + i] = d.source(first + 1 + i, t.bits, class_of(t));
    o.type = t.kind == 'f' ? 'f' : 'b';
    if (t.kind == 'f') o.run = what == "add" ? (t.bits == 32 ? atomic<AtomAdd, float> : atomic<AtomAdd, double>) : nullptr;
    else if (what == "add" && t.kind != 'b') o.run = atomic_integer<AtomAdd>(t);
    else if (what == "min" && t.kind != 'b') o.run = atomic_integer<AtomMin>(t);
    else if (what == "max" && t.kind != 'b') o.run = atomic_integer<AtomMax>(t);
    else if (what == "inc" && t.kind == 'u') o.run = atomic<AtomIncrement, u32>;
    else if (what == "dec" && t.kind == 'u') o.run = atomic<AtomDecrement, u32>;
    else if (what == "exch" && t.kind == 'b') o.run = atomic_integer<Exchange>(t);
    else if (what == "cas" && t.kind == 'b') o.run = atomic_integer<CompareExchange>(t);
    else if (what == "and" && t.kind == 'b') o.run = atomic_integer<AtomAnd>(t);
    else if (what == "or" && t.kind == 'b') o.run = atomic_integer<AtomOr>(t);
    else if (what == "xor" && t.kind == 'b') o.run = atomic_integer<AtomXor>(t);
    if (!o.run) d.fail("not for this type");
}

inline void decode_copy(Decoder& d) {
    Operation& o = d.operation();
    d.need(80, "cp.async");
    if (!d.take("async")) d.fail("not cp.async");
    if (d.take("commit_group")) { d.need_operands(0); o.run = copy_commit; return; }
    if (d.take("wait_all")) { d.need_operands(0); o.run = copy_wait_all; return; }
    if (d.take("wait_group")) {
        d.need_operands(1);
        if (d.operand(0).kind != Operand::Integer) d.fail("a number of groups that is not constant");
        o.value = d.operand(0).value;
        o.run = copy_wait;
        return;
    }
    bool global_only = d.take("cg");
    if (!global_only && !d.take("ca")) d.fail("neither .ca nor .cg");
    if (!(d.take("shared") || d.take("shared::cta")) || !d.take("global")) d.fail("not from global to shared memory");
    d.take_one_of({"L2::64B", "L2::128B", "L2::256B"});
    size_t operands = d.statement().operands.size();
    if (operands != 3 && operands != 4) d.fail("has " + std::to_string(operands) + " operands, expected 3 or 4");
    if (d.operand(2).kind != Operand::Integer) d.fail("a size that is not constant");
    u64 bytes = d.operand(2).value;
    if (global_only ? bytes != 16 : bytes != 4 && bytes != 8 && bytes != 16) d.fail("of " + std::to_string(bytes) + " bytes");
    o.space = Space::Global;
    d.address(1, 1);
    if (o.base_bits != 64) d.fail("a global address that is no register of 64 bits");
    if (o.value >> 31 && ~o.value >> 31) d.fail("an offset that is too large");
    o.flags = static_cast<u32>(o.value);
    if (o.value >> 63) d.fail("a negative offset");
    o.space = Space::Shared;
    d.address(0, 0);
    if (operands == 4) o.at[3] = d.source(3, 32, 'u');
    o.wide = static_cast<u8>(bytes);
    o.run = copy_async;
}

/// The families above by opcode; false: not one of them.
inline bool decode_memory(Decoder& d, const std::string& name) {
    Operation& o = d.operation();
    if (name == "ld" || name == "ldu") { decode_access(d, true); return true; }
    if (name == "st") { decode_access(d, false); return true; }
    if (name == "atom") { decode_atomic(d, true); return true; }
    if (name == "red") { decode_atomic(d, false); return true; }
    if (name == "cp") { decode_copy(d); return true; }
    if (name == "prefetch" || name == "prefetchu") {
        o.space = take_space(d);
        if (d.take_one_of({"L1", "L2"}).empty()) d.fail("no cache");
        d.need_operands(1);
        d.address(0, 0);
        o.run = touch;
        return true;
    }
    if (name == "cvta") {
        Type t = d.take_type();
        if (t.bits != 64) d.fail("addresses of other than 64 bits");
        bool to = d.take("to");
        Space space = take_space(d);
        same_type(d, {'b', 64, 1}, 1, space == Space::Shared ? (to ? to_shared : from_shared) : to_global);
        if (space != Space::Shared && space != Space::Global) d.fail("not for this state space");
        return true;
    }
    if (name == "membar") {
        if (d.take_one_of({"cta", "gl", "sys"}).empty()) d.fail("no scope");
        o.run = nothing;
        return true;
    }
    if (name == "fence") {
        if (d.take_one_of({"acq_rel", "sc"}).empty() || d.take_one_of({"cta", "gpu", "sys"}).empty()) d.fail("no order or no scope");
        o.run = nothing;
        return true;
    }
    if (name == "griddepcontrol") {
        d.need(90, "griddepcontrol");
        if (d.take("wait")) o.run = wait_for_previous;
        else if (d.take("launch_dependents")) o.run = nothing;
        else d.fail("neither .wait nor .launch_dependents");
        return true;
    }
    if (name == "trap") { o.run = trap; return true; }
    if (name == "nanosleep") { d.take_type(); d.need_operands(1); o.run = nothing; return true; }
    return false;
}

}  // namespace ptx
