// From a statement's operands to offsets: sizes and kinds of registers are checked as the driver checks them.
#pragma once
#include "program.hpp"
#include <initializer_list>

namespace ptx {

struct Type {
    char kind;          // p, b, u, s, f (IEEE), h (bf16), e (fp8 e4m3), w (fp8 e5m2)
    unsigned bits;      // of one element
    unsigned elements;  // 2 for packed ones
    unsigned total() const { return bits * elements; }
    bool operator==(const Type& o) const { return kind == o.kind && bits == o.bits && elements == o.elements; }
};

inline bool type_of(const std::string& text, Type& type) {
    static const std::map<std::string, Type> all{{"pred", {'p', 1, 1}}, {"b8", {'b', 8, 1}}, {"b16", {'b', 16, 1}}, {"b32", {'b', 32, 1}}, {"b64", {'b', 64, 1}}, {"u8", {'u', 8, 1}},
        {"u16", {'u', 16, 1}}, {"u32", {'u', 32, 1}}, {"u64", {'u', 64, 1}}, {"s8", {'s', 8, 1}}, {"s16", {'s', 16, 1}}, {"s32", {'s', 32, 1}}, {"s64", {'s', 64, 1}}, {"f16", {'f', 16, 1}},
        {"f16x2", {'f', 16, 2}}, {"f32", {'f', 32, 1}}, {"f64", {'f', 64, 1}}, {"bf16", {'h', 16, 1}}, {"bf16x2", {'h', 16, 2}}, {"e4m3x2", {'e', 8, 2}}, {"e5m2x2", {'w', 8, 2}}};
    auto found = all.find(text);
    if (found == all.end()) return false;
    type = found->second;
    return true;
}

/// Decodes one kernel's statements. The instruction families are functions that take it by reference and return whether the opcode is theirs.
class Decoder {
public:
    Decoder(const Source& source, const Entry& entry, Program& program) : source_(source), entry_(entry), program_(program) {
        for (const Register& r : entry.registers) registers_.push_back(allocate(r.bits));
    }

    unsigned architecture() const { return source_.architecture; }
    Program& program() { return program_; }
    const Entry& entry() const { return entry_; }
    const Statement& statement() const { return *statement_; }
    Operation& operation() { return operation_; }

    void begin(const Statement& s) {
        statement_ = &s;
        modifiers_ = s.modifiers;
        operation_ = Operation();
        operation_.line = s.line;
        if (s.guard >= 0) operation_.guard = registers_[static_cast<size_t>(s.guard)] | (s.guard_negated ? 1u : 0u);
    }
    void end() {
        if (!modifiers_.empty()) fail("modifier ." + modifiers_.front() + " is not known here");
        program_.operations.push_back(operation_);
    }
    [[noreturn]] void fail(const std::string& what) const { throw Refusal(what); }

    // Modifiers are taken one by one; what is left at the end is not known.
    bool take(const char* text) {
        for (size_t i = 0; i < modifiers_.size(); i++)
            if (modifiers_[i] == text) { modifiers_.erase(modifiers_.begin() + static_cast<long>(i)); return true; }
        return false;
    }
    std::string take_one_of(std::initializer_list<const char*> texts) {
        for (const char* t : texts)
            if (take(t)) return t;
        return "";
    }
    /// The last modifier is a type.
    Type take_type() {
        Type t;
        if (modifiers_.empty() || !type_of(modifiers_.back(), t)) fail("no type, or one that is not known");
        modifiers_.pop_back();
        return t;
    }
    void need(unsigned architecture, const char* what) const {
        if (source_.architecture < architecture) fail(std::string(what) + " needs sm_" + std::to_string(architecture) + ", the target is sm_" + std::to_string(source_.architecture));
    }
    void need_operands(size_t count) const {
        if (statement_->operands.size() != count) fail("has " + std::to_string(statement_->operands.size()) + " operands, expected " + std::to_string(count));
    }
    const Operand& operand(size_t i) const {
        if (i >= statement_->operands.size()) fail("operand " + std::to_string(i + 1) + " is missing");
        return statement_->operands[i];
    }

    u32 allocate(unsigned bits) {
        u32 bytes = bits == 1 ? 4 : bits * 4;
        if (bytes > 4) program_.file_bytes = (program_.file_bytes + 63) / 64 * 64;
        u32 at = program_.file_bytes;
        program_.file_bytes += bytes;
        return at;
    }

