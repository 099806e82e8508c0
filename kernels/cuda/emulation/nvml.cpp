// A scripted stand-in for libnvidia-ml.so.1: what the sensors of one or more GPUs say follows from a small text, named by EMULATED_NVML_SCRIPT.
//
// Time is CLOCK_MONOTONIC since the first nvmlInit, times EMULATED_NVML_SPEED (1); or what emulated_nvml_set_time(seconds) last said. Times T below are in
// these seconds, powers in W. One directive a line, # begins a comment; before the first `device` it holds for all, after `device i` for that one.
//
//   devices N                    how many; 1                       device I                 what follows is of device I
//   name TEXT  uuid TEXT  serial TEXT  bus TEXT  vbios TEXT  driver TEXT  identity; "emulated" is in the name whatever the script says
//   power T P                    P from T on                       power T ramp P S         from what it was at T to P within S seconds, then P
//   power T sine P A F           P plus a sine of amplitude A and frequency F, from T on
//   counter period S [phase S]   the energy counter steps so often; 0.1, 0
//   counter error X              it counts 1 + X times the energy; 0  counter reset T       it begins anew at T
//   sensor period S window S     field 186 is the mean over the last `window` of each period; 0.1, 0.025
//   throttle KIND T0 T1          time counters run between: power, sw_thermal, hw_thermal, brake
//   celsius T C                  temperature from T on; 40         memory_celsius C         of the memory; 50
//   clock MHZ [MEMORY_MHZ]       1980 2619                         limit P [MIN MAX]        power limits; 700 200 700
//   use PERCENT BYTES            utilization and memory in use of 80 GiB; 0 and 1 GiB
//   ecc on|off|none              mode; on                          ecc_errors C U           corrected, uncorrected; 0 0
//   mig on|off|none              mode; off                         process PID [T0 [T1]]    a compute process; `self` is this one
//   gpm SM OCCUPANCY TENSOR HMMA IMMA DRAM                         GPM metrics, percent; without it GPM is not supported
//   module P                     power of the module (scope 1): a Grace Hopper
//   deny NAME                    a function (nvmlDeviceGetPowerUsage) or a field (field:186) answers NO_PERMISSION
//   lack NAME                    it answers NOT_SUPPORTED
//   cost S                       every read takes so long (CPU busy)
//   lost T                       from T on every call on the device answers GPU_IS_LOST
//   fault NAME CODE [T0 [T1]]    a function, a field, or `all` answers CODE, any number, from T0 to T1; 0, for ever
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using u32 = unsigned;
using u64 = unsigned long long;

constexpr int Success = 0, Uninitialized = 1, InvalidArgument = 2, NotSupported = 3, NoPermission = 4, NotFound = 6, InsufficientSize = 7, GpuIsLost = 15, Unknown = 999;
constexpr double Never = 1e300;

struct Piece {
    double at, watts, from, seconds, amplitude, hertz;  // ramp: `from` to `watts` within `seconds`; sine: amplitude and hertz

    double power(double t) const {
        double since = t - at;
        if (seconds > 0 && since < seconds) return from + (watts - from) * since / seconds;
        return watts + (amplitude != 0 ? amplitude * std::sin(2 * M_PI * hertz * since) : 0);
    }
    double energy(double t) const {
        double since = t - at;
        if (seconds > 0) {
            double ramp = std::min(since, seconds);
            return from * ramp + (watts - from) * ramp * ramp / (2 * seconds) + watts * (since - ramp);
        }
        return watts * since + (amplitude != 0 ? amplitude / (2 * M_PI * hertz) * (1 - std::cos(2 * M_PI * hertz * since)) : 0);
    }
};

struct Span { double from, to; };

struct Gpu {
    std::string name = "NVIDIA GPU", uuid, serial = "0000000000000", vbios = "96.00.30.00.01", bus;
    std::vector<Piece> pieces;
    double counter_period = 0.1, counter_phase = 0, counter_error = 0, counter_reset = Never;
    double sensor_period = 0.1, sensor_window = 0.025;
    std::map<std::string, std::vector<Span>> throttle;
    std::vector<std::pair<double, double>> celsius{{0, 40}};
    double memory_celsius = 50, clock = 1980, memory_clock = 2619, limit = 700, least_limit = 200, most_limit = 700, module = NAN, cost = 0, lost = Never;
    std::string ecc = "on", mig = "off";
    u64 corrected = 0, uncorrected = 0, memory_used = 1ull << 30;
    u32 utilization = 0;
    std::vector<std::pair<u32, Span>> processes;
    std::vector<double> gpm;
    std::set<std::string> denied, lacking;
    std::map<std::string, std::pair<int, Span>> faults;

