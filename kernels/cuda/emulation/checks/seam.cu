// Every function of arch/, callable one by one: the check of the seam runs it as PTX and as host code on the same inputs. Not a kernel of the project.
// Grid (blocks), block 64 threads, shared memory 32 bytes a thread.
#include "../../arch/arch.cuh"

struct SeamArguments {
    const u32* a;      // [count] first operands; for memory functions 16-byte units, one a thread
    const u32* b;      // [count]
    const u32* c;      // [count]
    u32* out;          // [count], or [4·count]
    u32 function;      // which, in the order of the switches below
    u32 count;         // threads of the grid
};

constexpr u32 SeamThreads = 64;
/// Functions below SeamWords give one word a thread, from there on four.
constexpr u32 SeamWords = 64;

FN u32 of_lanes(u32 function, u32 a, u32 b, u32 c) {
    float x = bits_float(a), y = bits_float(b), z = bits_float(c);
    switch (function) {
        case 0: return and_or(a, b, c);
        case 1: return permute_bytes(a, b, c);
        case 2: return half_from_fp8((u16)a);
        case 3: return fp8_from_float(x);
        case 4: return pack_half(x, y);
        case 5: return to_half(x);
        case 6: return float_bits(from_half((u16)a));
        case 7: return half_sub(a, b);
        case 8: return half_mul(a, b);
        case 9: return half_fma(a, b, c);
        case 10: return float_bits(low_half(a));
        case 11: return float_bits(high_half(a));
        case 12: return twice((u16)a);
        case 13: return float_bits(from_bfloat((u16)a));
        case 14: return to_bfloat(x);
        case 15: return float_bits(fused(x, y, z));
        case 16: return float_bits(exact_mul(x, y));
        case 17: return float_bits(exact_add(x, y));
        case 18: return float_bits(exact_div(x, y));
        case 19: return float_bits(exact_sqrt(x));
        case 20: return float_bits(nearest(x));
        case 21: return float_bits(exp2_fast(x));
        case 22: return float_bits(log2_fast(x));
        case 23: return float_bits(inverse_sqrt(x));
        case 24: return float_bits(inverse(x));
        case 25: return float_bits(largest(x, y));
        case 26: return least(a, b);
        case 27: return ceiling(a, b);
        case 28: return float_bits(sigmoid(x));
        case 29: return a == 0 ? float_bits(infinity()) : float_bits(Log2E);
        default: return 0;
    }
}

FN u32 of_warps(u32 function, u32 a, u32 b) {
    float x = bits_float(a);
    switch (function) {
        case 32: return shuffle_xor(a, b);
        case 33: return float_bits(shuffle_xor(x, b));
        case 34: return shuffle(a, b);
        case 35: return float_bits(shuffle(x, b));
        case 36: return ballot(a > b);
        case 37: return float_bits(warp_sum(x));
        case 38: return float_bits(warp_sum<4>(x));
        case 39: return float_bits(warp_max(x));
        case 40: return float_bits(warp_max<8>(x));
        case 41: return lane_index() | warp_index() << 8 | thread_index() << 16;
        case 42: return block_index() | block_index_y() << 8 | grid_size() << 16;
        default: return 0;
    }
}

