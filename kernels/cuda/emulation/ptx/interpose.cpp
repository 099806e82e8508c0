// For programs whose kernels are registered (../registry.hpp): linked in, it interposes.
#include "interpose.hpp"