    double power(double t) const {
        const Piece* now = &pieces.front();
        for (auto& piece : pieces)
            if (piece.at <= t) now = &piece;
        return now->power(t);
    }
    /// J from 0 to t; before the first piece its power holds.
    double energy(double t) const {
        const Piece& first = pieces.front();
        double sum = first.power(first.at) * std::min(t, first.at);
        for (size_t i = 0; i < pieces.size() && pieces[i].at < t; i++)
            sum += pieces[i].energy(i + 1 < pieces.size() ? std::min(t, pieces[i + 1].at) : t);
        return sum;
    }
    double mean(double from, double to) const { return to > from ? (energy(to) - energy(from)) / (to - from) : power(to); }
};

struct Library {
    std::mutex gate;
    int references = 0;
    std::string driver = "550.54.15";
    std::vector<Gpu> gpus;
    double set_time = NAN, start = 0;
};

Library& library() { static Library l; return l; }

double monotonic() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double now() {
    if (!std::isnan(library().set_time)) return library().set_time;
    const char* speed = std::getenv("EMULATED_NVML_SPEED");
    return (monotonic() - library().start) * (speed && *speed ? std::atof(speed) : 1);
}

bool apply(Gpu& gpu, const std::string& key, std::istringstream& in) {
    auto rest = [&] { std::string text; std::getline(in >> std::ws, text); return text; };
    std::string word;
    double at = 0, a = 0;
    if (key == "name") gpu.name = rest();
    else if (key == "uuid") gpu.uuid = rest();
    else if (key == "serial") gpu.serial = rest();
    else if (key == "bus") gpu.bus = rest();
    else if (key == "vbios") gpu.vbios = rest();
    else if (key == "power") {
        if (!(in >> at >> word)) return false;
        Piece piece{at, 0, 0, 0, 0, 0};
        double before = gpu.pieces.empty() ? 0 : gpu.power(at);
        if (word == "ramp") {
            piece.from = before;
            if (!(in >> piece.watts >> piece.seconds)) return false;
        } else if (word == "sine") {
            if (!(in >> piece.watts >> piece.amplitude >> piece.hertz)) return false;
        } else piece.watts = std::atof(word.c_str());
        gpu.pieces.push_back(piece);
    } else if (key == "counter") {
        while (in >> word >> a) {
            if (word == "period") gpu.counter_period = a;
            else if (word == "phase") gpu.counter_phase = a;
            else if (word == "error") gpu.counter_error = a;
            else if (word == "reset") gpu.counter_reset = a;
            else return false;
        }
    } else if (key == "sensor") {
        while (in >> word >> a) {
            if (word == "period") gpu.sensor_period = a;
            else if (word == "window") gpu.sensor_window = a;
            else return false;
        }
    } else if (key == "throttle") {
        Span span;
        if (!(in >> word >> span.from >> span.to)) return false;
        gpu.throttle[word].push_back(span);
    } else if (key == "celsius") {
        if (!(in >> at >> a)) return false;
        gpu.celsius.push_back({at, a});
    } else if (key == "memory_celsius") in >> gpu.memory_celsius;
    else if (key == "clock") in >> gpu.clock >> gpu.memory_clock;
    else if (key == "limit") in >> gpu.limit >> gpu.least_limit >> gpu.most_limit;
    else if (key == "use") in >> gpu.utilization >> gpu.memory_used;
    else if (key == "ecc") in >> gpu.ecc;
    else if (key == "ecc_errors") in >> gpu.corrected >> gpu.uncorrected;
    else if (key == "mig") in >> gpu.mig;
    else if (key == "process") {
        Span span{0, Never};
        in >> word;
        if (in >> a) span.from = a;
        if (in >> a) span.to = a;
        gpu.processes.push_back({word == "self" ? static_cast<u32>(getpid()) : static_cast<u32>(std::atoi(word.c_str())), span});
    } else if (key == "gpm") {
        while (in >> a) gpu.gpm.push_back(a);
    } else if (key == "module") in >> gpu.module;
    else if (key == "deny") gpu.denied.insert(rest());
    else if (key == "lack") gpu.lacking.insert(rest());
    else if (key == "cost") in >> gpu.cost;
    else if (key == "lost") in >> gpu.lost;
    else if (key == "fault") {
        Span span{0, Never};
        int code = 0;
        if (!(in >> word >> code)) return false;
        if (in >> a) span.from = a;
        if (in >> a) span.to = a;
        gpu.faults[word] = {code, span};
    }
    else return false;
    return true;
}

