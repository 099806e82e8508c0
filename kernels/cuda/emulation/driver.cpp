// A stand-in for libcuda.so.1: the host program runs unmodified, on kernels compiled for the host. Linked with the kernels' translation units (registry.hpp).
//
// Device memory is host memory between two guard zones, filled with 0xff when allocated. Every copy and fill is checked against the allocations. Streams
// execute at once; while a stream captures, what is put into it is recorded and replayed by the graph. A PTX image is read: its version, its target, its
// entries; what a kernel does comes from the host-compiled kernel of the same name. A kernel that faults makes every later call of its context fail, as
// on a GPU, until the primary context is reset; the error's text then tells what the emulation saw.
//
//   EMULATED_CUDA_DEVICES=n            how many GPUs; 1
//   EMULATED_CUDA_MEMORY=bytes[K|M|G]  memory of each; 4G
//   EMULATED_CUDA_DRIVER=12040         what the driver supports; 12.4
//   EMULATED_CUDA_STICKY=process       a fault survives the reset of the context, as some do: only a new process helps
//   EMULATED_CUDA_EXECUTE=ptx          kernels are not taken from this library: the PTX that was loaded is executed (ptx/machine.hpp)
//   EMULATED_CUDA_HANG=file            a launch on GPU n that finds this file saying "n" never returns, with all of the driver held; "n graph": a graph's launch, and no kernel's.
//                                      It removes the file first, unless that says "always" too
//   EMULATED_CUDA_FAIL=n:code          the n-th launch (kernel or graph, from 1) since this was set returns this error, and so does every later call
#include "ptx/machine.hpp"
#include "registry.hpp"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace {

using Bytes = unsigned long long;
using Address = unsigned long long;

constexpr int Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, NoDevice = 100, InvalidDevice = 101, InvalidContext = 201,
              InvalidPtx = 218, UnsupportedPtxVersion = 222, InvalidHandle = 400, NotFound = 500, IllegalAddress = 700, LaunchOutOfResources = 701,
              LaunchFailed = 719, CaptureUnsupported = 900, CaptureInvalidated = 901, CaptureImplicit = 906, CaptureUnmatched = 903;

constexpr Bytes Guard = 256;                   // bytes before and behind every allocation
constexpr unsigned char GuardByte = 0xa5, Poison = 0xff;
constexpr int Multiprocessors = 8;             // few: grids that are sized by it stay small
constexpr int SharedPerBlock = 232448, SharedPerMultiprocessor = 233472, RegistersPerMultiprocessor = 65536, ThreadsPerMultiprocessor = 2048;

struct Entry {
    std::string name;
    unsigned threads = 1024, blocks = 1;       // .maxntid, .minnctapersm
    int local_bytes = 0;
};

struct Function {
    Entry entry;
    const emulation::Kernel* kernel;              // nullptr where the PTX is executed
    std::shared_ptr<const ptx::Module> code;      // nullptr where the host-compiled kernel is
    size_t parameter_bytes;
    int dynamic_shared = 48 << 10;
};

struct Module { std::vector<std::unique_ptr<Function>> functions; std::vector<Entry> entries; std::shared_ptr<const ptx::Module> code; };

/// What is put into a stream: done at once, or recorded.
struct Work {
    std::function<int()> run;
    bool launch;
};

struct Graph { std::vector<Work> work; };

struct Stream {
    int device;
    bool capturing = false, invalidated = false;
    bool all_threads = false;     // CU_STREAM_CAPTURE_MODE_GLOBAL: other threads may not call what a capture forbids either
    std::thread::id capturer;
    std::unique_ptr<Graph> captured;
};

struct Event { std::chrono::steady_clock::time_point at; bool recorded = false; };

struct Allocation { Bytes bytes; unsigned char* raw; };

struct Device {
    int references = 0, sticky = Success;
    Bytes used = 0;
    std::map<Address, Allocation> allocations;
    std::set<std::unique_ptr<Module>> modules;
};

struct State {
    std::recursive_mutex gate;
    bool initialized = false;
    std::vector<Device> devices;
    std::map<void*, std::unique_ptr<Stream>> streams;
    std::set<void*> events, graphs, hosts;
    std::string fault;                         // what the emulation saw
    std::string failure;                       // EMULATED_CUDA_FAIL as it was last seen
    long launches = 0;                         // since then
};

