// The safetensors format: the length of the header as a little-endian u64, the
// header as JSON, the elements of all tensors without gaps.
//
// What is written here has a checksum among its metadata: that of the header
// without it, in the way that this library writes JSON, and of all elements.
#include "safetensors.h"

#include "elements.h"
#include "fail.h"
#include "file.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <zlib.h>

namespace dann {

namespace {

using Json = nlohmann::json;

struct TypeName {
  const char *name;
  ElementType type;
};

constexpr TypeName kTypeNames[] = {
    {"F32", ElementType::F32},   {"F64", ElementType::F64},
    {"I8", ElementType::I8},     {"I16", ElementType::I16},
    {"I32", ElementType::I32},   {"I64", ElementType::I64},
    {"U8", ElementType::U8},     {"U16", ElementType::U16},
    {"U32", ElementType::U32},   {"U64", ElementType::U64},
    {"BOOL", ElementType::Bool}, {"BF16", ElementType::BF16},
};

const char *type_name(ElementType type) {
  for (const TypeName &known : kTypeNames)
    if (known.type == type)
      return known.name;
  fail(ErrorCode::Internal, "safetensors has no element type ", name_of(type));
}

// The format's own limit.
constexpr std::uint64_t kMaximumHeader = 100'000'000;

constexpr const char *kChecksum = "dann_checksum";

/// CRC-32 of everything added.
class Checksum {
public:
  void add(const void *bytes, std::size_t size) {
    value_ = crc32_z(value_, static_cast<const Bytef *>(bytes), size);
  }
  std::string text() const {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "crc32:%08lx", value_);
    return buffer;
  }

private:
  uLong value_ = crc32_z(0, nullptr, 0);
};

/// The one text of a header that checksums and files have.
std::string to_text(const Json &header) {
  return header.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Entry {
  std::string name;
  ElementType type;
  Shape shape;
  std::uint64_t begin, end;
};

/// Turns the header's text into entries, in the order of their elements.
class Header {
public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::optional<std::string> checksum;
  std::string text_without_checksum; // if it has one

  Header(const std::string &text, const std::string &path) : path_(path) {
    Json json = parse(text);
    if (!json.is_object())
      fail_header("it is not an object");
    take_checksum(json);
    for (const auto &[name, value] : json.items()) {
      if (name == "__metadata__")
        read_metadata(value);
      else
        entries.push_back(read_entry(name, value));
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry &a, const Entry &b) {
                return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
              });
    std::uint64_t position = 0;
    for (const Entry &entry : entries) {
      if (entry.begin != position)
        fail_header(concat("the elements of ", entry.name,
                           " do not follow those of the tensor before"));
      position = entry.end;
    }
  }

private:
  template <typename... Parts>
  [[noreturn]] void fail_header(const Parts &...parts) {
    fail(ErrorCode::InvalidData, path_,
         " has a damaged safetensors header: ", parts...);
  }

  /// Parses, and refuses names that occur twice, of which a JSON object would
  /// silently keep one.
  Json parse(const std::string &text) {
    std::set<std::string> names;
    auto check_name = [&](int depth, Json::parse_event_t event, Json &value) {
      if (depth == 1 && event == Json::parse_event_t::key &&
          !names.insert(value.get<std::string>()).second)
        fail_header("the name ", value.get<std::string>(), " occurs twice");
      return true;
    };
    try {
      return Json::parse(text, check_name);
    } catch (const Json::exception &) {
      fail_header("it is not JSON");
    }
  }

  void take_checksum(Json &json) {
    auto found = json.find("__metadata__");
    if (found == json.end() || !found->is_object() ||
        !found->contains(kChecksum))
      return;
    const Json &value = (*found)[kChecksum];
    if (!value.is_string())
      fail_header(kChecksum, " is not a string");
    checksum = value.get<std::string>();
    found->erase(kChecksum);
    if (found->empty())
      json.erase(found);
    text_without_checksum = to_text(json);
  }

  void read_metadata(const Json &value) {
    if (!value.is_object())
      fail_header("__metadata__ is not an object");
    for (const auto &[key, text] : value.items()) {
      if (!text.is_string())
        fail_header("__metadata__ has a value that is not a string");
      metadata[key] = text.get<std::string>();
    }
  }

  std::uint64_t read_unsigned(const Json &value, const std::string &name) {
    if (!value.is_number_unsigned() ||
        value.get<std::uint64_t>() > std::uint64_t(INT64_MAX))
      fail_header("tensor ", name,
                  " has a shape or data_offsets that are not whole numbers");
    return value.get<std::uint64_t>();
  }

  Entry read_entry(const std::string &name, const Json &value) {
    auto member = [&](const char *key) -> const Json & {
      if (!value.is_object() || !value.contains(key))
        fail_header("tensor ", name, " has no ", key);
      return value[key];
    };

    Entry entry;
    entry.name = name;
    const Json &type = member("dtype");
    auto *known =
        std::find_if(std::begin(kTypeNames), std::end(kTypeNames),
                     [&](const TypeName &one) { return type == one.name; });
    if (known == std::end(kTypeNames))
      fail(ErrorCode::InvalidData, path_, ": tensor ", name, " has the dtype ",
           type.dump(-1, ' ', false, Json::error_handler_t::replace),
           ", which is not supported; F32 is");
    entry.type = known->type;

    if (!member("shape").is_array())
      fail_header("tensor ", name, " has a shape that is not a list");
    for (const Json &extent : member("shape"))
      entry.shape.push_back(std::int64_t(read_unsigned(extent, name)));

    const Json &offsets = member("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2)
      fail_header("tensor ", name,
                  " has data_offsets that are not two numbers");
    entry.begin = read_unsigned(offsets[0], name);
    entry.end = read_unsigned(offsets[1], name);

    auto count = element_count_of(entry.shape, entry.type);
    if (!count || entry.end < entry.begin ||
        entry.end - entry.begin != std::uint64_t(*count) * size_of(entry.type))
      fail_header("tensor ", name, " of shape ", to_string(entry.shape),
                  " does not take the bytes from ", entry.begin, " to ",
                  entry.end);
    return entry;
  }

  const std::string &path_;
};

} // namespace

TensorMap load_tensors(const std::string &path, Metadata *metadata) {
  InputFile file(path);
  std::uint64_t length;
  if (file.read_some(&length, sizeof length) != sizeof length)
    fail(ErrorCode::InvalidData, path,
         " is not a safetensors file: it is too short");
  if (length > kMaximumHeader)
    fail(ErrorCode::InvalidData, path,
         " is not a safetensors file: it announces a header of ", length,
         " bytes");
  std::shared_ptr<void> text = file.read_buffer(length);
  Header header(std::string(static_cast<const char *>(text.get()), length),
                path);

  TensorMap tensors;
  Checksum checksum;
  checksum.add(header.text_without_checksum.data(),
               header.text_without_checksum.size());
  for (Entry &entry : header.entries) {
    Tensor tensor = Tensor::share(entry.type, std::move(entry.shape),
                                  file.read_buffer(entry.end - entry.begin));
    if (header.checksum)
      checksum.add(tensor.bytes(), tensor.byte_size());
    check_bools(tensor, path);
    tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  file.expect_end();
  if (header.checksum && *header.checksum != checksum.text())
    fail(ErrorCode::InvalidData, path, " is damaged: its checksum is ",
         *header.checksum, ", but that of its content ", checksum.text());
  if (metadata)
    *metadata = std::move(header.metadata);
  return tensors;
}

void write_tensors(AtomicFile &file, const TensorMap &tensors,
                   const Metadata &metadata) {
  // Json sorts its keys, as TensorMap does: the same content is the same file.
  Json json = Json::object();
  for (const auto &[key, value] : metadata)
    if (key != kChecksum)
      json["__metadata__"][key] = value;
  std::uint64_t position = 0;
  for (const auto &[name, tensor] : tensors) {
    json[name] = {{"dtype", type_name(tensor.element_type())},
                  {"shape", tensor.shape()},
                  {"data_offsets", {position, position + tensor.byte_size()}}};
    position += tensor.byte_size();
  }
  std::string text = to_text(json);
  Checksum checksum;
  checksum.add(text.data(), text.size());
  for (const auto &[name, tensor] : tensors)
    checksum.add(tensor.bytes(), tensor.byte_size());
  json["__metadata__"][kChecksum] = checksum.text();
  text = to_text(json);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::uint64_t length = text.size();

  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto &[name, tensor] : tensors)
    file.write(tensor.bytes(), tensor.byte_size());
}

void save_tensors(const std::string &path, const TensorMap &tensors,
                  const Metadata &metadata) {
  AtomicFile file(path);
  write_tensors(file, tensors, metadata);
  file.commit();
}

} // namespace dann
