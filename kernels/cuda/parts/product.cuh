// The weight product of a decode step: y[b][row] = Σ_k W[row][k]·x[b][k], batch 1 to 64, FP32 accumulation. Bound by the stream of weights.
//
//   inputs, in stages (units) ────►
//   ┌────┬────┬────┬────┬────┬────┐
//   │ 0  │ 0  │ 0  │ 0  │ 1  │ 1  │ slab 0 (256 rows)     Blocks take equal ranges of the flat order of stages: here block 1 ends slab 0 and begins slab 1.
//   ├────┼────┼────┼────┼────┼────┤                       A slab that several blocks share is summed by the last of them to arrive.
//   │ 1  │ 1  │ 2  │ 2  │ 2  │ 2  │ slab 1
//   └────┴────┴────┴────┴────┴────┘
//
// A stage's weights and its piece of the activation panel go through a ring of shared memory by asynchronous copies. The ring runs on across slabs: the next slab's
// weights are under way during an epilogue, and a kernel's first ones before the kernel before it has ended.
// Eight warps: four across the rows (64 each: an activation fragment feeds four row tiles) by two across the inputs of a stage, whose sums meet at the slab's end.
// At batch tiles 8 quantised weights take eight warps across the rows instead: they need accumulators for the scale group beside those for the slab.
#pragma once
#include "epilogue.cuh"
#include "unpack.cuh"

/// Constants of a variant; the launch needs shared_bytes.
template<class Format, u32 batch_tiles> struct ProductShape {
    static constexpr u32 Threads = 256;
    static constexpr u32 RowWarps = Format::Scaled && batch_tiles == 8 ? 8 : 4;
    static constexpr u32 InputWarps = 8 / RowWarps;
    static constexpr u32 WarpTiles = SlabTiles / RowWarps;
    /// INT4: two scale groups a stage, one for each of the warps across the inputs.
    static constexpr u32 StageChunks = Format::QuadSteps == 4 && InputWarps == 2 ? 2 : 1;
    /// 16-byte loads of a lane a tile and stage.
    static constexpr u32 ChunkQuads = Format::ChunkInputs / 16 / Format::QuadSteps;
    static constexpr u32 WarpQuads = StageChunks == 2 ? ChunkQuads : ChunkQuads / InputWarps;
    static constexpr u32 ChunkPanelQuads = Format::ChunkInputs / 16 * batch_tiles * 16;  // of 16 bytes
    static constexpr u32 UnitBytes = Format::QuadSteps == 1 ? 32768 : Format::QuadSteps == 2 ? 33280 : 17024;
    static constexpr u32 WeightBytes = StageChunks * UnitBytes;
    static constexpr u32 PanelBytes = StageChunks * ChunkPanelQuads * 16;
    static constexpr u32 Reserved = 16;
    /// A block's shared memory: 227 KiB from sm_90 on, 163 KiB on sm_80.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900  // the host form too, where it stands in for sm_80
    static constexpr u32 SharedLimit = 166912;
#else
    static constexpr u32 SharedLimit = 232448;
#endif
    static constexpr u32 MostStages = 6;
    static constexpr u32 stages_of(u32 panels) {
        u32 fit = (SharedLimit - Reserved) / (WeightBytes + panels * PanelBytes);
        return fit < MostStages ? fit : MostStages;
    }
    /// Panels that a slab reads: two where a block of rows ends inside a slab.
    static constexpr u32 panels_of(u32 rows, u32 block_rows) { return block_rows == 0 || block_rows >= rows || block_rows % SlabRows == 0 ? 1 : 2; }
    static constexpr u32 shared_bytes(u32 panels) { return Reserved + stages_of(panels) * (WeightBytes + panels * PanelBytes); }
};

/// A stage along the flat order, and what its slab settles: one division a slab, not one a stage.
struct StageCursor {
    u32 slab, stage;      // stage counts within the slab
    u32 tiles, unit;      // of the slab: tiles, bytes of a unit
    u32 first_panel;      // panel of the slab's first row
};

