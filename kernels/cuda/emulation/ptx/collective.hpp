// What the lanes of a warp do together. The machine sees to it that all lanes of the member mask stand here.
#pragma once
#include "memory.hpp"

namespace ptx {

enum class Shuffle : u32 { Up, Down, Butterfly, Index };

/// shfl: at[0] d, at[1] a, at[2] b, at[3] c, at[4] the predicate or 0; value: the mode.
inline void shuffle(Warp& w, const Operation& o, u32 mask) {
    Lane<u32> a(w, o.at[1]), b(w, o.at[2]), c(w, o.at[3]);
    u32 r[32], inside = 0;
    for (u32 lane = 0; lane < 32; lane++) {
        u32 by = b[lane] & 31, clamp = c[lane] & 31, segment = c[lane] >> 8 & 31;
        u32 last = (lane & segment) | (clamp & ~segment), first = lane & segment, from = 0;
        bool valid = false;
        switch (static_cast<Shuffle>(o.value)) {
            case Shuffle::Up: from = lane - by; valid = static_cast<i32>(from) >= static_cast<i32>(last); break;
            case Shuffle::Down: from = lane + by; valid = from <= last; break;
            case Shuffle::Butterfly: from = lane ^ by; valid = from <= last; break;
            case Shuffle::Index: from = first | (by & ~segment); valid = from <= last; break;
        }
        if (!valid) from = lane;
        inside |= static_cast<u32>(valid) << lane;
        r[lane] = mask >> from & 1 ? a[from] : 0xffffffffu;  // the value of a lane that takes no part is undefined
    }
    store_lanes(w, o.at[0], r, mask);
    if (o.at[4]) set_predicate(w, o.at[4], inside, mask);
}

/// vote: at[0] d, at[1] p; value: 0 ballot, 1 all, 2 any, 3 uni.
inline void vote(Warp& w, const Operation& o, u32 mask) {
    u32 said = predicate(w, o.at[1]) & mask;
    if (o.value == 0) {
        u32 r[32];
        for (u32& v : r) v = said;
        store_lanes(w, o.at[0], r, mask);
        return;
    }
    bool result = o.value == 1 ? said == mask : o.value == 2 ? said != 0 : said == 0 || said == mask;
    set_predicate(w, o.at[0], result ? AllLanes : 0, mask);
}

inline void active_mask(Warp& w, const Operation& o, u32 mask) {
    u32 r[32];
    for (u32& v : r) v = mask;
    store_lanes(w, o.at[0], r, mask);
}

/// match.any: which lanes have this lane's value.
inline void match_any(Warp& w, const Operation& o, u32 mask) {
    Lane<u32> a(w, o.at[1]);
    u32 r[32] = {};
    for (u32 i = 0; i < 32; i++)
        for (u32 k = 0; k < 32; k++) r[i] |= static_cast<u32>((mask >> k & 1) && a[k] == a[i]) << k;
    store_lanes(w, o.at[0], r, mask);
}

template<class Op, class T> void reduce(Warp& w, const Operation& o, u32 mask) {
    Lane<T> a(w, o.at[1]);
    bool first = true;
    T sum = 0;
    for (u32 m = mask; m; m &= m - 1) {
        T v = a[static_cast<u32>(__builtin_ctz(m))];
        sum = first ? v : Op::apply(sum, v);
        first = false;
    }
    T r[32];
    for (T& v : r) v = sum;
    store_lanes(w, o.at[0], r, mask);
}

/// ldmatrix of `count` matrices: at[0] the rows' address, at[1]… the registers; flags 1: transposed.
inline void load_matrices(Warp& w, const Operation& o, u32 mask) {
    Addresses rows(w, o, 0);
    for (u32 i = 0; i < o.count; i++) {
        u16 matrix[8][8];
        for (u32 row = 0; row < 8; row++) std::memcpy(matrix[row], resolve(*w.block, Space::Shared, rows.value[8 * i + row], 16, 8 * i + row), 16);
        u32 r[32];
        for (u32 lane = 0; lane < 32; lane++) {
            u32 row = lane >> 2, column = (lane & 3) * 2;
            u32 low = o.flags ? matrix[column][row] : matrix[row][column], high = o.flags ? matrix[column + 1][row] : matrix[row][column + 1];
            r[lane] = low | high << 16;
        }
        store_lanes(w, o.at[1 + i], r, mask);
    }
}

/// mma.m16n8k16, FP16 or BF16 × the same → FP32: at[0..3] d, at[4..7] a, at[8..9] b, at[10..13] c. Products are summed in order of k.
template<bool bfloat> void multiply_matrices(Warp& w, const Operation& o, u32 mask) {
    float A[16][16], B[16][8], C[16][8];
    const float* table = half_table();
    auto value = [table](u32 bits) { return bfloat ? bits_as<float>(bits << 16) : table[bits & 0xffff]; };
    for (u32 i = 0; i < 4; i++) {
        Lane<u32> a(w, o.at[4 + i]);
        Lane<float> c(w, o.at[10 + i]);
        for (u32 lane = 0; lane < 32; lane++) {
            u32 group = lane >> 2, place = (lane & 3) * 2;
            u32 row = group + (i & 1 ? 8 : 0), column = place + (i & 2 ? 8 : 0);
            A[row][column] = value(a[lane] & 0xffff);
            A[row][column + 1] = value(a[lane] >> 16);
            C[group + (i & 2 ? 8 : 0)][place + (i & 1)] = c[lane];
        }
    }
    for (u32 i = 0; i < 2; i++) {
        Lane<u32> b(w, o.at[8 + i]);
        for (u32 lane = 0; lane < 32; lane++) {
            u32 row = (lane & 3) * 2 + (i ? 8 : 0);
            B[row][lane >> 2] = value(b[lane] & 0xffff);
            B[row + 1][lane >> 2] = value(b[lane] >> 16);
        }
    }
    for (u32 m = 0; m < 16; m++)
        for (u32 k = 0; k < 16; k++)
            for (u32 n = 0; n < 8; n++) C[m][n] += A[m][k] * B[k][n];
    for (u32 i = 0; i < 4; i++) {
        float r[32];
        for (u32 lane = 0; lane < 32; lane++) r[lane] = C[(lane >> 2) + (i & 2 ? 8 : 0)][(lane & 3) * 2 + (i & 1)];
        store_lanes(w, o.at[i], r, mask);
    }
}

inline void decode_shfl(Decoder& d) {
    Operation& o = d.operation();
    o.step = Step::Collective;
    if (!d.take("sync")) d.fail("without .sync");
    Type t = d.take_type();
    if (t.kind != 'b' || t.bits != 32) d.fail("not for this type");
    std::string mode = d.take_one_of({"up", "down", "bfly", "idx"});
    if (mode.empty()) d.fail("no mode");
    o.value = static_cast<u64>(mode == "up" ? Shuffle::Up : mode == "down" ? Shuffle::Down : mode == "bfly" ? Shuffle::Butterfly : Shuffle::Index);
    d.need_operands(5);
    o.at[0] = d.destination(0, 32, 'b');
    if (!d.operand(0).parts.empty()) o.at[4] = d.destination(d.operand(0).parts[0], 1, 'p');
    o.at[1] = d.source(1, 32, 'b');
    o.at[2] = d.source(2, 32, 'b');
    o.at[3] = d.source(3, 32, 'b');
    o.members = d.source(4, 32, 'b');
    o.run = shuffle;
}

inline void decode_vote(Decoder& d) {
    Operation& o = d.operation();
    o.step = Step::Collective;
    if (!d.take("sync")) d.fail("without .sync");
    Type t = d.take_type();
    std::string mode = d.take_one_of({"ballot", "all", "any", "uni"});
    if (mode.empty() || (mode == "ballot" ? t.bits != 32 : t.bits != 1)) d.fail("no mode, or not for this type");
    o.value = mode == "ballot" ? 0 : mode == "all" ? 1 : mode == "any" ? 2 : 3;
    d.need_operands(3);
    o.at[0] = d.destination(0, t.bits, t.bits == 1 ? 'p' : 'b');
    o.at[1] = d.source(1, 1, 'p');
    o.members = d.source(2, 32, 'b');
    o.run = vote;
}

inline void decode_ldmatrix(Decoder& d) {
    Operation& o = d.operation();
    o.step = Step::Collective;
    if (!d.take("sync") || !d.take("aligned") || !d.take("m8n8") || !d.take("b16") || !(d.take("shared") || d.take("shared::cta"))) d.fail("not as PTX 8.0 has it");
    o.space = Space::Shared;
    o.count = d.take("x1") ? 1 : d.take("x2") ? 2 : d.take("x4") ? 4 : 0;
    if (!o.count) d.fail("neither .x1, .x2 nor .x4");
    o.flags = d.take("trans");
    d.need_operands(2);
    d.address(1, 0);
    const auto& parts = d.vector(0, o.count);
    for (size_t i = 0; i < parts.size(); i++) o.at[1 + i] = d.destination(parts[i], 32, 'b');
    o.run = load_matrices;
}

inline void decode_mma(Decoder& d) {
    Operation& o = d.operation();
    o.step = Step::Collective;
    d.need(80, "mma.m16n8k16");
    if (!d.take("sync") || !d.take("aligned") || !d.take("m16n8k16") || !d.take("row") || !d.take("col")) d.fail("not mma.sync.aligned.m16n8k16.row.col");
    Type c = d.take_type(), b = d.take_type(), a = d.take_type(), result = d.take_type();
    if (!(a == b) || !(c == result) || c.kind != 'f' || c.bits != 32 || a.elements != 1 || a.bits != 16) d.fail("these types are not known");
    d.need_operands(4);
    const auto &parts_d = d.vector(0, 4), &parts_a = d.vector(1, 4), &parts_b = d.vector(2, 2), &parts_c = d.vector(3, 4);
    for (size_t i = 0; i < 4; i++) {
        o.at[i] = d.destination(parts_d[i], 32, 'f');
        o.at[4 + i] = d.source(parts_a[i], 32, 'b');
        o.at[10 + i] = d.source(parts_c[i], 32, 'f');
        if (i < 2) o.at[8 + i] = d.source(parts_b[i], 32, 'b');
    }
    o.run = a.kind == 'h' ? multiply_matrices<true> : multiply_matrices<false>;
}

inline void decode_barrier(Decoder& d, const std::string& name) {
    Operation& o = d.operation();
    bool of_warp = d.take("warp");
    if (!d.take("sync")) d.fail("only .sync is known");
    if (of_warp) {
        d.need_operands(1);
        o.step = Step::Collective;
        o.members = d.source(0, 32, 'b');
        o.run = nothing;
        return;
    }
    if (name == "barrier" && !d.take("aligned")) d.fail("without .aligned");
    d.take("cta");
    size_t operands = d.statement().operands.size();
    if (operands != 1 && operands != 2) d.fail("has " + std::to_string(operands) + " operands, expected 1 or 2");
    o.step = Step::Barrier;
    o.at[0] = d.source(0, 32, 'i');
    if (operands == 2) o.at[1] = d.source(1, 32, 'i');
    o.run = nothing;
}

/// The families above by opcode; false: not one of them.
inline bool decode_collective(Decoder& d, const std::string& name) {
    Operation& o = d.operation();
    if (name == "shfl") { decode_shfl(d); return true; }
    if (name == "vote") { decode_vote(d); return true; }
    if (name == "ldmatrix") { decode_ldmatrix(d); return true; }
    if (name == "mma") { decode_mma(d); return true; }
    if (name == "bar" || name == "barrier") { decode_barrier(d, name); return true; }
    if (name == "activemask") {
        d.take_type();
        d.need_operands(1);
        o.at[0] = d.destination(0, 32, 'b');
        o.run = active_mask;
        return true;
    }
    if (name == "match" || name == "redux") {
        o.step = Step::Collective;
        if (!d.take("sync")) d.fail("without .sync");
        Type t = d.take_type();
        if (t.bits != 32) d.fail("not for this type");
        d.need_operands(3);
        o.at[0] = d.destination(0, 32, 'b');
        o.at[1] = d.source(1, 32, 'b');
        o.members = d.source(2, 32, 'b');
        if (name == "match") {
            if (!d.take("any")) d.fail("only .any is known");
            o.run = match_any;
            return true;
        }
        d.need(80, "redux");
        std::string what = d.take_one_of({"add", "min", "max", "and", "or", "xor"});
        bool is_signed = t.kind == 's';
        o.run = what == "add" ? reduce<AddInteger, u32> : what == "min" ? (is_signed ? reduce<MinInteger, i32> : reduce<MinInteger, u32>) : what == "max" ? (is_signed ? reduce<MaxInteger, i32> : reduce<MaxInteger, u32>)
              : what == "and" ? reduce<And, u32> : what == "or" ? reduce<Or, u32> : what == "xor" ? reduce<Xor, u32> : nullptr;
        if (!o.run) d.fail("no operation");
        return true;
    }
    return false;
}

}  // namespace ptx
