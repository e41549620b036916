#include "matmul.h"

#include "fail.h"
#include "onednn_handles.h"

#include <algorithm>
#include <cstring>

namespace dann {

namespace {

/// What a primitive is specialised to.
struct Key {
  std::int64_t m, n, k;
  std::int64_t a_strides[2], b_strides[2], dst_strides[2];
  bool bf16, accumulate, relu;
  char unused[5] = {}; // no padding: keys are compared and hashed as bytes

  bool operator==(const Key &other) const {
    return std::memcmp(this, &other, sizeof(Key)) == 0;
  }
};
static_assert(sizeof(Key) == 10 * sizeof(std::int64_t), "Key has padding");

dnnl_memory_desc_t describe(std::int64_t rows, std::int64_t columns,
                            const std::int64_t strides[2],
                            dnnl_data_type_t type) {
  dnnl_dims_t extents = {rows, columns};
  dnnl_dims_t steps = {strides[0], strides[1]};
  dnnl_memory_desc_t descriptor;
  check(dnnl_memory_desc_init_by_strides(&descriptor, 2, extents, type, steps),
        "describe a matrix");
  return descriptor;
}

/// A primitive with the memory objects of its arguments.
class Matmul {
public:
  Matmul(const Key &key, dnnl_engine_t engine) {
    dnnl_data_type_t type = key.bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t a = describe(key.m, key.k, key.a_strides, type);
    dnnl_memory_desc_t b = describe(key.k, key.n, key.b_strides, type);
    dnnl_memory_desc_t dst = describe(key.m, key.n, key.dst_strides, dnnl_f32);

    PostOps post_ops;
    check(dnnl_post_ops_create(post_ops.out()), "create post-ops");
    if (key.accumulate)
      check(dnnl_post_ops_append_sum(post_ops.get(), 1), "append a sum");
    if (key.relu)
      check(dnnl_post_ops_append_eltwise(post_ops.get(), 1, dnnl_eltwise_relu,
                                         0, 0),
            "append a relu");

    Attributes attributes;
    check(dnnl_primitive_attr_create(attributes.out()), "create attributes");
    check(dnnl_primitive_attr_set_post_ops(attributes.get(), post_ops.get()),
          "set post-ops");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes.get(),
                                                  dnnl_scratchpad_mode_user),
          "set the scratchpad mode");

    dnnl_matmul_desc_t operation;
    check(dnnl_matmul_desc_init(&operation, &a, &b, nullptr, &dst),
          "describe a matmul");
    PrimitiveDesc descriptor;
    check(dnnl_primitive_desc_create(descriptor.out(), &operation,
                                     attributes.get(), engine, nullptr),
          "find a matmul");
    check(dnnl_primitive_create(primitive_.out(), descriptor.get()),
          "build a matmul");

    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(
        descriptor.get(), dnnl_query_scratchpad_md, 0);
    scratchpad_size_ = dnnl_memory_desc_get_size(scratchpad);

    set_argument(0, DNNL_ARG_SRC, a, engine);
    set_argument(1, DNNL_ARG_WEIGHTS, b, engine);
    set_argument(2, DNNL_ARG_DST, dst, engine);
    set_argument(3, DNNL_ARG_SCRATCHPAD, *scratchpad, engine);
  }

  std::size_t scratchpad_size() const { return scratchpad_size_; }

  void run(dnnl_stream_t stream, void *a, void *b, void *dst,
           void *scratchpad) const {
    // In the order in which the constructor sets the arguments.
    void *buffers[kArguments] = {a, b, dst, scratchpad};
    for (int i = 0; i < kArguments; ++i)
      check(dnnl_memory_set_data_handle_v2(arguments_[i].memory, buffers[i],
                                           stream),
            "set a buffer");
    check(dnnl_primitive_execute(primitive_.get(), stream, kArguments,
                                 arguments_),
          "run a matmul");
  }

private:
  static constexpr int kArguments = 4;

