#include "convolution.h"

#include "onednn_handles.h"

#include <algorithm>
#include <vector>

namespace dann {

namespace {

using Result = ConvolutionOptions::Result;

/// What a primitive is specialised to. Keys are compared and hashed as bytes.
struct Key {
  std::int64_t x_sizes[4], x_strides[4];
  std::int64_t filter_sizes[4], filter_strides[4];
  std::int64_t z_sizes[4], z_strides[4];
  std::int64_t strides[2], dilations[2];
  std::int64_t result, accumulate;

  bool operator==(const Key &other) const {
    return std::memcmp(this, &other, sizeof(Key)) == 0;
  }
};
static_assert(sizeof(Key) == 30 * sizeof(std::int64_t), "Key has padding");

/// [channels, rows, columns, batch] as oneDNN's [batch, channels, rows,
/// columns], or filters as they are. Without strides, in a layout of its own
/// choice.
dnnl_memory_desc_t describe(const std::int64_t sizes[4],
                            const std::int64_t *strides, bool batch_last) {
  dnnl_dims_t extents, steps;
  for (int i = 0; i < 4; ++i) {
    int from = batch_last ? (i + 3) % 4 : i;
    extents[i] = sizes[from];
    steps[i] = strides ? strides[from] : 0;
  }
  dnnl_memory_desc_t descriptor;
  check(strides ? dnnl_memory_desc_init_by_strides(&descriptor, 4, extents,
                                                   dnnl_f32, steps)
                : dnnl_memory_desc_init_by_tag(&descriptor, 4, extents,
                                               dnnl_f32, dnnl_format_tag_any),
        "describe an array");
  return descriptor;
}

/// A primitive, and the memory objects of its arguments.
class Call {
public:
  void build(dnnl_primitive_desc_t descriptor) {
    check(dnnl_primitive_create(primitive_.out(), descriptor),
          "build a primitive");
  }
  void add(int index, dnnl_memory_t memory) {
    arguments_.push_back({index, memory});
  }
  void run(dnnl_stream_t stream) const {
    check(dnnl_primitive_execute(primitive_.get(), stream,
                                 int(arguments_.size()), arguments_.data()),
          "run a primitive");
  }

private:
  Primitive primitive_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

/// Operands and result of the convolution, in the order of the options.
constexpr int kOperands = 3;

/// A convolution or a derivative, with the reorders around it.
class Convolution {
public:
  Convolution(const Key &key, dnnl_engine_t engine) : result_(int(key.result)) {
    const dnnl_memory_desc_t outer[kOperands] = {
        describe(key.z_sizes, key.z_strides, true),
        describe(key.x_sizes, key.x_strides, true),
        describe(key.filter_sizes, key.filter_strides, false)};
    PrimitiveDesc descriptor = find(key, engine);
    static constexpr dnnl_query_t queries[3][kOperands] = {
        {dnnl_query_dst_md, dnnl_query_src_md, dnnl_query_weights_md},
        {dnnl_query_diff_dst_md, dnnl_query_diff_src_md, dnnl_query_weights_md},
        {dnnl_query_diff_dst_md, dnnl_query_src_md,
         dnnl_query_diff_weights_md}};
    static constexpr int arguments[3][kOperands] = {
        {DNNL_ARG_DST, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS},
        {DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS},
        {DNNL_ARG_DIFF_DST, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS}};

    call_.build(descriptor.get());
    for (int i = 0; i < kOperands; ++i) {
      const dnnl_memory_desc_t inner = *dnnl_primitive_desc_query_md(
          descriptor.get(), queries[result_][i], 0);
      bool is_result = i == result_;
      create(outer_[i], outer[i], engine);
      bool is_same = dnnl_memory_desc_equal(&outer[i], &inner) &&
                     !(is_result && key.accumulate);
      if (is_same) {
        call_.add(arguments[result_][i], outer_[i].get());
        continue;
      }
      create(inner_[i], inner, engine);
      inner_sizes_[i] = (dnnl_memory_desc_get_size(&inner) + 63) / 64 * 64;
      call_.add(arguments[result_][i], inner_[i].get());
      if (is_result)
        build_reorder(i, inner, outer[i], inner_[i], outer_[i],
                      key.accumulate != 0, engine);
      else
        build_reorder(i, outer[i], inner, outer_[i], inner_[i], false, engine);
    }
    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(
        descriptor.get(), dnnl_query_scratchpad_md, 0);
    create(scratchpad_, *scratchpad, engine);
    scratchpad_size_ = (dnnl_memory_desc_get_size(scratchpad) + 63) / 64 * 64;
    call_.add(DNNL_ARG_SCRATCHPAD, scratchpad_.get());
  }

