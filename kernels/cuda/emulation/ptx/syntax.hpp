// PTX text to statements. Knows the shape of the language, not its instructions.
#pragma once
#include "numbers.hpp"
#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ptx {

/// Something in the text that is wrong or not known.
struct Refusal : std::runtime_error { using std::runtime_error::runtime_error; };

struct Token {
    enum Kind { Word, Number, Text, Mark, End } kind;
    std::string text;
    u32 line;
};

/// Words are opcodes, directives, registers, labels (`a.b::c`, `.reg`, `%r1`, `$L`); marks are single characters.
inline std::vector<Token> tokens(const char* p) {
    std::vector<Token> all;
    u32 line = 1;
    auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; };
    while (*p) {
        if (*p == '\n') { line++; p++; continue; }
        if (std::isspace(static_cast<unsigned char>(*p))) { p++; continue; }
        if (p[0] == '/' && p[1] == '/') { while (*p && *p != '\n') p++; continue; }
        if (p[0] == '/' && p[1] == '*') {
            for (p += 2; *p && !(p[0] == '*' && p[1] == '/'); p++) line += *p == '\n';
            if (*p) p += 2;
            continue;
        }
        const char* start = p;
        if (*p == '"') {
            for (p++; *p && *p != '"' && *p != '\n';) p++;
            if (*p != '"') throw Refusal("line " + std::to_string(line) + ": a text that does not end");
            all.push_back({Token::Text, std::string(start + 1, p), line});
            p++;
        } else if (std::isdigit(static_cast<unsigned char>(*p))) {
            while (word(*p) || ((*p == '+' || *p == '-') && (p[-1] == 'e' || p[-1] == 'E') && start[1] != 'x' && start[1] != 'f' && start[1] != 'd')) p++;
            all.push_back({Token::Number, std::string(start, p), line});
        } else if (word(*p)) {
            while (word(*p) || (p[0] == ':' && p[1] == ':' && p++)) p++;
            all.push_back({Token::Word, std::string(start, p), line});
        } else {
            all.push_back({Token::Mark, std::string(1, *p++), line});
        }
    }
    all.push_back({Token::End, "", line});
    return all;
}

struct Register {
    unsigned bits;  // 1 (predicate), 16, 32, 64
    char kind;      // p, b (any), i (integer), f (floating point)
    std::string name;
};

struct Operand {
    enum Kind { None, Reg, Integer, Float, Double, Symbol, Label, Special, Vector, Address, Sink } kind = None;
    unsigned reg = 0;         // Reg; Address: its base, where `based`
    bool negated = false;     // !p
    bool based = false;
    u64 value = 0;            // Integer: the number; Float, Double: the bits; Address: the offset
    std::string name;         // Symbol, Label, Special; Address: its symbol
    std::vector<Operand> parts;  // Vector; Reg with two destinations `p|q`: the second
};

struct Statement {
    std::string opcode;
    std::vector<std::string> modifiers;  // opcode split at dots, without the first
    int guard = -1;                      // a predicate register, or none
    bool guard_negated = false;
    std::vector<Operand> operands;
    u32 line = 0;
};

struct Entry {
    std::string name, parameter;
    u64 parameter_bytes = 0, parameter_align = 1;
    u32 most_threads = 1024;  // .maxntid, .reqntid
    std::vector<Register> registers;
    std::vector<Statement> statements;
    std::map<std::string, u32> labels;                             // to the statement that follows
    std::map<std::string, std::vector<std::string>> branch_targets;
};

struct Source {
    unsigned architecture = 0;
    std::map<std::string, u64> shared;  // extern shared symbols, with their alignment: all are the start of dynamic shared memory
    std::vector<Entry> entries;
};

/// Recursive descent over the tokens.
class Parser {
public:
    explicit Parser(const char* text) : tokens_(tokens(text)) {}

