// Where a thread stands: %tid, %ctaid, %nctaid.
#pragma once
#include "target.cuh"

#if SIMT_DEVICE
FN u32 thread_index() { u32 r; asm("mov.u32 %0, %%tid.x;" : "=r"(r)); return r; }
FN u32 block_index() { u32 r; asm("mov.u32 %0, %%ctaid.x;" : "=r"(r)); return r; }
FN u32 block_index_y() { u32 r; asm("mov.u32 %0, %%ctaid.y;" : "=r"(r)); return r; }
FN u32 grid_size() { u32 r; asm("mov.u32 %0, %%nctaid.x;" : "=r"(r)); return r; }
#else
FN u32 thread_index() { return emulation::thread(); }
FN u32 block_index() { return emulation::block_x(); }
FN u32 block_index_y() { return emulation::block_y(); }
FN u32 grid_size() { return emulation::grid_x(); }
#endif
/// 0 to 31.
FN u32 lane_index() { return thread_index() & 31; }
FN u32 warp_index() { return thread_index() >> 5; }
