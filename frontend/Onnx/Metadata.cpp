//===- Metadata.cpp - What ONNX models say to dann besides their graph ----===//

#include "frontend/Onnx/Metadata.h"

#include "frontend/Onnx/ParameterValues.h"

#include "Dann/Dann.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

#include <charconv>
#include <cmath>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

/// The shortest text that is read as the same number.
static std::string toText(double value) {
  char text[64];
  char *end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return std::string(std::begin(text), end);
}

void mlir::dann::onnx::writeMetadata(func::FuncOp function, unsigned index,
                                     ::onnx::ModelProto &model) {
  auto name =
      function.getArgAttrOfType<StringAttr>(index, DannDialect::kNameAttr);
  auto add = [&](StringRef key, const Twine &value) {
    ::onnx::StringStringEntryProto &entry = *model.add_metadata_props();
    entry.set_key((key + ":" + name.getValue()).str());
    entry.set_value(value.str());
  };
  if (auto range = function.getArgAttrOfType<DenseF64ArrayAttr>(
          index, DannDialect::kRangeAttr))
    add(DannDialect::kRangeAttr, toText(range[0]) + " " + toText(range[1]));
  auto role =
      function.getArgAttrOfType<RoleAttr>(index, DannDialect::kRoleAttr);
  if (role && role.getValue() != Role::Weight)
    add(DannDialect::kRoleAttr, stringifyRole(role.getValue()));
  auto sign =
      function.getArgAttrOfType<SignAttr>(index, DannDialect::kSignAttr);
  if (sign && sign.getValue() != Sign::Any)
    add(DannDialect::kSignAttr, stringifySign(sign.getValue()));
}

/// "0 2.5"
static std::optional<std::array<double, 2>> parseRange(StringRef text) {
  std::array<double, 2> range;
  auto [first, second] = text.split(' ');
  for (auto [part, value] :
       {std::pair(first, &range[0]), {second, &range[1]}}) {
    auto [end, error] = std::from_chars(part.begin(), part.end(), *value);
    if (error != std::errc() || end != part.end() || !std::isfinite(*value))
      return std::nullopt;
  }
  if (!(range[0] < range[1]))
    return std::nullopt;
  return range;
}

LogicalResult mlir::dann::onnx::readMetadata(const ::onnx::ModelProto &model,
                                             func::FuncOp function,
                                             Location loc) {
  Builder builder(function.getContext());
  llvm::StringMap<unsigned> arguments;
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
    if (auto name =
            function.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr))
      arguments[name] = i;
  for (const ::onnx::StringStringEntryProto &entry : model.metadata_props()) {
    auto [kind, name] = StringRef(entry.key()).split(':');
    auto found = arguments.find(name);
    if (found == arguments.end())
      continue; // of other tools, or of what is not used
    unsigned index = found->second;
    auto initial = function.getArgAttrOfType<ElementsAttr>(
        index, DannDialect::kInitialAttr);
    Attribute value;
    if (kind == DannDialect::kRangeAttr && !initial) {
      if (std::optional<std::array<double, 2>> range =
              parseRange(entry.value()))
        value = builder.getDenseF64ArrayAttr(*range);
    } else if (kind == DannDialect::kRoleAttr && initial) {
      if (std::optional<Role> role = symbolizeRole(entry.value()))
        value = RoleAttr::get(function.getContext(), *role);
    } else if (kind == DannDialect::kSignAttr && initial) {
      if (std::optional<Sign> sign = symbolizeSign(entry.value())) {
        value = SignAttr::get(function.getContext(), *sign);
        if (std::optional<std::string> violation =
                findViolation(initial, *sign))
          return emitError(loc)
                 << "the metadata say that '" << name << "' is "
                 << entry.value() << ", but it has the value " << *violation;
      }
    } else {
      continue;
    }
    if (!value)
      return emitError(loc) << "the metadata have the value '" << entry.value()
                            << "' for '" << entry.key() << "'";
    function.setArgAttr(index, kind, value);
  }
  return success();
}