    Source module() {
        Source source;
        while (peek().kind != Token::End) {
            Token t = take();
            if (t.text == ".version") {
                Token v = take();
                if (std::strtod(v.text.c_str(), nullptr) > 8.05 || v.kind != Token::Number) fail(v, "PTX version " + v.text + ", known up to 8.0");
            } else if (t.text == ".target") {
                Token v = take();
                if (v.text.compare(0, 3, "sm_")) fail(v, "target " + v.text);
                source.architecture = static_cast<unsigned>(std::strtoul(v.text.c_str() + 3, nullptr, 10));
            } else if (t.text == ".address_size") {
                if (take().text != "64") fail(t, "addresses of other than 64 bits");
            } else if (t.text == ".extern") {
                shared(source, t);
            } else if (t.text == ".visible" || t.text == ".weak") {
                // the word after it says what
            } else if (t.text == ".entry") {
                source.entries.push_back(entry());
            } else {
                fail(t, "not known at module level: " + t.text);
            }
        }
        if (!source.architecture) throw Refusal("line 1: no .target");
        return source;
    }

private:
    std::vector<Token> tokens_;
    size_t at_ = 0;
    std::vector<std::map<std::string, unsigned>> scopes_;

    const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    Token take() { Token t = peek(); at_++; return t; }
    bool accept(const char* text) {
        if (peek().text != text || peek().kind == Token::Text) return false;
        at_++;
        return true;
    }
    void expect(const char* text) { if (!accept(text)) fail(peek(), std::string("expected ") + text + ", found " + peek().text); }
    [[noreturn]] static void fail(const Token& t, const std::string& what) { throw Refusal("line " + std::to_string(t.line) + ": " + what); }
    u64 number() {
        Token t = take();
        if (t.kind != Token::Number) fail(t, "expected a number, found " + t.text);
        return std::strtoull(t.text.c_str(), nullptr, 0);
    }

    void shared(Source& source, const Token& first) {
        if (!accept(".shared")) fail(first, ".extern of other than .shared");
        u64 align = 1;
        if (accept(".align")) align = number();
        if (!accept(".b8")) fail(peek(), "shared memory of other than bytes");
        Token name = take();
        expect("[");
        expect("]");
        expect(";");
        source.shared[name.text] = align;
    }

    Entry entry() {
        Entry e;
        e.name = take().text;
        expect("(");
        expect(".param");
        if (accept(".align")) e.parameter_align = number();
        if (!accept(".b8")) fail(peek(), "the parameter is not a struct");
        e.parameter = take().text;
        expect("[");
        e.parameter_bytes = number();
        expect("]");
        if (!accept(")")) fail(peek(), "a second parameter: kernels take one struct");
        while (!accept("{")) {
            Token t = take();
            if (t.text == ".maxntid" || t.text == ".reqntid") {
                u64 threads = number();
                while (accept(",")) threads *= number();
                e.most_threads = static_cast<u32>(threads);
            } else if (t.text == ".minnctapersm" || t.text == ".maxnreg") {
                number();
            } else {
                fail(t, "not known before a kernel's body: " + t.text);
            }
        }
        scopes_.assign(1, {});
        while (!scopes_.empty()) statement(e);
        return e;
    }

    void statement(Entry& e) {
        Token t = peek();
        if (t.kind == Token::End) fail(t, "the text ends inside a kernel");
        if (accept(";")) return;
        if (accept("{")) { scopes_.emplace_back(); return; }
        if (accept("}")) { scopes_.pop_back(); return; }
        if (t.kind == Token::Word && peek(1).text == ":" && peek(1).kind == Token::Mark) {
            at_ += 2;
            if (accept(".branchtargets")) {
                auto& list = e.branch_targets[t.text];
                do list.push_back(take().text); while (accept(","));
                expect(";");
            } else if (!e.labels.emplace(t.text, static_cast<u32>(e.statements.size())).second) {
                fail(t, "a second label " + t.text);
            }
            return;
        }
        if (accept(".reg")) { registers(e); return; }
        if (accept(".pragma")) { if (take().text != "nounroll") fail(t, "a pragma that is not known"); expect(";"); return; }
        if (t.text.size() > 1 && t.text[0] == '.') fail(t, "not known in a kernel: " + t.text);
        instruction(e);
    }

    void registers(Entry& e) {
        Token type = take();
        Register r{0, 'b', ""};
        if (type.text == ".pred") r.bits = 1, r.kind = 'p';
        else if (type.text.size() > 2 && std::strchr("busf", type.text[1])) {
            r.bits = static_cast<unsigned>(std::strtoul(type.text.c_str() + 2, nullptr, 10));
            r.kind = type.text[1] == 'b' ? 'b' : type.text[1] == 'f' ? 'f' : 'i';
        }
        if (r.bits != 1 && r.bits != 16 && r.bits != 32 && r.bits != 64) fail(type, "registers of type " + type.text);
        do {
            Token name = take();
            if (accept("<")) {
                u64 count = number();
                expect(">");
                for (u64 i = 0; i < count; i++) declare(e, r, name.text + std::to_string(i));
            } else {
                declare(e, r, name.text);
            }
        } while (accept(","));
        expect(";");
    }

