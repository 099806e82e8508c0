// Matrix fragments from shared memory: ldmatrix. Lane 8·i + r gives the address of row r (16 bytes, aligned) of 8×8 matrix i;
// thread t receives of matrix i row t/4, elements 2·(t%4) and 2·(t%4)+1; transposed: elements (2·(t%4), t/4) and (2·(t%4)+1, t/4).
#pragma once
#include "cp_async.cuh"

#if SIMT_DEVICE
FN void load_matrices(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
FN void load_matrices_transposed(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
#else
FN void load_matrices(u32 (&r)[4], const void* row) { emulation::load_matrices(r, row, false); }
FN void load_matrices_transposed(u32 (&r)[4], const void* row) { emulation::load_matrices(r, row, true); }
#endif