State& state() { static State s; return s; }
thread_local int current = -1;                 // the device whose primary context is this thread's

using Lock = std::lock_guard<std::recursive_mutex>;

const char* setting(const char* name) { const char* text = std::getenv(name); return text && *text ? text : nullptr; }

Bytes total_memory() {
    const char* text = setting("EMULATED_CUDA_MEMORY");
    if (!text) return 4ull << 30;
    char* end;
    double value = std::strtod(text, &end);
    return static_cast<Bytes>(value * (*end == 'G' ? 1ull << 30 : *end == 'M' ? 1ull << 20 : *end == 'K' ? 1ull << 10 : 1));
}

int driver_version() { const char* text = setting("EMULATED_CUDA_DRIVER"); return text ? std::atoi(text) : 12040; }

/// The newest PTX that a driver of this CUDA version translates, times ten.
int newest_ptx(int driver) {
    if (driver >= 13000) return 90;
    if (driver >= 12090) return 88;
    if (driver >= 12080) return 87;
    if (driver >= 12050) return 85;
    if (driver >= 12000) return 80 + driver % 1000 / 10;
    return driver >= 11080 ? 78 : 70;
}

Device& device() { return state().devices[static_cast<size_t>(current)]; }

/// The error that a call of this thread's context meets before it does anything.
int entry_error() {
    if (!state().initialized) return NotInitialized;
    if (current < 0 || !device().references) return InvalidContext;
    return device().sticky;
}

bool any_capture() {
    for (auto& [handle, stream] : state().streams)
        if (stream->capturing && (stream->all_threads || stream->capturer == std::this_thread::get_id())) return true;
    return false;
}

/// For what must not be called while a stream captures: it spoils the capture.
int outside_capture(int error) {
    int before = entry_error();
    if (before) return before;
    if (!any_capture()) return Success;
    for (auto& [handle, stream] : state().streams) stream->invalidated |= stream->capturing && (stream->all_threads || stream->capturer == std::this_thread::get_id());
    return error;
}

/// Whether [at, at + bytes) lies within one allocation of the current device.
bool inside(Address at, Bytes bytes) {
    auto& all = device().allocations;
    auto after = all.upper_bound(at);
    if (after == all.begin()) return false;
    auto& [start, allocation] = *std::prev(after);
    return at - start <= allocation.bytes && bytes <= allocation.bytes - (at - start);
}

void* host(Address at) { return reinterpret_cast<void*>(at); }

/// Where a kernel wrote beside its memory, or nothing.
std::string overrun() {
    for (auto& [start, allocation] : device().allocations) {
        const unsigned char* before = allocation.raw;
        const unsigned char* behind = static_cast<unsigned char*>(host(start)) + allocation.bytes;
        for (Bytes i = 0; i < Guard; i++) {
            if (before[i] != GuardByte) return "a kernel wrote " + std::to_string(Guard - i) + " bytes before an allocation of " + std::to_string(allocation.bytes) + " bytes";
            if (behind[i] != GuardByte) return "a kernel wrote " + std::to_string(i) + " bytes beyond the end of an allocation of " + std::to_string(allocation.bytes) + " bytes";
        }
    }
    return {};
}

/// Stays here if EMULATED_CUDA_HANG asks for it: only the end of the process ends it.
void hang_if_asked(bool graph) {
    const char* path = setting("EMULATED_CUDA_HANG");
    if (!path) return;
    std::ifstream file(path);
    int which = -1;
    if (!(file >> which) || which != current) return;
    std::set<std::string> words{std::istream_iterator<std::string>(file), {}};
    if (words.count("graph") && !graph) return;
    if (!words.count("always") && std::remove(path)) return;
    while (true) pause();
}

/// Counts a launch; the error that EMULATED_CUDA_FAIL asks for.
int count_launch(bool graph) {
    hang_if_asked(graph);
    const char* text = setting("EMULATED_CUDA_FAIL");
    if (state().failure != (text ? text : "")) {
        state().failure = text ? text : "";
        state().launches = 0;
    }
    if (!text) return Success;
    long at = 0;
    int code = 999;
    if (std::sscanf(text, "%ld:%d", &at, &code) < 1 || ++state().launches != at) return Success;
    state().fault = "as EMULATED_CUDA_FAIL asks";
    return device().sticky = code;
}

