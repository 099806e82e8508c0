// Barriers and fences: bar.sync, bar.warp.sync, membar.gl (fence.acq_rel.gpu), griddepcontrol.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
/// All threads of the block. A barrier that not all reach is an error of the kernel; the emulation aborts on it.
FN void sync_block() { asm volatile("bar.sync 0;" ::: "memory"); }
/// Barrier `id` (1 to 15) among `threads` threads of the block, a multiple of 32.
FN void sync_some(u32 id, u32 threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
/// All 32 threads of the warp; orders their shared-memory accesses.
FN void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
/// What this thread wrote before is seen by the whole device before what it writes after.
FN void fence_device() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }
/// Waits until the kernels before this one in the stream have ended and their writes are seen. Every thread calls it once, before it touches what they
/// write or overwrites what they read. Without programmatic launch (and below sm_90) that is true at once.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
FN void wait_for_previous_kernel() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
/// Lets the next kernel start its preamble when all blocks have said so.
FN void let_next_kernel_start() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
#else
FN void wait_for_previous_kernel() {}
FN void let_next_kernel_start() {}
#endif
#else
FN void sync_block() { emulation::sync_block(); }
FN void sync_some(u32 id, u32 threads) { emulation::sync_some(id, threads); }
FN void sync_warp() { emulation::sync_warp(); }
FN void fence_device() {}
FN void wait_for_previous_kernel() { emulation::waited_for_previous_kernel(); }
FN void let_next_kernel_start() {}
#endif
