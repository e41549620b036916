#include "dann/tensor.hpp"

#include "expect_error.h"
#include "temporary_directory.h"

#include <cstring>

using namespace dann;
using testing::AllOf;
using testing::HasSubstr;

namespace {

std::string file_of(const std::string &header, const std::string &data) {
  std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header +
         data;
}

TEST(Safetensors, RoundTrip) {
  TemporaryDirectory directory;
  std::string path = directory / "t.safetensors";
  TensorMap tensors;
  tensors["0.wex"] = Tensor(ElementType::F32, {2, 3});
  tensors["0.wex"].data<float>()[5] = 2.5f;
  tensors["scalar"] = Tensor(ElementType::F64, {});
  tensors["scalar"].data<double>()[0] = 0.1;
  tensors["empty"] = Tensor(ElementType::I64, {0, 4});
  tensors["flags"] = Tensor(ElementType::Bool, {3});
  tensors["rounded"] = Tensor(ElementType::BF16, {2});
  tensors["rounded"].data<BFloat16>()[1].bits = 0x3fc0;
  save_tensors(path, tensors, {{"model", "a \"quoted\" name"}});

  Metadata metadata;
  TensorMap loaded = load_tensors(path, &metadata);
  EXPECT_EQ(metadata, (Metadata{{"model", "a \"quoted\" name"}}));
  ASSERT_EQ(loaded.size(), 5u);
  EXPECT_EQ(loaded["rounded"].data<BFloat16>()[1], 1.5f);
  EXPECT_EQ(loaded["0.wex"].shape(), (Shape{2, 3}));
  EXPECT_EQ(loaded["0.wex"].data<float>()[5], 2.5f);
  EXPECT_EQ(loaded["scalar"].shape(), Shape{});
  EXPECT_EQ(loaded["scalar"].data<double>()[0], 0.1);
  EXPECT_EQ(loaded["empty"].shape(), (Shape{0, 4}));

  std::string first = read_file(path);
  save_tensors(path, loaded, metadata);
  EXPECT_EQ(read_file(path), first);
}

// Any bit of what has been written, but for spaces that fill up the header, and
// for the name of the checksum, which makes it one of others.
TEST(Safetensors, DamageIsFound) {
  TemporaryDirectory directory;
  std::string path = directory / "t.safetensors";
  Tensor tensor(ElementType::F32, {2, 3});
  tensor.data<float>()[5] = 2.5f;
  save_tensors(path,
               {{"0.wex", tensor}, {"flag", Tensor(ElementType::I8, {1})}},
               {{"epoch", "7"}});
  const std::string good = read_file(path);
  std::uint64_t header;
  std::memcpy(&header, good.data(), sizeof header);
  std::size_t padding = 8 + good.substr(8, header).find_last_of('}') + 1;
  std::size_t name = good.find("dann_checksum");
  for (std::size_t i = 0; i < good.size(); ++i) {
    if ((i >= padding && i < 8 + header) || i - name < 13)
      continue;
    std::string bad = good;
    bad[i] = char(bad[i] ^ (1 << i % 8));
    write_file(path, bad);
    EXPECT_THROW(load_tensors(path), Error) << "byte " << i;
  }
  std::string bad = good;
  bad.back() ^= 1;
  write_file(path, bad);
  EXPECT_ERROR(load_tensors(path), InvalidData,
               AllOf(HasSubstr(path + " is damaged: its checksum is crc32:"),
                     HasSubstr("but that of its content crc32:")));
}

// The checksum, computed anew from its definition with Python's json and zlib.
TEST(Safetensors, ChecksumIsTheDocumentedOne) {
  TemporaryDirectory directory;
  std::string path = directory / "t";
  Tensor tensor(ElementType::U8, {3});
  for (std::uint8_t i = 0; i < 3; ++i)
    tensor.data<std::uint8_t>()[i] = i;
  save_tensors(path, {{"a", tensor}}, {{"dann_checksum", "old"}, {"b", "c"}});
  // zlib.crc32(b'{"__metadata__":{"b":"c"},"a":{"data_offsets":[0,3],'
  //            b'"dtype":"U8","shape":[3]}}' + bytes([0, 1, 2]))
  EXPECT_THAT(read_file(path),
              HasSubstr("\"dann_checksum\":\"crc32:a2f5beed\""));
  Metadata metadata;
  load_tensors(path, &metadata);
  EXPECT_EQ(metadata, (Metadata{{"b", "c"}}));
}

// Written by others: no checksum, and none of ours.
TEST(Safetensors, FilesWithoutChecksumAreRead) {
  TemporaryDirectory directory;
  std::string path = directory / "t";
  write_file(path, file_of(R"({"__metadata__":{"checksum":"x"},)"
                           R"("a":{"dtype":"U8","shape":[1],)"
                           R"("data_offsets":[0,1]}})",
                           "\x05"));
  EXPECT_EQ(load_tensors(path)["a"].data<std::uint8_t>()[0], 5);
}

struct Hostile {
  std::string content;
  const char *sentence;
};

class HostileSafetensors : public testing::TestWithParam<Hostile> {};

TEST_P(HostileSafetensors, IsRefused) {
  TemporaryDirectory directory;
  std::string path = directory / "t";
  write_file(path, GetParam().content);
  EXPECT_ERROR(load_tensors(path), InvalidData,
               AllOf(HasSubstr(path), HasSubstr(GetParam().sentence)));
}

const std::string kFour(4, '\0'), kEight(8, '\0');

INSTANTIATE_TEST_SUITE_P(
    Files, HostileSafetensors,
    testing::Values(
        Hostile{"", "too short"}, Hostile{"1234567", "too short"},
        Hostile{std::string(8, '\xff'), "announces a header"},
        Hostile{std::string("\x40\0\0\0\0\0\0\0{}", 10), "truncated"},
        Hostile{file_of("", ""), "not JSON"},
        Hostile{file_of("[]", ""), "not an object"},
        Hostile{file_of("{\"a\":1", ""), "not JSON"},
        Hostile{file_of("{\"a\":1}", ""), "tensor a has no dtype"},
        Hostile{file_of(R"({"a\n\u001b[2Jb":1})", ""),
                "tensor a??[2Jb has no dtype"},
        Hostile{file_of("{\"\xff\":1}", ""), "not JSON"},
        Hostile{file_of(std::string(100'000, '['), ""), "not JSON"},
        Hostile{file_of(R"({"a":{"dtype":"F8","shape":[1],)"
                        R"("data_offsets":[0,1]}})",
                        "1"),
                "not supported"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0,4]}})",
                        ""),
                "truncated"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0,4]}})",
                        kEight),
                "goes on"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[2],)"
                        R"("data_offsets":[0,4]}})",
                        kFour),
                "does not take the bytes"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[4,0]}})",
                        kFour),
                "does not take the bytes"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[4,8]}})",
                        kEight),
                "do not follow"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[-1],)"
                        R"("data_offsets":[0,4]}})",
                        kFour),
                "whole numbers"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1.5],)"
                        R"("data_offsets":[0,4]}})",
                        kFour),
                "whole numbers"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":"1",)"
                        R"("data_offsets":[0,4]}})",
                        kFour),
                "not a list"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0]}})",
                        kFour),
                "not two numbers"},
        // 2^62 x 2^62 x 4 is 0 in 64 bits.
        Hostile{file_of(R"({"a":{"dtype":"F32",)"
                        R"("shape":[4611686018427387904,4611686018427387904],)"
                        R"("data_offsets":[0,0]}})",
                        ""),
                "does not take the bytes"},
        // A terabyte announced, four bytes there.
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1099511627776],)"
                        R"("data_offsets":[0,4398046511104]}})",
                        kFour),
                "truncated"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0,4]},)"
                        R"("b":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0,4]}})",
                        kFour),
                "do not follow"},
        Hostile{file_of(R"({"a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[0,4]},)"
                        R"("a":{"dtype":"F32","shape":[1],)"
                        R"("data_offsets":[4,8]}})",
                        kEight),
                "occurs twice"},
        Hostile{file_of(R"({"__metadata__":{"a":1}})", ""), "not a string"},
        Hostile{file_of(R"({"__metadata__":{"dann_checksum":1}})", ""),
                "dann_checksum is not a string"},
        Hostile{file_of(R"({"__metadata__":{"dann_checksum":"x"}})", ""),
                "its checksum is x, but that of its content crc32:"},
        Hostile{file_of(R"({"__metadata__":[]})", ""), "not an object"},
        Hostile{file_of(R"({"a":{"dtype":"BOOL","shape":[1],)"
                        R"("data_offsets":[0,1]}})",
                        "\x02"),
                "not a bool"}));

} // namespace