int execute(Function* function, unsigned grid_x, unsigned grid_y, unsigned threads, unsigned shared, bool programmatic, std::vector<unsigned char>& arguments) {
    void* parameter = arguments.data();
    const emulation::Kernel* kernel = function->kernel;
    try {
        if (function->code) {
            ptx::MemoryMap map;
            for (auto& [start, allocation] : device().allocations) map.add(start, allocation.bytes);
            ptx::launch(*function->code, function->entry.name, grid_x, grid_y, threads, shared, parameter, arguments.size(), programmatic, &map);
        } else emulation::run({grid_x, grid_y, threads, shared, programmatic, [&] { kernel->thunk(&parameter); }});
        std::string beside = overrun();
        if (beside.empty()) return Success;
        state().fault = function->entry.name + ": " + beside;
        device().sticky = IllegalAddress;
    } catch (const emulation::Fault& fault) {
        state().fault = function->entry.name + ": " + fault.text;
        device().sticky = fault.text.find("outside") != std::string::npos ? IllegalAddress : LaunchFailed;
    }
    return Success;  // a launch succeeds; what became of it, the next call tells
}

Stream* find_stream(void* handle) {
    static Stream default_stream;
    if (!handle) return &default_stream;
    auto found = state().streams.find(handle);
    return found == state().streams.end() ? nullptr : found->second.get();
}

/// Runs work now, or records it where the stream captures.
int put(void* handle, Work work) {
    Stream* stream = find_stream(handle);
    if (!stream) return InvalidHandle;
    if (stream->capturing) {
        if (stream->invalidated) return CaptureInvalidated;
        stream->captured->work.push_back(std::move(work));
        return Success;
    }
    if (!handle && any_capture()) return outside_capture(CaptureImplicit);
    if (work.launch)
        if (int error = count_launch(false)) return error;
    return work.run();
}

/// Reads a PTX as far as a driver's refusals need it. The log is empty where it is accepted.
struct Reader {
    std::vector<Entry> entries;
    std::string log;
    int error = Success;

    explicit Reader(const std::string& text) { read(text); }

    void read(const std::string& text) {
        static const std::set<std::string> directives{
            ".version", ".target", ".address_size", ".visible", ".extern", ".weak", ".common", ".entry", ".func", ".param", ".reg", ".shared", ".local", ".global",
            ".const", ".maxntid", ".minnctapersm", ".maxnreg", ".maxnctapersm", ".reqntid", ".pragma", ".align", ".file", ".loc", ".section", ".b8", ".b16", ".b32",
            ".b64", ".branchtargets", ".callprototype", ".calltargets", ".noreturn", ".alias", ".explicitcluster", ".maxclusterrank", ".reqnctapercluster", ".noreturn"};
        std::istringstream lines(text);
        std::string line;
        int number = 0, depth = 0;
        bool has_version = false, has_target = false, in_comment = false;
        while (std::getline(lines, line)) {
            number++;
            if (in_comment) {
                size_t end = line.find("*/");
                if (end == std::string::npos) continue;
                line = line.substr(end + 2);
                in_comment = false;
            }
            if (size_t at = line.find("//"); at != std::string::npos) line.resize(at);
            if (size_t at = line.find("/*"); at != std::string::npos) {
                in_comment = line.find("*/", at) == std::string::npos;
                line.resize(at);
            }
            std::istringstream words(line);
            std::string first, second;
            words >> first >> second;
            if (first.empty()) continue;
            if (first == ".version") {
                has_version = true;
                int major = 0, minor = 0;
                std::sscanf(second.c_str(), "%d.%d", &major, &minor);
                int newest = newest_ptx(driver_version());
                if (major * 10 + minor > newest)
                    return refuse(UnsupportedPtxVersion, number, "fatal   : Unsupported .version " + second + "; current version is '" + std::to_string(newest / 10) + "." + std::to_string(newest % 10) + "'");
            } else if (first == ".target") {
                has_target = true;
                int target = 0;
                std::sscanf(second.c_str(), "sm_%d", &target);
                if (target <= 0 || target > 90) return refuse(InvalidPtx, number, "error   : PTX for " + second + " cannot run on the device's sm_90");
            } else if (first[0] == '.' && !directives.count(first.substr(0, first.find_first_of("(,;")))) {
                return refuse(InvalidPtx, number, "fatal   : Parsing error near '" + first + "': syntax error");
            }
            if (!has_version && number > 0 && first != ".version") return refuse(InvalidPtx, number, "fatal   : Missing .version directive at file scope");
            if (size_t at = line.find(".entry"); at != std::string::npos) {
                std::istringstream rest(line.substr(at + 6));
                Entry entry;
                rest >> entry.name;
                entry.name = entry.name.substr(0, entry.name.find('('));
                entries.push_back(entry);
            }
            if (!entries.empty()) {
                if (size_t at = line.find(".maxntid"); at != std::string::npos) entries.back().threads = static_cast<unsigned>(std::atoi(line.c_str() + at + 8));
                if (size_t at = line.find(".minnctapersm"); at != std::string::npos) entries.back().blocks = static_cast<unsigned>(std::max(1, std::atoi(line.c_str() + at + 13)));
                if (size_t at = line.find("__local_depot"); at != std::string::npos && line.find('[') != std::string::npos)
                    entries.back().local_bytes = std::atoi(line.c_str() + line.find('[') + 1);
            }
            for (char c : line) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth < 0) return refuse(InvalidPtx, number, "fatal   : Parsing error near '}': syntax error");
        }
        if (!has_version || !has_target) return refuse(InvalidPtx, number, "fatal   : Missing .version or .target directive at file scope");
        if (depth) refuse(InvalidPtx, number, "fatal   : Parsing error near the end of the file: syntax error");
    }

    void refuse(int code, int line, const std::string& why) {
        error = code;
        log = "ptxas application ptx input, line " + std::to_string(line) + "; " + why + "\nptxas fatal   : Ptx assembly aborted due to errors";
    }
};

