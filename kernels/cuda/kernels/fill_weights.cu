// A stored weight matrix from its keys: normal numbers of deviation 1/sqrt(inputs), quantised in groups of 128 inputs, in weight units (README.md).
// The same weights as the reference implementation's, bit for bit. Bytes: each unit is written once. Arithmetic: about 45 operations a weight.
//
// WEIGHT_BITS is 16, 8 or 4. Blocks of 256 threads, any grid; a warp makes one tile of 16 rows by 128 inputs after the other. No shared memory.
#include "../arch/arch.cuh"
#include "../parts/noise.cuh"

struct FillWeightsArguments {
    u8* units;          // weight units of the stored matrix, written whole but for the bytes that round a unit up to 16
    const Pair* rows;   // [stored rows] (which matrix, its row): the key's number and the row that the reference implementation counts; ~0: a padding row, zero weights
    const u64* keys;    // [matrices] StepContext.Key(layer, name)
    u32 row_count;      // stored rows, a multiple of 16
    u32 inputs;         // not padded
};

constexpr u32 WarpsPerBlock = 8, TileRows = 16, SlabTiles = 16, GroupInputs = 128;
constexpr u32 TileBytes = GroupInputs * WEIGHT_BITS * 2;  // 16 rows by 128 inputs
constexpr u32 ChunkTileBytes = WEIGHT_BITS == 16 ? TileBytes / 2 : TileBytes;
constexpr u32 ChunksPerGroup = WEIGHT_BITS == 16 ? 2 : 1;
constexpr u32 ScaleBytes = WEIGHT_BITS == 16 ? 0 : 2 * TileRows, ZeroBytes = WEIGHT_BITS == 4 ? 8 : 0;

FN float smallest(float a, float b) { return a < b ? a : b; }
FN float clamp(float v, float low, float high) { return smallest(largest(v, low), high); }

/// Bytes of a unit of so many tiles.
FN u64 unit_bytes(u32 tiles) { return ((u64)tiles * (ChunkTileBytes + ScaleBytes + ZeroBytes) + 15) / 16 * 16; }

/// Integers of a row's group, the same on its four lanes.
struct Quantisation { float inverse, zero, least, most; u16 scale; };

/// Of the smallest and largest number of a row's group.
FN Quantisation quantisation(float low, float high) {
    Quantisation q{};
    if (WEIGHT_BITS == 8) {
        q.scale = to_half(exact_div(largest(-low, high), 127.0f));
    } else {
        // Zero itself is always representable: the range includes it.
        low = smallest(low, 0.0f);
        high = largest(high, 0.0f);
        q.scale = to_half(exact_div(exact_add(high, -low), 15.0f));
    }
    q.inverse = (q.scale & 0x7fff) == 0 ? 0.0f : exact_div(1.0f, from_half(q.scale));
    q.zero = WEIGHT_BITS == 8 ? 0.0f : clamp(nearest(exact_mul(-low, q.inverse)), 0.0f, 15.0f);
    q.least = WEIGHT_BITS == 8 ? -127.0f : 0.0f;
    q.most = WEIGHT_BITS == 8 ? 127.0f : 15.0f;
    return q;
}
/// As it is stored: INT8 + 128, INT4 as it is.
FN u32 quantised(const Quantisation& q, float v) {
    float integer = clamp(exact_add(nearest(exact_mul(v, q.inverse)), q.zero), q.least, q.most);
    return (u32)(i32)exact_add(integer, WEIGHT_BITS == 8 ? 128.0f : 0.0f);
}

