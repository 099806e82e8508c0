// H's window: the last 128 tokens' entries, normalised and turned, each in slot position mod 128.
// Bytes written: 584 a token and sequence.
//
// Blocks of 256 threads, any grid; a warp makes one (sequence, token) after the other. No shared memory.
#include "../parts/entry_writer.cuh"
#include "../parts/history.cuh"

struct FillWindowArguments {
    Pool entries;      // 512 columns
    Turns turns;       // 32 pairs
    u8* window;        // [batch][2] pages of 64 · 584 B
    u32 batch, context;
};

KERNEL(KERNEL_NAME, 256, 2)(FillWindowArguments a) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    u32 lane = lane_index();
    ROLLED for (u32 item = block_index() * 8 + warp_index(); item < a.batch * WindowEntries; item += grid_size() * 8) {
        u32 sequence = item / WindowEntries, position = a.context - WindowEntries + item % WindowEntries;
        u64 bits = token_bits(a.entries, sequence, position);
        EntryShare share;
        float squares = 0;
        UNROLL for (u32 g = 0; g < 7; g++)
            UNROLL for (u32 i = 0; i < 2; i++) {
                share.plain[g][i] = token_value(a.entries, bits, g * 64 + 2 * lane + i);
                squares = fused(share.plain[g][i], share.plain[g][i], squares);
            }
        UNROLL for (u32 i = 0; i < 2; i++) {
            share.turned[i] = token_value(a.entries, bits, EntryPlain + 32 * i + lane);
            squares = fused(share.turned[i], share.turned[i], squares);
        }
        float factor = exact_div(1.0f, exact_sqrt(exact_add(exact_div(warp_sum(squares), 512.0f), 1e-6f)));
        UNROLL for (u32 g = 0; g < 7; g++)
            UNROLL for (u32 i = 0; i < 2; i++) share.plain[g][i] = exact_mul(share.plain[g][i], factor);
        UNROLL for (u32 i = 0; i < 2; i++) share.turned[i] = exact_mul(share.turned[i], factor);
        float cosine, sine;
        turn_of(a.turns, position, lane, 32, cosine, sine);
        turn_pair(cosine, sine, share.turned[0], share.turned[1]);
        write_entry(a.window + (u64)sequence * WindowBytes, position % WindowEntries, share);
    }
}
