#include "cpu_features.h"

#include <algorithm>
#include <array>
#include <cpuid.h>
#include <string_view>

namespace dann {

Cpu::Registers Cpu::cpuid(std::uint32_t leaf, std::uint32_t subleaf) const {
  Registers result{};
  if (leaf <= __get_cpuid_max(leaf & 0x80000000, nullptr))
    __cpuid_count(leaf, subleaf, result.eax, result.ebx, result.ecx,
                  result.edx);
  return result;
}

std::uint64_t Cpu::saved_states() const {
  constexpr std::uint32_t osxsave = 1u << 27;
  if (!(cpuid(1, 0).ecx & osxsave))
    return 0;
  std::uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | std::uint64_t(high) << 32;
}

namespace {

enum Register { Eax, Ebx, Ecx, Edx };

// Bits of XCR0.
constexpr std::uint64_t kNoState = 0;
constexpr std::uint64_t kAvxState = 0x6;     // xmm, ymm
constexpr std::uint64_t kAvx512State = 0xE6; // and masks, zmm
constexpr std::uint64_t kAmxState = 0x60000; // tile configuration, tiles
constexpr std::uint64_t kApxState = 0x80000; // r16 to r31

/// Where cpuid reports a feature, and what state the system has to save for it.
/// Sources: Intel's Software Developer's Manual, volume 2, CPUID, and
/// Architecture Instruction Set Extensions; AMD's manual, volume 3, appendix E.
struct Feature {
  std::string_view name;
  std::uint32_t leaf, subleaf;
  Register reg;
  int bit;
  std::uint64_t state;
};

constexpr Feature kFeatures[] = {
    {"x87", 1, 0, Edx, 0, kNoState},
    {"cx8", 1, 0, Edx, 8, kNoState},
    {"cmov", 1, 0, Edx, 15, kNoState},
    {"mmx", 1, 0, Edx, 23, kNoState},
    {"fxsr", 1, 0, Edx, 24, kNoState},
    {"sse", 1, 0, Edx, 25, kNoState},
    {"sse2", 1, 0, Edx, 26, kNoState},
    {"sse3", 1, 0, Ecx, 0, kNoState},
    {"pclmul", 1, 0, Ecx, 1, kNoState},
    {"ssse3", 1, 0, Ecx, 9, kNoState},
    {"fma", 1, 0, Ecx, 12, kAvxState},
    {"cx16", 1, 0, Ecx, 13, kNoState},
    {"sse4.1", 1, 0, Ecx, 19, kNoState},
    {"sse4.2", 1, 0, Ecx, 20, kNoState},
    {"crc32", 1, 0, Ecx, 20, kNoState},
    {"movbe", 1, 0, Ecx, 22, kNoState},
    {"popcnt", 1, 0, Ecx, 23, kNoState},
    {"aes", 1, 0, Ecx, 25, kNoState},
    {"avx", 1, 0, Ecx, 28, kAvxState},
    {"f16c", 1, 0, Ecx, 29, kAvxState},

    {"bmi", 7, 0, Ebx, 3, kNoState},
    {"avx2", 7, 0, Ebx, 5, kAvxState},
    {"bmi2", 7, 0, Ebx, 8, kNoState},
    {"avx512f", 7, 0, Ebx, 16, kAvx512State},
    {"avx512dq", 7, 0, Ebx, 17, kAvx512State},
    {"adx", 7, 0, Ebx, 19, kNoState},
    {"avx512ifma", 7, 0, Ebx, 21, kAvx512State},
    {"avx512cd", 7, 0, Ebx, 28, kAvx512State},
    {"sha", 7, 0, Ebx, 29, kNoState},
    {"avx512bw", 7, 0, Ebx, 30, kAvx512State},
    {"avx512vl", 7, 0, Ebx, 31, kAvx512State},
    {"avx512vbmi", 7, 0, Ecx, 1, kAvx512State},
    {"avx512vbmi2", 7, 0, Ecx, 6, kAvx512State},
    {"gfni", 7, 0, Ecx, 8, kNoState},
    {"vaes", 7, 0, Ecx, 9, kAvxState},
    {"vpclmulqdq", 7, 0, Ecx, 10, kAvxState},
    {"avx512vnni", 7, 0, Ecx, 11, kAvx512State},
    {"avx512bitalg", 7, 0, Ecx, 12, kAvx512State},
    {"avx512vpopcntdq", 7, 0, Ecx, 14, kAvx512State},
    {"movdiri", 7, 0, Ecx, 27, kNoState},
    {"movdir64b", 7, 0, Ecx, 28, kNoState},
    {"avx512vp2intersect", 7, 0, Edx, 8, kAvx512State},
    {"amx-bf16", 7, 0, Edx, 22, kAmxState},
    {"avx512fp16", 7, 0, Edx, 23, kAvx512State},
    {"amx-tile", 7, 0, Edx, 24, kAmxState},
    {"amx-int8", 7, 0, Edx, 25, kAmxState},

    {"sha512", 7, 1, Eax, 0, kAvxState},
    {"sm3", 7, 1, Eax, 1, kAvxState},
    {"sm4", 7, 1, Eax, 2, kAvxState},
    {"raoint", 7, 1, Eax, 3, kNoState},
    {"avxvnni", 7, 1, Eax, 4, kAvxState},
    {"avx512bf16", 7, 1, Eax, 5, kAvx512State},
    {"cmpccxadd", 7, 1, Eax, 7, kNoState},
    {"amx-fp16", 7, 1, Eax, 21, kAmxState},
    {"avxifma", 7, 1, Eax, 23, kAvxState},
    {"movrs", 7, 1, Eax, 31, kNoState},
    {"avxvnniint8", 7, 1, Edx, 4, kAvxState},
    {"avxneconvert", 7, 1, Edx, 5, kAvxState},
    {"amx-complex", 7, 1, Edx, 8, kAmxState},
    {"avxvnniint16", 7, 1, Edx, 10, kAvxState},
    {"avx10.1", 7, 1, Edx, 19, kAvx512State},
    {"avx10.1-512", 7, 1, Edx, 19, kAvx512State},
    // LLVM reports Intel's APX, one bit of cpuid, as the features it is made
    // of; `zu` and `nf` among them.
    {"egpr", 7, 1, Edx, 21, kApxState},
    {"push2pop2", 7, 1, Edx, 21, kApxState},
    {"ppx", 7, 1, Edx, 21, kApxState},
    {"ndd", 7, 1, Edx, 21, kApxState},
    {"ccmp", 7, 1, Edx, 21, kApxState},
    {"nf", 7, 1, Edx, 21, kApxState},
    {"cf", 7, 1, Edx, 21, kApxState},
    {"zu", 7, 1, Edx, 21, kApxState},

    {"amx-fp8", 0x1E, 1, Eax, 4, kAmxState},
    {"amx-tf32", 0x1E, 1, Eax, 6, kAmxState},
    {"amx-avx512", 0x1E, 1, Eax, 7, kAmxState},
    {"amx-movrs", 0x1E, 1, Eax, 8, kAmxState},

    {"sahf", 0x80000001, 0, Ecx, 0, kNoState},
    {"lzcnt", 0x80000001, 0, Ecx, 5, kNoState},
    {"sse4a", 0x80000001, 0, Ecx, 6, kNoState},
    {"prfchw", 0x80000001, 0, Ecx, 8, kNoState},
    {"xop", 0x80000001, 0, Ecx, 11, kAvxState},
    {"fma4", 0x80000001, 0, Ecx, 16, kAvxState},
    {"tbm", 0x80000001, 0, Ecx, 21, kNoState},
    {"64bit", 0x80000001, 0, Edx, 29, kNoState},
};

/// Features that decide how the compiler arranges code, and instructions that
/// it never chooses by itself: random numbers, key locker, cache control,
/// transactions, system calls. A virtual machine may hide the latter although
/// its CPU is otherwise the one compiled for, and the code runs all the same.
constexpr std::string_view kIrrelevant[] = {"64bit-mode",
                                            "branch-hint",
                                            "branchfusion",
                                            "cldemote",
                                            "clflushopt",
                                            "clwb",
                                            "clzero",
                                            "enqcmd",
                                            "ermsb",
                                            "evex512",
                                            "fsgsbase",
                                            "fsrm",
                                            "hreset",
                                            "idivl-to-divb",
                                            "idivq-to-divl",
                                            "inline-asm-use-gpr32",
                                            "invpcid",
                                            "kl",
                                            "lea-sp",
                                            "lea-uses-ag",
                                            "lwp",
                                            "macrofusion",
                                            "mwaitx",
                                            "nopl",
                                            "pad-short-functions",
                                            "pconfig",
                                            "pku",
                                            "prefetchi",
                                            "ptwrite",
                                            "rdpid",
                                            "rdpru",
                                            "rdrnd",
                                            "rdseed",
                                            "rtm",
                                            "sbb-dep-breaking",
                                            "serialize",
                                            "sgx",
                                            "shstk",
                                            "sse-unaligned-mem",
                                            "tsxldtrk",
                                            "uintr",
                                            "use-glm-div-sqrt-costs",
                                            "use-slm-arith-costs",
                                            "usermsr",
                                            "vzeroupper",
                                            "waitpkg",
                                            "wbnoinvd",
                                            "widekl",
                                            "xsave",
                                            "xsavec",
                                            "xsaveopt",
                                            "xsaves"};

/// Beginnings of names that are about speed only.
constexpr std::string_view kTuning[] = {
    "allow-light-",    "false-deps-", "fast-", "faster-",
    "no-bypass-delay", "prefer-",     "slow-", "tuning-"};

bool is_irrelevant(std::string_view name) {
  return std::find(std::begin(kIrrelevant), std::end(kIrrelevant), name) !=
             std::end(kIrrelevant) ||
         std::any_of(std::begin(kTuning), std::end(kTuning),
                     [&](std::string_view prefix) {
                       return name.substr(0, prefix.size()) == prefix;
                     });
}

bool has_feature(const Cpu &cpu, std::string_view name) {
  // AVX10 has versions instead of bits.
  if (name == "avx10.2" || name == "avx10.2-512")
    return has_feature(cpu, "avx10.1") && (cpu.cpuid(0x24, 0).ebx & 0xFF) >= 2;
  auto *feature =
      std::find_if(std::begin(kFeatures), std::end(kFeatures),
                   [&](const Feature &known) { return known.name == name; });
  if (feature == std::end(kFeatures))
    return is_irrelevant(name);
  Cpu::Registers registers = cpu.cpuid(feature->leaf, feature->subleaf);
  std::uint32_t values[] = {registers.eax, registers.ebx, registers.ecx,
                            registers.edx};
  return (values[feature->reg] >> feature->bit & 1) &&
         (cpu.saved_states() & feature->state) == feature->state;
}

} // namespace

std::vector<std::string>
missing_features(const std::vector<std::string> &features, const Cpu &cpu) {
  std::vector<std::string> missing;
  for (const std::string &name : features)
    if (!has_feature(cpu, name))
      missing.push_back(name);
  return missing;
}

} // namespace dann