    /// A register to read, a number, or a special register. `wider`: a register may have more bits than are used.
    u32 source(const Operand& o, unsigned bits, char kind, unsigned* found_bits = nullptr) {
        if (found_bits) *found_bits = bits;
        switch (o.kind) {
            case Operand::Reg: return reg(o, bits, kind, found_bits);
            case Operand::Integer:
                if (kind == 'f') fail("an integer where floating point is needed");
                if (bits == 1) return constant(1, o.value ? AllLanes : 0);
                return constant(bits, o.value);
            case Operand::Float:
                if (bits != 32) fail("a 32-bit floating-point number where " + std::to_string(bits) + " bits are needed");
                return constant(32, o.value);
            case Operand::Double:
                if (bits == 32 && kind == 'f') return constant(32, bits_as<u32>(static_cast<float>(bits_as<double>(o.value))));
                if (bits != 64) fail("a 64-bit floating-point number where " + std::to_string(bits) + " bits are needed");
                return constant(64, o.value);
            case Operand::Special: return special(o.name, bits);
            case Operand::Symbol:
                if (source_.shared.count(o.name)) return constant(bits, SharedStart);
                if (o.name == entry_.parameter) return constant(bits, 0);
                fail("not known: " + o.name);
            default: fail("an operand that cannot be read");
        }
    }
    u32 source(size_t i, unsigned bits, char kind, unsigned* found_bits = nullptr) { return source(operand(i), bits, kind, found_bits); }

    /// A register to write; `_` gives one that nobody reads.
    u32 destination(const Operand& o, unsigned bits, char kind, unsigned* found_bits = nullptr) {
        if (found_bits) *found_bits = bits;
        if (o.kind == Operand::Sink) return allocate(bits);
        if (o.kind != Operand::Reg || o.negated) fail("a destination that is no register");
        return reg(o, bits, kind, found_bits);
    }
    u32 destination(size_t i, unsigned bits, char kind, unsigned* found_bits = nullptr) { return destination(operand(i), bits, kind, found_bits); }

    const std::vector<Operand>& vector(size_t i, size_t count) const {
        const Operand& o = operand(i);
        if (o.kind != Operand::Vector || o.parts.size() != count) fail("operand " + std::to_string(i + 1) + " is no vector of " + std::to_string(count));
        return o.parts;
    }

    /// [base + offset] into at[slot], base_bits and value.
    void address(size_t i, size_t slot) {
        const Operand& o = operand(i);
        if (o.kind != Operand::Address) fail("operand " + std::to_string(i + 1) + " is no address");
        operation_.value = o.value;
        operation_.base_bits = 0;
        if (o.based) {
            const Register& r = entry_.registers[o.reg];
            if (r.bits != 32 && r.bits != 64) fail("an address in a register of " + std::to_string(r.bits) + " bits");
            if (r.bits == 32 && operation_.space != Space::Shared && operation_.space != Space::Param) fail("an address of 32 bits outside shared memory");
            operation_.base_bits = static_cast<u8>(r.bits);
            operation_.at[slot] = registers_[o.reg];
        } else if (!o.name.empty()) {
            if (operation_.space == Space::Shared && source_.shared.count(o.name)) operation_.value += SharedStart;
            else if (operation_.space == Space::Param && o.name == entry_.parameter) {}
            else fail("not an address of this state space: " + o.name);
        } else if (operation_.space != Space::Shared) {
            fail("an address that is a number");
        }
    }

    u32 constant(unsigned bits, u64 value) {
        if (bits < 64) value &= (1ull << (bits == 1 ? 32 : bits)) - 1;
        for (const Constant& c : program_.constants)
            if (c.bits == bits && c.value == value) return c.at;
        u32 at = allocate(bits);
        program_.constants.push_back({at, bits, value});
        return at;
    }

private:
    const Source& source_;
    const Entry& entry_;
    Program& program_;
    std::vector<u32> registers_;
    const Statement* statement_ = nullptr;
    std::vector<std::string> modifiers_;
    Operation operation_;

    u32 reg(const Operand& o, unsigned bits, char kind, unsigned* found_bits) {
        const Register& r = entry_.registers[o.reg];
        if (found_bits) {
            *found_bits = r.bits;
            if (r.bits < bits) fail(r.name + " has " + std::to_string(r.bits) + " bits, at least " + std::to_string(bits) + " are needed");
        } else if (r.bits != bits) {
            fail(r.name + " has " + std::to_string(r.bits) + " bits, " + std::to_string(bits) + " are needed");
        }
        char wanted = kind == 'u' || kind == 's' ? 'i' : kind;
        if ((r.kind == 'p') != (bits == 1)) fail(r.name + " is a predicate or stands where one is needed");
        if ((wanted == 'i' && r.kind == 'f') || (wanted == 'f' && r.kind == 'i')) fail(r.name + " is of another kind than the instruction's type");
        return registers_[o.reg] | (o.negated ? 1u : 0u);
    }

    u32 special(const std::string& name, unsigned bits) {
        static const char* const known[] = {"%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid",
            "%lanemask_eq", "%lanemask_lt", "%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size"};
        bool found = false;
        for (const char* k : known) found |= name == k;
        if (!found) fail("not known: " + name);
        if (bits != 32) fail(name + " has 32 bits");
        for (const SpecialRegister& s : program_.specials)
            if (s.name == name) return s.at;
        u32 at = allocate(32);
        program_.specials.push_back({at, name});
        return at;
    }
};

}  // namespace ptx
