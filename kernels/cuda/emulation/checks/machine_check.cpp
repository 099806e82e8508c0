// kernels: none
// The PTX interpreter by itself: what single instructions give (values from the PTX ISA's definitions, worked by hand), what it refuses, what it calls a fault.
// One line a group, a line each that is wrong; exit 1 then.
#include "../ptx/machine.hpp"
#include <cstdint>

namespace {

bool good = true;
void verdict(bool right, const std::string& what) {
    if (right) return;
    std::printf("FAIL  %s\n", what.c_str());
    good = false;
}

/// A kernel of one warp or two: %rd1 is the output (8 bytes a thread), %rd2 the input (16 bytes a thread), %r1 the thread.
std::string kernel(const std::string& body, const std::string& target = "sm_90", const std::string& version = "8.0") {
    return ".version " + version + "\n.target " + target + "\n.address_size 64\n.extern .shared .align 16 .b8 memory[];\n.visible .entry k(\n\t.param .align 8 .b8 k_param_0[16]\n)\n.maxntid 64, 1, 1\n{\n"
           ".reg .pred %p<8>;\n.reg .b16 %rs<16>;\n.reg .b32 %r<32>;\n.reg .b64 %rd<16>;\n.reg .f32 %f<16>;\n.reg .f64 %fd<8>;\n"
           "ld.param.u64 %rd1, [k_param_0];\nld.param.u64 %rd2, [k_param_0+8];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd3, %r1, 8;\nadd.s64 %rd1, %rd1, %rd3;\nmul.wide.u32 %rd3, %r1, 16;\nadd.s64 %rd2, %rd2, %rd3;\n" +
           body + "\nret;\n}\n";
}

struct Outcome { std::string error; std::uint64_t value[64]; };

/// Runs it: what was refused, what was a fault, or what each thread stored.
Outcome run(const std::string& text, unsigned threads = 32, bool programmatic = false, std::size_t shared = 256) {
    Outcome out{};
    alignas(16) static std::uint32_t input[256];
    for (std::uint32_t i = 0; i < 256; i++) input[i] = i * 0x01010101u;
    std::string log;
    auto module = ptx::parse(text.c_str(), log);
    if (!module) { out.error = "refused: " + log; return out; }
    struct { std::uint64_t* output; const std::uint32_t* input; } arguments{out.value, input};
    ptx::MemoryMap map;
    map.add(reinterpret_cast<std::uint64_t>(out.value), sizeof out.value);
    map.add(reinterpret_cast<std::uint64_t>(input), sizeof input);
    try {
        ptx::launch(*module, "k", 1, 1, threads, shared, &arguments, sizeof arguments, programmatic, &map);
    } catch (const ptx::Fault& fault) {
        out.error = "fault: " + fault.text;
    }
    return out;
}

/// What one instruction puts into `result`, in thread `thread`.
struct Value { const char* body; const char* result; std::uint64_t expected; unsigned thread; };

const Value Values[] = {
    {"shf.l.wrap.b32 %r9, 0x12345678, 0x9abcdef0, 40;", "%r9", 0xbcdef012, 0},
    {"shf.l.clamp.b32 %r9, 0x12345678, 0x9abcdef0, 40;", "%r9", 0x12345678, 0},
    {"shf.r.wrap.b32 %r9, 0x12345678, 0x9abcdef0, 4;", "%r9", 0x01234567, 0},
    {"shf.r.clamp.b32 %r9, 0x12345678, 0x9abcdef0, 33;", "%r9", 0x9abcdef0, 0},
    {"shl.b32 %r9, 1, 32;", "%r9", 0, 0},
    {"shr.s32 %r9, -8, 40;", "%r9", 0xffffffff, 0},
    {"shr.u32 %r9, -8, 40;", "%r9", 0, 0},
    {"bfe.u32 %r9, 0x12345678, 8, 12;", "%r9", 0x456, 0},
    {"bfe.s32 %r9, 0x00000f80, 7, 5;", "%r9", 0xffffffff, 0},
    {"bfe.s32 %r9, 0x80000000, 28, 20;", "%r9", 0xfffffff8, 0},
    {"bfi.b32 %r9, 0xabc, 0xffffffff, 8, 12;", "%r9", 0xfffabcff, 0},
    {"prmt.b32 %r9, 0x33221100, 0x77665584, 0x4c40;", "%r9", 0x84ff8400, 0},
    {"lop3.b32 %r9, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0x96;", "%r9", 0x96969696, 0},
    {"lop3.b32 %r9, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0xd8;", "%r9", 0xd8d8d8d8, 0},
    {"brev.b32 %r9, 0x1;", "%r9", 0x80000000, 0},
    {"clz.b32 %r9, 0x00010000;", "%r9", 15, 0},
    {"popc.b64 %r9, 0xff00ff00ff00ff00;", "%r9", 32, 0},
    {"bfind.u32 %r9, 0x00010000;", "%r9", 16, 0},
    {"mul.hi.u32 %r9, 0xffffffff, 0xffffffff;", "%r9", 0xfffffffe, 0},
    {"mul.hi.s32 %r9, -2, 0x7fffffff;", "%r9", 0xffffffff, 0},
    {"mul.wide.s32 %rd9, -2, 3;", "%rd9", 0xfffffffffffffffa, 0},
    {"mad.wide.u32 %rd9, 0xffffffff, 0xffffffff, 1;", "%rd9", 0xfffffffe00000002, 0},
    {"mad.lo.s32 %r9, -2, 3, 1;", "%r9", 0xfffffffb, 0},
    {"mul.hi.u64 %rd9, 0xffffffffffffffff, 0xffffffffffffffff;", "%rd9", 0xfffffffffffffffe, 0},
    {"div.s32 %r9, -7, 2;", "%r9", 0xfffffffd, 0},
    {"rem.s32 %r9, -7, 2;", "%r9", 0xffffffff, 0},
    {"div.u32 %r9, -7, 2;", "%r9", 0x7ffffffc, 0},
    {"min.s32 %r9, -7, 2;", "%r9", 0xfffffff9, 0},
    {"min.u32 %r9, -7, 2;", "%r9", 2, 0},
    {"dp4a.s32.s32 %r9, 0xff020304, 0x01010101, 10;", "%r9", 18, 0},
    {"dp4a.u32.u32 %r9, 0xff020304, 0x01010101, 10;", "%r9", 274, 0},
    {"cvt.s32.s8 %r9, %r8;", "%r9", 0xfffffff0, 0},  // %r8 = 0x1f0
    {"cvt.u32.u8 %r9, %r8;", "%r9", 0xf0, 0},
    {"cvt.u64.s32 %rd9, %r7;", "%rd9", 0xffffffffffffffff, 0},  // %r7 = −1
    {"cvt.u64.u32 %rd9, %r7;", "%rd9", 0xffffffff, 0},
    {"cvt.sat.u8.s32 %r9, %r8;", "%r9", 0xff, 0},
    {"cvt.rzi.s32.f32 %r9, 0fC0200000;", "%r9", 0xfffffffe, 0},  // −2.5
    {"cvt.rni.s32.f32 %r9, 0fC0200000;", "%r9", 0xfffffffe, 0},
    {"cvt.rmi.s32.f32 %r9, 0fC0200000;", "%r9", 0xfffffffd, 0},
    {"cvt.rzi.u32.f32 %r9, 0fC0200000;", "%r9", 0, 0},
    {"cvt.rzi.s32.f32 %r9, 0f7F800000;", "%r9", 0x7fffffff, 0},
    {"cvt.rzi.s32.f32 %r9, 0f7FC00000;", "%r9", 0, 0},
    {"cvt.rn.f32.u32 %f9, 0x01000001;", "%f9", 0x4b800000, 0},
    {"cvt.rp.f32.u32 %f9, 0x01000001;", "%f9", 0x4b800001, 0},
    {"cvt.rn.f32.s64 %f9, -3;", "%f9", 0xc0400000, 0},
    {"cvt.rn.bf16x2.f32 %r9, 0f3F800000, 0f40008000;", "%r9", 0x3f804000, 0},
    {"cvt.rn.bf16.f32 %rs9, 0f3F818000;", "%rs9", 0x3f82, 0},
    {"cvt.rz.f16.f32 %rs9, 0f477FFF00;", "%rs9", 0x7bff, 0},
    {"cvt.rn.f16.f32 %rs9, 0f477FFF00;", "%rs9", 0x7c00, 0},
    {"cvt.rn.satfinite.e4m3x2.f32 %rs9, 0f44000000, 0fBF800000;", "%rs9", 0x7eb8, 0},
    {"cvt.rn.f16x2.e4m3x2 %r9, %rs8;", "%r9", 0xdf003c00, 0},  // %rs8 = 0xfe38: −448, 1
    {"fma.rn.f16 %rs9, %rs7, %rs7, %rs6;", "%rs9", 0x3c02, 0},  // (1 + 2^-10)² − 2^-24: rounded once
    {"add.rz.f32 %f9, 0f3F800000, 0f33C00000;", "%f9", 0x3f800000, 0},
    {"add.rn.f32 %f9, 0f3F800000, 0f33C00000;", "%f9", 0x3f800001, 0},
    {"add.rp.f32 %f9, 0f3F800000, 0f00000001;", "%f9", 0x3f800001, 0},
    {"mul.ftz.f32 %f9, 0f00400000, 0f40000000;", "%f9", 0, 0},
    {"mul.f32 %f9, 0f00400000, 0f40000000;", "%f9", 0x00800000, 0},
    {"add.sat.f32 %f9, 0f3F800000, 0f3F800000;", "%f9", 0x3f800000, 0},
    {"min.f32 %f9, 0f7FC00000, 0f3F800000;", "%f9", 0x3f800000, 0},
    {"max.f32 %f9, 0f80000000, 0f00000000;", "%f9", 0, 0},
    {"min.NaN.f32 %f9, 0f7FC00000, 0f3F800000;", "%f9", 0x7fc00000, 0},
    {"fma.rn.f32 %f9, 0f3F800001, 0f3F800001, 0fBF800002;", "%f9", 0x28800000, 0},
    {"neg.f32 %f9, 0f3F800000;", "%f9", 0xbf800000, 0},
    {"div.rn.f64 %fd1, 0d3FF0000000000000, 0d4008000000000000; mov.b64 %rd9, %fd1;", "%rd9", 0x3fd5555555555555, 0},
    {"setp.lt.and.s32 %p1|%p2, %r1, 5, %p3; selp.b32 %r9, 1, 2, %p1; selp.b32 %r10, 4, 8, %p2; or.b32 %r9, %r9, %r10;", "%r9", 9, 3},
    {"setp.lt.and.s32 %p1|%p2, %r1, 5, %p3; selp.b32 %r9, 1, 2, %p1; selp.b32 %r10, 4, 8, %p2; or.b32 %r9, %r9, %r10;", "%r9", 6, 7},
    {"setp.gtu.f32 %p1, 0f7FC00000, 0f3F800000; selp.b32 %r9, 1, 0, %p1;", "%r9", 1, 0},
    {"setp.ne.f32 %p1, 0f7FC00000, 0f3F800000; selp.b32 %r9, 1, 0, %p1;", "%r9", 0, 0},
    {"setp.eq.s32 %p1, %r1, 5; xor.pred %p2, %p1, %p3; selp.b32 %r9, 1, 0, !%p2;", "%r9", 1, 5},
    {"shfl.sync.up.b32 %r9|%p1, %r1, 3, 0, 0xffffffff; selp.b32 %r10, 256, 0, %p1; or.b32 %r9, %r9, %r10;", "%r9", 263, 10},
    {"shfl.sync.up.b32 %r9|%p1, %r1, 3, 0, 0xffffffff; selp.b32 %r10, 256, 0, %p1; or.b32 %r9, %r9, %r10;", "%r9", 2, 2},
    {"shfl.sync.down.b32 %r9, %r1, 3, 31, 0xffffffff;", "%r9", 30, 30},
    {"shfl.sync.idx.b32 %r9, %r1, 5, 0x181f, 0xffffffff;", "%r9", 29, 26},
    {"shfl.sync.bfly.b32 %r9, %r1, 16, 0x100f, 0xffffffff;", "%r9", 3, 3},
    {"setp.lt.u32 %p1, %r1, 7; vote.sync.any.pred %p2, %p1, 0xffffffff; vote.sync.all.pred %p4, %p1, 0xffffffff; selp.b32 %r9, 1, 0, %p2; selp.b32 %r10, 2, 0, %p4; or.b32 %r9, %r9, %r10;", "%r9", 1, 20},
    {"setp.lt.u32 %p1, %r1, 7; vote.sync.ballot.b32 %r9, !%p1, 0xffffffff;", "%r9", 0xffffff80, 20},
    {"redux.sync.add.u32 %r9, %r1, 0xffffffff;", "%r9", 496, 4},
    {"and.b32 %r10, %r1, 3; match.any.sync.b32 %r9, %r10, 0xffffffff;", "%r9", 0x22222222, 5},
    {"setp.lt.u32 %p1, %r1, 7; mov.u32 %r9, 0; @%p1 activemask.b32 %r9;", "%r9", 0x7f, 3},
    {"mov.b64 {%r8, %r9}, 0x1122334455667788;", "%r9", 0x11223344, 0},
    {"mov.b32 %r9, {%rs8, %rs7};", "%r9", 0x3c01fe38, 0},
    {"ld.global.v4.u32 {%r9, %r10, %r11, %r12}, [%rd2];", "%r12", 0x0b0b0b0b, 2},
    {"ld.global.s8 %r9, [%rd2+3];", "%r9", 0xffffff80, 32},
    {"mov.u32 %r10, memory; mad.lo.s32 %r10, %r1, 4, %r10; st.shared.u32 [%r10], %r1; bar.warp.sync 0xffffffff; xor.b32 %r11, %r1, 1; mov.u32 %r12, memory; mad.lo.s32 %r12, %r11, 4, %r12; ld.shared.u32 %r9, [%r12];", "%r9", 6, 7},
    {"mov.u64 %rd8, memory; cvta.shared.u64 %rd8, %rd8; mul.wide.u32 %rd7, %r1, 4; add.s64 %rd8, %rd8, %rd7; st.u32 [%rd8+4], %r1; ld.u32 %r9, [%rd8+4];", "%r9", 9, 9},
    {"ld.shared.u32 %r9, [memory+8];", "%r9", 0xffffffff, 0},
    // poisoned until waited for
    {"mov.u32 %r10, memory; mad.lo.s32 %r10, %r1, 16, %r10; cp.async.cg.shared.global [%r10], [%rd2], 16; cp.async.commit_group; ld.shared.u32 %r9, [%r10]; cp.async.wait_group 0;", "%r9", 0xffffffff, 1},
    {"mov.u32 %r10, memory; mad.lo.s32 %r10, %r1, 16, %r10; cp.async.cg.shared.global [%r10], [%rd2], 16; cp.async.commit_group; cp.async.wait_group 0; ld.shared.u32 %r9, [%r10];", "%r9", 0x04040404, 1},
    {"mov.u32 %r10, memory; mad.lo.s32 %r10, %r1, 16, %r10; cp.async.cg.shared.global [%r10], [%rd2], 16, 4; cp.async.wait_all; ld.shared.u64 %rd9, [%r10];", "%rd9", 0x04040404, 1},
    {"mov.u32 %r10, memory; mov.u32 %r11, 5; st.shared.u32 [%r10], %r11; atom.shared.inc.u32 %r9, [%r10], 6; ld.shared.u32 %r9, [%r10];", "%r9", 2, 0},  // by 32 lanes, modulo 7
    // a loop that lanes leave one after the other
    {"mov.u32 %r9, 0; $L1: add.s32 %r9, %r9, 2; setp.lt.u32 %p1, %r9, %r1; @%p1 bra $L1;", "%r9", 22, 21},
    {"and.b32 %r10, %r1, 1; brx.idx %r10, $T; $A: mov.u32 %r9, 100; bra $C; $B: mov.u32 %r9, 200; $C: shfl.sync.bfly.b32 %r9, %r9, 1, 31, 0xffffffff; $T: .branchtargets $A, $B;", "%r9", 200, 4},
    {"{ .reg .u32 %r9; mov.u32 %r9, 7; mov.u32 %r10, %r9; } mov.u32 %r9, %r10;", "%r9", 7, 0},
};

/// Something wrong, and what is said about it.
struct Wrong { const char* body; const char* said; unsigned threads; bool programmatic; const char* target; };

const Wrong Wrongs[] = {
    {"quux.b32 %r9, %r1;", "refused: line 25: quux.b32: is not known", 32, false, "sm_90"},
    {"add.quux.s32 %r9, %r1, %r1;", "refused: line 25: add.quux.s32: modifier .quux is not known here", 32, false, "sm_90"},
    {"add.s32 %r9, %r1;", "has 2 operands, expected 3", 32, false, "sm_90"},
    {"add.s32 %r9, %r1, %rd1;", "%rd1 has 64 bits, 32 are needed", 32, false, "sm_90"},
    {"add.s32 %r9, %r1, %r99;", "not known: %r99", 32, false, "sm_90"},
    {"mov.u32 %r9, %clock;", "not known: %clock", 32, false, "sm_90"},
    {"bra $nowhere;", "no label $nowhere", 32, false, "sm_90"},
    {"cvt.f16.f32 %rs9, %f1;", "needs .rn, .rz, .rm or .rp", 32, false, "sm_90"},
    {"cvt.rn.f16x2.f32 %r9, %f1;", "has 2 operands, expected 3", 32, false, "sm_90"},
    {"ex2.f32 %f9, %f1;", "without .approx", 32, false, "sm_90"},
    {"griddepcontrol.wait;", "griddepcontrol needs sm_90", 32, false, "sm_80"},
    {"cvt.rn.f16x2.e4m3x2 %r9, %rs1;", "FP8 needs sm_89", 32, false, "sm_80"},
    {"cp.async.cg.shared.global [%r1], [%rd2], 8;", "of 8 bytes", 32, false, "sm_90"},
    {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2}, {%r3}, {%f1, %f2, %f3, %f4};", "not mma.sync.aligned.m16n8k16", 32, false, "sm_90"},
    {".local .align 4 .b8 depot[4];", "not known in a kernel: .local", 32, false, "sm_90"},
    {"ld.local.u32 %r9, [%rd1];", "modifier .local is not known here", 32, false, "sm_90"},
    {"ld.param.u32 %r9, [k_param_0+16];", "fault: a parameter at offset 16 outside of the struct", 32, false, "sm_90"},
    {"ld.global.u32 %r9, [%rd2+1024];", "outside of all allocations (kernel k, block 0,0, thread 0, line 25)", 32, false, "sm_90"},
    {"ld.global.u32 %r9, [%rd2+2];", "is not aligned (kernel k, block 0,0, thread 0, line 25)", 32, false, "sm_90"},
    {"ld.global.v2.u32 {%r9, %r10}, [%rd2+4];", "an access of 8 bytes", 32, false, "sm_90"},
    {"ld.shared.u32 %r9, [memory+256];", "offset 256 of shared memory, which has 256", 32, false, "sm_90"},
    {"mov.u32 %r9, 0; ld.shared.u32 %r9, [%r9];", "offset -1024 of shared memory", 32, false, "sm_90"},
    {"cvta.to.shared.u64 %rd9, %rd2;", "which is not in shared memory", 32, false, "sm_90"},
    {"mov.u32 %r10, memory; mad.lo.s32 %r10, %r1, 16, %r10; cp.async.cg.shared.global [%r10], [%rd2+8], 16;", "which is not aligned to 16", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 32; @%p1 bar.sync 0; ", "deadlock: a barrier that not all threads reach", 64, false, "sm_90"},
    {"bar.sync 16;", "barrier 16 of 32 threads", 32, false, "sm_90"},
    {"bar.sync 1, 64;", "barrier 1 of 64 threads", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 bar.sync 0;", "a barrier under a predicate", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 bra $L1; shfl.sync.bfly.b32 %r9, %r1, 1, 31, 0xffffffff; $L1: mov.u32 %r9, 1;", "deadlock: a warp collective that not all its threads reach; they wait at lines 25 (kernel k, block 0,0, thread 7", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 bra $L1; bar.warp.sync 0xffffffff; $L1: bar.warp.sync 0xffffffff;", "deadlock: a warp collective that not all its threads reach; they wait at lines 25 25", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 shfl.sync.bfly.b32 %r9, %r1, 1, 31, 0xffffffff;", "under a predicate that only some lanes fulfil", 32, false, "sm_90"},
    {"shfl.sync.bfly.b32 %r9, %r1, 1, 31, 0xffff;", "its member mask leaves out", 32, false, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 bra.uni $L1; $L1: mov.u32 %r9, 1;", "a uniform branch that lanes take differently", 32, false, "sm_90"},
    {"mov.u32 %r9, 1;", "a thread ended without waiting for the previous kernel", 32, true, "sm_90"},
    {"setp.lt.u32 %p1, %r1, 7; @%p1 griddepcontrol.wait;", "a thread ended without waiting for the previous kernel (kernel k, block 0,0, thread 7", 32, true, "sm_90"},
    {"mov.u32 %r9, 1;", "a block has 32 to 1024 threads", 33, false, "sm_90"},
    {"mov.u32 %r9, 1;", "takes at most 64 threads a block, not 96", 96, false, "sm_90"},
    {"trap;", "trap (kernel k", 32, false, "sm_90"},
};

}  // namespace

int main() {
    for (const Value& v : Values) {
        const std::string store = v.result[1] == 'r' && v.result[2] == 'd' ? "st.global.u64" : v.result[1] == 'r' && v.result[2] == 's' ? "st.global.u16" : v.result[1] == 'f' ? "st.global.f32" : "st.global.u32";
        const unsigned threads = v.thread < 32 ? 32 : 64;
        Outcome out = run(kernel("setp.eq.u32 %p3, %r1, %r1; mov.u32 %r7, -1; mov.u32 %r8, 0x1f0; mov.u16 %rs8, 0xfe38; mov.u16 %rs7, 0x3c01; mov.u16 %rs6, 0x8001;\n" + std::string(v.body) + "\n" + store + " [%rd1], " + v.result + ";"), threads, false, 1024);
        char text[200];
        std::snprintf(text, sizeof text, "%.100s gives %llx, expected %llx", v.body, static_cast<unsigned long long>(out.value[v.thread]), static_cast<unsigned long long>(v.expected));
        verdict(out.error.empty() && out.value[v.thread] == v.expected, out.error.empty() ? text : std::string(v.body) + " " + out.error);
    }
    std::printf("%s  %zu values\n", good ? "ok  " : "FAIL", sizeof Values / sizeof *Values);
    for (const Wrong& w : Wrongs) {
        Outcome out = run(kernel("// what is wrong is in line 25\n\n" + std::string(w.body), w.target), w.threads, w.programmatic);
        verdict(out.error.find(w.said) != std::string::npos, std::string(w.body) + " says \"" + out.error + "\", expected \"" + w.said + "\"");
    }
    verdict(run(kernel("", "sm_90", "8.1")).error.find("PTX version 8.1") != std::string::npos, "PTX 8.1 is refused");
    verdict(run("nonsense").error.find("not known at module level: nonsense") != std::string::npos, "nonsense is refused");
    verdict(run(kernel("griddepcontrol.wait;"), 32, true).error.empty(), "a kernel that waits is no fault");
    verdict(run(kernel("", "sm_80"), 32, true).error.empty(), "below sm_90 nothing needs to wait");
    std::printf("%s  %zu refusals and faults\n", good ? "ok  " : "FAIL", sizeof Wrongs / sizeof *Wrongs + 4);
    return good ? 0 : 1;
}
