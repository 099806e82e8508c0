// cvt: between all types. A source register may be wider than the source type, a destination register wider than the destination type.
#pragma once
#include "arithmetic.hpp"

namespace ptx {

inline u64 read_bits(const Warp& w, u32 at, unsigned register_bits, u32 lane) {
    return register_bits == 16 ? get_lane<u16>(w, at, lane) : register_bits == 32 ? get_lane<u32>(w, at, lane) : get_lane<u64>(w, at, lane);
}
inline void write_bits(Warp& w, u32 at, unsigned register_bits, u32 lane, u64 v) {
    if (register_bits == 16) set_lane(w, at, lane, static_cast<u16>(v));
    else if (register_bits == 32) set_lane(w, at, lane, static_cast<u32>(v));
    else set_lane(w, at, lane, v);
}
/// The low `bits` of v, continued by sign or zeros.
inline u64 extended(u64 v, unsigned bits, bool is_signed) {
    u32 by = 64 - bits;
    return is_signed ? static_cast<u64>(static_cast<i64>(v << by) >> by) : v << by >> by;
}

/// How one cvt reads and writes; lies packed in an operation's value.
struct Conversion {
    u8 from_kind, from_bits, from_register, to_kind, to_bits, to_register, rounding, flags;  // kinds as in Type; rounding as Rounding; flags: 1 ftz, 2 sat, 4 to an integral value, 8 satfinite
};
constexpr u8 CvtFlush = 1, CvtSaturate = 2, CvtIntegral = 4;

inline double to_integral(double v, Rounding r) {
    return r == Rounding::Nearest ? std::nearbyint(v) : r == Rounding::Zero ? std::trunc(v) : r == Rounding::Down ? std::floor(v) : std::ceil(v);
}

/// The small float formats that cvt knows; encode rounds to nearest or to zero.
inline double decode_float_bits(u64 bits, char kind, unsigned width) {
    if (kind == 'h') return Bfloat::decode(static_cast<u32>(bits));
    if (kind == 'e') return Eight::decode(static_cast<u32>(bits));
    if (kind == 'w') return EightWide::decode(static_cast<u32>(bits));
    return width == 16 ? Half::decode(static_cast<u32>(bits)) : width == 32 ? static_cast<double>(bits_as<float>(static_cast<u32>(bits))) : bits_as<double>(bits);
}
inline u64 encode_float_bits(double v, char kind, unsigned width, Rounding r) {
    bool zero = r == Rounding::Zero;
    if (kind == 'h') return Bfloat::encode(v, zero);
    if (kind == 'e') return Eight::encode(v, zero);
    if (kind == 'w') return EightWide::encode(v, zero);
    if (width == 16) return Half::encode(v, zero);
    if (width == 64) return bits_as<u64>(v);
    if (r == Rounding::Nearest) return bits_as<u32>(static_cast<float>(v));
    std::fesetround(host_rounding(r));
    volatile double source = v;
    volatile float result = static_cast<float>(source);
    std::fesetround(FE_TONEAREST);
    return bits_as<u32>(static_cast<float>(result));
}

inline u64 float_to_integer(double v, const Conversion& c) {
    v = to_integral(v, static_cast<Rounding>(c.rounding));
    if (v != v) return c.to_bits == 64 ? 0x8000000000000000ull : 0;  // as the hardware has it
    double limit = std::ldexp(1.0, c.to_kind == 's' ? c.to_bits - 1 : c.to_bits);
    if (c.to_kind == 's') {
        if (v >= limit) return (1ull << (c.to_bits - 1)) - 1;
        if (v < -limit) return ~0ull << (c.to_bits - 1);
        return static_cast<u64>(static_cast<i64>(v));
    }
    if (v >= limit) return c.to_bits == 64 ? ~0ull : (1ull << c.to_bits) - 1;
    return v <= 0 ? 0 : static_cast<u64>(v);
}

inline u64 integer_to_float(u64 v, const Conversion& c) {
    if (c.to_bits == 16) return encode_float_bits(c.from_kind == 's' ? static_cast<double>(static_cast<i64>(v)) : static_cast<double>(v), static_cast<char>(c.to_kind), 16, static_cast<Rounding>(c.rounding));
    std::fesetround(host_rounding(static_cast<Rounding>(c.rounding)));
    volatile i64 as_signed = static_cast<i64>(v);
    volatile u64 as_unsigned = v;
    u64 r;
    if (c.to_bits == 32) {
        volatile float f = c.from_kind == 's' ? static_cast<float>(as_signed) : static_cast<float>(as_unsigned);
        r = bits_as<u32>(static_cast<float>(f));
    } else {
        volatile double f = c.from_kind == 's' ? static_cast<double>(as_signed) : static_cast<double>(as_unsigned);
        r = bits_as<u64>(static_cast<double>(f));
    }
    std::fesetround(FE_TONEAREST);
    return r;
}

template<class To, class From> void convert_integer(Warp& w, const Operation& o, u32 mask) {
    Conversion c;
    std::memcpy(&c, &o.value, sizeof c);
    Lane<From> from(w, o.at[1]);
    To r[32];
    for (u32 i = 0; i < 32; i++) r[i] = static_cast<To>(extended(extended(from[i], c.from_bits, c.from_kind == 's'), c.to_bits, c.to_kind == 's'));
    store_lanes(w, o.at[0], r, mask);
}

inline void convert(Warp& w, const Operation& o, u32 mask) {
    Conversion c;
    std::memcpy(&c, &o.value, sizeof c);
    bool from_float = c.from_kind != 'u' && c.from_kind != 's', to_float = c.to_kind != 'u' && c.to_kind != 's';
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        u64 bits = extended(read_bits(w, o.at[1], c.from_register, lane), c.from_bits, c.from_kind == 's'), r;
        if (from_float) {
            double v = decode_float_bits(bits, static_cast<char>(c.from_kind), c.from_bits);
            if (c.flags & CvtFlush && c.from_bits == 32) v = static_cast<double>(flushed(static_cast<float>(v)));
            if (to_float) {
                if (c.flags & CvtIntegral) v = to_integral(v, static_cast<Rounding>(c.rounding));
                if (c.flags & CvtSaturate) v = saturated(v);
                r = encode_float_bits(v, static_cast<char>(c.to_kind), c.to_bits, c.flags & CvtIntegral ? Rounding::Nearest : static_cast<Rounding>(c.rounding));
                if (v != v && c.to_bits == 32) r = 0x7fffffff;
                if (c.flags & CvtFlush && c.to_bits == 32) r = bits_as<u32>(flushed(bits_as<float>(static_cast<u32>(r))));
            } else {
                r = float_to_integer(v, c);
            }
        } else if (to_float) {
            r = integer_to_float(bits, c);
        } else {  // with .sat
            i64 v = static_cast<i64>(bits);
            bool below = c.from_kind == 's' && v < 0;
            i64 least_value = c.to_kind == 's' ? static_cast<i64>(~0ull << (c.to_bits - 1)) : 0;
            u64 most_value = c.to_kind == 's' ? (1ull << (c.to_bits - 1)) - 1 : c.to_bits == 64 ? ~0ull : (1ull << c.to_bits) - 1;
            r = below ? (v < least_value ? static_cast<u64>(least_value) : bits) : bits > most_value ? most_value : bits;
        }
        write_bits(w, o.at[0], c.to_register, lane, to_float ? r : extended(r, c.to_bits, c.to_kind == 's'));
    }
}