  std::size_t scratch_size() const {
    return inner_sizes_[0] + inner_sizes_[1] + inner_sizes_[2] +
           scratchpad_size_;
  }

  /// `operands` are z, x and the filters.
  void run(dnnl_stream_t stream, float *const operands[kOperands],
           void *scratch) const {
    char *next = static_cast<char *>(scratch);
    auto set = [&](const Memory &memory, void *buffer) {
      check(dnnl_memory_set_data_handle_v2(memory.get(), buffer, stream),
            "set a buffer");
    };
    set(scratchpad_, next);
    next += scratchpad_size_;
    const Call *reorder_result = nullptr; // none if it needs no reorder
    for (int i = 0; i < kOperands; ++i) {
      set(outer_[i], operands[i]);
      if (!inner_[i].get())
        continue;
      set(inner_[i], next);
      next += inner_sizes_[i];
      if (i == result_)
        reorder_result = &reorders_[i];
      else
        reorders_[i].run(stream);
    }
    call_.run(stream);
    if (reorder_result)
      reorder_result->run(stream);
  }

private:
  static void create(Memory &memory, const dnnl_memory_desc_t &descriptor,
                     dnnl_engine_t engine) {
    check(
        dnnl_memory_create(memory.out(), &descriptor, engine, DNNL_MEMORY_NONE),
        "create a memory object");
  }

  static PrimitiveDesc find(const Key &key, dnnl_engine_t engine) {
    dnnl_memory_desc_t x = describe(key.x_sizes, nullptr, true);
    dnnl_memory_desc_t filters = describe(key.filter_sizes, nullptr, false);
    dnnl_memory_desc_t z = describe(key.z_sizes, nullptr, true);
    // oneDNN counts what lies between two taps.
    dnnl_dims_t between = {key.dilations[0] - 1, key.dilations[1] - 1};
    dnnl_dims_t padding = {0, 0};
    const char *action = "describe a convolution";

    Attributes attributes;
    check(dnnl_primitive_attr_create(attributes.out()), "create attributes");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes.get(),
                                                  dnnl_scratchpad_mode_user),
          "set the scratchpad mode");
    auto find_primitive = [&](const dnnl_convolution_desc_t &operation,
                              dnnl_primitive_desc_t hint) {
      PrimitiveDesc descriptor;
      check(dnnl_primitive_desc_create(descriptor.out(), &operation,
                                       attributes.get(), engine, hint),
            "find a convolution");
      return descriptor;
    };
    dnnl_convolution_desc_t operation;
    check(dnnl_dilated_convolution_forward_desc_init(
              &operation, dnnl_forward_training, dnnl_convolution_direct, &x,
              &filters, nullptr, &z, key.strides, between, padding, padding),
          action);
    PrimitiveDesc forward = find_primitive(operation, nullptr);
    if (key.result == Result::Z)
      return forward;
    if (key.result == Result::X)
      check(dnnl_dilated_convolution_backward_data_desc_init(
                &operation, dnnl_convolution_direct, &x, &filters, &z,
                key.strides, between, padding, padding),
            action);
    else
      check(dnnl_dilated_convolution_backward_weights_desc_init(
                &operation, dnnl_convolution_direct, &x, &filters, nullptr, &z,
                key.strides, between, padding, padding),
            action);
    return find_primitive(operation, forward.get());
  }

  void build_reorder(int i, const dnnl_memory_desc_t &from,
                     const dnnl_memory_desc_t &to, const Memory &source,
                     const Memory &destination, bool accumulate,
                     dnnl_engine_t engine) {
    Attributes attributes;
    check(dnnl_primitive_attr_create(attributes.out()), "create attributes");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes.get(),
                                                  dnnl_scratchpad_mode_library),
          "set the scratchpad mode");
    PostOps post_ops;
    check(dnnl_post_ops_create(post_ops.out()), "create post-ops");
    if (accumulate)
      check(dnnl_post_ops_append_sum(post_ops.get(), 1), "append a sum");
    check(dnnl_primitive_attr_set_post_ops(attributes.get(), post_ops.get()),
          "set post-ops");
    PrimitiveDesc descriptor;
    check(dnnl_reorder_primitive_desc_create(descriptor.out(), &from, engine,
                                             &to, engine, attributes.get()),
          "find a reorder");
    reorders_[i].build(descriptor.get());
    reorders_[i].add(DNNL_ARG_FROM, source.get());
    reorders_[i].add(DNNL_ARG_TO, destination.get());
  }

  int result_;
  Call call_, reorders_[kOperands];
  Memory outer_[kOperands], inner_[kOperands], scratchpad_;
  std::size_t inner_sizes_[kOperands] = {}, scratchpad_size_ = 0;
};

