// The kernels of the emulated driver by name. `build` makes one translation unit a variant, which includes the variant's .cu in the host form and registers it:
//
//   #define KERNEL_NAME product_int4_b24          the variant's name and constants, from variants.txt
//   #define BATCH_TILES 3
//   #include "arch/arch.cuh"                      before the namespace: it includes the standard library
//   #include "emulation/registry.hpp"
//   namespace {                                   variants of one source must not share their functions and types
//   #include "kernels/product_int4.cu"
//   const emulation::Registration<&product_int4_b24> registration{"product_int4_b24"};
//   }
#pragma once
#include "fibers.hpp"
#include <type_traits>
#include <vector>

namespace emulation {

/// A kernel: it takes exactly one struct by value.
struct Kernel {
    const char* name;
    /// Runs one thread's share: the body of a Launch is `[=] { kernel.thunk(parameters); }`. `parameters[0]` points to the struct, as cuLaunchKernel has it.
    void (*thunk)(void** parameters);
    size_t parameter_bytes;
};

/// All that are linked in, in no fixed order.
inline std::vector<Kernel>& kernels() {
    static std::vector<Kernel> all;
    return all;
}

/// The kernel of that name, or nullptr.
inline const Kernel* find_kernel(const char* name) {
    for (const Kernel& kernel : kernels())
        if (!std::strcmp(kernel.name, name)) return &kernel;
    return nullptr;
}

template<auto kernel> struct Registration;

template<class Arguments, void (*kernel)(Arguments)> struct Registration<kernel> {
    static_assert(std::is_trivially_copyable<Arguments>::value, "the driver copies the struct byte by byte");
    explicit Registration(const char* name) {
        kernel_name = name;
        kernels().push_back({name, [](void** parameters) { if (!noted(kernel_name, parameters[0], sizeof(Arguments))) kernel(*static_cast<const Arguments*>(parameters[0])); }, sizeof(Arguments)});
    }
    inline static const char* kernel_name = nullptr;
};

}  // namespace emulation
