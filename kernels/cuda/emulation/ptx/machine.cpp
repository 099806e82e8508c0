#include "machine.hpp"
#include "collective.hpp"
#include "convert.hpp"
#include <algorithm>
#include <cstdlib>

namespace ptx {

namespace {

// Decoding

void decode_branch(Decoder& d, const Entry& entry, Program& program) {
    Operation& o = d.operation();
    const std::string& name = d.statement().opcode;
    auto label = [&](const std::string& text) {
        auto found = entry.labels.find(text);
        if (found == entry.labels.end()) d.fail("no label " + text);
        return found->second;
    };
    if (name == "ret" || name == "exit") { d.need_operands(0); d.take("uni"); o.step = Step::Exit; return; }
    o.flags = d.take("uni");
    if (name == "bra") {
        d.need_operands(1);
        o.step = Step::Branch;
        o.target = label(d.operand(0).name);
        return;
    }
    d.take("idx");
    d.need_operands(2);
    o.step = Step::IndexedBranch;
    o.at[0] = d.source(0, 32, 'b');
    auto list = entry.branch_targets.find(d.operand(1).name);
    if (list == entry.branch_targets.end()) d.fail("no targets " + d.operand(1).name);
    o.target = static_cast<u32>(program.tables.size());
    program.tables.emplace_back();
    for (const std::string& text : list->second) program.tables.back().push_back(label(text));
}

void decode_statement(Decoder& d, const Entry& entry, Program& program) {
    const std::string& name = d.statement().opcode;
    if (name == "bra" || name == "brx" || name == "ret" || name == "exit") decode_branch(d, entry, program);
    else if (name == "cvt") decode_cvt(d);
    else if (!decode_arithmetic(d, name) && !decode_memory(d, name) && !decode_collective(d, name)) d.fail("is not known");
    d.end();
}

std::string full_name(const Statement& s) {
    std::string text = s.opcode;
    for (const std::string& m : s.modifiers) text += "." + m;
    return text;
}

// Execution

struct Barrier { u32 arrived = 0, expected = 0; };

/// Runs one block's warps.
class Machine {
public:
    Machine(const Program& program, Block& block, bool must_wait) : program_(program), block_(block), must_wait_(must_wait) {
        warps_.resize(block.threads / 32);
        file_bytes_ = (program.file_bytes + 255) / 256 * 256;
        files_.resize(file_bytes_ * warps_.size() + 64);
        auto first = reinterpret_cast<std::uintptr_t>(files_.data());
        unsigned char* aligned = files_.data() + ((64 - first % 64) % 64);
        for (size_t i = 0; i < warps_.size(); i++) {
            warps_[i].file = aligned + i * file_bytes_;
            warps_[i].block = &block;
            warps_[i].index = static_cast<u32>(i);
        }
        const char* order = std::getenv("SIMT_ORDER");
        backward_ = order && !std::strcmp(order, "backward");
        mixed_ = order && !std::strcmp(order, "mixed");
    }

    u64 run_block() {
        for (Warp& w : warps_) prepare(w);
        for (Barrier& b : barriers_) b = Barrier();
        executed_ = 0;
        for (;;) {
            bool any_alive = false, progress = false;
            random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
            size_t start = mixed_ ? (random_ >> 33) % warps_.size() : 0;
            for (size_t i = 0; i < warps_.size(); i++) {
                Warp& w = warps_[backward_ ? warps_.size() - 1 - i : (i + start) % warps_.size()];
                if (!w.alive) continue;
                any_alive = true;
                if (w.barrier >= 0) continue;
                run(w);
                progress = true;
            }
            if (!any_alive) return executed_;
            if (!progress) deadlock();
        }
    }

private:
    const Program& program_;
    Block& block_;
    bool must_wait_, backward_ = false, mixed_ = false;
    std::vector<Warp> warps_;
    std::vector<unsigned char> files_;
    size_t file_bytes_;
    Barrier barriers_[16];
    u64 executed_ = 0, random_ = 0x9E3779B97F4A7C15ull;

    [[noreturn]] void fail(const Warp& w, u32 lane, u32 line, const std::string& what) const {
        throw Fault(what + " (kernel " + program_.name + ", block " + std::to_string(block_.x) + "," + std::to_string(block_.y) + ", thread " + std::to_string(w.index * 32 + lane) + ", line " + std::to_string(line) + ")");
    }

