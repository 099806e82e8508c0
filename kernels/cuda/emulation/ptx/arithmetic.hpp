// What every lane does by itself: integers, bits, comparisons, FP64, FP32, FP16 and BF16.
#pragma once
#include "decode.hpp"
#include <tuple>
#include <type_traits>

namespace ptx {

/// d = Op(s0, s1, …) lane by lane: at[0] is d, at[1]… the sources.
template<class Op, class R, class... A, std::size_t... I> inline void lanes_of(Warp& w, const Operation& o, u32 mask, std::index_sequence<I...>) {
    auto sources = std::make_tuple(Lane<A>(w, o.at[1 + I])...);
    R r[32];
    for (u32 i = 0; i < 32; i++) r[i] = Op::apply(std::get<I>(sources)[i]...);
    store_lanes(w, o.at[0], r, mask);
}
template<class Op, class R, class... A> void lanes(Warp& w, const Operation& o, u32 mask) { lanes_of<Op, R, A...>(w, o, mask, std::index_sequence_for<A...>{}); }

template<class T> using Unsigned = std::make_unsigned_t<T>;
/// Wide enough that products of T do not overflow into undefined behaviour.
template<class T> using Product = std::conditional_t<std::is_signed<T>::value, std::conditional_t<sizeof(T) == 8, __int128, i64>, std::conditional_t<sizeof(T) == 8, unsigned __int128, u64>>;

struct Move { template<class T> static T apply(T a) { return a; } };
struct And { template<class T> static T apply(T a, T b) { return static_cast<T>(a & b); } };
struct Or { template<class T> static T apply(T a, T b) { return static_cast<T>(a | b); } };
struct Xor { template<class T> static T apply(T a, T b) { return static_cast<T>(a ^ b); } };
struct Not { template<class T> static T apply(T a) { return static_cast<T>(~a); } static bool apply(bool a) { return !a; } };
struct LogicalNot { template<class T> static T apply(T a) { return static_cast<T>(a == 0); } };
struct ShiftLeft { template<class T> static T apply(T a, u32 b) { return b >= sizeof(T) * 8 ? static_cast<T>(0) : static_cast<T>(a << b); } };
struct ShiftRight {
    template<class T> static T apply(T a, u32 b) {
        constexpr u32 last = sizeof(T) * 8 - 1;
        if (b > last) return std::is_signed<T>::value ? static_cast<T>(a >> last) : static_cast<T>(0);
        return static_cast<T>(a >> b);
    }
};
struct AddInteger { template<class T> static T apply(T a, T b) { return static_cast<T>(a + b); } };
struct SubInteger { template<class T> static T apply(T a, T b) { return static_cast<T>(a - b); } };
struct MulLow { template<class T> static T apply(T a, T b) { return static_cast<T>(static_cast<u64>(a) * static_cast<u64>(b)); } };
struct MadLow { template<class T> static T apply(T a, T b, T c) { return static_cast<T>(static_cast<u64>(a) * static_cast<u64>(b) + static_cast<u64>(c)); } };
struct MulHigh { template<class T> static T apply(T a, T b) { return static_cast<T>((static_cast<Product<T>>(a) * static_cast<Product<T>>(b)) >> sizeof(T) * 8); } };
struct MadHigh { template<class T> static T apply(T a, T b, T c) { return static_cast<T>(static_cast<Unsigned<T>>(MulHigh::apply(a, b)) + static_cast<Unsigned<T>>(c)); } };
template<class W> struct MulWide { template<class T> static W apply(T a, T b) { return static_cast<W>(static_cast<W>(a) * static_cast<W>(b)); } };
template<class W> struct MadWide {
    template<class T> static W apply(T a, T b, W c) { return static_cast<W>(static_cast<Unsigned<W>>(static_cast<W>(a) * static_cast<W>(b)) + static_cast<Unsigned<W>>(c)); }
};
/// Division by zero gives all ones, as the hardware's does; PTX leaves it open.
struct DivInteger {
    template<class T> static T apply(T a, T b) {
        if (b == 0) return static_cast<T>(~static_cast<T>(0));
        if (std::is_signed<T>::value && b == static_cast<T>(-1)) return static_cast<T>(0 - static_cast<Unsigned<T>>(a));
        return static_cast<T>(a / b);
    }
};
struct RemInteger {
    template<class T> static T apply(T a, T b) {
        if (b == 0) return a;
        if (std::is_signed<T>::value && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    }
};
struct MinInteger { template<class T> static T apply(T a, T b) { return a < b ? a : b; } };
struct MaxInteger { template<class T> static T apply(T a, T b) { return a > b ? a : b; } };
struct NegInteger { template<class T> static T apply(T a) { return static_cast<T>(0 - static_cast<Unsigned<T>>(a)); } };
struct AbsInteger { template<class T> static T apply(T a) { return a < 0 ? NegInteger::apply(a) : a; } };
struct PopulationCount { template<class T> static u32 apply(T a) { return static_cast<u32>(__builtin_popcountll(a)); } };
struct LeadingZeros { template<class T> static u32 apply(T a) { return a ? static_cast<u32>(__builtin_clzll(a)) - (64 - sizeof(T) * 8) : static_cast<u32>(sizeof(T) * 8); } };
struct Reverse {
    template<class T> static T apply(T a) {
        T r = 0;
        for (u32 i = 0; i < sizeof(T) * 8; i++) r = static_cast<T>(r << 1 | (a >> i & 1));
        return r;
    }
};
/// The highest bit that is set (signed: that differs from the sign); all ones if there is none.
struct FindHighest {
    template<class T> static u32 apply(T a) {
        u64 v = std::is_signed<T>::value && a < 0 ? static_cast<u64>(static_cast<Unsigned<T>>(~a)) : static_cast<u64>(static_cast<Unsigned<T>>(a));
        return v ? 63u - static_cast<u32>(__builtin_clzll(v)) : 0xffffffffu;
    }
};
struct ExtractBits {
    template<class T> static T apply(T a, u32 position, u32 length) {
        constexpr u32 width = sizeof(T) * 8;
        position &= 255;
        length &= 255;
        if (!length) return 0;
        bool is_signed = std::is_signed<T>::value;
        u32 sign_at = position + length - 1 < width - 1 ? position + length - 1 : width - 1;
        bool sign = is_signed && (static_cast<u64>(a) >> sign_at & 1);
        u64 bits = static_cast<u64>(static_cast<Unsigned<T>>(a));
        u64 r = 0;
        for (u32 i = 0; i < width; i++) {
            bool bit = i < length && position + i < width ? bits >> (position + i) & 1 : sign;
            r |= static_cast<u64>(bit) << i;
        }
        return static_cast<T>(r);
    }
};
struct InsertBits {
    template<class T> static T apply(T a, T into, u32 position, u32 length) {
        constexpr u32 width = sizeof(T) * 8;
        position &= 255;
        length &= 255;
        for (u32 i = 0; i < length && position + i < width; i++) {
            T bit = static_cast<T>(1) << (position + i);
            into = static_cast<T>((into & ~bit) | ((a >> i & 1) << (position + i)));
        }
        return into;
    }
};
template<bool left, bool wrap> struct Funnel {
    static u32 apply(u32 low, u32 high, u32 by) {
        by = wrap ? by & 31 : (by < 32 ? by : 32);
        u64 both = static_cast<u64>(high) << 32 | low;
        return left ? static_cast<u32>((both << by) >> 32) : static_cast<u32>(both >> by);
    }
};
struct PermuteBytes {
    static u32 apply(u32 a, u32 b, u32 selector) {
        u64 both = static_cast<u64>(b) << 32 | a;
        u32 r = 0;
        for (u32 i = 0; i < 4; i++) {
            u32 s = selector >> 4 * i & 15, byte = static_cast<u32>(both >> 8 * (s & 7)) & 255;
            if (s & 8) byte = byte & 128 ? 255 : 0;  // the sign of the byte, eight times
            r |= byte << 8 * i;
        }
        return r;
    }
};
template<class T> struct Select { static T apply(T a, T b, bool p) { return p ? a : b; } };
template<class A, class B> struct DotFour {
    static u32 apply(u32 a, u32 b, u32 c) {
        for (u32 i = 0; i < 4; i++) c += static_cast<u32>(static_cast<i32>(static_cast<A>(a >> 8 * i)) * static_cast<i32>(static_cast<B>(b >> 8 * i)));
        return c;
    }
};

/// Any function of three bits, by its table.
inline void lop3(Warp& w, const Operation& o, u32 mask) {
    Lane<u32> a(w, o.at[1]), b(w, o.at[2]), c(w, o.at[3]);
    u32 r[32];
    for (u32 i = 0; i < 32; i++) {
        u32 v = 0;
        for (u32 entry = 0; entry < 8; entry++)
            if (o.value >> entry & 1) v |= (entry & 4 ? a[i] : ~a[i]) & (entry & 2 ? b[i] : ~b[i]) & (entry & 1 ? c[i] : ~c[i]);
        r[i] = v;
    }
    store_lanes(w, o.at[0], r, mask);
}

// Floating point. T is float, double, or double for the formats of 16 bits.
struct Add { template<class T> static T apply(T a, T b) { return a + b; } };
struct Sub { template<class T> static T apply(T a, T b) { return a - b; } };
struct Mul { template<class T> static T apply(T a, T b) { return a * b; } };
struct Div { template<class T> static T apply(T a, T b) { return a / b; } };
struct Fma { template<class T> static T apply(T a, T b, T c) { return std::fma(a, b, c); } };
struct Min { template<class T> static T apply(T a, T b) { return least(a, b); } };
struct Max { template<class T> static T apply(T a, T b) { return most(a, b); } };
struct MinNan { template<class T> static T apply(T a, T b) { return a != a ? a : b != b ? b : least(a, b); } };
struct MaxNan { template<class T> static T apply(T a, T b) { return a != a ? a : b != b ? b : most(a, b); } };
struct Neg { template<class T> static T apply(T a) { return -a; } };
struct Abs { template<class T> static T apply(T a) { return std::fabs(a); } };
struct Root { template<class T> static T apply(T a) { return std::sqrt(a); } };
struct Inverse { template<class T> static T apply(T a) { return static_cast<T>(1) / a; } };
// Approximations: the exact function, rounded.
struct InverseRoot { static float apply(float a) { return static_cast<float>(1 / std::sqrt(static_cast<double>(a))); } };
struct Exp2 { static float apply(float a) { return static_cast<float>(std::exp2(static_cast<double>(a))); } };
struct Log2 { static float apply(float a) { return static_cast<float>(std::log2(static_cast<double>(a))); } };
struct Sine { static float apply(float a) { return static_cast<float>(std::sin(static_cast<double>(a))); } };
struct Cosine { static float apply(float a) { return static_cast<float>(std::cos(static_cast<double>(a))); } };
struct Tangent { static float apply(float a) { return static_cast<float>(std::tanh(static_cast<double>(a))); } };

constexpr u32 Flush = 1, Saturate = 2, Mode = 4;  // flags: .ftz, .sat, and the rounding from Mode on
/// As `lanes`, with .ftz, .sat and directed rounding.
template<class Op, class T, class... A, std::size_t... I> inline void modified_of(Warp& w, const Operation& o, u32 mask, std::index_sequence<I...>) {
    auto sources = std::make_tuple(Lane<A>(w, o.at[1 + I])...);
    T r[32];
    for (u32 i = 0; i < 32; i++) {
        T s[3] = {std::get<I>(sources)[i]...};
        if (o.flags & Flush)
            for (T& v : s) v = static_cast<T>(flushed(v));
        T v = rounded(static_cast<Rounding>(o.flags / Mode), s[0], s[1], s[2], [](auto a, auto b, auto c) {
            T all[3] = {static_cast<T>(a), static_cast<T>(b), static_cast<T>(c)};
            return Op::apply(all[I]...);
        });
        if (o.flags & Flush) v = static_cast<T>(flushed(v));
        r[i] = o.flags & Saturate ? saturated(v) : v;
    }
    store_lanes(w, o.at[0], r, mask);
}
template<class Op, class T, class... A> void modified(Warp& w, const Operation& o, u32 mask) { modified_of<Op, T, A...>(w, o, mask, std::index_sequence_for<A...>{}); }

/// Sum rounded to odd, so that rounding it again to few bits is right: the error of the sum decides the last bit.
struct AddOdd {
    static double apply(double a, double b) {
        double s = a + b, t = s - a, error = (a - (s - t)) + (b - t);
        if (error != 0 && std::isfinite(s) && !(bits_as<u64>(s) & 1)) return std::nextafter(s, error > 0 ? INFINITY : -INFINITY);
        return s;
    }
};
struct FmaOdd { static double apply(double a, double b, double c) { return AddOdd::apply(a * b, c); } };  // the product of two 11-bit significands is exact
struct SubOdd { static double apply(double a, double b) { return AddOdd::apply(a, -b); } };

/// One or two elements of a 16-bit format in a register R.
template<class Op, class Format, class R> struct Packed {
    template<class... A> static R apply(A... a) {
        R r = 0;
        for (u32 shift = 0; shift < sizeof(R) * 8; shift += 16) r = static_cast<R>(r | static_cast<R>(Format::encode(Op::apply(Format::decode(a >> shift & 0xffff)...))) << shift);
        return r;
    }
};

// Comparisons; the ones for floating point are false with NaN, but for those ending in u.
struct Equal { template<class T> static bool apply(T a, T b) { return a == b; } };
struct Unequal { template<class T> static bool apply(T a, T b) { return a == a && b == b && a != b; } };
struct Less { template<class T> static bool apply(T a, T b) { return a < b; } };
struct LessEqual { template<class T> static bool apply(T a, T b) { return a <= b; } };
struct Greater { template<class T> static bool apply(T a, T b) { return a > b; } };
struct GreaterEqual { template<class T> static bool apply(T a, T b) { return a >= b; } };
struct Ordered { template<class T> static bool apply(T a, T b) { return a == a && b == b; } };
template<class Op> struct OrUnordered { template<class T> static bool apply(T a, T b) { return a != a || b != b || Op::apply(a, b); } };
struct Unordered { template<class T> static bool apply(T a, T b) { return a != a || b != b; } };

/// setp: at[0] p, at[1] a, at[2] b, at[3] the other predicate of a combination, at[4] the second result. value: 0 plain, 1 and, 2 or, 3 xor.
template<class Op, class T> void compare(Warp& w, const Operation& o, u32 mask) {
    Lane<T> a(w, o.at[1]), b(w, o.at[2]);
    u32 result = 0;
    for (u32 i = 0; i < 32; i++) {
        T x = a[i], y = b[i];
        if constexpr (std::is_same<T, float>::value) {
            if (o.flags & Flush) x = flushed(x), y = flushed(y);
        }
        result |= static_cast<u32>(Op::apply(x, y)) << i;
    }
    u32 opposite = ~result;
    if (o.value) {
        u32 c = predicate(w, o.at[3]);
        result = o.value == 1 ? result & c : o.value == 2 ? result | c : result ^ c;
        opposite = o.value == 1 ? opposite & c : o.value == 2 ? opposite | c : opposite ^ c;
    }
    set_predicate(w, o.at[0], result, mask);
    if (o.at[4]) set_predicate(w, o.at[4], opposite, mask);
}

// mov between a register and the vector of its parts.
template<class Whole, class Part> void pack(Warp& w, const Operation& o, u32 mask) {
    constexpr u32 parts = sizeof(Whole) / sizeof(Part);
    for (u32 m = mask; m; m &= m - 1) {
        u32 i = static_cast<u32>(__builtin_ctz(m));
        Part p[parts];
        for (u32 k = 0; k < parts; k++) p[k] = get_lane<Part>(w, o.at[1 + k], i);
        Whole v;
        std::memcpy(&v, p, sizeof v);
        set_lane(w, o.at[0], i, v);
    }
}
template<class Whole, class Part> void unpack(Warp& w, const Operation& o, u32 mask) {
    constexpr u32 parts = sizeof(Whole) / sizeof(Part);
    for (u32 m = mask; m; m &= m - 1) {
        u32 i = static_cast<u32>(__builtin_ctz(m));
        Whole v = get_lane<Whole>(w, o.at[parts], i);
        Part p[parts];
        std::memcpy(p, &v, sizeof v);
        for (u32 k = 0; k < parts; k++) set_lane(w, o.at[k], i, p[k]);
    }
}

// Which instance a type needs.
template<class Op> Handler unsigned_unary(unsigned bits) { return bits == 16 ? lanes<Op, u16, u16> : bits == 32 ? lanes<Op, u32, u32> : bits == 64 ? lanes<Op, u64, u64> : nullptr; }
template<class Op> Handler signed_unary(unsigned bits) { return bits == 16 ? lanes<Op, i16, i16> : bits == 32 ? lanes<Op, i32, i32> : bits == 64 ? lanes<Op, i64, i64> : nullptr; }
template<class Op> Handler unsigned_binary(unsigned bits) { return bits == 16 ? lanes<Op, u16, u16, u16> : bits == 32 ? lanes<Op, u32, u32, u32> : bits == 64 ? lanes<Op, u64, u64, u64> : nullptr; }
template<class Op> Handler signed_binary(unsigned bits) { return bits == 16 ? lanes<Op, i16, i16, i16> : bits == 32 ? lanes<Op, i32, i32, i32> : bits == 64 ? lanes<Op, i64, i64, i64> : nullptr; }
template<class Op> Handler integer_binary(Type t) { return t.kind == 's' ? signed_binary<Op>(t.bits) : unsigned_binary<Op>(t.bits); }
template<class Op> Handler integer_ternary(Type t) {
    if (t.kind == 's') return t.bits == 16 ? lanes<Op, i16, i16, i16, i16> : t.bits == 32 ? lanes<Op, i32, i32, i32, i32> : t.bits == 64 ? lanes<Op, i64, i64, i64, i64> : nullptr;
    return t.bits == 16 ? lanes<Op, u16, u16, u16, u16> : t.bits == 32 ? lanes<Op, u32, u32, u32, u32> : t.bits == 64 ? lanes<Op, u64, u64, u64, u64> : nullptr;
}
template<class Op> Handler logical_binary(unsigned bits) { return bits == 1 ? lanes<Op, bool, bool, bool> : unsigned_binary<Op>(bits); }
template<class Op> Handler integer_compare(Type t) {
    if (t.kind == 's') return t.bits == 16 ? compare<Op, i16> : t.bits == 32 ? compare<Op, i32> : t.bits == 64 ? compare<Op, i64> : nullptr;
    return t.bits == 16 ? compare<Op, u16> : t.bits == 32 ? compare<Op, u32> : t.bits == 64 ? compare<Op, u64> : nullptr;
}
template<class Op> Handler float_compare(Type t) { return t.bits == 32 ? compare<Op, float> : t.bits == 64 ? compare<Op, double> : nullptr; }

template<class Op, class Odd = Op> Handler float_unary(Type t, bool plain) {
    if (t.kind == 'h') return t.elements == 2 ? lanes<Packed<Odd, Bfloat, u32>, u32, u32> : lanes<Packed<Odd, Bfloat, u16>, u16, u16>;
    if (t.bits == 16) return t.elements == 2 ? lanes<Packed<Odd, Half, u32>, u32, u32> : lanes<Packed<Odd, Half, u16>, u16, u16>;
    if (t.bits == 32) return plain ? lanes<Op, float, float> : modified<Op, float, float>;
    return plain ? lanes<Op, double, double> : modified<Op, double, double>;
}
template<class Op, class Odd = Op> Handler float_binary(Type t, bool plain) {
    if (t.kind == 'h') return t.elements == 2 ? lanes<Packed<Odd, Bfloat, u32>, u32, u32, u32> : lanes<Packed<Odd, Bfloat, u16>, u16, u16, u16>;
    if (t.bits == 16) return t.elements == 2 ? lanes<Packed<Odd, Half, u32>, u32, u32, u32> : lanes<Packed<Odd, Half, u16>, u16, u16, u16>;
    if (t.bits == 32) return plain ? lanes<Op, float, float, float> : modified<Op, float, float, float>;
    return plain ? lanes<Op, double, double, double> : modified<Op, double, double, double>;
}
template<class Op, class Odd = Op> Handler float_ternary(Type t, bool plain) {
    if (t.kind == 'h') return t.elements == 2 ? lanes<Packed<Odd, Bfloat, u32>, u32, u32, u32, u32> : lanes<Packed<Odd, Bfloat, u16>, u16, u16, u16, u16>;
    if (t.bits == 16) return t.elements == 2 ? lanes<Packed<Odd, Half, u32>, u32, u32, u32, u32> : lanes<Packed<Odd, Half, u16>, u16, u16, u16, u16>;
    if (t.bits == 32) return plain ? lanes<Op, float, float, float, float> : modified<Op, float, float, float, float>;
    return plain ? lanes<Op, double, double, double, double> : modified<Op, double, double, double, double>;
}

inline char class_of(Type t) { return t.kind == 'f' ? (t.bits == 16 ? 'b' : 'f') : t.kind == 'u' || t.kind == 's' ? 'i' : t.kind == 'p' ? 'p' : 'b'; }

/// at[0] the destination, at[1]… `count` sources, all of one type.
inline void same_type(Decoder& d, Type t, size_t count, Handler handler) {
    if (!handler) d.fail("not for this type");
    d.need_operands(count + 1);
    d.operation().at[0] = d.destination(0, t.total(), class_of(t));
    for (size_t i = 1; i <= count; i++) d.operation().at[i] = d.source(i, t.total(), class_of(t));
    d.operation().run = handler;
}

/// Rounding, .ftz and .sat of a floating-point instruction; `rounds`: it may name a rounding.
inline bool take_float_modifiers(Decoder& d, Type t, bool rounds) {
    u32 mode = 0;
    if (rounds) {
        std::string r = d.take_one_of({"rn", "rz", "rm", "rp"});
        mode = r == "rz" ? 1u : r == "rm" ? 2u : r == "rp" ? 3u : 0u;
    }
    bool flush = d.take("ftz"), saturate = d.take("sat");
    if (t.bits == 16 && (mode || flush || saturate)) d.fail("only to nearest, without .ftz and .sat, in 16 bits");
    d.operation().flags = (flush ? Flush : 0) | (saturate ? Saturate : 0) | mode * Mode;
    return d.operation().flags == 0;
}

inline bool decode_integer(Decoder& d, const std::string& name, Type t) {
    bool is_signed = t.kind == 's';
    if (name == "add") same_type(d, t, 2, unsigned_binary<AddInteger>(t.bits));
    else if (name == "sub") same_type(d, t, 2, unsigned_binary<SubInteger>(t.bits));
    else if (name == "div") same_type(d, t, 2, integer_binary<DivInteger>(t));
    else if (name == "rem") same_type(d, t, 2, integer_binary<RemInteger>(t));
    else if (name == "min") same_type(d, t, 2, integer_binary<MinInteger>(t));
    else if (name == "max") same_type(d, t, 2, integer_binary<MaxInteger>(t));
    else if (name == "neg") same_type(d, t, 1, signed_unary<NegInteger>(t.bits));
    else if (name == "abs") same_type(d, t, 1, signed_unary<AbsInteger>(t.bits));
    else if (name == "mul" || name == "mad") {
        bool mad = name == "mad";
        std::string part = d.take_one_of({"lo", "hi", "wide"});
        if (part == "lo") same_type(d, t, mad ? 3 : 2, mad ? integer_ternary<MadLow>({'u', t.bits, 1}) : unsigned_binary<MulLow>(t.bits));
        else if (part == "hi") same_type(d, t, mad ? 3 : 2, mad ? integer_ternary<MadHigh>(t) : integer_binary<MulHigh>(t));
        else if (part == "wide" && t.bits < 64) {
            d.need_operands(mad ? 4 : 3);
            d.operation().at[0] = d.destination(0, t.bits * 2, 'i');
            d.operation().at[1] = d.source(1, t.bits, 'i');
            d.operation().at[2] = d.source(2, t.bits, 'i');
            if (mad) d.operation().at[3] = d.source(3, t.bits * 2, 'i');
            if (t.bits == 16) d.operation().run = mad ? (is_signed ? lanes<MadWide<i32>, i32, i16, i16, i32> : lanes<MadWide<u32>, u32, u16, u16, u32>)
                                                      : (is_signed ? lanes<MulWide<i32>, i32, i16, i16> : lanes<MulWide<u32>, u32, u16, u16>);
            else d.operation().run = mad ? (is_signed ? lanes<MadWide<i64>, i64, i32, i32, i64> : lanes<MadWide<u64>, u64, u32, u32, u64>)
                                         : (is_signed ? lanes<MulWide<i64>, i64, i32, i32> : lanes<MulWide<u64>, u64, u32, u32>);
        } else d.fail("neither .lo, .hi nor .wide");
    } else return false;
    return true;
}

inline bool decode_float(Decoder& d, const std::string& name, Type t) {
    bool is_small = t.bits == 16;
    if (name == "add") { bool plain = take_float_modifiers(d, t, true); same_type(d, t, 2, float_binary<Add, AddOdd>(t, plain)); }
    else if (name == "sub") { bool plain = take_float_modifiers(d, t, true); same_type(d, t, 2, float_binary<Sub, SubOdd>(t, plain)); }
    else if (name == "mul") { bool plain = take_float_modifiers(d, t, true); same_type(d, t, 2, float_binary<Mul>(t, plain)); }
    else if (name == "fma" || name == "mad") { bool plain = take_float_modifiers(d, t, true); same_type(d, t, 3, float_ternary<Fma, FmaOdd>(t, plain)); }
    else if (name == "min" || name == "max") {
        bool nan = d.take("NaN"), plain = take_float_modifiers(d, t, false);
        if (name == "min") same_type(d, t, 2, nan ? float_binary<MinNan>(t, plain) : float_binary<Min>(t, plain));
        else same_type(d, t, 2, nan ? float_binary<MaxNan>(t, plain) : float_binary<Max>(t, plain));
    } else if (name == "neg") { bool plain = take_float_modifiers(d, t, false); same_type(d, t, 1, float_unary<Neg>(t, plain)); }
    else if (name == "abs") { bool plain = take_float_modifiers(d, t, false); same_type(d, t, 1, float_unary<Abs>(t, plain)); }
    else if (is_small) return false;
    else if (name == "div") {
        if (!d.take("approx")) d.take("full");
        bool plain = take_float_modifiers(d, t, true);
        same_type(d, t, 2, float_binary<Div>(t, plain));
    } else if (name == "sqrt" || name == "rcp") {
        d.take("approx");
        bool plain = take_float_modifiers(d, t, true);
        same_type(d, t, 1, name == "sqrt" ? float_unary<Root>(t, plain) : float_unary<Inverse>(t, plain));
    } else if (t.bits == 32 && (name == "rsqrt" || name == "ex2" || name == "lg2" || name == "sin" || name == "cos" || name == "tanh")) {
        if (!d.take("approx")) d.fail("without .approx");
        bool plain = take_float_modifiers(d, t, false);
        auto pick = [&](Handler simple, Handler flagged) { same_type(d, t, 1, plain ? simple : flagged); };
        if (name == "rsqrt") pick(lanes<InverseRoot, float, float>, modified<InverseRoot, float, float>);
        else if (name == "ex2") pick(lanes<Exp2, float, float>, modified<Exp2, float, float>);
        else if (name == "lg2") pick(lanes<Log2, float, float>, modified<Log2, float, float>);
        else if (name == "sin") pick(lanes<Sine, float, float>, modified<Sine, float, float>);
        else if (name == "cos") pick(lanes<Cosine, float, float>, modified<Cosine, float, float>);
        else pick(lanes<Tangent, float, float>, modified<Tangent, float, float>);
    } else return false;
    return true;
}

inline Handler comparison(const std::string& c, Type t) {
    if (t.kind == 'f') {
        if (c == "eq") return float_compare<Equal>(t);
        if (c == "ne") return float_compare<Unequal>(t);
        if (c == "lt") return float_compare<Less>(t);
        if (c == "le") return float_compare<LessEqual>(t);
        if (c == "gt") return float_compare<Greater>(t);
        if (c == "ge") return float_compare<GreaterEqual>(t);
        if (c == "equ") return float_compare<OrUnordered<Equal>>(t);
        if (c == "neu") return float_compare<OrUnordered<Unequal>>(t);
        if (c == "ltu") return float_compare<OrUnordered<Less>>(t);
        if (c == "leu") return float_compare<OrUnordered<LessEqual>>(t);
        if (c == "gtu") return float_compare<OrUnordered<Greater>>(t);
        if (c == "geu") return float_compare<OrUnordered<GreaterEqual>>(t);
        if (c == "num") return float_compare<Ordered>(t);
        if (c == "nan") return float_compare<Unordered>(t);
        return nullptr;
    }
    if (c == "eq") return integer_compare<Equal>(t);
    if (c == "ne") return integer_compare<Unequal>(t);
    if (t.kind == 'b') return nullptr;
    if (c == "lt" || c == "lo") return integer_compare<Less>(t);
    if (c == "le" || c == "ls") return integer_compare<LessEqual>(t);
    if (c == "gt" || c == "hi") return integer_compare<Greater>(t);
    if (c == "ge" || c == "hs") return integer_compare<GreaterEqual>(t);
    return nullptr;
}

inline void decode_setp(Decoder& d) {
    Type t = d.take_type();
    std::string how = d.take_one_of({"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"});
    std::string combined = d.take_one_of({"and", "or", "xor"});
    Operation& o = d.operation();
    o.flags = d.take("ftz") ? Flush : 0;
    o.value = combined == "and" ? 1 : combined == "or" ? 2 : combined == "xor" ? 3 : 0;
    d.need_operands(o.value ? 4 : 3);
    o.at[0] = d.destination(0, 1, 'p');
    if (!d.operand(0).parts.empty()) o.at[4] = d.destination(d.operand(0).parts[0], 1, 'p');
    o.at[1] = d.source(1, t.bits, class_of(t));
    o.at[2] = d.source(2, t.bits, class_of(t));
    if (o.value) o.at[3] = d.source(3, 1, 'p');
    o.run = comparison(how, t);
    if (!o.run) d.fail("not for this type");
}

inline void decode_mov(Decoder& d) {
    Type t = d.take_type();
    Operation& o = d.operation();
    d.need_operands(2);
    const Operand &to = d.operand(0), &from = d.operand(1);
    if (to.kind == Operand::Vector || from.kind == Operand::Vector) {
        bool packs = from.kind == Operand::Vector;
        const std::vector<Operand>& parts = packs ? from.parts : to.parts;
        unsigned bits = t.bits / static_cast<unsigned>(parts.size());
        if (t.kind != 'b' || parts.size() < 2 || bits < 16) d.fail("not for this type");
        for (size_t i = 0; i < parts.size(); i++) o.at[packs ? i + 1 : i] = packs ? d.source(parts[i], bits, 'b') : d.destination(parts[i], bits, 'b');
        if (packs) o.at[0] = d.destination(to, t.bits, 'b');
        else o.at[parts.size()] = d.source(from, t.bits, 'b');
        if (t.bits == 32) o.run = packs ? pack<u32, u16> : unpack<u32, u16>;
        else if (bits == 32) o.run = packs ? pack<u64, u32> : unpack<u64, u32>;
        else o.run = packs ? pack<u64, u16> : unpack<u64, u16>;
        return;
    }
    same_type(d, t, 1, t.bits == 1 ? lanes<Move, bool, bool> : unsigned_unary<Move>(t.bits));
}

/// The families above by opcode; false: not one of them.
inline bool decode_arithmetic(Decoder& d, const std::string& name) {
    Operation& o = d.operation();
    if (name == "setp") { decode_setp(d); return true; }
    if (name == "mov") { decode_mov(d); return true; }
    if (name == "selp") {
        Type t = d.take_type();
        d.need_operands(4);
        o.at[0] = d.destination(0, t.bits, class_of(t));
        o.at[1] = d.source(1, t.bits, class_of(t));
        o.at[2] = d.source(2, t.bits, class_of(t));
        o.at[3] = d.source(3, 1, 'p');
        o.run = t.bits == 16 ? lanes<Select<u16>, u16, u16, u16, bool> : t.bits == 32 ? lanes<Select<u32>, u32, u32, u32, bool> : lanes<Select<u64>, u64, u64, u64, bool>;
        return true;
    }
    if (name == "and" || name == "or" || name == "xor") {
        Type t = d.take_type();
        if (t.kind != 'b' && t.kind != 'p') d.fail("not for this type");
        same_type(d, t, 2, name == "and" ? logical_binary<And>(t.bits) : name == "or" ? logical_binary<Or>(t.bits) : logical_binary<Xor>(t.bits));
        return true;
    }
    if (name == "not" || name == "cnot") {
        Type t = d.take_type();
        if (t.kind != 'b' && t.kind != 'p') d.fail("not for this type");
        same_type(d, t, 1, name == "cnot" ? unsigned_unary<LogicalNot>(t.bits) : t.bits == 1 ? lanes<Not, bool, bool> : unsigned_unary<Not>(t.bits));
        return true;
    }
    if (name == "shl" || name == "shr") {
        Type t = d.take_type();
        d.need_operands(3);
        o.at[0] = d.destination(0, t.bits, class_of(t));
        o.at[1] = d.source(1, t.bits, class_of(t));
        o.at[2] = d.source(2, 32, 'i');
        if (name == "shl") o.run = t.bits == 16 ? lanes<ShiftLeft, u16, u16, u32> : t.bits == 32 ? lanes<ShiftLeft, u32, u32, u32> : lanes<ShiftLeft, u64, u64, u32>;
        else if (t.kind == 's') o.run = t.bits == 16 ? lanes<ShiftRight, i16, i16, u32> : t.bits == 32 ? lanes<ShiftRight, i32, i32, u32> : lanes<ShiftRight, i64, i64, u32>;
        else o.run = t.bits == 16 ? lanes<ShiftRight, u16, u16, u32> : t.bits == 32 ? lanes<ShiftRight, u32, u32, u32> : lanes<ShiftRight, u64, u64, u32>;
        return true;
    }
    if (name == "shf") {
        d.take_type();
        bool left = d.take("l"), right = !left && d.take("r"), wrap = d.take("wrap");
        if ((!left && !right) || (!wrap && !d.take("clamp"))) d.fail("no direction or no mode");
        same_type(d, {'b', 32, 1}, 3, left ? (wrap ? lanes<Funnel<true, true>, u32, u32, u32, u32> : lanes<Funnel<true, false>, u32, u32, u32, u32>)
                                           : (wrap ? lanes<Funnel<false, true>, u32, u32, u32, u32> : lanes<Funnel<false, false>, u32, u32, u32, u32>));
        return true;
    }
    if (name == "lop3") {
        Type t = d.take_type();
        d.need_operands(5);
        if (t.kind != 'b' || t.bits != 32 || d.operand(4).kind != Operand::Integer || d.operand(4).value > 255) d.fail("not as PTX 8.0 has it");
        for (size_t i = 1; i < 4; i++) o.at[i] = d.source(i, 32, 'b');
        o.at[0] = d.destination(0, 32, 'b');
        o.value = d.operand(4).value;
        o.run = o.value == 0xEA ? nullptr : lop3;
        struct AndOr { static u32 apply(u32 a, u32 b, u32 c) { return (a & b) | c; } };  // the one of the unpacking loops
        if (!o.run) o.run = lanes<AndOr, u32, u32, u32, u32>;
        return true;
    }
    if (name == "prmt") { same_type(d, d.take_type(), 3, lanes<PermuteBytes, u32, u32, u32, u32>); return true; }
    if (name == "bfe") {
        Type t = d.take_type();
        d.need_operands(4);
        o.at[0] = d.destination(0, t.bits, 'i');
        o.at[1] = d.source(1, t.bits, 'i');
        o.at[2] = d.source(2, 32, 'i');
        o.at[3] = d.source(3, 32, 'i');
        if (t.kind == 's') o.run = t.bits == 32 ? lanes<ExtractBits, i32, i32, u32, u32> : lanes<ExtractBits, i64, i64, u32, u32>;
        else o.run = t.bits == 32 ? lanes<ExtractBits, u32, u32, u32, u32> : lanes<ExtractBits, u64, u64, u32, u32>;
        return true;
    }
    if (name == "bfi") {
        Type t = d.take_type();
        d.need_operands(5);
        o.at[0] = d.destination(0, t.bits, 'b');
        o.at[1] = d.source(1, t.bits, 'b');
        o.at[2] = d.source(2, t.bits, 'b');
        o.at[3] = d.source(3, 32, 'i');
        o.at[4] = d.source(4, 32, 'i');
        o.run = t.bits == 32 ? lanes<InsertBits, u32, u32, u32, u32, u32> : lanes<InsertBits, u64, u64, u64, u32, u32>;
        return true;
    }
    if (name == "popc" || name == "clz" || name == "brev" || name == "bfind") {
        Type t = d.take_type();
        d.need_operands(2);
        o.at[0] = d.destination(0, name == "brev" ? t.bits : 32, 'b');
        o.at[1] = d.source(1, t.bits, 'b');
        bool word = t.bits == 32;
        if (name == "popc") o.run = word ? lanes<PopulationCount, u32, u32> : lanes<PopulationCount, u32, u64>;
        else if (name == "clz") o.run = word ? lanes<LeadingZeros, u32, u32> : lanes<LeadingZeros, u32, u64>;
        else if (name == "brev") o.run = word ? lanes<Reverse, u32, u32> : lanes<Reverse, u64, u64>;
        else if (t.kind == 's') o.run = word ? lanes<FindHighest, u32, i32> : lanes<FindHighest, u32, i64>;
        else o.run = word ? lanes<FindHighest, u32, u32> : lanes<FindHighest, u32, u64>;
        return true;
    }
    if (name == "dp4a") {
        Type b = d.take_type(), a = d.take_type();
        d.need_operands(4);
        o.at[0] = d.destination(0, 32, 'i');
        for (size_t i = 1; i < 4; i++) o.at[i] = d.source(i, 32, 'i');
        o.run = a.kind == 's' ? (b.kind == 's' ? lanes<DotFour<i8, i8>, u32, u32, u32, u32> : lanes<DotFour<i8, u8>, u32, u32, u32, u32>)
                              : (b.kind == 's' ? lanes<DotFour<u8, i8>, u32, u32, u32, u32> : lanes<DotFour<u8, u8>, u32, u32, u32, u32>);
        return true;
    }
    static const char* const typed[] = {"add", "sub", "mul", "mad", "fma", "div", "rem", "min", "max", "neg", "abs", "sqrt", "rcp", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh"};
    for (const char* t : typed)
        if (name == t) {
            Type type = d.take_type();
            if (!(type.kind == 'f' || type.kind == 'h' ? decode_float(d, name, type) : decode_integer(d, name, type))) d.fail("not for this type");
            return true;
        }
    return false;
}

}  // namespace ptx
