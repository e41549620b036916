#include "array_file.h"

#include "expect_error.h"
#include "temporary_directory.h"

#include <zlib.h>

using namespace dann;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::string npy(const std::string &header, const std::string &data,
                int version = 1) {
  std::string length(version == 1 ? 2 : 4, '\0');
  length[0] = char(header.size() & 0xFF);
  length[1] = char(header.size() >> 8);
  return std::string("\x93NUMPY") + char(version) + '\0' + length + header +
         data;
}

std::string idx(int type, const std::string &extents, const std::string &data) {
  std::string magic = {0, 0, char(type), char(extents.size() / 4)};
  return magic + extents + data;
}

std::string gzip(const std::string &content) {
  std::string result(content.size() + 100, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in =
      reinterpret_cast<Bytef *>(const_cast<char *>(content.data()));
  stream.avail_in = uInt(content.size());
  stream.next_out = reinterpret_cast<Bytef *>(result.data());
  stream.avail_out = uInt(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

Tensor load(const std::string &content) {
  TemporaryDirectory directory;
  write_file(directory / "array", content);
  return load_array(directory / "array");
}

const std::string kTwoByThree("\0\0\0\2\0\0\0\3", 8);

TEST(Idx, ReadsBytes) {
  Tensor tensor = load(idx(8, kTwoByThree, "abcdef"));
  EXPECT_EQ(tensor.element_type(), ElementType::U8);
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(tensor.data<std::uint8_t>()[5], 'f');
}

TEST(Idx, SwapsBigEndianElements) {
  const std::string two("\0\0\0\2", 4);
  Tensor shorts = load(idx(0x0B, two, std::string("\x01\x02\xff\xfe", 4)));
  EXPECT_EQ(shorts.data<std::int16_t>()[0], 0x0102);
  EXPECT_EQ(shorts.data<std::int16_t>()[1], -2);
  Tensor floats =
      load(idx(0x0D, two, std::string("\x3f\x80\0\0\xc0\0\0\0", 8)));
  EXPECT_EQ(floats.data<float>()[0], 1);
  EXPECT_EQ(floats.data<float>()[1], -2);
}

TEST(Idx, ReadsGzip) {
  Tensor tensor = load(gzip(idx(8, kTwoByThree, "abcdef")));
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(tensor.data<std::uint8_t>()[0], 'a');
}

// Every proper prefix of a compressed file is an error, in the trailer too.
TEST(Idx, TruncatedGzipIsRefused) {
  std::string whole = gzip(idx(8, kTwoByThree, "abcdef"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(load(whole.substr(0, size)), Error) << size << " bytes";
}

TEST(Idx, DamagedGzipIsRefused) {
  std::string whole = gzip(idx(8, kTwoByThree, "abcdef"));
  whole[whole.size() - 6] ^= 1; // in the checksum
  EXPECT_ERROR(load(whole), InvalidData, HasSubstr("damaged"));
}

TEST(Npy, ReadsWhatNumPyWrites) {
  Tensor tensor =
      load(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }   "
               "\n",
               std::string("\0\0\x80\x3f\0\0\0\xc0", 8)));
  EXPECT_EQ(tensor.shape(), (Shape{1, 2}));
  EXPECT_EQ(tensor.data<float>()[0], 1);
  EXPECT_EQ(tensor.data<float>()[1], -2);
}

TEST(Npy, ReadsOtherVersionsAndOrders) {
  for (int version : {1, 2, 3}) {
    Tensor tensor = load(npy(
        "{\"shape\":(),'fortran_order':False,'descr':'|u1'}", "\x07", version));
    EXPECT_EQ(tensor.shape(), Shape{});
    EXPECT_EQ(tensor.data<std::uint8_t>()[0], 7);
  }
}

TEST(Npy, RoundTrip) {
  TemporaryDirectory directory;
  for (const Shape &shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{0, 5}}) {
    Tensor tensor(ElementType::I64, shape);
    for (std::int64_t i = 0; i < tensor.element_count(); ++i)
      tensor.data<std::int64_t>()[i] = i - 1;
    save_npy(directory / "a.npy", tensor);
    Tensor loaded = load_array(directory / "a.npy");
    EXPECT_EQ(loaded.shape(), shape);
    ASSERT_EQ(loaded.element_type(), ElementType::I64);
    for (std::int64_t i = 0; i < tensor.element_count(); ++i)
      EXPECT_EQ(loaded.data<std::int64_t>()[i], i - 1);
    // The elements begin at a multiple of 64 bytes, as NumPy has it.
    EXPECT_EQ((read_file(directory / "a.npy").size() - tensor.byte_size()) % 64,
              0u);
  }
}

struct Hostile {
  std::string content;
  const char *sentence;
};

class HostileArray : public testing::TestWithParam<Hostile> {};

TEST_P(HostileArray, IsRefused) {
  TemporaryDirectory directory;
  std::string path = directory / "array";
  write_file(path, GetParam().content);
  EXPECT_ERROR(load_array(path), InvalidData,
               AllOf(HasSubstr(path), HasSubstr(GetParam().sentence)));
}

std::string header(const std::string &descr, const std::string &shape,
                   const char *order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Files, HostileArray,
    testing::Values(
        Hostile{"", "is empty"}, Hostile{"hello, world", "neither"},
        Hostile{"PK\x03\x04 and more", "numpy.save"},
        Hostile{std::string("\0\0\x08\0", 4), "no dimensions"},
        Hostile{std::string("\0\0\x07\1\0\0\0\1a", 9), "neither"},
        Hostile{idx(8, kTwoByThree, "abcde"), "truncated"},
        Hostile{idx(8, kTwoByThree, "abcdefg"), "goes on"},
        Hostile{idx(8, std::string(16, '\xff'), "abc"), "too large"},
        Hostile{idx(8, std::string(8, '\x7f'), "abc"), "truncated"},
        Hostile{std::string("\0\0\x08\xff\0\0\0\1", 8), "truncated"},
        Hostile{npy(header(">f4", "(1,)"), "1234"),
                "big-endian elements ('>f4'); save it with "
                "array.astype('<f4')"},
        Hostile{npy(header("<f4", "(1, 1)", "True"), "1234"),
                "Fortran order; save it with numpy.ascontiguousarray(array)"},
        Hostile{npy(header("<c8", "(1,)"), "12345678"), "not supported"},
        Hostile{npy(header("|O", "(1,)"), "12345678"), "not supported"},
        Hostile{npy(header("<f4", "(2,)"), "1234"), "truncated"},
        Hostile{npy(header("<f4", "(1,)"), "12345"), "goes on"},
        Hostile{npy(header("<f4", "(99999999999999999999,)"), "1234"),
                "NumPy header"},
        Hostile{npy(header("<f4", "(4611686018427387904, 4)"), "1234"),
                "too large"},
        Hostile{npy(header("<f4", "(-1,)"), "1234"), "NumPy header"},
        Hostile{npy(header("<f4", "(1"), "1234"), "NumPy header"},
        Hostile{npy(header("<f4", "(1,)") + "x", "1234"), "NumPy header"},
        Hostile{npy("{'descr': '<f4', 'shape': (1,)}", "1234"), "NumPy header"},
        Hostile{npy("{'descr': [('a', '<f4')]}", "1234"), "NumPy header"},
        Hostile{npy("{'descr", "1234"), "NumPy header"},
        Hostile{npy("", ""), "NumPy header"},
        Hostile{npy(header("|b1", "(1,)"), "\x05"), "not a bool"},
        Hostile{npy(header("<f4", "(1,)"), "1234", 9), "version 9.0"},
        Hostile{std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12),
                "too large"}));

} // namespace