/// Registers of a thread: unknown without a compiler, so the most that the launch bounds leave.
int most_registers(const Entry& entry) { return std::min(255u, RegistersPerMultiprocessor / (entry.threads * entry.blocks) / 8 * 8); }

int blocks_per_multiprocessor(const Function& function, int threads, Bytes shared) {
    if (threads <= 0 || static_cast<unsigned>(threads) > function.entry.threads || shared > static_cast<Bytes>(function.dynamic_shared)) return 0;
    int by_threads = ThreadsPerMultiprocessor / threads, by_shared = static_cast<int>(SharedPerMultiprocessor / (shared + 1024)),
        by_registers = RegistersPerMultiprocessor / (most_registers(function.entry) * threads);
    return std::min({32, by_threads, by_shared, by_registers});
}

int attribute(int which, int* value) {
    static const std::map<int, int> values{
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {10, 32}, {12, 65536}, {13, 1980000}, {16, Multiprocessors}, {20, 0},
        {31, 1}, {32, 1}, {33, 1}, {34, 0}, {36, 2619000}, {37, 5120}, {38, 1 << 20}, {39, ThreadsPerMultiprocessor}, {40, 1}, {41, 1}, {50, 0}, {75, 9}, {76, 0},
        {81, SharedPerMultiprocessor}, {82, RegistersPerMultiprocessor}, {97, SharedPerBlock}};
    auto found = values.find(which);
    if (found == values.end()) return InvalidValue;
    *value = found->second;
    return Success;
}

int launch(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared, void* stream,
           bool programmatic, void** parameters) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    if (!function || !parameters || !parameters[0]) return InvalidValue;
    if (!grid_x || !grid_y || grid_z != 1 || grid_y > 65535 || !block_x || block_y != 1 || block_z != 1) return InvalidValue;
    if (block_x > function->entry.threads) return InvalidValue;
    if (shared > static_cast<unsigned>(function->dynamic_shared)) return InvalidValue;
    if (!blocks_per_multiprocessor(*function, static_cast<int>(block_x), shared)) return LaunchOutOfResources;
    // The struct is the caller's only until this returns.
    auto* bytes = static_cast<unsigned char*>(parameters[0]);
    std::vector<unsigned char> arguments(bytes, bytes + function->parameter_bytes);
    return put(stream, {[=]() mutable { return execute(function, grid_x, grid_y, block_x, shared, programmatic, arguments); }, true});
}

