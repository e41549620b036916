#include "cpu_features.h"

#include <gmock/gmock.h>

using namespace dann;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

/// A CPU with AVX-512 and AMX whose system saves the given states.
class FakeCpu : public Cpu {
public:
  std::uint64_t states = 0;

  Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) const override {
    if (leaf == 1)
      return {0, 0, 1u << 28 | 1u << 12, 1u << 26};
    if (leaf == 7 && subleaf == 0)
      return {1, 1u << 16 | 1u << 5, 0, 1u << 24};
    return {};
  }
  std::uint64_t saved_states() const override { return states; }
};

TEST(CpuFeatures, EveryX86CpuHasSse2) {
  EXPECT_THAT(missing_features({"64bit", "cmov", "sse", "sse2"}), IsEmpty());
}

TEST(CpuFeatures, AgreeWithTheCompilersLibrary) {
  EXPECT_EQ(missing_features({"avx2"}).empty(),
            bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(missing_features({"avx512f"}).empty(),
            bool(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(missing_features({"fma"}).empty(),
            bool(__builtin_cpu_supports("fma")));
  EXPECT_EQ(missing_features({"bmi2"}).empty(),
            bool(__builtin_cpu_supports("bmi2")));
  EXPECT_EQ(missing_features({"avx512vnni"}).empty(),
            bool(__builtin_cpu_supports("avx512vnni")));
}

TEST(CpuFeatures, NeedTheSystemToSaveTheirRegisters) {
  FakeCpu cpu;
  std::vector<std::string> names = {"sse2", "avx2", "fma", "avx512f",
                                    "amx-tile"};
  EXPECT_THAT(missing_features(names, cpu),
              ElementsAre("avx2", "fma", "avx512f", "amx-tile"));
  cpu.states = 0x7;
  EXPECT_THAT(missing_features(names, cpu), ElementsAre("avx512f", "amx-tile"));
  cpu.states = 0xE7;
  EXPECT_THAT(missing_features(names, cpu), ElementsAre("amx-tile"));
  cpu.states = 0x600E7;
  EXPECT_THAT(missing_features(names, cpu), IsEmpty());
}

TEST(CpuFeatures, TuningIsNeverMissing) {
  EXPECT_THAT(missing_features({"fast-gather", "prefer-256-bit", "sgx", "rtm"},
                               FakeCpu()),
              IsEmpty());
}

TEST(CpuFeatures, UnknownNamesAreMissing) {
  EXPECT_THAT(missing_features({"avx2048"}, FakeCpu()), ElementsAre("avx2048"));
}

} // namespace