    template<class T, class Fn> void fill(Warp& w, u32 at, Fn fn) {
        for (u32 i = 0; i < 32; i++) set_lane(w, at, i, static_cast<T>(fn(i)));
    }

    void prepare(Warp& w) {
        std::memset(w.file, 0xff, file_bytes_);  // registers that are read before they are written hold NaN
        for (const Constant& c : program_.constants) {
            if (c.bits == 1) set_predicate(w, c.at, static_cast<u32>(c.value), AllLanes);
            else if (c.bits == 16) fill<u16>(w, c.at, [&](u32) { return c.value; });
            else if (c.bits == 32) fill<u32>(w, c.at, [&](u32) { return c.value; });
            else fill<u64>(w, c.at, [&](u32) { return c.value; });
        }
        for (const SpecialRegister& s : program_.specials) fill<u32>(w, s.at, [&](u32 lane) { return special(s.name, w, lane); });
        w.alive = AllLanes;
        w.waited = 0;
        w.barrier = -1;
        w.groups.assign(1, {0, AllLanes, false});
        for (auto& c : w.copies) c.clear();
        for (auto& c : w.closed) c.clear();
    }

    u32 special(const std::string& name, const Warp& w, u32 lane) const {
        if (name == "%tid.x") return w.index * 32 + lane;
        if (name == "%ntid.x") return block_.threads;
        if (name == "%ctaid.x") return block_.x;
        if (name == "%ctaid.y") return block_.y;
        if (name == "%nctaid.x") return block_.grid_x;
        if (name == "%nctaid.y") return block_.grid_y;
        if (name == "%laneid") return lane;
        if (name == "%lanemask_eq") return 1u << lane;
        if (name == "%lanemask_lt") return (1u << lane) - 1;
        if (name == "%lanemask_le") return (1u << lane) | ((1u << lane) - 1);
        if (name == "%lanemask_gt") return ~((1u << lane) | ((1u << lane) - 1));
        if (name == "%lanemask_ge") return ~((1u << lane) - 1);
        if (name == "%dynamic_smem_size") return static_cast<u32>(block_.shared_bytes);
        return name[1] == 'n' ? 1 : 0;  // the y and z that are not used
    }

    [[noreturn]] void deadlock() const {
        std::string where;
        for (const Warp& w : warps_)
            if (w.alive && where.size() < 400) where += " warp " + std::to_string(w.index) + (w.barrier >= 0 ? " at barrier " + std::to_string(w.barrier) + " in line " + std::to_string(w.barrier_line) : " stuck") + ";";
        throw Fault("deadlock: a barrier that not all threads reach (kernel " + program_.name + ", block " + std::to_string(block_.x) + "," + std::to_string(block_.y) + "):" + where);
    }

    /// The group that runs next: the least operation of those that are not stuck. Groups at one operation become one.
    size_t next_group(Warp& w) {
        auto& g = w.groups;
        for (size_t i = 0; i < g.size(); i++)
            for (size_t k = i + 1; k < g.size();)
                if (g[k].at == g[i].at) {
                    g[i].mask |= g[k].mask;
                    g[i].stuck = false;
                    g.erase(g.begin() + static_cast<long>(k));
                } else {
                    k++;
                }
        size_t best = g.size();
        for (size_t i = 0; i < g.size(); i++)
            if (!g[i].stuck && (best == g.size() || g[i].at < g[best].at)) best = i;
        if (best == g.size()) {
            std::string lines;
            for (const Group& s : g) lines += " " + std::to_string(program_.operations[s.at].line);
            fail(w, static_cast<u32>(__builtin_ctz(g[0].mask)), program_.operations[g[0].at].line, "deadlock: a warp collective that not all its threads reach; they wait at lines" + lines);
        }
        return best;
    }

