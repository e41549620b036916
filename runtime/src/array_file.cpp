#include "array_file.h"

#include "elements.h"
#include "fail.h"
#include "file.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>
#include <string_view>

namespace dann {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the file formats are read as they lie in memory");

namespace {

/// Reads the elements that follow a header, up to the end of the file.
Tensor read_elements(InputFile &file, ElementType type, Shape shape) {
  if (!element_count_of(shape, type))
    fail(ErrorCode::InvalidData, file.path(), " announces the shape ",
         to_string(shape), ", which is too large");
  std::shared_ptr<void> elements = file.read_buffer(byte_size_of(shape, type));
  Tensor tensor = Tensor::share(type, std::move(shape), std::move(elements));
  file.expect_end();
  return tensor;
}

//===----------------------------------------------------------------------===//
// IDX: 0, 0, type, rank, then the extents and elements, all big-endian.
//===----------------------------------------------------------------------===//

std::optional<ElementType> idx_element_type(unsigned char code) {
  switch (code) {
  case 0x08:
    return ElementType::U8;
  case 0x09:
    return ElementType::I8;
  case 0x0B:
    return ElementType::I16;
  case 0x0C:
    return ElementType::I32;
  case 0x0D:
    return ElementType::F32;
  case 0x0E:
    return ElementType::F64;
  default:
    return std::nullopt;
  }
}

Tensor read_idx(InputFile &file, ElementType type, int rank) {
  if (rank == 0)
    fail(ErrorCode::InvalidData, file.path(), " announces no dimensions");
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    std::uint32_t extent;
    file.read(&extent, sizeof extent);
    shape.push_back(__builtin_bswap32(extent));
  }
  Tensor tensor = read_elements(file, type, std::move(shape));
  std::size_t width = size_of(type);
  auto *bytes = static_cast<char *>(tensor.mutable_bytes());
  if (width > 1)
    for (std::size_t i = 0; i < tensor.byte_size(); i += width)
      std::reverse(bytes + i, bytes + i + width);
  return tensor;
}

//===----------------------------------------------------------------------===//
// NumPy: magic, version, length of the header, the header as a Python
// dictionary, the elements.
//===----------------------------------------------------------------------===//

constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// Reads the dictionary, of which only what NumPy writes is understood:
/// {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }
class NpyHeader {
public:
  std::string descr;
  bool fortran_order = false;
  Shape shape;

  NpyHeader(std::string_view text, const std::string &path)
      : rest_(text), path_(path) {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        has_descr = true;
        descr = quoted();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        fortran_order = truth();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        shape = tuple();
      } else {
        fail_header();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty() || !has_descr || !has_order || !has_shape)
      fail_header();
  }

private:
  [[noreturn]] void fail_header() {
    fail(ErrorCode::InvalidData, path_,
         " has a NumPy header that is damaged or not of a plain array");
  }