/// Whether the sizes are those of one convolution.
bool fit_together(const Key &key) {
  bool fit = key.x_sizes[0] == key.filter_sizes[1] &&
             key.z_sizes[0] == key.filter_sizes[0] &&
             key.x_sizes[3] == key.z_sizes[3];
  for (int i = 0; i < 2; ++i)
    fit &= key.strides[i] >= 1 && key.dilations[i] >= 1 &&
           (key.z_sizes[1 + i] - 1) * key.strides[i] +
                   (key.filter_sizes[2 + i] - 1) * key.dilations[i] + 1 <=
               key.x_sizes[1 + i];
  return fit;
}

void set_sizes(std::int64_t sizes[4], std::int64_t strides[4],
               const Array4 &array) {
  std::copy_n(array.sizes, 4, sizes);
  std::copy_n(array.strides, 4, strides);
}

bool is_empty(const Array4 &array) {
  return std::find(array.sizes, array.sizes + 4, 0) != array.sizes + 4;
}

void fill_zeros(const Array4 &array) {
  for (std::int64_t i = 0; i < array.sizes[0]; ++i)
    for (std::int64_t j = 0; j < array.sizes[1]; ++j)
      for (std::int64_t k = 0; k < array.sizes[2]; ++k)
        for (std::int64_t l = 0; l < array.sizes[3]; ++l)
          array.elements[i * array.strides[0] + j * array.strides[1] +
                         k * array.strides[2] + l * array.strides[3]] = 0;
}

} // namespace

struct ConvolutionCache::Impl {
  PrimitiveCache<Key, Convolution> primitives;
  ScratchMemory scratch;
};

ConvolutionCache::ConvolutionCache() : impl_(std::make_unique<Impl>()) {}
ConvolutionCache::~ConvolutionCache() = default;

std::size_t ConvolutionCache::primitive_count() const {
  return impl_->primitives.size();
}

void ConvolutionCache::run(const Array4 &x, const Array4 &filters,
                           const Array4 &z, const ConvolutionOptions &options) {
  if (options.result < 0 || options.result >= kOperands)
    fail(ErrorCode::Internal, "a convolution has the unknown result ",
         options.result);
  Key key{};
  set_sizes(key.x_sizes, key.x_strides, x);
  set_sizes(key.filter_sizes, key.filter_strides, filters);
  set_sizes(key.z_sizes, key.z_strides, z);
  std::copy_n(options.strides, 2, key.strides);
  std::copy_n(options.dilations, 2, key.dilations);
  key.result = options.result;
  key.accumulate = options.accumulate;
  const Array4 *const arrays[kOperands] = {&z, &x, &filters};
  const Array4 &result = *arrays[options.result];
  if (is_empty(result))
    return;
  // The sum over no elements.
  if (is_empty(x) || is_empty(filters) || is_empty(z)) {
    if (!options.accumulate)
      fill_zeros(result);
    return;
  }
  if (!fit_together(key))
    fail(ErrorCode::Internal, "a convolution of images [", x.sizes[0], ", ",
         x.sizes[1], ", ", x.sizes[2], ", ", x.sizes[3], "] with filters [",
         filters.sizes[0], ", ", filters.sizes[1], ", ", filters.sizes[2], ", ",
         filters.sizes[3], "] does not fit images [", z.sizes[0], ", ",
         z.sizes[1], ", ", z.sizes[2], ", ", z.sizes[3], "]");
  const Convolution &primitive = impl_->primitives.get(key);
  float *const operands[kOperands] = {z.elements, x.elements, filters.elements};
  primitive.run(impl_->primitives.stream(), operands,
                impl_->scratch.get(primitive.scratch_size()));
}

} // namespace dann