    /// Until the warp ends or waits at a barrier.
    void run(Warp& w) {
        const Operation* operations = program_.operations.data();
        const u32 end = static_cast<u32>(program_.operations.size());
        while (w.alive) {
            size_t index = next_group(w);
            u32 at = w.groups[index].at, mask = w.groups[index].mask, stop = end;
            for (const Group& g : w.groups)
                if (g.at > at && g.at < stop) stop = g.at;
            const u32 lanes_here = static_cast<u32>(__builtin_popcount(mask));
            u64 count = 0;
            bool again = true;
            while (again) {
                if (at == end) fail(w, 0, 0, "a kernel's end without ret");
                const Operation& o = operations[at];
                u32 m = o.guard ? mask & predicate(w, o.guard) : mask;
                count++;
                switch (o.step) {
                    case Step::Lanes:
                        if (m) run_handler(w, o, m);
                        at++;
                        break;
                    case Step::Collective: {
                        u32 members = o.members ? get_lane<u32>(w, o.members, static_cast<u32>(__builtin_ctz(mask))) : AllLanes;
                        if (!m) { at++; break; }
                        if (m != mask) fail(w, static_cast<u32>(__builtin_ctz(mask & ~m)), o.line, "a warp collective under a predicate that only some lanes fulfil");
                        if (mask != members) {
                            if (mask & ~members) fail(w, static_cast<u32>(__builtin_ctz(mask & ~members)), o.line, "a warp collective by a lane that its member mask leaves out");
                            if (members & ~w.alive) fail(w, static_cast<u32>(__builtin_ctz(members & ~w.alive)), o.line, "a warp collective with a lane that has ended");
                            w.groups[index] = {at, mask, true};
                            again = false;
                            count--;
                            break;
                        }
                        run_handler(w, o, m);
                        at++;
                        break;
                    }
                    case Step::Barrier:
                        if (!m) { at++; break; }
                        if (m != mask) fail(w, static_cast<u32>(__builtin_ctz(mask & ~m)), o.line, "a barrier under a predicate that only some lanes fulfil");
                        if (mask != AllLanes) {
                            if (w.alive != AllLanes) fail(w, static_cast<u32>(__builtin_ctz(~w.alive)), o.line, "a barrier in a warp of which a lane has ended");
                            w.groups[index] = {at, mask, true};
                            again = false;
                            count--;
                            break;
                        }
                        w.groups[index] = {at + 1, mask, false};
                        executed_ += count * lanes_here;
                        arrive(w, o);
                        if (w.barrier >= 0) return;
                        count = 0;
                        at++;
                        break;
                    case Step::Branch:
                        if (o.flags && m && m != mask) fail(w, static_cast<u32>(__builtin_ctz(mask & ~m)), o.line, "a uniform branch that lanes take differently");
                        if (m == mask) {
                            at = o.target;
                            w.groups[index] = {at, mask, false};
                            if (w.groups.size() > 1) again = false;
                        } else if (!m) {
                            at++;
                        } else {
                            w.groups[index] = {at + 1, mask & ~m, false};
                            w.groups.push_back({o.target, m, false});
                            again = false;
                        }
                        break;
                    case Step::IndexedBranch: {
                        const auto& table = program_.tables[o.target];
                        u32 rest = mask & ~m;
                        w.groups.erase(w.groups.begin() + static_cast<long>(index));
                        if (rest) w.groups.push_back({at + 1, rest, false});
                        for (; m; m &= m - 1) {
                            u32 lane = static_cast<u32>(__builtin_ctz(m)), which = get_lane<u32>(w, o.at[0], lane);
                            if (which >= table.size()) fail(w, lane, o.line, "an indexed branch outside of its table");
                            w.groups.push_back({table[which], 1u << lane, false});
                        }
                        again = false;
                        break;
                    }
                    case Step::Exit:
                        if (must_wait_ && (w.waited & m) != m) fail(w, static_cast<u32>(__builtin_ctz(m & ~w.waited)), o.line, "a thread ended without waiting for the previous kernel");
                        w.alive &= ~m;
                        w.groups[index] = {at + 1, mask & ~m, false};
                        if (m == mask) w.groups.erase(w.groups.begin() + static_cast<long>(index));
                        again = false;
                        break;
                }
                if (again && at == stop) {
                    w.groups[index] = {at, mask, false};
                    again = false;
                }
            }
            executed_ += count * lanes_here;
            if (executed_ >> 44) fail(w, 0, operations[std::min(at, end - 1)].line, "a block that does not end");
        }
    }

    void run_handler(Warp& w, const Operation& o, u32 mask) {
        try {
            o.run(w, o, mask);
        } catch (const LaneFault& fault) {
            fail(w, fault.lane, o.line, fault.text);
        }
    }

