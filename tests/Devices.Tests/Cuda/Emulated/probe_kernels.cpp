// Kernels that try the emulated driver itself: probe.ptx has their entries.
#include "arch/arch.cuh"
#include "emulation/registry.hpp"

namespace {

struct ProbeArguments {
    u32* out;        // [count]
    u32 count, value;
};

/// out[i] += value + i, for i below count.
void probe_add(ProbeArguments a) {
    wait_for_previous_kernel();
    u32 at = emulation::block_x() * 256 + emulation::thread();
    if (at < a.count) a.out[at] += a.value + at;
}

/// Forgets to wait for the kernel before it.
void probe_forget(ProbeArguments) {}

/// Thread 0 does not come to the barrier.
void probe_diverge(ProbeArguments) {
    wait_for_previous_kernel();
    if (emulation::thread()) emulation::sync_block();
}

/// Writes one word beyond its memory.
void probe_overrun(ProbeArguments a) {
    wait_for_previous_kernel();
    if (emulation::thread() == 0) a.out[a.count] = a.value;
}

const emulation::Registration<&probe_add> add{"probe_add"};
const emulation::Registration<&probe_forget> forget{"probe_forget"};
const emulation::Registration<&probe_diverge> diverge{"probe_diverge"};
const emulation::Registration<&probe_overrun> overrun{"probe_overrun"};

}  // namespace
