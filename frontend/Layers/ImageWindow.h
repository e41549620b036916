//===- ImageWindow.h - Windows that slide over images ---------------------===//

#ifndef DANN_FRONTEND_LAYERS_IMAGEWINDOW_H
#define DANN_FRONTEND_LAYERS_IMAGEWINDOW_H

#include "Utils/ConvolutionBuilder.h"
#include "frontend/Layers/Layer.h"

namespace mlir::dann {

/// The windows of a convolution or a pooling on images of one size.
struct ImageWindow {
  SmallVector<int64_t, 2> kernel, strides, dilations, output;
  SmallVector<int64_t, 4> padding; // top, left, bottom, right

  ConvolutionBuilder getBuilder(ForwardBuilder &b) const {
    return ConvolutionBuilder(b.getBuilder(), b.getLoc(), strides, dilations);
  }
};

/// What the fields of a message say of its windows.
struct WindowFields {
  using Numbers = google::protobuf::RepeatedField<int64_t>;
  const Numbers &kernel, &stride, &padding;
  const Numbers *dilation = nullptr; // null: the message has none
  bool isPooling = false;            // strides are the kernel by default
};

/// Whether samples of shape `input` are images [channels, rows, columns];
/// otherwise an error in `place`.
bool checkImage(const FileMessage &place, ArrayRef<int64_t> input);

/// The two numbers of a field of one or two numbers from 1; nothing after an
/// error. Without any, `otherwise`, if it has values.
std::optional<SmallVector<int64_t, 2>>
checkPair(const FileMessage &place, StringRef field,
          const WindowFields::Numbers &values, ArrayRef<int64_t> otherwise);

/// The windows on samples of shape `input`. Whatever they cover is not too
/// large to compute with. Nothing after an error.
std::optional<ImageWindow> checkWindow(const FileMessage &place,
                                       const WindowFields &fields,
                                       ArrayRef<int64_t> input);

/// Whether images of `shape` are small enough; otherwise an error in `field`.
bool checkImageSize(const FileMessage &place, StringRef field,
                    ArrayRef<int64_t> shape);

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_IMAGEWINDOW_H
