#include "../parts/product.cuh"

#ifndef BATCH_TILES
#define BATCH_TILES 1
#endif
#ifndef KERNEL_NAME
#define KERNEL_NAME product_int4_b8
#endif

KERNEL(KERNEL_NAME, 256, 1)(ProductArguments arguments) { run_product<NibbleWeights, BATCH_TILES>(arguments); }