  void skip_space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])))
      rest_.remove_prefix(1);
  }

  bool accept(char c) {
    skip_space();
    if (rest_.empty() || rest_[0] != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      fail_header();
  }

  bool accept(std::string_view word) {
    skip_space();
    if (rest_.substr(0, word.size()) != word)
      return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::string quoted() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"'))
      fail_header();
    std::size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos)
      fail_header();
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool truth() {
    if (accept(std::string_view("True")))
      return true;
    if (!accept(std::string_view("False")))
      fail_header();
    return false;
  }

  std::int64_t number() {
    skip_space();
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (;
         digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9';
         ++digits)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, rest_[digits] - '0', &value))
        fail_header();
    if (digits == 0)
      fail_header();
    rest_.remove_prefix(digits);
    return value;
  }

  Shape tuple() {
    Shape extents;
    expect('(');
    while (!accept(')')) {
      extents.push_back(number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  std::string_view rest_;
  const std::string &path_;
};

struct NpyType {
  const char *code;
  ElementType type;
};

constexpr NpyType kNpyTypes[] = {
    {"f4", ElementType::F32},  {"f8", ElementType::F64},
    {"i1", ElementType::I8},   {"i2", ElementType::I16},
    {"i4", ElementType::I32},  {"i8", ElementType::I64},
    {"u1", ElementType::U8},   {"u2", ElementType::U16},
    {"u4", ElementType::U32},  {"u8", ElementType::U64},
    {"b1", ElementType::Bool},
};

ElementType npy_element_type(const std::string &descr,
                             const std::string &path) {
  if (descr.size() == 3) {
    std::string code = descr.substr(1);
    for (const NpyType &known : kNpyTypes) {
      if (code != known.code)
        continue;
      if (descr[0] == '>' && size_of(known.type) > 1)
        fail(ErrorCode::InvalidData, path, " holds big-endian elements ('",
             descr, "'); save it with array.astype('<", code, "')");
      if (std::strchr("<>|=", descr[0]))
        return known.type;
    }
  }
  fail(ErrorCode::InvalidData, path, " holds elements of type '", descr,
       "', which is not supported; save it with array.astype('<f4')");
}

Tensor read_npy(InputFile &file) {
  unsigned char version[2];
  file.read(version, sizeof version);
  if (version[0] < 1 || version[0] > 3)
    fail(ErrorCode::InvalidData, file.path(), " has the .npy version ",
         int(version[0]), ".", int(version[1]), ", which is not known");

  std::uint32_t length = 0;
  file.read(&length, version[0] == 1 ? 2 : 4);
  // NumPy's own limit is 10,000 bytes.
  if (length > 65536)
    fail(ErrorCode::InvalidData, file.path(), " announces a header of ", length,
         " bytes, which is too large");
  std::string text(length, '\0');
  file.read(text.data(), text.size());

  NpyHeader header(text, file.path());
  ElementType type = npy_element_type(header.descr, file.path());
  if (header.fortran_order)
    fail(ErrorCode::InvalidData, file.path(),
         " is in Fortran order; save it with numpy.ascontiguousarray(array)");
  Tensor tensor = read_elements(file, type, std::move(header.shape));
  check_bools(tensor, file.path());
  return tensor;
}

} // namespace

Tensor load_array(const std::string &path) {
  InputFile file(path);
  unsigned char magic[6] = {};
  std::size_t size = file.read_some(magic, 4);
  if (size == 0)
    fail(ErrorCode::InvalidData, path, " is empty");

  if (size == 4 && magic[0] == 0 && magic[1] == 0)
    if (std::optional<ElementType> type = idx_element_type(magic[2]))
      return read_idx(file, *type, magic[3]);

  if (size == 4)
    size += file.read_some(magic + 4, 2);
  if (size == 6 && std::memcmp(magic, kNpyMagic.data(), 6) == 0)
    return read_npy(file);

  if (std::memcmp(magic, "PK\x03\x04", 4) == 0)
    fail(ErrorCode::InvalidData, path,
         " is an archive (.npz?); save a single array with numpy.save");
  fail(ErrorCode::InvalidData, path,
       " is neither a NumPy .npy nor an IDX file");
}

void save_npy(const std::string &path, const Tensor &tensor) {
  const char *code = nullptr;
  for (const NpyType &known : kNpyTypes)
    if (known.type == tensor.element_type())
      code = known.code;

  // A Python tuple: every extent with a comma.
  std::ostringstream shape;
  for (std::int64_t extent : tensor.shape())
    shape << extent << ", ";
  std::string header = concat(
      "{'descr': '", size_of(tensor.element_type()) > 1 ? '<' : '|', code,
      "', 'fortran_order': False, 'shape': (", shape.str(), "), }");

  // The elements begin at a multiple of 64 bytes; a newline ends the header.
  constexpr std::size_t prefix = 6 + 2 + 2;
  std::size_t padded = (prefix + header.size() + 1 + 63) / 64 * 64 - prefix;
  header.resize(padded - 1, ' ');
  header += '\n';
  auto length = std::uint16_t(header.size());

  AtomicFile file(path);
  file.write(kNpyMagic.data(), kNpyMagic.size());
  file.write("\x01\x00", 2);
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  file.write(tensor.bytes(), tensor.byte_size());
  file.commit();
}

} // namespace dann