bool read_script() {
    Library& l = library();
    std::vector<Gpu> gpus(1);
    const char* path = std::getenv("EMULATED_NVML_SCRIPT");
    std::ifstream file;
    if (path && *path) {
        file.open(path);
        if (!file) {
            std::fprintf(stderr, "emulated NVML: cannot read '%s', which EMULATED_NVML_SCRIPT names\n", path);
            return false;
        }
    }
    std::string line;
    int number = 0, only = -1;
    while (std::getline(file, line)) {
        number++;
        std::istringstream in(line.substr(0, line.find('#')));
        std::string key;
        if (!(in >> key)) continue;
        bool good = true;
        size_t count = 0;
        if (key == "devices") {
            in >> count;
            gpus.resize(count, gpus.empty() ? Gpu{} : gpus[0]);
        } else if (key == "device") {
            in >> only;
            good = only >= 0 && static_cast<size_t>(only) < gpus.size();
        } else if (key == "driver") in >> l.driver;
        else {
            std::string rest;
            std::getline(in, rest);
            for (size_t i = 0; i < gpus.size(); i++) {
                if (only >= 0 && static_cast<size_t>(only) != i) continue;
                std::istringstream again(rest);
                good &= apply(gpus[i], key, again);
            }
        }
        if (!good) {
            std::fprintf(stderr, "emulated NVML: %s:%d: cannot understand '%s'\n", path, number, line.c_str());
            return false;
        }
    }
    for (size_t i = 0; i < gpus.size(); i++) {
        Gpu& gpu = gpus[i];
        if (gpu.pieces.empty()) gpu.pieces.push_back({0, 100, 0, 0, 0, 0});
        if (gpu.name.find("emulated") == std::string::npos) gpu.name += " (emulated)";
        char text[64];
        std::snprintf(text, sizeof text, "GPU-656d756c-6174-6564-0000-%012zx", i);
        if (gpu.uuid.empty()) gpu.uuid = text;
        std::snprintf(text, sizeof text, "00000000:%02zX:00.0", i + 1);
        if (gpu.bus.empty()) gpu.bus = text;
    }
    l.gpus = std::move(gpus);
    return true;
}

/// The code that a function or a field of a device is to answer now; Success where none is.
int fault(const Gpu& gpu, const std::string& name) {
    for (const std::string& which : {name, std::string("all")}) {
        auto found = gpu.faults.find(which);
        if (found != gpu.faults.end() && now() >= found->second.second.from && now() < found->second.second.to) return found->second.first;
    }
    return Success;
}

/// The device behind a handle; what keeps the call from being answered.
int enter(void* handle, const char* function, Gpu** gpu) {
    Library& l = library();
    if (!l.references) return Uninitialized;
    size_t index = reinterpret_cast<size_t>(handle) - 1;
    if (index >= l.gpus.size()) return InvalidArgument;
    *gpu = &l.gpus[index];
    if (now() >= (*gpu)->lost) return GpuIsLost;
    if (int code = fault(**gpu, function)) return code;
    if ((*gpu)->denied.count(function)) return NoPermission;
    if ((*gpu)->lacking.count(function)) return NotSupported;
    if ((*gpu)->cost > 0)
        for (double end = monotonic() + (*gpu)->cost; monotonic() < end;) {}
    return Success;
}

double last_tick(double t, double period, double phase) { return period > 0 ? phase + std::floor((t - phase) / period + 1e-9) * period : t; }

u64 counter_millijoules(const Gpu& gpu) {
    constexpr double Before = 5000;  // J since the driver was loaded, before the script begins
    double t = now(), tick = last_tick(t, gpu.counter_period, gpu.counter_phase);
    double joules = t >= gpu.counter_reset ? gpu.energy(std::max(tick, gpu.counter_reset)) - gpu.energy(gpu.counter_reset) : Before + gpu.energy(tick);
    return static_cast<u64>(std::max(0.0, joules * (1 + gpu.counter_error)) * 1000);
}

