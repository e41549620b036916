//===- NGramOperators.cpp - Counting n-grams ------------------------------===//

#include "frontend/Onnx/Indices.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;
constexpr int32_t kInt64 = proto::TensorProto::INT64;

/// For each element of TfIdfVectorizer's result, the n-gram that it counts.
struct NGrams {
  SmallVector<int64_t> lengths; // 0 for those that are not counted
  SmallVector<int64_t> places;  // in the pool
  SmallVector<float> weights;
  int64_t longest = 0;
};

FailureOr<NGrams> getNGrams(Node &node, ArrayRef<int64_t> pool) {
  constexpr int64_t kMaxResults = 1 << 24, kMaxLength = 64;
  SmallVector<int64_t> starts = node.getInts("ngram_counts");
  SmallVector<int64_t> indexes = node.getInts("ngram_indexes");
  SmallVector<float> weights = node.getFloats("weights");
  int64_t least = node.getInt("min_gram_length", 0);
  int64_t most = node.getInt("max_gram_length", 0);
  if (least < 1 || most < least)
    return node.emitError()
           << "counts n-grams of " << least << " to " << most << " elements";
  if (!weights.empty() && weights.size() != indexes.size())
    return node.emitError() << "has " << weights.size() << " weights for "
                            << indexes.size() << " n-grams";
  int64_t numResults = 0;
  for (int64_t index : indexes) {
    if (index < 0 || index >= kMaxResults)
      return node.emitError()
             << "'ngram_indexes' has " << index << ", which is not in [0, "
             << kMaxResults - 1 << "]";
    numResults = std::max(numResults, index + 1);
  }
  if (numResults == 0)
    return node.emitError() << "'ngram_indexes' is empty";
  if (failed(node.charge(numResults)))
    return failure();
  NGrams grams;
  grams.lengths.assign(numResults, 0);
  grams.places.assign(numResults, 0);
  grams.weights.assign(numResults, 1);
  size_t next = 0;
  auto poolSize = static_cast<int64_t>(pool.size());
  for (auto [i, start] : llvm::enumerate(starts)) {
    int64_t length = i + 1;
    int64_t end = i + 1 < starts.size() ? starts[i + 1] : poolSize;
    if (start < 0 || end < start || end > poolSize ||
        (end - start) % length != 0)
      return node.emitError() << "'ngram_counts' gives n-grams of " << length
                              << " elements from " << start << " to " << end
                              << " of " << poolSize;
    for (int64_t place = start; place < end; place += length, ++next) {
      if (next >= indexes.size())
        return node.emitError() << "has more n-grams than 'ngram_indexes' has "
                                   "elements, which are "
                                << indexes.size();
      if (length < least || length > most)
        continue;
      int64_t result = indexes[next];
      if (grams.lengths[result] != 0)
        return node.emitError() << "two n-grams have the index " << result
                                << ", which is not supported";
      if (length > kMaxLength)
        return node.emitError() << "counts n-grams of " << length
                                << " elements, more than " << kMaxLength;
      grams.lengths[result] = length;
      grams.places[result] = place;
      if (!weights.empty())
        grams.weights[result] = weights[next];
      grams.longest = std::max(grams.longest, length);
    }
  }
  return grams;
}