/// All threads copy `quads` times 16 contiguous bytes, at most `most`; both pointers are this thread's.
template<u32 most> FN void copy_quads(u8* to, const u8* from, u32 quads) {
    constexpr u32 Full = most / 256, Rounds = (most + 255) / 256;
    const u32 thread = thread_index();
    if (Full && quads >= Full * 256) {
        UNROLL for (u32 i = 0; i < Full; i++) copy_async(to + i * 4096, from + i * 4096);
        if (Rounds > Full && thread + Full * 256 < quads) copy_async(to + Full * 4096, from + Full * 4096);
    } else {
        UNROLL for (u32 i = 0; i < Rounds; i++)
            if (thread + i * 256 < quads) copy_async(to + i * 4096, from + i * 4096);
    }
}

/// One warp's part of a stage: sums += weights · activations. `weights`: this lane's 16 bytes, [tile][ChunkQuads][32]; `activations`: this lane's pair, [k16][batch tile][32].
template<class Format, u32 batch_tiles, u32 tiles> FN void multiply(float (&sums)[tiles][batch_tiles][4], const Quad* weights, const Pair* activations, const RowConstants (&constants)[tiles]) {
    using Shape = ProductShape<Format, batch_tiles>;
    UNROLL for (u32 quad = 0; quad < Shape::WarpQuads; quad++) {
        Quad stored[tiles];
        UNROLL for (u32 r = 0; r < tiles; r++) stored[r] = weights[(r * Shape::ChunkQuads + quad) * 32];
        UNROLL for (u32 step = 0; step < Format::QuadSteps; step++) {
            Pair b[batch_tiles];
            UNROLL for (u32 n = 0; n < batch_tiles; n++) b[n] = activations[((quad * Format::QuadSteps + step) * batch_tiles + n) * 32];
            UNROLL for (u32 r = 0; r < tiles; r++) {
                u32 a[4];
                Format::unpack(a, stored[r], step, constants[r]);
                UNROLL for (u32 n = 0; n < batch_tiles; n++) mma(sums[r][n], a, b[n].v[0], b[n].v[1]);
            }
        }
    }
}

/// This block's part of a slab that it shares with others goes to the workspace. True for the last block to arrive; `results` are then the sums over all, in the blocks' order.
/// A block has at most two such slabs, the one it begins in and the one it ends in: its two places in the workspace.
template<u32 batch_tiles>
FN bool sum_parts(const ProductArguments& arguments, u32 slab, u32 tile, u32 first, u32 total, u32 slab_stages, u32* last_flag, float (&results)[2][batch_tiles][4]) {
    const u32 grid = grid_size(), slab_first = slab * slab_stages;
    const u32 first_block = ((slab_first + 1) * grid - 1) / total, contributors = ((slab_first + slab_stages) * grid - 1) / total - first_block + 1;
    Quad* workspace = reinterpret_cast<Quad*>(arguments.workspace) + tile * batch_tiles * 32 + lane_index();
    constexpr u32 PlaceQuads = SlabTiles * batch_tiles * 32;

    Quad* own = workspace + (u64)(2 * block_index() + (slab != first / slab_stages)) * PlaceQuads;
    UNROLL for (u32 i = 0; i < 2; i++)
        UNROLL for (u32 n = 0; n < batch_tiles; n++) {
            Quad part;
            UNROLL for (u32 e = 0; e < 4; e++) part.v[e] = float_bits(results[i][n][e]);
            own[(i * batch_tiles + n) * 32] = part;
        }
    fence_device();
    sync_block();
    if (thread_index() == 0) {
        bool last = atomic_add(arguments.arrivals + slab, 1) == contributors - 1;
        if (last) arguments.arrivals[slab] = 0;
        *last_flag = last;
    }
    sync_block();
    if (!*last_flag) return false;
    fence_device();

    constexpr u32 Together = batch_tiles == 8 ? 2 : 4;  // parts whose loads are under way at once
    const u32 begins_before = total * first_block / grid / slab_stages != slab;  // the first contributor's second place
    UNROLL for (u32 i = 0; i < 2; i++)
        UNROLL for (u32 n = 0; n < batch_tiles; n++)
            UNROLL for (u32 e = 0; e < 4; e++) results[i][n][e] = 0;
    ROLLED for (u32 from = 0; from < contributors; from += Together) {
        Quad parts[Together][2][batch_tiles];
        UNROLL for (u32 c = 0; c < Together; c++) {
            const Quad* part = workspace + (u64)(2 * (first_block + from + c) + (from + c == 0 ? begins_before : 0)) * PlaceQuads;
            UNROLL for (u32 i = 0; i < 2; i++)
                UNROLL for (u32 n = 0; n < batch_tiles; n++) {
                    parts[c][i][n] = Quad{{0, 0, 0, 0}};
                    if (from + c < contributors) parts[c][i][n] = part[(i * batch_tiles + n) * 32];
                }
        }
        UNROLL for (u32 c = 0; c < Together; c++)
            UNROLL for (u32 i = 0; i < 2; i++)
                UNROLL for (u32 n = 0; n < batch_tiles; n++)
                    UNROLL for (u32 e = 0; e < 4; e++) results[i][n][e] += bits_float(parts[c][i][n].v[e]);
    }
    return true;
}