u32 instant_milliwatts(const Gpu& gpu) {
    double tick = last_tick(now(), gpu.sensor_period, 0);
    return static_cast<u32>(std::lround(1000 * gpu.mean(tick - gpu.sensor_window, tick)));
}

u32 average_milliwatts(const Gpu& gpu) {
    double tick = last_tick(now(), gpu.sensor_period, 0);
    return static_cast<u32>(std::lround(1000 * gpu.mean(tick - 1, tick)));
}

u64 throttle_nanoseconds(Gpu& gpu, const char* kind) {
    double seconds = 0, t = now();
    for (auto& span : gpu.throttle[kind]) seconds += std::max(0.0, std::min(t, span.to) - span.from);
    return static_cast<u64>(seconds * 1e9);
}

double celsius(const Gpu& gpu) {
    double value = gpu.celsius.front().second, t = now();
    for (auto& [at, degrees] : gpu.celsius)
        if (at <= t) value = degrees;
    return value;
}

struct FieldValue {
    u32 field, scope;
    long long timestamp, latency;
    u32 type;
    int result;
    union { double d; u32 u; u64 ull; } value;
};

struct ProcessInfo { u32 pid; u64 bytes; u32 gpu_instance, compute_instance; };

struct PciInfo { char legacy[16]; u32 domain, bus, device, device_id, subsystem_id; char id[32]; };

struct GpmMetric { u32 id; int result; double value; const char *short_name, *long_name, *unit; };
struct GpmMetrics { u32 version, count; void *first, *second; GpmMetric metrics[98]; };
struct GpmSample { double at; size_t gpu; };
struct GpmSupport { u32 version, supported; };

int text_out(const std::string& text, char* to, u32 length) {
    if (text.size() + 1 > length) return InsufficientSize;
    std::memcpy(to, text.c_str(), text.size() + 1);
    return Success;
}

void answer(Gpu& gpu, FieldValue& value) {
    constexpr u32 UnsignedInt = 1, UnsignedLongLong = 3;
    std::string name = "field:" + std::to_string(value.field);
    value.timestamp = static_cast<long long>(now() * 1e6);
    value.latency = 0;
    value.result = gpu.denied.count(name) ? NoPermission : gpu.lacking.count(name) ? NotSupported : Success;
    if (auto named = gpu.faults.find(name); named != gpu.faults.end() && !value.result) value.result = fault(gpu, name);
    if (value.result) return;
    auto milliwatts = [&](double watts) { value.type = UnsignedInt; value.value.ull = 0; value.value.u = static_cast<u32>(std::lround(1000 * watts)); };
    auto nanoseconds = [&](u64 ns) { value.type = UnsignedLongLong; value.value.ull = ns; };
    bool power = value.field == 185 || value.field == 186;
    if (value.scope == 1 && power && !std::isnan(gpu.module)) return milliwatts(gpu.module);
    if (value.scope) {
        value.result = NotSupported;
        return;
    }
    switch (value.field) {
    case 83: case 191: return nanoseconds(counter_millijoules(gpu));
    case 185: return milliwatts(average_milliwatts(gpu) / 1000.0);
    case 186: return milliwatts(instant_milliwatts(gpu) / 1000.0);
    case 187: return milliwatts(gpu.least_limit);
    case 188: case 189: return milliwatts(gpu.most_limit);
    case 190: return milliwatts(gpu.limit);
    case 82:
        value.type = UnsignedInt;
        value.value.ull = static_cast<u64>(gpu.memory_celsius);
        return;
    case 74: return nanoseconds(throttle_nanoseconds(gpu, "power"));
    case 269: return nanoseconds(throttle_nanoseconds(gpu, "sw_thermal"));
    case 270: return nanoseconds(throttle_nanoseconds(gpu, "hw_thermal"));
    case 271: return nanoseconds(throttle_nanoseconds(gpu, "brake"));
    default: value.result = NotSupported;
    }
}

using Lock = std::lock_guard<std::mutex>;

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int
#define ENTER(handle)                                                  \
    Lock lock(library().gate);                                         \
    Gpu* gpu = nullptr;                                                \
    if (int refused = enter(handle, __func__, &gpu)) return refused

/// Takes the clock over: for tests, in seconds of the script.
API emulated_nvml_set_time(double seconds) { Lock lock(library().gate); library().set_time = seconds; return Success; }

/// One more line of the script, for device 0, while it runs: for tests that let work begin and end.
API emulated_nvml_command(const char* line) {
    Lock lock(library().gate);
    std::istringstream in(line);
    std::string key;
    in >> key;
    return !library().gpus.empty() && apply(library().gpus[0], key, in) ? Success : InvalidArgument;
}