    void arrive(Warp& w, const Operation& o) {
        u32 id = get_lane<u32>(w, o.at[0], 0), threads = o.at[1] ? get_lane<u32>(w, o.at[1], 0) : block_.threads;
        for (u32 i = 1; i < 32; i++)
            if (get_lane<u32>(w, o.at[0], i) != id || (o.at[1] && get_lane<u32>(w, o.at[1], i) != threads)) fail(w, i, o.line, "a barrier whose number differs within a warp");
        if (id > 15 || !threads || threads % 32 || threads > block_.threads) fail(w, 0, o.line, "barrier " + std::to_string(id) + " of " + std::to_string(threads) + " threads");
        Barrier& b = barriers_[id];
        if (b.arrived && b.expected != threads) fail(w, 0, o.line, "barrier " + std::to_string(id) + " of " + std::to_string(threads) + " threads, of which others expect " + std::to_string(b.expected));
        b.expected = threads;
        b.arrived += 32;
        w.barrier = static_cast<int>(id);
        w.barrier_line = o.line;
        if (b.arrived < threads) return;
        b = Barrier();
        for (Warp& other : warps_)
            if (other.barrier == static_cast<int>(id)) other.barrier = -1;
    }
};

const Program& find(const Module& module, const std::string& entry) {
    for (const Program& p : module.programs)
        if (p.name == entry) return p;
    throw Fault("the module has no kernel " + entry);
}

}  // namespace

std::unique_ptr<Module, void (*)(Module*)> parse(const char* text, std::string& log) {
    auto destroy = [](Module* m) { delete m; };
    std::unique_ptr<Module, void (*)(Module*)> nothing_read(nullptr, destroy), module(new Module, destroy);
    log.clear();
    Source source;
    try {
        source = Parser(text).module();
    } catch (const Refusal& refusal) {
        log = refusal.what();
        return nothing_read;
    }
    module->architecture = source.architecture;
    int faults = 0;
    for (const Entry& entry : source.entries) {
        module->programs.emplace_back();
        Program& program = module->programs.back();
        program.name = entry.name;
        program.parameter_bytes = entry.parameter_bytes;
        program.most_threads = entry.most_threads;
        Decoder decoder(source, entry, program);
        for (const Statement& s : entry.statements) {
            try {
                decoder.begin(s);
                decode_statement(decoder, entry, program);
            } catch (const Refusal& refusal) {
                if (++faults <= 20) log += "line " + std::to_string(s.line) + ": " + full_name(s) + ": " + refusal.what() + "\n";
            }
        }
    }
    return faults ? std::move(nothing_read) : std::move(module);
}

std::vector<std::string> entries(const Module& module) {
    std::vector<std::string> names;
    for (const Program& p : module.programs) names.push_back(p.name);
    return names;
}

std::size_t parameter_bytes(const Module& module, const std::string& entry) { return find(module, entry).parameter_bytes; }

std::uint64_t launch(const Module& module, const std::string& entry, unsigned grid_x, unsigned grid_y, unsigned threads, std::size_t shared_bytes, const void* parameters,
    std::size_t bytes, bool programmatic, const MemoryMap* map, StoreObserver* observer) {
    const Program& program = find(module, entry);
    if (threads == 0 || threads > 1024 || threads % 32) throw Fault("a block has 32 to 1024 threads, in whole warps");
    if (threads > program.most_threads) throw Fault(entry + " takes at most " + std::to_string(program.most_threads) + " threads a block, not " + std::to_string(threads));
    if (bytes != program.parameter_bytes) throw Fault(entry + " takes a parameter of " + std::to_string(program.parameter_bytes) + " bytes, not " + std::to_string(bytes));
    std::vector<unsigned char> memory(shared_bytes + 1024);
    Block block;
    block.shared = memory.data() + (1024 - reinterpret_cast<std::uintptr_t>(memory.data()) % 1024);
    block.shared_bytes = shared_bytes;
    block.parameters = static_cast<const unsigned char*>(parameters);
    block.parameter_bytes = bytes;
    block.map = map;
    block.observer = observer;
    block.threads = threads;
    block.grid_x = grid_x;
    block.grid_y = grid_y;
    Machine machine(program, block, programmatic && module.architecture >= 90);  // below, a kernel begins when its predecessor has ended
    u64 executed = 0;
    for (block.y = 0; block.y < grid_y; block.y++)
        for (block.x = 0; block.x < grid_x; block.x++) {
            std::memset(block.shared, 0xff, shared_bytes);
            executed += machine.run_block();
        }
    return executed;
}

}  // namespace ptx
