// Global memory: streaming reads past the first cache, atomics, words that other blocks write.
#pragma once
#include "cp_async.cuh"

#if SIMT_DEVICE
/// Sixteen bytes that nobody writes during the kernel and nobody reads again.
FN Quad load_stream(const void* p) {
    Quad r;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(r.v[0]), "=r"(r.v[1]), "=r"(r.v[2]), "=r"(r.v[3]) : "l"(p));
    return r;
}
FN void store_stream(void* p, Quad v) { asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(v.v[0]), "r"(v.v[1]), "r"(v.v[2]), "r"(v.v[3]) : "memory"); }
/// What stood there before. Order among threads is not fixed.
FN u32 atomic_add(u32* p, u32 v) { u32 r; asm volatile("atom.global.add.u32 %0, [%1], %2;" : "=r"(r) : "l"(p), "r"(v) : "memory"); return r; }
FN void atomic_add(float* p, float v) { asm volatile("red.global.add.f32 [%0], %1;" ::"l"(p), "f"(v) : "memory"); }
FN u32 atomic_add_shared(u32* p, u32 v) { u32 r; asm volatile("atom.shared.add.u32 %0, [%1], %2;" : "=r"(r) : "r"(shared_address(p)), "r"(v) : "memory"); return r; }
/// Past the first cache: what other blocks wrote before a fence of theirs and an atomic that this thread has seen.
FN float load_written(const float* p) { float r; asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(r) : "l"(p) : "memory"); return r; }
#else
FN Quad load_stream(const void* p) { return *(const Quad*)p; }
FN void store_stream(void* p, Quad v) { *(Quad*)p = v; }
FN u32 atomic_add(u32* p, u32 v) { u32 r = *p; *p = r + v; return r; }
FN void atomic_add(float* p, float v) { *p += v; }
FN u32 atomic_add_shared(u32* p, u32 v) { return atomic_add(p, v); }
FN float load_written(const float* p) { return *p; }
#endif
