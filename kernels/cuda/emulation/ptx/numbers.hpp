// Numbers of few bits and roundings that C++ has no type for. Written on the bits, apart from ../fibers.hpp, so that each can be held against the other.
#pragma once
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace ptx {

typedef std::uint8_t u8;
typedef std::uint16_t u16;
typedef std::uint32_t u32;
typedef std::uint64_t u64;
typedef std::int8_t i8;
typedef std::int16_t i16;
typedef std::int32_t i32;
typedef std::int64_t i64;

template<class To, class From> inline To bits_as(From v) {
    static_assert(sizeof(To) == sizeof(From), "same bits");
    To r;
    std::memcpy(&r, &v, sizeof r);
    return r;
}

/// A binary format of up to 16 bits: `mantissa` stored bits, exponent bias; infinities and NaN in the last binade, unless `finite` (e4m3: only the last code is NaN).
template<unsigned mantissa, int bias, unsigned width, bool finite> struct Small {
    static constexpr unsigned ExponentBits = width - 1 - mantissa;
    static constexpr u32 Last = (1u << ExponentBits) - 1;
    static constexpr u32 Sign = 1u << (width - 1);

    static double decode(u32 v) {
        u32 exponent = v >> mantissa & Last, fraction = v & ((1u << mantissa) - 1);
        double sign = v & Sign ? -1.0 : 1.0;
        if (exponent == Last && (finite ? fraction == (1u << mantissa) - 1 : true)) {
            if (!finite && !fraction) return sign * std::numeric_limits<double>::infinity();
            return std::numeric_limits<double>::quiet_NaN();
        }
        if (!exponent) return sign * std::ldexp(static_cast<double>(fraction), 1 - bias - static_cast<int>(mantissa));
        return sign * std::ldexp(static_cast<double>(fraction + (1u << mantissa)), static_cast<int>(exponent) - bias - static_cast<int>(mantissa));
    }

    /// To nearest even (or towards zero), by shifting the bits of the double. Finite formats saturate.
    static u32 encode(double v, bool to_zero = false) {
        u64 bits = bits_as<u64>(v);
        u32 sign = static_cast<u32>(bits >> 63) << (width - 1);
        int exponent = static_cast<int>(bits >> 52 & 2047) - 1023;
        u64 fraction = bits & ((1ull << 52) - 1);
        const u32 largest = finite ? (Last << mantissa | ((1u << mantissa) - 2)) : (Last << mantissa) - 1;
        if (exponent == 1024 && fraction) return finite ? sign | (Last << mantissa) | ((1u << mantissa) - 1) : (1u << (width - 1)) - 1;  // the canonical NaN
        if (exponent == 1024) return sign | (finite ? largest : Last << mantissa);
        if (exponent == -1023) return sign;  // zero, or far below the least
        u64 significand = fraction | 1ull << 52;
        int drop = 52 - static_cast<int>(mantissa), place = exponent + bias;
        if (place < 1) { drop += 1 - place; place = 1; }
        if (drop > 54) return sign;
        u64 kept = significand >> drop, rest = significand & ((1ull << drop) - 1), half = 1ull << (drop - 1);
        if (!to_zero && (rest > half || (rest == half && (kept & 1)))) kept++;
        u64 code = kept + (static_cast<u64>(place - 1) << mantissa);  // the hidden bit counts as one exponent
        if (code > largest) return sign | (finite || to_zero ? largest : Last << mantissa);
        return sign | static_cast<u32>(code);
    }
};

typedef Small<10, 15, 16, false> Half;
typedef Small<7, 127, 16, false> Bfloat;
typedef Small<3, 7, 8, true> Eight;       // e4m3
typedef Small<2, 15, 8, false> EightWide; // e5m2

/// FP16 to FP32 for the matrix units: a table of all of them.
inline const float* half_table() {
    struct Table {
        float value[65536];
        Table() { for (u32 i = 0; i < 65536; i++) value[i] = static_cast<float>(Half::decode(i)); }
    };
    static const Table* table = new Table;
    return table->value;
}

inline float flushed(float v) { return std::fabs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, v) : v; }
inline double flushed(double v) { return v; }
template<class T> inline T saturated(T v) { return v > 0 ? (v < 1 ? v : static_cast<T>(1)) : static_cast<T>(0); }

/// The smaller or larger; a number wins against NaN, −0 is less than +0.
template<class T> inline T least(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b ? a : b;
}
template<class T> inline T most(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? b : a;
    return a > b ? a : b;
}

enum class Rounding { Nearest, Zero, Down, Up };

inline int host_rounding(Rounding r) { return r == Rounding::Nearest ? FE_TONEAREST : r == Rounding::Zero ? FE_TOWARDZERO : r == Rounding::Down ? FE_DOWNWARD : FE_UPWARD; }

/// Runs one operation under another rounding. The operands pass through volatile so that nothing is computed outside.
template<class T, class Fn> inline T rounded(Rounding r, T a, T b, T c, Fn fn) {
    volatile T x = a, y = b, z = c;
    std::fesetround(host_rounding(r));
    volatile T result = fn(x, y, z);
    std::fesetround(FE_TONEAREST);
    return result;
}

}  // namespace ptx