int copy(void* to, const void* from, Bytes bytes) { std::memmove(to, from, bytes); return Success; }

int fill(Address at, unsigned value, Bytes count, unsigned width) {
    if (width == 1) std::memset(host(at), static_cast<int>(value), count);
    else std::fill_n(static_cast<unsigned*>(host(at)), count, value);
    return Success;
}

void clear(Device& gone) {
    for (auto& [at, allocation] : gone.allocations) std::free(allocation.raw);
    gone.allocations.clear();
    gone.modules.clear();
    gone.used = 0;
    int index = static_cast<int>(&gone - state().devices.data());
    for (auto at = state().streams.begin(); at != state().streams.end();) at = at->second->device == index ? state().streams.erase(at) : std::next(at);
    const char* sticky = setting("EMULATED_CUDA_STICKY");
    if (!sticky || std::strcmp(sticky, "process")) gone.sticky = Success;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API cuInit(unsigned) {
    Lock lock(state().gate);
    const char* text = setting("EMULATED_CUDA_DEVICES");
    int count = text ? std::atoi(text) : 1;
    if (!count) return NoDevice;
    if (!state().initialized) state().devices.resize(static_cast<size_t>(count));
    state().initialized = true;
    return Success;
}
API cuDriverGetVersion(int* version) { *version = driver_version(); return Success; }
API cuDeviceGetCount(int* count) {
    Lock lock(state().gate);
    if (!state().initialized) return NotInitialized;
    *count = static_cast<int>(state().devices.size());
    return Success;
}
API cuDeviceGet(int* handle, int ordinal) {
    Lock lock(state().gate);
    if (!state().initialized) return NotInitialized;
    if (ordinal < 0 || static_cast<size_t>(ordinal) >= state().devices.size()) return InvalidDevice;
    *handle = ordinal;
    return Success;
}
API cuDeviceGetName(char* name, int length, int) { std::snprintf(name, static_cast<size_t>(length), "NVIDIA GPU (emulated on the host)"); return Success; }
API cuDeviceGetUuid_v2(unsigned char* uuid, int handle) {
    static const unsigned char start[] = {'e', 'm', 'u', 'l', 'a', 't', 'e', 'd'};
    std::memset(uuid, 0, 16);
    std::memcpy(uuid, start, sizeof start);
    uuid[15] = static_cast<unsigned char>(handle);
    return Success;
}
API cuDeviceGetPCIBusId(char* id, int length, int handle) { std::snprintf(id, static_cast<size_t>(length), "0000:%02x:00.0", handle + 1); return Success; }
API cuDeviceGetAttribute(int* value, int which, int handle) {
    if (which != 33) return attribute(which, value);
    *value = handle + 1;
    return Success;
}
API cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = total_memory(); return Success; }

API cuDevicePrimaryCtxRetain(void** context, int handle) {
    Lock lock(state().gate);
    if (!state().initialized) return NotInitialized;
    Device& d = state().devices[static_cast<size_t>(handle)];
    if (d.sticky) return d.sticky;
    d.references++;
    *context = reinterpret_cast<void*>(static_cast<long>(handle) + 1);
    return Success;
}
API cuDevicePrimaryCtxRelease_v2(int handle) {
    Lock lock(state().gate);
    Device& d = state().devices[static_cast<size_t>(handle)];
    if (!d.references) return InvalidContext;
    if (!--d.references) clear(d);
    return Success;
}
API cuDevicePrimaryCtxReset_v2(int handle) {
    Lock lock(state().gate);
    Device& d = state().devices[static_cast<size_t>(handle)];
    d.references = 0;
    clear(d);
    return Success;
}
API cuCtxSetCurrent(void* context) { current = static_cast<int>(reinterpret_cast<long>(context)) - 1; return Success; }
API cuCtxSynchronize() { Lock lock(state().gate); return outside_capture(CaptureUnsupported); }

API cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    *total = total_memory();
    *free_bytes = *total - std::min<Bytes>(*total, device().used);
    return Success;
}
API cuMemAlloc_v2(Address* at, size_t bytes) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    if (!bytes) return InvalidValue;
    Bytes rounded = (bytes + 255) / 256 * 256;
    if (device().used + rounded > total_memory()) return OutOfMemory;
    auto* raw = static_cast<unsigned char*>(std::aligned_alloc(256, Guard + rounded + Guard));
    if (!raw) return OutOfMemory;
    std::memset(raw, GuardByte, Guard);
    std::memset(raw + Guard, Poison, bytes);
    std::memset(raw + Guard + bytes, GuardByte, rounded - bytes + Guard);
    *at = reinterpret_cast<Address>(raw + Guard);
    device().allocations[*at] = {bytes, raw};
    device().used += rounded;
    return Success;
}
API cuMemFree_v2(Address at) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    auto found = device().allocations.find(at);
    if (found == device().allocations.end()) return InvalidValue;
    device().used -= (found->second.bytes + 255) / 256 * 256;
    std::free(found->second.raw);
    device().allocations.erase(found);
    return Success;
}
API cuMemHostAlloc(void** at, size_t bytes, unsigned) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    *at = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*at) return OutOfMemory;
    std::memset(*at, Poison, bytes);
    state().hosts.insert(*at);
    return Success;
}
API cuMemFreeHost(void* at) {
    Lock lock(state().gate);
    if (!state().hosts.erase(at)) return InvalidValue;
    std::free(at);
    return Success;
}
API cuMemcpyHtoD_v2(Address to, const void* from, size_t bytes) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureImplicit)) return error;
    return inside(to, bytes) ? copy(host(to), from, bytes) : InvalidValue;
}
API cuMemcpyDtoH_v2(void* to, Address from, size_t bytes) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureImplicit)) return error;
    return inside(from, bytes) ? copy(to, host(from), bytes) : InvalidValue;
}
API cuMemcpyDtoD_v2(Address to, Address from, size_t bytes) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureImplicit)) return error;
    return inside(to, bytes) && inside(from, bytes) ? copy(host(to), host(from), bytes) : InvalidValue;
}
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return inside(to, bytes) ? put(stream, {[=] { return copy(host(to), from, bytes); }, false}) : InvalidValue;
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return inside(from, bytes) ? put(stream, {[=] { return copy(to, host(from), bytes); }, false}) : InvalidValue;
}
API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return inside(to, bytes) && inside(from, bytes) ? put(stream, {[=] { return copy(host(to), host(from), bytes); }, false}) : InvalidValue;
}
API cuMemsetD8_v2(Address at, unsigned char value, size_t count) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureImplicit)) return error;
    return inside(at, count) ? fill(at, value, count, 1) : InvalidValue;
}
API cuMemsetD32_v2(Address at, unsigned value, size_t count) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureImplicit)) return error;
    return at % 4 == 0 && inside(at, 4 * count) ? fill(at, value, count, 4) : InvalidValue;
}
API cuMemsetD8Async(Address at, unsigned char value, size_t count, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return inside(at, count) ? put(stream, {[=] { return fill(at, value, count, 1); }, false}) : InvalidValue;
}
API cuMemsetD32Async(Address at, unsigned value, size_t count, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return at % 4 == 0 && inside(at, 4 * count) ? put(stream, {[=] { return fill(at, value, count, 4); }, false}) : InvalidValue;
}

API cuStreamCreate(void** stream, unsigned) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    auto made = std::make_unique<Stream>();
    made->device = current;
    *stream = made.get();
    state().streams[*stream] = std::move(made);
    return Success;
}
API cuStreamDestroy_v2(void* stream) { Lock lock(state().gate); return state().streams.erase(stream) ? Success : InvalidHandle; }
API cuStreamSynchronize(void* handle) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    Stream* stream = find_stream(handle);
    if (!stream) return InvalidHandle;
    return stream->capturing ? outside_capture(CaptureUnsupported) : Success;
}
API cuStreamQuery(void* handle) { return cuStreamSynchronize(handle); }
API cuStreamWaitEvent(void* stream, void* event, unsigned) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return find_stream(stream) && state().events.count(event) ? Success : InvalidHandle;
}
API cuEventCreate(void** event, unsigned) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    *event = new Event;
    state().events.insert(*event);
    return Success;
}
API cuEventDestroy_v2(void* event) {
    Lock lock(state().gate);
    if (!state().events.erase(event)) return InvalidHandle;
    delete static_cast<Event*>(event);
    return Success;
}
API cuEventRecord(void* event, void* handle) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    Stream* stream = find_stream(handle);
    if (!stream || !state().events.count(event)) return InvalidHandle;
    if (stream->capturing) return Success;  // a dependency within the graph: it has no time
    static_cast<Event*>(event)->at = std::chrono::steady_clock::now();
    static_cast<Event*>(event)->recorded = true;
    return Success;
}
API cuEventQuery(void* event) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return state().events.count(event) ? Success : InvalidHandle;
}
API cuEventSynchronize(void* event) { return cuEventQuery(event); }
API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    if (!state().events.count(start) || !state().events.count(end)) return InvalidHandle;
    auto *from = static_cast<Event*>(start), *to = static_cast<Event*>(end);
    if (!from->recorded || !to->recorded) return InvalidHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return Success;
}