    void declare(Entry& e, Register r, const std::string& name) {
        r.name = name;
        scopes_.back()[name] = static_cast<unsigned>(e.registers.size());
        e.registers.push_back(r);
    }

    bool find(const std::string& name, unsigned& reg) const {
        for (size_t i = scopes_.size(); i-- > 0;) {
            auto found = scopes_[i].find(name);
            if (found != scopes_[i].end()) { reg = found->second; return true; }
        }
        return false;
    }

    void instruction(Entry& e) {
        Statement s;
        if (accept("@")) {
            s.guard_negated = accept("!");
            Token p = take();
            unsigned reg;
            if (!find(p.text, reg) || e.registers[reg].kind != 'p') fail(p, "not a predicate: " + p.text);
            s.guard = static_cast<int>(reg);
        }
        Token opcode = take();
        if (opcode.kind != Token::Word) fail(opcode, "expected an instruction, found " + opcode.text);
        s.line = opcode.line;
        size_t from = 0;
        for (size_t dot; from <= opcode.text.size(); from = dot + 1) {
            dot = std::min(opcode.text.find('.', from), opcode.text.size());
            std::string part = opcode.text.substr(from, dot - from);
            if (s.opcode.empty()) s.opcode = part;
            else s.modifiers.push_back(part);
        }
        if (!accept(";")) {
            do s.operands.push_back(operand()); while (accept(","));
            if (!accept(";")) fail(peek(), opcode.text + ": expected ; after the operands, found " + peek().text);
        }
        e.statements.push_back(s);
    }

    Operand operand() {
        Operand o;
        Token t = peek();
        if (accept("{")) {
            o.kind = Operand::Vector;
            do o.parts.push_back(operand()); while (accept(","));
            expect("}");
        } else if (accept("[")) {
            o.kind = Operand::Address;
            Operand base = operand();
            if (base.kind == Operand::Reg) o.based = true, o.reg = base.reg;
            else if (base.kind == Operand::Integer) o.value = base.value;
            else if (base.kind == Operand::Symbol) o.name = base.name;
            else fail(t, "not an address: " + peek().text);
            if (accept("+")) {
                Operand offset = operand();
                if (offset.kind != Operand::Integer) fail(t, "an address with an offset that is not a number");
                o.value += offset.value;
            }
            expect("]");
        } else if (accept("!")) {
            o = operand();
            if (o.kind != Operand::Reg) fail(t, "! before what is no predicate");
            o.negated = true;
        } else if (accept("-")) {
            o = operand();
            if (o.kind != Operand::Integer) fail(t, "- before what is no integer");
            o.value = ~o.value + 1;
        } else if (t.kind == Token::Number) {
            take();
            o = literal(t);
        } else if (t.kind == Token::Word) {
            take();
            if (t.text == "_") o.kind = Operand::Sink;
            else if (find(t.text, o.reg)) o.kind = Operand::Reg;
            else if (t.text[0] == '%') o.kind = Operand::Special, o.name = t.text;
            else o.kind = Operand::Symbol, o.name = t.text;
            if (accept("|")) o.parts.push_back(operand());
        } else {
            fail(t, "not an operand: " + t.text);
        }
        return o;
    }

    static Operand literal(const Token& t) {
        Operand o;
        const char* text = t.text.c_str();
        char* end = nullptr;
        if (text[0] == '0' && (text[1] == 'f' || text[1] == 'F') && t.text.size() == 10) o.kind = Operand::Float, o.value = std::strtoull(text + 2, &end, 16);
        else if (text[0] == '0' && (text[1] == 'd' || text[1] == 'D') && t.text.size() == 18) o.kind = Operand::Double, o.value = std::strtoull(text + 2, &end, 16);
        else if (t.text.find('.') != std::string::npos) o.kind = Operand::Double, o.value = bits_as<u64>(std::strtod(text, &end));
        else {
            o.kind = Operand::Integer, o.value = std::strtoull(text, &end, 0);
            if (*end == 'U') end++;
        }
        if (*end) fail(t, "not a number: " + t.text);
        return o;
    }
};

}  // namespace ptx