/// Word by word into registers: a copy of the whole would pass through local memory.
FN Quad load_quad(const void* from) {
    Quad quad = *static_cast<const Quad*>(from);
    return {{quad.v[0], quad.v[1], quad.v[2], quad.v[3]}};
}

template<class Format, u32 batch_tiles> FN void run_product(const ProductArguments& arguments) {
    using Shape = ProductShape<Format, batch_tiles>;
    constexpr u32 Tiles = Shape::WarpTiles;
    constexpr u32 ChunkQuads = Shape::ChunkPanelQuads, StageQuads = Shape::StageChunks * ChunkQuads;  // of a panel
    const u32 thread = thread_index(), lane = lane_index(), warp = warp_index(), g = lane / 4;
    const u32 row_warp = warp % Shape::RowWarps, input_warp = warp / Shape::RowWarps;
    u8* shared = shared_memory();
    u32* last_flag = reinterpret_cast<u32*>(shared);
    u8* ring = shared + Shape::Reserved;

    const u32 rows = arguments.rows, chunks = arguments.inputs / Format::ChunkInputs;
    const u32 slabs = ceiling(rows, SlabRows), slab_stages = ceiling(chunks, Shape::StageChunks);
    const u32 block_rows = arguments.block_rows == 0 ? rows : arguments.block_rows;
    const u32 panels = Shape::panels_of(rows, block_rows), last_panel = (rows - 1) / block_rows;
    const u32 stages = panels == 1 ? Shape::stages_of(1) : Shape::stages_of(2);
    const u32 stage_bytes = Shape::WeightBytes + panels * Shape::PanelBytes;
    const u32 total = slabs * slab_stages, grid = grid_size(), block = block_index();
    const u32 first = total * block / grid, end = total * (block + 1) / grid;

    auto enter_slab = [&](StageCursor& cursor) {
        cursor.tiles = least(SlabTiles, rows / TileRows - cursor.slab * SlabTiles);
        cursor.unit = Format::unit_bytes(cursor.tiles);
        cursor.first_panel = cursor.slab * SlabRows / block_rows;
    };
    auto advance = [&](StageCursor& cursor) {
        if (++cursor.stage == slab_stages) {
            cursor.stage = 0;
            cursor.slab++;
            enter_slab(cursor);
        }
    };
    auto stage_chunks = [&](const StageCursor& cursor) { return Shape::StageChunks == 1 ? 1u : least(2u, chunks - 2 * cursor.stage); };
    // This thread's first 16 bytes of a stage's part of a panel: `piece` 0 that of the slab's first row, 1 the next.
    auto panel_part = [&](const StageCursor& cursor, u32 piece) {
        return reinterpret_cast<const u8*>(arguments.panel + (u64)least(cursor.first_panel + piece, last_panel) * arguments.panel_stride) + (u64)cursor.stage * Shape::PanelBytes + thread * 16;
    };

    StageCursor loading = {first / slab_stages, first % slab_stages, 0, 0, 0};
    enter_slab(loading);
    StageCursor computing = loading, begun = loading;
    const u32 ring_bytes = stages * stage_bytes;
    u32 loading_slot = 0, computing_slot = 0;  // offsets in the ring
    // Units lie behind each other in the flat order.
    const u8* weights_from = arguments.weights + (u64)loading.slab * chunks * Shape::UnitBytes + (u64)(loading.stage * Shape::StageChunks) * loading.unit + thread * 16;
    auto load_weights = [&] {
        const u32 bytes = stage_chunks(loading) * loading.unit;
        copy_quads<Shape::WeightBytes / 16>(ring + loading_slot + thread * 16, weights_from, bytes / 16);
        weights_from += bytes;
    };
    auto next_slot = [&](u32& slot) {
        slot += stage_bytes;
        if (slot == ring_bytes) slot = 0;
    };

    // The ring's first weights depend on no other kernel.
    ROLLED for (u32 at = first; at < first + stages - 1; at++) {
        if (at < end) {
            load_weights();
            advance(loading);
        }
        copy_commit();
        next_slot(loading_slot);
    }
    wait_for_previous_kernel();
    // Their panel parts do. Plain loads, all under way at once, keep them out of the groups: the first stage need not wait for the whole ring.
    ROLLED for (u32 piece = 0; piece < panels; piece++) {
        constexpr u32 Ahead = Shape::stages_of(1) - 1, Rounds = (StageQuads + 255) / 256;
        const u32 ahead = least(stages - 1, end - first);
        StageCursor cursor = begun;
        Quad held[Ahead][Rounds];
        u32 quads[Ahead];
        UNROLL for (u32 s = 0; s < Ahead; s++) {
            quads[s] = s < ahead ? stage_chunks(cursor) * ChunkQuads : 0;
            const u8* from = panel_part(cursor, piece);
            UNROLL for (u32 i = 0; i < Rounds; i++) {
                held[s][i] = Quad{{0, 0, 0, 0}};
                if (thread + i * 256 < quads[s]) held[s][i] = load_quad(from + i * 4096);
            }
            if (s + 1 < ahead) advance(cursor);
        }
        UNROLL for (u32 s = 0; s < Ahead; s++)
            UNROLL for (u32 i = 0; i < Rounds; i++)
                if (thread + i * 256 < quads[s]) *reinterpret_cast<Quad*>(ring + s * stage_bytes + Shape::WeightBytes + piece * Shape::PanelBytes + thread * 16 + i * 4096) = held[s][i];
    }
    if (first + stages - 1 >= end) let_next_kernel_start();

    // The stage that follows the ring's last goes into the slot of the one before `at`.
    auto load_stage = [&](u32 at) {
        if (at + stages - 1 < end) {
            load_weights();
            u8* to = ring + loading_slot + Shape::WeightBytes + thread * 16;
            const u32 quads = stage_chunks(loading) * ChunkQuads;
            copy_quads<StageQuads>(to, panel_part(loading, 0), quads);
            if (panels == 2) copy_quads<StageQuads>(to + Shape::PanelBytes, panel_part(loading, 1), quads);
            advance(loading);
            next_slot(loading_slot);
            if (at + stages == end) let_next_kernel_start();
        }
        copy_commit();
    };
    // Warps 0 to 3 issue their copies before they compute and warps 4 to 7 after it: of the two on each scheduler one keeps the matrix unit busy meanwhile.
    const bool late = warp >= 4;

    float sums[Tiles][batch_tiles][4] = {};
    ROLLED for (u32 at = first; at < end; at++) {
        if (panels == 1) copy_wait<Shape::stages_of(1) - 2>();
        else copy_wait<Shape::stages_of(2) - 2>();
        sync_block();  // this stage has come for all, and all have done with the one before, whose slot is filled next
        if (!late) load_stage(at);

        // This warp's part of the stage.
        u8* slot = ring + computing_slot;
        const u32 own_chunk = Shape::StageChunks == 2 ? input_warp : 0, first_quad = Shape::StageChunks == 2 ? 0 : input_warp * Shape::WarpQuads;
        if (Shape::StageChunks == 1 || own_chunk < stage_chunks(computing)) {
            const u8* unit = slot + own_chunk * computing.unit;
            const u8* panel = slot + Shape::WeightBytes + own_chunk * ChunkQuads * 16;
            if (panels == 2) panel += least((computing.slab * SlabRows + row_warp * Tiles * TileRows) / block_rows - computing.first_panel, 1u) * Shape::PanelBytes;
            const Pair* activations = reinterpret_cast<const Pair*>(panel) + first_quad * Format::QuadSteps * batch_tiles * 32 + lane;
            const Quad* weights = reinterpret_cast<const Quad*>(unit) + (row_warp * Tiles * Shape::ChunkQuads + first_quad) * 32 + lane;
            RowConstants constants[Tiles];
            UNROLL for (u32 r = 0; r < Tiles; r++) constants[r] = Format::constants(unit, computing.tiles, row_warp * Tiles + r, g);
            float group[Tiles][batch_tiles][4] = {};
            multiply<Format, batch_tiles>(*(Format::Scaled ? &group : &sums), weights, activations, constants);
            if (Format::Scaled)
                UNROLL for (u32 r = 0; r < Tiles; r++)
                    UNROLL for (u32 n = 0; n < batch_tiles; n++)
                        UNROLL for (u32 i = 0; i < 4; i++) sums[r][n][i] = fused(group[r][n][i], constants[r].scale[i / 2], sums[r][n][i]);
        }

        if (late) load_stage(at);

        if (computing.stage + 1 == slab_stages || at + 1 == end) {
            // Each warp ends with two neighbouring tiles; of those that divide the inputs, each gets half of what the other has.
            float results[2][batch_tiles][4];
            u32 tile = row_warp * Tiles;
            if (Shape::InputWarps == 2) {
                tile += 2 * input_warp;
                sync_block();  // all have read the slot: it serves the exchange until the next stage's barrier
                Quad* exchange = reinterpret_cast<Quad*>(slot) + lane;
                UNROLL for (u32 i = 0; i < 2; i++) {
                    UNROLL for (u32 n = 0; n < batch_tiles; n++) {
                        Quad given;
                        UNROLL for (u32 e = 0; e < 4; e++) {
                            given.v[e] = float_bits(input_warp ? sums[i][n][e] : sums[Tiles - 2 + i][n][e]);
                            results[i][n][e] = input_warp ? sums[Tiles - 2 + i][n][e] : sums[i][n][e];
                        }
                        exchange[(warp * batch_tiles + n) * 32] = given;
                    }
                    sync_some(1 + row_warp, 64);
                    UNROLL for (u32 n = 0; n < batch_tiles; n++) {
                        Quad received = exchange[((warp ^ 4) * batch_tiles + n) * 32];
                        UNROLL for (u32 e = 0; e < 4; e++) results[i][n][e] += bits_float(received.v[e]);
                    }
                    if (i == 0) sync_some(1 + row_warp, 64);
                }
            } else {
                UNROLL for (u32 i = 0; i < 2; i++)
                    UNROLL for (u32 n = 0; n < batch_tiles; n++)
                        UNROLL for (u32 e = 0; e < 4; e++) results[i][n][e] = sums[i][n][e];
            }
            const u32 slab = computing.slab, slab_first = slab * slab_stages, slab_end = slab_first + slab_stages;
            bool complete = slab_first >= first && slab_end <= end;
            if (!complete) complete = sum_parts<batch_tiles>(arguments, slab, tile, first, total, slab_stages, last_flag, results);
            if (complete) store_results<batch_tiles>(arguments, slab * SlabRows + tile * TileRows, results);
            UNROLL for (u32 r = 0; r < Tiles; r++)
                UNROLL for (u32 n = 0; n < batch_tiles; n++)
                    UNROLL for (u32 i = 0; i < 4; i++) sums[r][n][i] = 0;
        }
        advance(computing);
        next_slot(computing_slot);
    }
}