  void set_argument(int i, int index, const dnnl_memory_desc_t &descriptor,
                    dnnl_engine_t engine) {
    check(dnnl_memory_create(memories_[i].out(), &descriptor, engine,
                             DNNL_MEMORY_NONE),
          "create a memory object");
    arguments_[i] = {index, memories_[i].get()};
  }

  Primitive primitive_;
  std::size_t scratchpad_size_;
  Memory memories_[kArguments];
  dnnl_exec_arg_t arguments_[kArguments];
};

/// Strides as oneDNN takes them: along an extent of 1 the stride of a dense
/// matrix, whatever the descriptor says.
template <typename T>
void set_strides(std::int64_t strides[2], const Matrix<T> &matrix) {
  std::int64_t row = matrix.row_stride, column = matrix.column_stride;
  if (matrix.columns == 1)
    column = 1;
  if (matrix.rows == 1)
    row = column == 1 ? matrix.columns : 1;
  if (matrix.columns == 1 && row < 1)
    row = 1;
  bool row_major = column == 1 && row >= matrix.columns;
  bool column_major = row == 1 && column >= matrix.rows;
  if (!row_major && !column_major)
    fail(ErrorCode::Internal, "a matmul operand of shape [", matrix.rows, ", ",
         matrix.columns, "] has the strides [", matrix.row_stride, ", ",
         matrix.column_stride, "], which oneDNN does not take");
  strides[0] = row;
  strides[1] = column;
}

/// The product over no elements: what remains of dst.
void run_without_product(const Matrix<float> &dst,
                         const MatmulOptions &options) {
  for (std::int64_t i = 0; i < dst.rows; ++i)
    for (std::int64_t j = 0; j < dst.columns; ++j) {
      float &element = dst.elements[i * dst.row_stride + j * dst.column_stride];
      float value = options.accumulate ? element : 0.0f;
      element = options.relu ? std::max(value, 0.0f) : value;
    }
}

} // namespace

struct MatmulCache::Impl {
  PrimitiveCache<Key, Matmul> primitives;
  // One for all: products run one after the other.
  ScratchMemory scratchpad;
};

MatmulCache::MatmulCache() : impl_(std::make_unique<Impl>()) {}
MatmulCache::~MatmulCache() = default;

std::size_t MatmulCache::primitive_count() const {
  return impl_->primitives.size();
}

template <typename T>
void MatmulCache::run_product(const Matrix<T> &a, const Matrix<T> &b,
                              const Matrix<float> &dst,
                              const MatmulOptions &options) {
  if (a.rows != dst.rows || b.columns != dst.columns || a.columns != b.rows)
    fail(ErrorCode::Internal, "a matmul of [", a.rows, ", ", a.columns,
         "] and [", b.rows, ", ", b.columns, "] cannot give [", dst.rows, ", ",
         dst.columns, "]");
  if (dst.rows == 0 || dst.columns == 0)
    return;
  if (a.columns == 0)
    return run_without_product(dst, options);

  Key key{dst.rows,
          dst.columns,
          a.columns,
          {},
          {},
          {},
          std::is_same_v<T, Bf16>,
          options.accumulate,
          options.relu};
  set_strides(key.a_strides, a);
  set_strides(key.b_strides, b);
  set_strides(key.dst_strides, dst);
  const Matmul &primitive = impl_->primitives.get(key);
  primitive.run(impl_->primitives.stream(), a.elements, b.elements,
                dst.elements,
                impl_->scratchpad.get(primitive.scratchpad_size()));
}

void MatmulCache::run(const Matrix<float> &a, const Matrix<float> &b,
                      const Matrix<float> &dst, const MatmulOptions &options) {
  run_product(a, b, dst, options);
}

void MatmulCache::run(const Matrix<Bf16> &a, const Matrix<Bf16> &b,
                      const Matrix<float> &dst, const MatmulOptions &options) {
  run_product(a, b, dst, options);
}

} // namespace dann
