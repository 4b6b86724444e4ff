#include "stl/cpu/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace stl::cpu {

#if defined(__x86_64__)
namespace amx {
bool tiles_multiply();  // variants/amx.cpp
}
#endif

namespace {

/// The ceiling that LibTorch takes for its own kernels too.
Isa allowed_isa() {
    const char* capability = std::getenv("ATEN_CPU_CAPABILITY");
    if (capability == nullptr) return Isa::amx;
    if (capability == std::string_view("default")) return Isa::plain;
    return capability == std::string_view("avx2") ? Isa::avx2 : Isa::amx;
}

#if defined(__x86_64__) && defined(__linux__)
/// As CPUID says; not every compiler's __builtin_cpu_supports() knows of them.
bool offers_tiles() {
    constexpr unsigned features = 7, products_in_bfloat16 = 1U << 22U, tiles = 1U << 24U;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(features, 0, &a, &b, &c, &d) != 0 && (d & products_in_bfloat16) != 0 &&
           (d & tiles) != 0;
}

/// Linux keeps a process from the tiles' 8 KiB of state until it asks for them.
bool tiles_are_permitted() {
    constexpr long request_permission = 0x1023, tile_data = 18;  // of <asm/prctl.h>, which may be older
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// Some virtual machines offer the tiles and then refuse them: tried in a process of its own, which may die of it.
bool tiles_work() {
    const pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
        for (const int signal : {SIGILL, SIGSEGV, SIGBUS}) std::signal(signal, SIG_DFL);
        const rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        _exit(amx::tiles_multiply() ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TileSupport try_tiles() {
    if (!offers_tiles()) return TileSupport::missing;
    return tiles_are_permitted() && tiles_work() ? TileSupport::usable : TileSupport::refused;
}
#else
TileSupport try_tiles() {
    return TileSupport::missing;
}
#endif

std::vector<Isa> find_isas() {
    std::vector<Isa> isas{Isa::plain};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && isas.back() == Isa::avx2) {
        isas.push_back(Isa::avx512);
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16"))
            isas.push_back(Isa::avx512_bf16);
        if (isas.back() == Isa::avx512_bf16 && tile_support() == TileSupport::usable)
            isas.push_back(Isa::amx);
    }
#endif
    return isas;
}

}  // namespace

TileSupport tile_support() {
    static const TileSupport found = try_tiles();
    return found;
}

std::string isa_name(Isa isa) {
    switch (isa) {
        case Isa::amx:
            return "amx";
        case Isa::avx512_bf16:
            return "avx512_bf16";
        case Isa::avx512:
            return "avx512";
        case Isa::avx2:
            return "avx2";
        case Isa::plain:
            break;
    }
    return "plain";
}

const std::vector<Isa>& available_isas() {
    static const std::vector<Isa> isas = find_isas();
    return isas;
}

Isa best_isa() {
    static const Isa best = std::min(available_isas().back(), allowed_isa());
    return best;
}

bool multiplies_bfloat16(Isa isa) {
    return isa >= Isa::avx512_bf16;
}

std::string processor_name() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        const auto colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
    }
    return "";
}

}  // namespace stl::cpu