KERNEL(KERNEL_NAME, 256, 2)(FillWeightsArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index(), g = lane / 4, t = lane % 4;
    u32 tiles = a.row_count / TileRows, groups = ceiling(a.inputs, GroupInputs), items = tiles * groups;
    float deviation = exact_div(1.0f, exact_sqrt((float)a.inputs));
    ROLLED for (u32 item = block_index() * WarpsPerBlock + warp_index(); item < items; item += grid_size() * WarpsPerBlock) {
        u32 tile = item / groups, group = item % groups, slab = tile / SlabTiles, slab_tiles = least(tiles - slab * SlabTiles, SlabTiles);
        Pair upper = a.rows[tile * TileRows + g], lower = a.rows[tile * TileRows + g + 8];
        u32 chunk = group * GroupInputs / NoiseChunk, first = group * GroupInputs % NoiseChunk, real = a.inputs - group * GroupInputs;
        bool has_upper = upper.v[0] != ~0u, has_lower = lower.v[0] != ~0u;
        u64 upper_key = has_upper ? noise_key(a.keys[upper.v[0]], upper.v[1], chunk) : 0;
        u64 lower_key = has_lower ? noise_key(a.keys[lower.v[0]], lower.v[1], chunk) : 0;
        // A lane's counters 2t and 2t+1 of each run of 16 give just the eight weights of its fragment: w[k16][register][half].
        float w[8][4][2];
        float low[2] = {infinity(), infinity()}, high[2] = {-infinity(), -infinity()};
        UNROLL for (u32 k = 0; k < 8; k++) {
            UNROLL for (u32 half = 0; half < 2; half++) {
                u32 input = 16 * k + 2 * t + half;
                noise_pair(upper_key, first + input, deviation, w[k][0][half], w[k][2][half]);
                noise_pair(lower_key, first + input, deviation, w[k][1][half], w[k][3][half]);
                UNROLL for (u32 r = 0; r < 4; r++) {
                    if (!(r % 2 ? has_lower : has_upper) || input + r / 2 * 8 >= real) w[k][r][half] = 0;
                    low[r % 2] = smallest(low[r % 2], w[k][r][half]);
                    high[r % 2] = largest(high[r % 2], w[k][r][half]);
                }
            }
        }
        u8* unit = a.units + (u64)slab * (groups * ChunksPerGroup) * unit_bytes(SlabTiles) + (u64)(group * ChunksPerGroup) * unit_bytes(slab_tiles);
        u32 place = tile % SlabTiles;
        if (WEIGHT_BITS == 16) {
            UNROLL for (u32 k = 0; k < 8; k++) {
                Quad fragment;
                UNROLL for (u32 r = 0; r < 4; r++) fragment.v[r] = pack_half(w[k][r][0], w[k][r][1]);
                store_stream(unit + k / 4 * unit_bytes(slab_tiles) + place * ChunkTileBytes + (k % 4 * 32 + lane) * 16, fragment);
            }
            continue;
        }
        Quantisation q[2];
        UNROLL for (u32 row = 0; row < 2; row++) {
            UNROLL for (u32 m = 1; m < 4; m *= 2) {
                low[row] = smallest(low[row], shuffle_xor(low[row], m));
                high[row] = largest(high[row], shuffle_xor(high[row], m));
            }
            q[row] = quantisation(low[row], high[row]);
        }
        u8* weights = unit + place * ChunkTileBytes;
        if (WEIGHT_BITS == 8) {
            UNROLL for (u32 k = 0; k < 8; k += 2) {
                Quad bytes{};
                UNROLL for (u32 part = 0; part < 4; part++)
                    UNROLL for (u32 i = 0; i < 4; i++) {
                        u32 r = part % 2 * 2 + i / 2;
                        bytes.v[part] |= quantised(q[r % 2], w[k + part / 2][r][i % 2]) << 8 * i;
                    }
                store_stream(weights + (k / 2 * 32 + lane) * 16, bytes);
            }
        } else {
            UNROLL for (u32 k = 0; k < 8; k += 4) {
                Quad words{};
                UNROLL for (u32 part = 0; part < 4; part++)
                    UNROLL for (u32 r = 0; r < 4; r++)
                        UNROLL for (u32 half = 0; half < 2; half++) words.v[part] |= quantised(q[r % 2], w[k + part][r][half]) << (4 * r + 16 * half);
                store_stream(weights + (k / 4 * 32 + lane) * 16, words);
            }
        }
        u16* scales = (u16*)(unit + slab_tiles * ChunkTileBytes) + place * TileRows;
        if (t < 2) scales[g + 8 * t] = t == 0 ? q[0].scale : q[1].scale;
        if (WEIGHT_BITS == 4) {
            u32 upper_zeros = (u32)q[0].zero << 4 * g, lower_zeros = (u32)q[1].zero << 4 * g;
            UNROLL for (u32 m = 4; m < 32; m *= 2) {
                upper_zeros |= shuffle_xor(upper_zeros, m);
                lower_zeros |= shuffle_xor(lower_zeros, m);
            }
            u32* zeros = (u32*)(unit + slab_tiles * (ChunkTileBytes + ScaleBytes) + place * ZeroBytes);
            if (lane < 2) zeros[lane] = lane == 0 ? upper_zeros : lower_zeros;
        }
    }
}