API nvmlInit_v2() {
    Lock lock(library().gate);
    Library& l = library();
    if (!l.references) {
        if (!read_script()) return Unknown;
        l.start = monotonic();
    }
    l.references++;
    return Success;
}
API nvmlShutdown() {
    Lock lock(library().gate);
    if (!library().references) return Uninitialized;
    library().references--;
    return Success;
}
API nvmlSystemGetDriverVersion(char* text, u32 length) { Lock lock(library().gate); return text_out(library().driver, text, length); }
API nvmlSystemGetNVMLVersion(char* text, u32 length) { Lock lock(library().gate); return text_out("12." + library().driver, text, length); }
API nvmlDeviceGetCount_v2(u32* count) {
    Lock lock(library().gate);
    if (!library().references) return Uninitialized;
    *count = static_cast<u32>(library().gpus.size());
    return Success;
}

static int find(const char* function, void** handle, bool (*fits)(const Gpu&, const std::string&), const std::string& text) {
    Lock lock(library().gate);
    if (!library().references) return Uninitialized;
    for (size_t i = 0; i < library().gpus.size(); i++)
        if (fits(library().gpus[i], text)) {
            *handle = reinterpret_cast<void*>(i + 1);
            return now() >= library().gpus[i].lost ? GpuIsLost : fault(library().gpus[i], function);
        }
    return NotFound;
}
static std::string upper(std::string text) { for (char& c : text) c = static_cast<char>(std::toupper(c)); return text; }
static std::string short_bus(const std::string& bus) { std::string text = upper(bus); return text.size() > 12 ? text.substr(text.size() - 12) : text; }

