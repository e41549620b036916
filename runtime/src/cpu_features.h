// Whether this CPU can run what a program was compiled for.
#ifndef DANN_RUNTIME_CPU_FEATURES_H
#define DANN_RUNTIME_CPU_FEATURES_H

#include <cstdint>
#include <string>
#include <vector>

namespace dann {

/// What the instructions cpuid and xgetbv tell. Virtual for tests.
class Cpu {
public:
  struct Registers {
    std::uint32_t eax, ebx, ecx, edx;
  };
  virtual ~Cpu() = default;

  /// All zero for a leaf that the CPU does not have.
  virtual Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) const;

  /// The register states that the operating system saves (XCR0).
  virtual std::uint64_t saved_states() const;
};

/// Those of `features`, by LLVM's names, that `cpu` or its operating system
/// lacks. A name that stands for no instruction that a compiler would choose
/// (tuning, system instructions) is never missing; an unknown name always is.
std::vector<std::string>
missing_features(const std::vector<std::string> &features,
                 const Cpu &cpu = Cpu());

} // namespace dann

#endif // DANN_RUNTIME_CPU_FEATURES_H