/// cvt to two elements: from two FP32 (the first source is the upper element) or from a packed pair.
inline void convert_pair(Warp& w, const Operation& o, u32 mask) {
    Conversion c;
    std::memcpy(&c, &o.value, sizeof c);
    for (u32 m = mask; m; m &= m - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(m));
        double low, high;
        if (c.from_bits == 32) {
            high = static_cast<double>(get_lane<float>(w, o.at[1], lane));
            low = static_cast<double>(get_lane<float>(w, o.at[2], lane));
        } else {
            u64 both = read_bits(w, o.at[1], c.from_register, lane), one = (1ull << c.from_bits) - 1;
            low = decode_float_bits(both & one, static_cast<char>(c.from_kind), c.from_bits);
            high = decode_float_bits(both >> c.from_bits & one, static_cast<char>(c.from_kind), c.from_bits);
        }
        auto encoded = [&](double v) { return encode_float_bits(c.flags & 16 && !(v > 0) ? (v != v ? v : 0.0) : v, static_cast<char>(c.to_kind), c.to_bits, static_cast<Rounding>(c.rounding)); };
        write_bits(w, o.at[0], c.to_register, lane, encoded(low) | encoded(high) << c.to_bits);
    }
}

inline void decode_cvt(Decoder& d) {
    Operation& o = d.operation();
    if (d.take("pack")) d.fail("cvt.pack is not known");
    Type from = d.take_type(), to = d.take_type();
    Conversion c{};
    c.from_kind = static_cast<u8>(from.kind);
    c.from_bits = static_cast<u8>(from.bits);
    c.to_kind = static_cast<u8>(to.kind);
    c.to_bits = static_cast<u8>(to.bits);
    bool from_float = from.kind != 'u' && from.kind != 's', to_float = to.kind != 'u' && to.kind != 's';
    if (from.kind == 'b' || to.kind == 'b' || from.kind == 'p' || to.kind == 'p') d.fail("not for this type");
    std::string r = d.take_one_of({"rni", "rzi", "rmi", "rpi", "rn", "rz", "rm", "rp"});
    if (!r.empty()) c.rounding = r[1] == 'n' ? 0 : r[1] == 'z' ? 1 : r[1] == 'm' ? 2 : 3;
    bool integral = r.size() == 3;
    if (from_float && !to_float && !integral) d.fail("to an integer without .rni, .rzi, .rmi or .rpi");
    bool narrows = from_float && to_float && (to.bits < from.bits || (to.bits == from.bits && to.kind != from.kind));
    if ((narrows || (!from_float && to_float)) && (r.empty() || integral)) d.fail("needs .rn, .rz, .rm or .rp");
    if (integral && !from_float) d.fail("rounding between integers");
    if (from_float && to_float && !narrows && !r.empty() && !(integral && to.bits == from.bits) && to.elements == 1) d.fail("." + r + " where nothing is rounded");
    if (to.bits <= 16 && to_float && c.rounding > 1) d.fail("only .rn and .rz to few bits");
    bool satfinite = d.take("satfinite");
    if (satfinite != (to.bits == 8 && to_float)) d.fail(".satfinite belongs to FP8 and to nothing else");
    c.flags = static_cast<u8>((d.take("ftz") ? CvtFlush : 0) | (d.take("sat") ? CvtSaturate : 0) | (integral ? CvtIntegral : 0) | (d.take("relu") ? 16 : 0));
    if (from.bits == 8 && from_float) d.need(89, "FP8");
    if (to.bits == 8 && to_float) d.need(89, "FP8");
    if (to.kind == 'h' || from.kind == 'h') d.need(80, "BF16");
    unsigned found = 0;
    if (to.elements == 2) {
        o.at[0] = d.destination(0, to.total(), 'b');
        c.to_register = static_cast<u8>(to.total());
        if (from.elements == 2) {
            d.need_operands(2);
            o.at[1] = d.source(1, from.total(), 'b');
            c.from_register = static_cast<u8>(from.total());
        } else {
            d.need_operands(3);
            if (from.bits != 32 || !from_float) d.fail("two elements from other than FP32");
            o.at[1] = d.source(1, 32, 'f');
            o.at[2] = d.source(2, 32, 'f');
        }
        std::memcpy(&o.value, &c, sizeof c);
        o.run = convert_pair;
        return;
    }
    if (from.elements == 2) d.fail("two elements to one");
    if (c.flags & 16) d.fail(".relu is not known here");
    d.need_operands(2);
    o.at[0] = to_float ? d.destination(0, to.bits, class_of(to)) : d.destination(0, to.bits, class_of(to), &found);
    c.to_register = static_cast<u8>(to_float ? to.bits : found);
    o.at[1] = from_float ? d.source(1, from.bits, class_of(from)) : d.source(1, from.bits < 16 ? 16 : from.bits, class_of(from), &found);
    c.from_register = static_cast<u8>(from_float ? from.bits : found);
    std::memcpy(&o.value, &c, sizeof c);
    o.run = convert;
    if (!from_float && !to_float && !(c.flags & CvtSaturate)) {
        auto pick = [&](Handler h16, Handler h32, Handler h64) { return c.from_register == 16 ? h16 : c.from_register == 32 ? h32 : h64; };
        if (c.to_register == 16) o.run = pick(convert_integer<u16, u16>, convert_integer<u16, u32>, convert_integer<u16, u64>);
        else if (c.to_register == 32) o.run = pick(convert_integer<u32, u16>, convert_integer<u32, u32>, convert_integer<u32, u64>);
        else o.run = pick(convert_integer<u64, u16>, convert_integer<u64, u32>, convert_integer<u64, u64>);
    }
}

}  // namespace ptx
