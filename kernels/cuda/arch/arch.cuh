// The whole seam.
#pragma once
#include "target.cuh"
#include "index.cuh"
#include "barrier.cuh"
#include "shuffle.cuh"
#include "cp_async.cuh"
#include "ldmatrix.cuh"
#include "mma.cuh"
#include "half.cuh"
#include "bits.cuh"
#include "fp8.cuh"
#include "math.cuh"
#include "memory.cuh"
