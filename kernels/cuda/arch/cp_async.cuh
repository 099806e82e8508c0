// Asynchronous copies global -> shared: cp.async, its groups and their wait. The emulation poisons the destination until it is waited for.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
/// Address within the shared window. As a cast, not as cvta in assembly: the compiler then sees constant offsets and folds them into the instructions.
#if defined(__clang__)
FN u32 shared_address(const void* p) { return (u32)(u64)(const __attribute__((address_space(3))) void*)p; }
#else
FN u32 shared_address(const void* p) { u32 r; asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(r) : "l"(p)); return r; }
#endif
/// Sixteen bytes, both ends aligned to 16, past the first cache; the second one fetches 128 bytes.
FN void copy_async(void* shared, const void* global) { asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory"); }
/// As above, or sixteen zero bytes where `valid` is false; `global` is not read then.
FN void copy_async_or_zero(void* shared, const void* global, bool valid) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 16u : 0u) : "memory");
}
/// Four or eight bytes, aligned to their size.
template<u32 bytes> FN void copy_async_small(void* shared, const void* global) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared_address(shared)), "l"(global), "n"(bytes) : "memory");
}
/// Closes the group of this thread's copies since the last one.
FN void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Until at most `pending` groups of this thread are under way.
template<u32 pending> FN void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
#else
FN void copy_async(void* shared, const void* global) { emulation::copy_async(shared, global, 16, true); }
FN void copy_async_or_zero(void* shared, const void* global, bool valid) { emulation::copy_async(shared, global, 16, valid); }
template<u32 bytes> FN void copy_async_small(void* shared, const void* global) { emulation::copy_async(shared, global, bytes, true); }
FN void copy_commit() { emulation::copy_commit(); }
template<u32 pending> FN void copy_wait() { emulation::copy_wait(pending); }
#endif
