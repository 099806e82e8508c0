// Weight product of a decode step, y = W·x, weights INT8, a scale a row and 128 inputs, batch 1 to 8·BATCH_TILES.
//
// Shapes  weights [rows][inputs] in units of 256 rows by 128 inputs (33,280 bytes); panel FP16 [inputs][8·BATCH_TILES columns]; results FP32, to 1–4 row segments (parts/epilogue.cuh)
// Launch  256 threads; grid = min(multiprocessors, stages), a stage being a unit; shared memory ProductShape::shared_bytes, one block a multiprocessor
//         Few slabs: a grid of 8 blocks a slab is enough and keeps the last block's sum over the others' parts short.
// Bytes   rows·inputs·8.125/8 of weights, once. The panel (2·inputs·8·BATCH_TILES) is read again by every block for its stages, from the second-level cache.
// FLOPs   2·rows·inputs·batch
// Floor   bytes / bandwidth: q, k, v at width 8192 (24576 × 8192): 204 MB, 43 µs at 4.8 TB/s; 3.2 GFLOP at batch 8
// Ring    6 stages at batch tiles 1 and 2, 5 at 3 and 4, 4 at 8 (sm_90; fewer where a slab reads two panels, and on sm_80)
#include "../parts/product.cuh"

#ifndef BATCH_TILES
#define BATCH_TILES 1
#endif
#ifndef KERNEL_NAME
#define KERNEL_NAME product_int8_b8
#endif

KERNEL(KERNEL_NAME, 256, 1)(ProductArguments arguments) { run_product<ByteWeights, BATCH_TILES>(arguments); }
