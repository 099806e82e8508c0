#include "../arch/arch.cuh"
struct StreamArguments { const Quad* source; float* out; u64 quads; };
KERNEL(KERNEL_NAME, 256, 1)(StreamArguments a) { wait_for_previous_kernel(); sync_block(); if (a.quads > thread_index()) a.out[0] = bits_float(load_stream(a.source).v[0]); }
