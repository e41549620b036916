//===- ImageWindow.cpp - Windows that slide over images -------------------===//

#include "frontend/Layers/ImageWindow.h"

using namespace mlir;
using namespace mlir::dann;

using Numbers = WindowFields::Numbers;

bool mlir::dann::checkImage(const FileMessage &place, ArrayRef<int64_t> input) {
  if (input.size() == 3)
    return true;
  InFlightDiagnostic error =
      place.error() << "takes samples [channels, rows, columns], e.g. input { "
                       "shape: 3 shape: 32 shape: 32 }, but gets [";
  llvm::interleaveComma(input, error);
  error << "]";
  return false;
}

bool mlir::dann::checkImageSize(const FileMessage &place, StringRef field,
                                ArrayRef<int64_t> shape) {
  int64_t product = 1;
  for (int64_t size : shape)
    if (product > kMaxSize / size) {
      InFlightDiagnostic error = place.error(field) << "an image [";
      llvm::interleaveComma(shape, error);
      error << "] has more than " << kMaxSize << " values";
      return false;
    } else {
      product *= size;
    }
  return true;
}

/// The values of a field, each from `least` to kMaxSize; false after an error.
static bool checkNumbers(const FileMessage &place, StringRef field,
                         const Numbers &values, int64_t least,
                         ArrayRef<int> counts) {
  if (!llvm::is_contained(counts, values.size())) {
    InFlightDiagnostic error = place.error(field) << "must be ";
    llvm::interleave(counts, error, " or ");
    error << " numbers, but is " << values.size();
    return false;
  }
  for (int i = 0; i < values.size(); ++i)
    if (values[i] < least || values[i] > kMaxSize) {
      place.error(field, i) << "must be from " << least << " to " << kMaxSize
                            << ", but is " << values[i];
      return false;
    }
  return true;
}

std::optional<SmallVector<int64_t, 2>>
mlir::dann::checkPair(const FileMessage &place, StringRef field,
                      const Numbers &values, ArrayRef<int64_t> otherwise) {
  if (values.empty() && !otherwise.empty())
    return SmallVector<int64_t, 2>(otherwise);
  if (!checkNumbers(place, field, values, 1, {1, 2}))
    return std::nullopt;
  return SmallVector<int64_t, 2>{values[0], values[values.size() - 1]};
}

std::optional<ImageWindow> mlir::dann::checkWindow(const FileMessage &place,
                                                   const WindowFields &fields,
                                                   ArrayRef<int64_t> input) {
  constexpr int64_t ones[] = {1, 1};
  auto kernel = checkPair(place, "kernel", fields.kernel, {});
  auto strides =
      checkPair(place, "stride", fields.stride,
                fields.isPooling && kernel ? ArrayRef<int64_t>(*kernel) : ones);
  std::optional dilations = SmallVector<int64_t, 2>(2, 1);
  if (fields.dilation)
    dilations = checkPair(place, "dilation", *fields.dilation, ones);
  bool isPadding = fields.padding.empty() ||
                   checkNumbers(place, "padding", fields.padding, 0, {1, 2, 4});
  if (!checkImage(place, input) || !kernel || !strides || !dilations ||
      !isPadding)
    return std::nullopt;

  ImageWindow window{*kernel, *strides, *dilations, {}, {0, 0, 0, 0}};
  if (int count = fields.padding.size())
    for (int i = 0; i < 4; ++i)
      window.padding[i] = fields.padding[i % count];
  SmallVector<int64_t> padded = {input[0]}, result = {input[0]};
  for (int i : {0, 1}) {
    StringRef lines = i == 0 ? "rows" : "columns";
    int64_t span = (window.kernel[i] - 1) * window.dilations[i] + 1;
    padded.push_back(input[1 + i] + window.padding[i] + window.padding[2 + i]);
    if (span > padded.back()) {
      place.error("kernel", std::min(i, fields.kernel.size() - 1))
          << "a window spans " << span << " " << lines << ", but the image has "
          << padded.back() << " with its padding";
      return std::nullopt;
    }
    // Otherwise a window could hold nothing of the image.
    int64_t most = std::max(window.padding[i], window.padding[2 + i]);
    if (fields.isPooling && most >= window.kernel[i]) {
      place.error("padding")
          << "must be less than the kernel, which has " << window.kernel[i]
          << " " << lines << ", but is " << most;
      return std::nullopt;
    }
    window.output.push_back((padded.back() - span) / window.strides[i] + 1);
    result.push_back(window.output.back());
  }
  if (!checkImageSize(place, "padding", padded) ||
      !checkImageSize(place, "kernel", result))
    return std::nullopt;
  return window;
}