API cuModuleLoadDataEx(void** module, const void* image, unsigned options, const int* option, void** values) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    Reader reader(static_cast<const char*>(image));
    constexpr int ErrorLog = 5, ErrorLogBytes = 6;
    char* log = nullptr;
    size_t bytes = 0;
    for (unsigned i = 0; i < options; i++) {
        if (option[i] == ErrorLog) log = static_cast<char*>(values[i]);
        if (option[i] == ErrorLogBytes) bytes = reinterpret_cast<size_t>(values[i]);
    }
    std::shared_ptr<const ptx::Module> code;
    const char* how = setting("EMULATED_CUDA_EXECUTE");
    if (!reader.error && how && std::string(how) == "ptx") {
        code = ptx::parse(static_cast<const char*>(image), reader.log);
        if (!code) reader.error = InvalidPtx;
    }
    if (log && bytes) std::snprintf(log, bytes, "%s", reader.log.c_str());
    if (reader.error) return reader.error;
    auto made = std::make_unique<Module>();
    made->code = code;
    made->entries = reader.entries;
    *module = made.get();
    device().modules.insert(std::move(made));
    return Success;
}
API cuModuleUnload(void* module) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    auto& all = device().modules;
    auto found = std::find_if(all.begin(), all.end(), [&](auto& m) { return m.get() == module; });
    if (found == all.end()) return InvalidHandle;
    all.erase(found);
    return Success;
}
API cuModuleGetFunction(void** function, void* handle, const char* name) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    auto* module = static_cast<Module*>(handle);
    for (const Entry& entry : module->entries) {
        if (entry.name != name) continue;
        const emulation::Kernel* kernel = module->code ? nullptr : emulation::find_kernel(name);
        if (!kernel && !module->code) {
            std::fprintf(stderr, "emulated CUDA: the PTX has the kernel %s, this library was built without it\n", name);
            return NotFound;
        }
        module->functions.push_back(std::make_unique<Function>(Function{entry, kernel, module->code, module->code ? ptx::parameter_bytes(*module->code, name) : kernel->parameter_bytes}));
        *function = module->functions.back().get();
        return Success;
    }
    return NotFound;
}
API cuFuncGetAttribute(int* value, int which, void* handle) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    auto* function = static_cast<Function*>(handle);
    switch (which) {
    case 0: *value = static_cast<int>(function->entry.threads); return Success;
    case 1: case 2: *value = 0; return Success;
    case 3: *value = function->entry.local_bytes; return Success;
    case 4: *value = most_registers(function->entry); return Success;
    case 5: *value = 80; return Success;
    case 6: *value = 90; return Success;
    case 8: *value = function->dynamic_shared; return Success;
    default: return InvalidValue;
    }
}
API cuFuncSetAttribute(void* handle, int which, int value) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    if (which == 9) return Success;
    if (which != 8 || value < 0 || value > SharedPerBlock) return InvalidValue;
    static_cast<Function*>(handle)->dynamic_shared = value;
    return Success;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads, size_t shared) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    *blocks = blocks_per_multiprocessor(*static_cast<Function*>(function), threads, shared);
    return Success;
}
API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream, void** parameters, void**) {
    return launch(static_cast<Function*>(function), gx, gy, gz, bx, by, bz, shared, stream, false, parameters);
}

struct LaunchAttribute { int id, pad; union { int value; char bytes[64]; } u; };
struct LaunchConfiguration { unsigned gx, gy, gz, bx, by, bz, shared; void* stream; LaunchAttribute* attributes; unsigned count; };