/// Functions of memory and matrices; `unit` is this thread's sixteen bytes in a.
FN void of_memory(const SeamArguments& args, u32 i, Quad& out) {
    u8* shared = shared_memory();
    Quad* own = reinterpret_cast<Quad*>(shared) + thread_index();
    const u32* unit = args.a + 4 * i;
    u32 b = args.b[i];
    switch (args.function) {
        case 64:  // the left neighbour's copy, two groups under way
            copy_async(own, unit);
            copy_commit();
            copy_async(own + SeamThreads, unit);
            copy_commit();
            copy_wait<1>();
            sync_block();
            out = *(reinterpret_cast<const Quad*>(shared) + (thread_index() ^ 1));
            copy_wait<0>();
            sync_block();
            out.v[0] ^= (own + SeamThreads)->v[0] ^ reinterpret_cast<const Quad*>(shared)[thread_index() ^ 1].v[0];
            break;
        case 65:
            copy_async_or_zero(own, unit, b & 1);
            copy_commit();
            copy_wait<0>();
            out = *own;
            break;
        case 66: {
            u32* words = reinterpret_cast<u32*>(shared) + 4 * thread_index();
            copy_async_small<4>(words, unit);
            copy_async_small<4>(words + 1, unit + 3);
            copy_async_small<8>(words + 2, unit);
            copy_commit();
            copy_wait<0>();
            out = *own;
            break;
        }
        case 67: case 68: {
            *own = *reinterpret_cast<const Quad*>(unit);
            sync_block();
            const void* row = reinterpret_cast<const Quad*>(shared) + (b & 63);
            if (args.function == 67) load_matrices(out.v, row);
            else load_matrices_transposed(out.v, row);
            break;
        }
        case 69: {
            float d[4];
            UNROLL for (u32 k = 0; k < 4; k++) d[k] = bits_float(args.c[4 * i + k]);
            u32 fragment[4] = {unit[0], unit[1], unit[2], unit[3]};
            mma(d, fragment, b, args.b[args.count + i]);
            UNROLL for (u32 k = 0; k < 4; k++) out.v[k] = float_bits(d[k]);
            break;
        }
        case 70: {
            Quad v = load_stream(unit);
            store_stream(args.out + 4 * i, v);
            out = *reinterpret_cast<const Quad*>(args.out + 4 * i);
            break;
        }
        case 71: {  // sums do not depend on the order, single old values do
            u32* counts = reinterpret_cast<u32*>(shared);
            if (thread_index() < 4) counts[thread_index()] = 0;
            sync_block();
            atomic_add_shared(counts + (b & 3), unit[0] & 255);
            fence_device();
            sync_block();
            out.v[0] = counts[0]; out.v[1] = counts[1]; out.v[2] = counts[2]; out.v[3] = counts[3];
            break;
        }
        case 72: {  // the warps hand over to each other through named barriers
            u32* words = reinterpret_cast<u32*>(shared);
            if (warp_index() == (lane_index() & 1)) words[lane_index()] = unit[0];
            sync_some(1, SeamThreads);
            out.v[0] = words[31 - lane_index()];
            sync_some(2 + warp_index(), 32);
            words[32 + thread_index()] = out.v[0];
            sync_warp();
            out.v[1] = words[32 + (thread_index() ^ 5)];
            out.v[2] = out.v[3] = 0;
            break;
        }
        case 73:  // every address has one thread: its old value is fixed
            out.v[0] = atomic_add(args.out + 4 * i, unit[0]);
            out.v[1] = args.out[4 * i];
            atomic_add(reinterpret_cast<float*>(args.out + 4 * i + 2), bits_float(unit[1]));
            out.v[2] = float_bits(load_written(reinterpret_cast<const float*>(args.out + 4 * i + 2)));
            out.v[3] = 0;
            break;
        case 74:  // lanes of one warp go different ways and meet again
            out.v[0] = unit[0];
            for (u32 k = 0; k < (b & 7); k++) out.v[0] = out.v[0] * 1664525u + 1013904223u;
            if (b & 8) out.v[0] ^= unit[1];
            else if (b & 16) out.v[0] += unit[2];
            out.v[1] = shuffle_xor(out.v[0], 3);
            out.v[2] = b & 1 ? unit[3] / (b | 1) : unit[3] % (b | 1);
            out.v[3] = (u32)((i32)unit[2] >> (b & 31)) + (u32)(((u64)unit[0] * unit[1]) >> 29);
            break;
        default: break;
    }
}

#if !defined(KERNEL_NAME)
#define KERNEL_NAME seam
#endif

KERNEL(KERNEL_NAME, SeamThreads, 1)(SeamArguments args) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 i = block_index() * SeamThreads + thread_index();
    if (args.function < 32) {
        args.out[i] = of_lanes(args.function, args.a[i], args.b[i], args.c[i]);
    } else if (args.function < SeamWords) {
        args.out[i] = of_warps(args.function, args.a[i], args.b[i]);
    } else {
        Quad out = {{0, 0, 0, 0}};
        of_memory(args, i, out);
        *reinterpret_cast<Quad*>(args.out + 4 * i) = out;
    }
}