API nvmlDeviceGetHandleByIndex_v2(u32 index, void** handle) {
    Lock lock(library().gate);
    if (!library().references) return Uninitialized;
    if (index >= library().gpus.size()) return InvalidArgument;
    *handle = reinterpret_cast<void*>(static_cast<size_t>(index) + 1);
    return now() >= library().gpus[index].lost ? GpuIsLost : fault(library().gpus[index], __func__);
}
API nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) { return find(__func__, handle, [](const Gpu& g, const std::string& t) { return g.uuid == t; }, uuid); }
API nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** handle) {
    return find(__func__, handle, [](const Gpu& g, const std::string& t) { return short_bus(g.bus) == short_bus(t); }, bus);
}
API nvmlDeviceGetName(void* handle, char* text, u32 length) { ENTER(handle); return text_out(gpu->name, text, length); }
API nvmlDeviceGetUUID(void* handle, char* text, u32 length) { ENTER(handle); return text_out(gpu->uuid, text, length); }
API nvmlDeviceGetSerial(void* handle, char* text, u32 length) { ENTER(handle); return text_out(gpu->serial, text, length); }
API nvmlDeviceGetVbiosVersion(void* handle, char* text, u32 length) { ENTER(handle); return text_out(gpu->vbios, text, length); }
API nvmlDeviceGetPciInfo_v3(void* handle, PciInfo* info) {
    ENTER(handle);
    std::memset(info, 0, sizeof *info);
    std::sscanf(gpu->bus.c_str(), "%x:%x:%x", &info->domain, &info->bus, &info->device);
    std::snprintf(info->id, sizeof info->id, "%s", gpu->bus.c_str());
    std::snprintf(info->legacy, sizeof info->legacy, "%s", short_bus(gpu->bus).c_str());
    info->device_id = 0x233010de;
    return Success;
}
API nvmlDeviceGetTotalEnergyConsumption(void* handle, u64* millijoules) { ENTER(handle); *millijoules = counter_millijoules(*gpu); return Success; }
API nvmlDeviceGetPowerUsage(void* handle, u32* milliwatts) { ENTER(handle); *milliwatts = average_milliwatts(*gpu); return Success; }
API nvmlDeviceGetEnforcedPowerLimit(void* handle, u32* milliwatts) { ENTER(handle); *milliwatts = static_cast<u32>(1000 * gpu->limit); return Success; }
API nvmlDeviceGetFieldValues(void* handle, int count, FieldValue* values) {
    ENTER(handle);
    for (int i = 0; i < count; i++) answer(*gpu, values[i]);
    return Success;
}
API nvmlDeviceGetClockInfo(void* handle, int kind, u32* megahertz) {
    ENTER(handle);
    if (kind < 0 || kind > 3) return InvalidArgument;
    *megahertz = static_cast<u32>(kind == 2 ? gpu->memory_clock : gpu->clock);
    return Success;
}
API nvmlDeviceGetMaxClockInfo(void* handle, int kind, u32* megahertz) { return nvmlDeviceGetClockInfo(handle, kind, megahertz); }
API nvmlDeviceGetTemperature(void* handle, int sensor, u32* degrees) {
    ENTER(handle);
    if (sensor) return InvalidArgument;
    *degrees = static_cast<u32>(celsius(*gpu));
    return Success;
}
struct Utilization { u32 gpu, memory; };
struct Memory { u64 total, free, used; };
API nvmlDeviceGetUtilizationRates(void* handle, Utilization* rates) {
    ENTER(handle);
    *rates = {gpu->utilization, gpu->utilization / 2};
    return Success;
}
API nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
    ENTER(handle);
    *memory = {80ull << 30, (80ull << 30) - gpu->memory_used, gpu->memory_used};
    return Success;
}
API nvmlDeviceGetEccMode(void* handle, int* current, int* pending) {
    ENTER(handle);
    if (gpu->ecc == "none") return NotSupported;
    *current = *pending = gpu->ecc == "on";
    return Success;
}
API nvmlDeviceGetTotalEccErrors(void* handle, int kind, int, u64* count) {
    ENTER(handle);
    if (gpu->ecc == "none") return NotSupported;
    *count = kind ? gpu->uncorrected : gpu->corrected;
    return Success;
}
API nvmlDeviceGetMigMode(void* handle, u32* current, u32* pending) {
    ENTER(handle);
    if (gpu->mig == "none") return NotSupported;
    *current = *pending = gpu->mig == "on";
    return Success;
}
API nvmlDeviceGetComputeRunningProcesses_v3(void* handle, u32* count, ProcessInfo* infos) {
    ENTER(handle);
    std::vector<u32> there;
    for (auto& [pid, span] : gpu->processes)
        if (now() >= span.from && now() < span.to) there.push_back(pid);
    u32 room = *count;
    *count = static_cast<u32>(there.size());
    if (there.size() > room) return InsufficientSize;
    for (size_t i = 0; i < there.size(); i++) infos[i] = {there[i], 1 << 20, ~0u, ~0u};
    return Success;
}
API nvmlDeviceGetCurrentClocksThrottleReasons(void* handle, u64* reasons) {
    ENTER(handle);
    static const std::map<std::string, u64> bits{{"power", 0x4}, {"sw_thermal", 0x20}, {"hw_thermal", 0x40}, {"brake", 0x80}};
    *reasons = 0;
    for (auto& [kind, bit] : bits)
        for (auto& span : gpu->throttle[kind])
            if (now() >= span.from && now() < span.to) *reasons |= bit;
    return Success;
}
API nvmlGpmQueryDeviceSupport(void* handle, GpmSupport* support) { ENTER(handle); support->supported = !gpu->gpm.empty(); return Success; }
API nvmlGpmSampleAlloc(void** sample) { *sample = new GpmSample{0, 0}; return Success; }
API nvmlGpmSampleFree(void* sample) { delete static_cast<GpmSample*>(sample); return Success; }
API nvmlGpmSampleGet(void* handle, void* sample) {
    ENTER(handle);
    if (gpu->gpm.empty()) return NotSupported;
    *static_cast<GpmSample*>(sample) = {now(), reinterpret_cast<size_t>(handle) - 1};
    return Success;
}
API nvmlGpmMetricsGet(GpmMetrics* metrics) {
    Lock lock(library().gate);
    if (metrics->version != 1 || metrics->count > 98) return InvalidArgument;
    auto *first = static_cast<GpmSample*>(metrics->first), *second = static_cast<GpmSample*>(metrics->second);
    static const u32 ids[] = {2, 3, 5, 7, 9, 10};
    for (u32 i = 0; i < metrics->count; i++) {
        GpmMetric& metric = metrics->metrics[i];
        const u32* id = std::find(std::begin(ids), std::end(ids), metric.id);
        auto& values = library().gpus[first->gpu].gpm;
        size_t at = static_cast<size_t>(id - std::begin(ids));
        metric.result = at < values.size() && second->at - first->at >= 0.1 ? Success : NotSupported;
        if (!metric.result) metric.value = values[at];
    }
    return Success;
}