LogicalResult importTfIdfVectorizer(Node &node) {
  constexpr int32_t kFloat = proto::TensorProto::FLOAT;
  Tensor x = node.getInput(0);
  std::string mode = node.getString("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return node.emitError()
           << "the mode '" << mode << "' is none of TF, IDF and TFIDF";
  if (node.hasAttribute("pool_strings"))
    return node.emitError() << "counts strings, which are not supported";
  if (x.dataType != proto::TensorProto::INT32 && x.dataType != kInt64)
    return node.emitError()
           << "takes int32 or int64, not " << getTypeName(x.dataType);
  if ((x.getRank() != 1 && x.getRank() != 2) ||
      ShapedType::isDynamic(x.getShape().back()))
    return node.emitError()
           << "takes a sequence, or a batch of them, not " << x.getType();
  SmallVector<int64_t> pool = node.getInts("pool_int64s");
  FailureOr<NGrams> grams = getNGrams(node, pool);
  if (failed(grams))
    return failure();
  int64_t extent = x.getShape().back();
  int64_t numResults = grams->lengths.size();
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = numResults;
  int64_t skips = node.getInt("max_skip_count", 0);
  if (skips < 0)
    return node.emitError() << "skips up to " << skips << " elements";
  if (failed(node.checkSize(shape)))
    return failure();
  if (grams->longest == 0 || extent == 0) {
    node.setOutput(0, node.fill(shape, kFloat, 0));
    return success();
  }
  // Elements of an n-gram that are further apart do not fit.
  int64_t numDistances = std::min(skips, extent - 1) + 1;
  Tensor distances =
      node.generate(numDistances, kInt64, [](B &b, ValueRange indices) {
        Value index = arith::AddIOp::create(b, indices[0], makeIndex(b, 1));
        return arith::IndexCastOp::create(b, b.getI64Type(), index);
      });
  Tensor poolTensor = node.constant(pool);
  Tensor lengths = node.constant(grams->lengths);
  Tensor places = node.constant(grams->places);
  auto poolSize = static_cast<int64_t>(pool.size());
  // Loops over rows, if there are, results, distances, and starts of n-grams.
  unsigned result = x.getRank() - 1, distance = result + 1, start = result + 2;
  LinalgBuilder::Indexed first = {x.value, {start}};
  SmallVector<unsigned, 2> resultLoops = {result};
  if (x.getRank() == 2) {
    first.loops = {0, start};
    resultLoops = {0, result};
  }
  Value counts = node.linalg().generic(
      start + 1,
      {first,
       {distances.value, {distance}},
       {lengths.value, {result}},
       {places.value, {result}}},
      {node.fill(shape, kFloat, 0).value, resultLoops},
      [&](B &b, ValueRange arguments) -> Value {
        Value by = arguments[1], length = arguments[2];
        Value place = toIndex(b, arguments[3]);
        Value begin = linalg::IndexOp::create(b, start);
        Value step = toIndex(b, by);
        auto load = [&](int64_t i) -> Value {
          Value at = arith::AddIOp::create(b, place, makeIndex(b, i));
          return tensor::ExtractOp::create(b, poolTensor.value,
                                           clamp(b, at, poolSize));
        };
        auto widen = [&](Value element) {
          return node.convertScalar(b, element, x.dataType, kInt64);
        };
        auto both = [&](Value p, Value q) -> Value {
          return arith::AndIOp::create(b, p, q);
        };
        Value one = makeInt64(b, 1);
        // Single elements have no distance, and are counted once.
        Value matches =
            arith::OrIOp::create(b, compare(b, IntPredicate::eq, by, one),
                                 compare(b, IntPredicate::sgt, length, one));
        matches = both(matches, compare(b, IntPredicate::sge, length, one));
        matches = both(matches, compare(b, IntPredicate::eq,
                                        widen(arguments[0]), load(0)));
        for (int64_t i = 1; i < grams->longest; ++i) {
          Value at = arith::AddIOp::create(
              b, begin, arith::MulIOp::create(b, step, makeIndex(b, i)));
          Value fits = compare(b, IntPredicate::slt, at, makeIndex(b, extent));
          SmallVector<Value> indices = {clamp(b, at, extent)};
          if (x.getRank() == 2)
            indices.insert(indices.begin(), linalg::IndexOp::create(b, 0));
          Value element = tensor::ExtractOp::create(b, x.value, indices);
          Value isSame =
              both(fits, compare(b, IntPredicate::eq, widen(element), load(i)));
          Value isBehind =
              compare(b, IntPredicate::sle, length, makeInt64(b, i));
          matches = both(matches, arith::OrIOp::create(b, isBehind, isSame));
        }
        return arith::AddFOp::create(
            b, arguments[4],
            arith::UIToFPOp::create(b, b.getF32Type(), matches));
      });
  Tensor y = {counts, kFloat};
  if (mode != "TF") {
    Tensor weights = node.constant(
        DenseElementsAttr::get(
            RankedTensorType::get(numResults, node.b().getF32Type()),
            ArrayRef<float>(grams->weights)),
        kFloat);
    FailureOr<Tensor> scaled = node.elementwise(
        {y, weights}, kFloat, [&](B &b, ValueRange arguments) -> Value {
          Value count = arguments[0];
          if (mode == "IDF")
            count = arith::MinimumFOp::create(
                b, count, arith::ConstantOp::create(b, b.getF32FloatAttr(1)));
          return arith::MulFOp::create(b, count, arguments[1]);
        });
    if (failed(scaled))
      return failure();
    y = *scaled;
  }
  node.setOutput(0, y);
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"TfIdfVectorizer", 9, 1, 1, 1, importTfIdfVectorizer},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getNGramOperators() {
  return kOperators;
}
