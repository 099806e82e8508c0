// Exchange within a warp: shfl.sync, vote.sync. All 32 threads take part.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
FN u32 shuffle_xor(u32 v, u32 mask) { u32 r; asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(r) : "r"(v), "r"(mask)); return r; }
FN float shuffle_xor(float v, u32 mask) { float r; asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(r) : "f"(v), "r"(mask)); return r; }
/// The value of thread `lane`.
FN u32 shuffle(u32 v, u32 lane) { u32 r; asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(r) : "r"(v), "r"(lane)); return r; }
FN float shuffle(float v, u32 lane) { float r; asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(r) : "f"(v), "r"(lane)); return r; }
/// Bit i: whether thread i said so.
FN u32 ballot(bool v) { u32 r; asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(r) : "r"((u32)v)); return r; }
#else
FN u32 shuffle_xor(u32 v, u32 mask) { return emulation::exchange(v, emulation::lane() ^ mask); }
FN float shuffle_xor(float v, u32 mask) { return emulation::exchange(v, emulation::lane() ^ mask); }
FN u32 shuffle(u32 v, u32 lane) { return emulation::exchange(v, lane); }
FN float shuffle(float v, u32 lane) { return emulation::exchange(v, lane); }
FN u32 ballot(bool v) { return emulation::ballot(v); }
#endif

/// The sum over the lanes that differ in the bits below `width` (2, 4, … 32), on all of them.
template<u32 width = 32> FN float warp_sum(float v) { UNROLL for (u32 m = width / 2; m; m /= 2) v += shuffle_xor(v, m); return v; }
template<u32 width = 32> FN float warp_max(float v) { UNROLL for (u32 m = width / 2; m; m /= 2) { float o = shuffle_xor(v, m); v = o > v ? o : v; } return v; }