API cuLaunchKernelEx(const LaunchConfiguration* c, void* function, void** parameters, void**) {
    bool programmatic = false;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->attributes[i].id == 6) programmatic = c->attributes[i].u.value;
        else if (c->attributes[i].id) return InvalidValue;
    }
    return launch(static_cast<Function*>(function), c->gx, c->gy, c->gz, c->bx, c->by, c->bz, c->shared, c->stream, programmatic, parameters);
}

API cuStreamBeginCapture_v2(void* handle, int mode) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    Stream* stream = find_stream(handle);
    if (!stream) return InvalidHandle;
    if (!handle) return CaptureUnsupported;  // the default stream cannot be captured
    if (stream->capturing) return InvalidValue;
    stream->capturing = true;
    stream->all_threads = mode == 0;
    stream->capturer = std::this_thread::get_id();
    stream->invalidated = false;
    stream->captured = std::make_unique<Graph>();
    return Success;
}
API cuStreamEndCapture(void* handle, void** graph) {
    Lock lock(state().gate);
    *graph = nullptr;
    Stream* stream = find_stream(handle);
    if (!stream) return InvalidHandle;
    if (!stream->capturing) return CaptureUnmatched;
    stream->capturing = false;
    if (stream->invalidated) return CaptureInvalidated;
    if (int error = entry_error()) return error;
    *graph = stream->captured.release();
    state().graphs.insert(*graph);
    return Success;
}
API cuGraphGetNodes(void* graph, void**, size_t* count) {
    Lock lock(state().gate);
    if (!state().graphs.count(graph)) return InvalidHandle;
    *count = static_cast<Graph*>(graph)->work.size();
    return Success;
}
API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    Lock lock(state().gate);
    if (int error = outside_capture(CaptureUnsupported)) return error;
    if (!state().graphs.count(graph)) return InvalidHandle;
    *executable = new Graph(*static_cast<Graph*>(graph));
    state().graphs.insert(*executable);
    return Success;
}
API cuGraphUpload(void* executable, void* stream) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    return state().graphs.count(executable) && find_stream(stream) ? Success : InvalidHandle;
}
API cuGraphLaunch(void* executable, void* handle) {
    Lock lock(state().gate);
    if (int error = entry_error()) return error;
    Stream* stream = find_stream(handle);
    if (!stream || !state().graphs.count(executable)) return InvalidHandle;
    if (stream->capturing) return CaptureUnsupported;
    if (int error = count_launch(true)) return error;
    for (auto& work : static_cast<Graph*>(executable)->work) {
        if (int error = work.run()) return error;
        if (device().sticky) break;
    }
    return Success;
}
API cuGraphExecDestroy(void* executable) {
    Lock lock(state().gate);
    if (!state().graphs.erase(executable)) return InvalidHandle;
    delete static_cast<Graph*>(executable);
    return Success;
}
API cuGraphDestroy(void* graph) { return cuGraphExecDestroy(graph); }

namespace {
const std::map<int, std::pair<const char*, const char*>> errors{
    {0, {"CUDA_SUCCESS", "no error"}}, {1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}}, {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {3, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}}, {100, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
    {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}}, {201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {214, {"CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"}}, {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
    {222, {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."}},
    {400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}}, {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {700, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}}, {701, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
    {719, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}}, {800, {"CUDA_ERROR_NOT_PERMITTED", "operation not permitted"}},
    {900, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
    {901, {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
    {903, {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"}},
    {906, {"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"}},
    {999, {"CUDA_ERROR_UNKNOWN", "unknown error"}}};
}

API cuGetErrorName(int error, const char** text) {
    auto found = errors.find(error);
    *text = found == errors.end() ? nullptr : found->second.first;
    return *text ? Success : InvalidValue;
}
API cuGetErrorString(int error, const char** text) {
    Lock lock(state().gate);
    auto found = errors.find(error);
    *text = found == errors.end() ? nullptr : found->second.second;
    if (!*text) return InvalidValue;
    bool kernel = error == IllegalAddress || error == LaunchFailed || error == 999;
    if (!kernel || state().fault.empty()) return Success;
    static std::map<std::string, std::string> kept;  // the text must outlive the call
    *text = (kept[*text + state().fault] = std::string(*text) + " (emulated: " + state().fault + ")").c_str();
    return Success;
}
