// What compiles this: the device form (clang -x cuda, nvcc) or the host form (any C++17 compiler, through the emulation).
// Everything that is not plain C++ lives in this folder, twice, one file an instruction family; kernels include arch.cuh and nothing else.
#pragma once

#if defined(__CUDA__) || defined(__CUDACC__)
#define SIMT_DEVICE 1
#else
#define SIMT_DEVICE 0
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;

/// Sixteen bytes: what one thread moves at once.
struct alignas(16) Quad { u32 v[4]; };
/// Eight bytes.
struct alignas(8) Pair { u32 v[2]; };

static_assert(sizeof(void*) == 8 && sizeof(u32) == 4 && sizeof(u64) == 8, "64-bit targets only");

#if SIMT_DEVICE
#if !defined(__NVCC__)
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#endif
#define FN static __device__ inline __attribute__((always_inline))
/// An exported kernel of `threads` threads a block, at least `blocks` blocks resident on a multiprocessor.
#define KERNEL(name, threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks) name
#define UNROLL _Pragma("unroll")
/// A loop that stays a loop.
#define ROLLED _Pragma("nounroll")
extern __shared__ Quad simt_shared_memory[];
/// The block's dynamic shared memory: as many bytes as the launch asked for, aligned to 16.
FN u8* shared_memory() { return reinterpret_cast<u8*>(simt_shared_memory); }
#else
#include "../emulation/fibers.hpp"
#define FN static inline
#if !defined(KERNEL)  // emulation/ptx/interpose.hpp has its own
#define KERNEL(name, threads, blocks) extern "C" void name
#endif
#define UNROLL
#define ROLLED
FN u8* shared_memory() { return emulation::shared_memory(); }
#endif
