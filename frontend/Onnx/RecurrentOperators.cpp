//===- RecurrentOperators.cpp - RNN, GRU, LSTM ---------------------------===//

#include "frontend/Onnx/Activations.h"
#include "frontend/Onnx/Loops.h"
#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

Value subtractFromOne(B &b, Value x) {
  return arith::SubFOp::create(b, constantLike(b, x, 1), x);
}

/// A layer with state, in one direction or two. Gates are side by side in the
/// weights, and so are they in the products with them.
class RecurrentLayer {
public:
  RecurrentLayer(Node &node, int64_t numGates, int64_t numStates,
                 ArrayRef<StringRef> defaultActivations)
      : node(node), b(node.b()), numGates(numGates), numStates(numStates),
        defaultActivations(defaultActivations) {}
  virtual ~RecurrentLayer() = default;

  LogicalResult import();

protected:
  /// What one direction needs besides its state.
  struct Direction {
    Tensor recurrence; // [numGates * hidden, hidden]
    Tensor hiddenBias; // [hidden], of the last gate: GRU's Rbh
    Tensor peepholes;  // [3 * hidden]
    int64_t index;
  };
  using States = SmallVector<Tensor>;

  /// The states after a step, for `inputs` [batch, numGates * hidden], the
  /// products with the input with the biases added.
  virtual FailureOr<States> step(const Direction &direction, Tensor inputs,
                                 ArrayRef<Tensor> states) = 0;
  /// Whether the recurrent bias of the last gate is no part of `inputs`.
  virtual bool keepsHiddenBias() const { return false; }

  /// Columns of gates, [batch, count * hidden], or parts of a vector.
  Tensor takeGates(Tensor tensor, int64_t first, int64_t count = 1) {
    SmallVector<int64_t> offsets(tensor.getRank(), 0), sizes(tensor.getShape()),
        strides(tensor.getRank(), 1);
    offsets.back() = first * hiddenSize;
    sizes.back() = count * hiddenSize;
    return node.slice(tensor, offsets, sizes, strides);
  }
  /// The rows of gates of a matrix of weights.
  Tensor takeRows(Tensor matrix, int64_t first, int64_t count) {
    return node.slice(matrix, {first * hiddenSize, 0},
                      {count * hiddenSize, matrix.getDim(1)}, {1, 1});
  }
  /// init + x . transposed(weights)
  Tensor product(Tensor x, Tensor weights, Tensor init) {
    return {
        node.linalg().product(x.value, false, weights.value, true, init.value),
        x.dataType};
  }
  /// Activation `number` of the direction at `x`.
  Value activate(B &b, const Direction &direction, int64_t number, Value x) {
    if (clip) {
      x = arith::MaximumFOp::create(b, x, constantLike(b, x, -*clip));
      x = arith::MinimumFOp::create(b, x, constantLike(b, x, *clip));
    }
    const auto &[activation, alpha, beta] =
        activations[direction.index * defaultActivations.size() + number];
    return activation->build(b, x, alpha, beta);
  }
  /// Overwrites a state, [batch, hidden], except in samples that are over. The
  /// last argument of `body` is the old value. Vectors are for all samples.
  Tensor update(Tensor state, ArrayRef<Tensor> inputs, Node::Body body);

  Node &node;
  B &b;
  const int64_t numGates, numStates;
  int64_t hiddenSize = 0;

private:
  struct ChosenActivation {
    const Activation *activation;
    double alpha, beta;
  };

  LogicalResult checkInputs();
  LogicalResult chooseActivations();
  LogicalResult checkShape(StringRef name, Tensor tensor,
                           ArrayRef<int64_t> shape);
  FailureOr<Tensor> buildInputs(Tensor input, Tensor weights, Tensor bias);
  LogicalResult importDirection(int64_t index, bool isReverse);

  SmallVector<StringRef> defaultActivations;
  SmallVector<ChosenActivation> activations;
  std::optional<double> clip;
  Tensor x, weights, recurrence, bias, lengths, peepholes;
  SmallVector<Tensor> initial;       // none for zeros
  SmallVector<int64_t> initialShape; // of all directions
  int64_t numDirections = 1;
  // The axes of time and batch in the input, and of the direction in states.
  int64_t timeAxis = 0, batchAxis = 1, directionAxis = 0;
  Value time;                 // in the loop
  Tensor sequence;            // Y, while it is built
  SmallVector<Tensor> finals; // Y_h and Y_c
};

} // namespace

Tensor RecurrentLayer::update(Tensor state, ArrayRef<Tensor> inputs,
                              Node::Body body) {
  SmallVector<LinalgBuilder::Indexed> operands;
  for (const Tensor &input : inputs) {
    if (input.getRank() == 1)
      operands.push_back({input.value, {1}});
    else
      operands.push_back({input.value, {0, 1}});
  }
  if (lengths)
    operands.push_back({lengths.value, {0}});
  Value result = node.linalg().generic(
      2, operands, {state.value, {0, 1}}, [&](B &b, ValueRange arguments) {
        SmallVector<Value> own(arguments);
        Value old = own.back();
        if (!lengths)
          return body(b, own);
        Value length = own[own.size() - 2];
        own.erase(own.end() - 2);
        Value now = arith::IndexCastOp::create(b, length.getType(), time);
        Value isActive =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, now, length);
        return arith::SelectOp::create(b, isActive, body(b, own), old)
            .getResult();
      });
  return {result, state.dataType};
}

LogicalResult RecurrentLayer::checkShape(StringRef name, Tensor tensor,
                                         ArrayRef<int64_t> shape) {
  if (tensor.getShape() == shape)
    return success();
  return node.emitError() << name << " is " << tensor.getType()
                          << " instead of "
                          << RankedTensorType::get(shape,
                                                   tensor.getElementType());
}

LogicalResult RecurrentLayer::checkInputs() {
  x = node.getInput(0);
  weights = node.getInput(1);
  recurrence = node.getInput(2);
  bias = node.getInput(3);
  lengths = node.getInput(4);
  for (int64_t i = 0; i < numStates; ++i)
    initial.push_back(node.getInput(5 + i));
  if (numStates > 1)
    peepholes = node.getInput(7);
  SmallVector<Tensor> floats = {x, weights, recurrence};
  for (const Tensor &tensor :
       {bias, initial.front(), initial.back(), peepholes})
    if (tensor)
      floats.push_back(tensor);
  if (failed(node.requireFloat(x)) || failed(node.requireSameType(floats)) ||
      failed(node.requireRank(x, 3)) || failed(node.requireRank(weights, 3)) ||
      failed(node.requireRank(recurrence, 3)))
    return failure();

  std::string direction = node.getString("direction", "forward");
  if (direction != "forward" && direction != "reverse" &&
      direction != "bidirectional")
    return node.emitError() << "the direction '" << direction
                            << "' is not forward, reverse or bidirectional";
  numDirections = direction == "bidirectional" ? 2 : 1;
  int64_t layout = node.getOpset() < 14 ? 0 : node.getInt("layout", 0);
  if (layout != 0 && layout != 1)
    return node.emitError()
           << "the layout is " << layout << "; it has to be 0 or 1";
  timeAxis = directionAxis = layout;
  batchAxis = 1 - layout;
  hiddenSize = recurrence.getDim(2);
  int64_t given = node.getInt("hidden_size", hiddenSize);
  if (given != hiddenSize)
    return node.emitError() << "hidden_size is " << given << ", but R is "
                            << recurrence.getType();
  if (hiddenSize < 1 || x.getDim(2) < 1)
    return node.emitError() << "takes inputs and states with elements, not "
                            << x.getType() << " and " << recurrence.getType();
  if (node.hasAttribute("clip"))
    clip = node.getFloat("clip", 0);
  if (clip && !(*clip >= 0))
    return node.emitError()
           << "the clip is " << *clip << "; it may not be negative";

  // Extents are at most kMaxElements, so these do not overflow.
  int64_t rows = numGates * hiddenSize, batch = x.getDim(batchAxis);
  initialShape = {numDirections, batch, hiddenSize};
  if (layout == 1)
    std::swap(initialShape[0], initialShape[1]);
  if (failed(checkShape("W", weights, {numDirections, rows, x.getDim(2)})) ||
      failed(checkShape("R", recurrence, {numDirections, rows, hiddenSize})) ||
      (bias && failed(checkShape("B", bias, {numDirections, 2 * rows}))) ||
      (peepholes &&
       failed(checkShape("P", peepholes, {numDirections, 3 * hiddenSize}))))
    return failure();
  for (const Tensor &tensor : initial)
    if (tensor && failed(checkShape("an initial state", tensor, initialShape)))
      return failure();
  if (lengths) {
    if (!lengths.isInteger())
      return node.emitError()
             << "sequence_lens are " << getTypeName(lengths.dataType)
             << ", and have to be integers";
    if (failed(checkShape("sequence_lens", lengths, {batch})))
      return failure();
  }
  return node.checkSize({batch, rows});
}

LogicalResult RecurrentLayer::chooseActivations() {
  SmallVector<std::string> names = node.getStrings("activations");
  SmallVector<float> alphas = node.getFloats("activation_alpha");
  SmallVector<float> betas = node.getFloats("activation_beta");
  size_t count = numDirections * defaultActivations.size();
  if (names.empty())
    for (int64_t i = 0; i < numDirections; ++i)
      names.append(defaultActivations.begin(), defaultActivations.end());
  // RNN's default is given for two directions, also where there is one.
  bool isRnnDefault = numGates == 1 && names.size() == 2;
  if (names.size() != count && !isRnnDefault)
    return node.emitError()
           << "has " << names.size() << " activations instead of " << count;
  // Parameters are given to the functions that have some, in their order.
  const float *alpha = alphas.begin(), *beta = betas.begin();
  for (const std::string &name : ArrayRef(names).take_front(count)) {
    const Activation *activation = findActivation(name);
    if (!activation)
      return node.emitError()
             << "the activation '" << name << "' is not supported";
    ChosenActivation chosen{activation, activation->alpha, activation->beta};
    if (activation->takesAlpha && alpha != alphas.end())
      chosen.alpha = *alpha++;
    if (activation->takesBeta && beta != betas.end())
      chosen.beta = *beta++;
    activations.push_back(chosen);
  }
  return success();
}

/// The products of inputs [..., input] with the weights, biases added.
FailureOr<Tensor> RecurrentLayer::buildInputs(Tensor input, Tensor weights,
                                              Tensor bias) {
  SmallVector<int64_t> shape(input.getShape());
  shape.back() = weights.getDim(0);
  int64_t rows = input.getDim(0);
  if (input.getRank() == 3)
    rows *= input.getDim(1);
  if (failed(node.checkSize(shape)))
    return failure();
  FailureOr<Tensor> matrix =
      node.reshape(input, {rows, input.getShape().back()});
  if (failed(matrix))
    return failure();
  Tensor init;
  if (bias) {
    FailureOr<Tensor> everywhere =
        node.broadcast(bias, {rows, weights.getDim(0)});
    if (failed(everywhere))
      return failure();
    init = *everywhere;
  }
  return node.reshape(product(*matrix, weights, init), shape);
}

LogicalResult RecurrentLayer::importDirection(int64_t index, bool isReverse) {
  Place place = {0, b.getIndexAttr(index)};
  Direction direction{extractAt(node, recurrence, place), {}, {}, index};
  Tensor inputWeights = extractAt(node, weights, place);
  if (peepholes)
    direction.peepholes = extractAt(node, peepholes, place);
  Tensor inputBias;
  if (bias) {
    Tensor both = extractAt(node, bias, place);
    inputBias = takeGates(both, 0, numGates);
    Tensor recurrent = takeGates(both, numGates, numGates);
    FailureOr<Tensor> sum = node.elementwise(
        {inputBias, recurrent}, x.dataType, [](B &b, ValueRange arguments) {
          return add(b, arguments[0], arguments[1]);
        });
    if (failed(sum))
      return failure();
    if (keepsHiddenBias()) {
      direction.hiddenBias = takeGates(recurrent, numGates - 1);
      FailureOr<Tensor> joined =
          node.concatenate({takeGates(*sum, 0, numGates - 1),
                            takeGates(inputBias, numGates - 1)},
                           0);
      if (failed(joined))
        return failure();
      inputBias = *joined;
    } else {
      inputBias = *sum;
    }
  }

  // The products of all steps at once, unless a size is not known.
  bool isStatic = x.getType().hasStaticShape();
  Tensor allInputs = x;
  if (isStatic) {
    FailureOr<Tensor> products = buildInputs(x, inputWeights, inputBias);
    if (failed(products))
      return failure();
    allInputs = *products;
  }

  Loop loop;
  loop.isInPlace = true;
  int64_t batch = x.getDim(batchAxis);
  loop.count = getValueOrCreateConstantIndexOp(
      b, b.getLoc(), node.getSizes({x.getDim(timeAxis)})[0]);
  for (const Tensor &tensor : initial)
    loop.initial.push_back(
        tensor ? extractAt(node, tensor, Place{directionAxis, place.index})
               : node.fill({batch, hiddenSize}, x.dataType, 0));
  bool givesSequence = node.hasOutput(0);
  if (givesSequence)
    loop.initial.push_back(sequence);
  FailureOr<SmallVector<Tensor>> results = buildLoop(
      node, loop,
      [&](Value step,
          ArrayRef<Tensor> carried) -> FailureOr<SmallVector<Tensor>> {
        time = step;
        if (isReverse) {
          Value last = arith::SubIOp::create(
              b, loop.count, arith::ConstantIndexOp::create(b, 1));
          time = arith::SubIOp::create(b, last, step);
        }
        Tensor inputs = extractAt(node, allInputs, Place{timeAxis, time});
        if (!isStatic) {
          FailureOr<Tensor> products =
              buildInputs(inputs, inputWeights, inputBias);
          if (failed(products))
            return failure();
          inputs = *products;
        }
        FailureOr<States> states =
            this->step(direction, inputs, carried.take_front(numStates));
        if (failed(states) || !givesSequence)
          return states;
        Tensor output = states->front();
        if (lengths) {
          // Y is 0 where a sample is over, while its state stays.
          Tensor zeros = node.fill(output.getShape(), x.dataType, 0);
          output = update(zeros, output, [](B &, ValueRange arguments) {
            return arguments[0];
          });
        }
        states->push_back(
            insertAt(node, output, carried.back(),
                     {{timeAxis, time}, {directionAxis + 1, place.index}}));
        return states;
      });
  if (failed(results))
    return failure();
  if (givesSequence)
    sequence = results->back();
  for (int64_t i = 0; i < numStates; ++i) {
    if (!finals[i])
      finals[i] = {
          node.linalg().empty(node.getSizes(initialShape), x.getElementType()),
          x.dataType};
    finals[i] = insertAt(node, (*results)[i], finals[i],
                         Place{directionAxis, place.index});
  }
  return success();
}

LogicalResult RecurrentLayer::import() {
  if (failed(checkInputs()) || failed(chooseActivations()))
    return failure();
  // [time, direction, batch, hidden] or [batch, time, direction, hidden].
  SmallVector<int64_t> shape = initialShape;
  shape.insert(shape.begin() + timeAxis, x.getDim(timeAxis));
  if (node.hasOutput(0)) {
    if (failed(node.checkSize(shape)))
      return failure();
    sequence = allocate(node, shape, x.dataType);
  }
  finals.resize(numStates);
  bool startsReverse = node.getString("direction", "forward") == "reverse";
  for (int64_t i = 0; i < numDirections; ++i)
    if (failed(importDirection(i, startsReverse || i == 1)))
      return failure();
  if (node.hasOutput(0))
    node.setOutput(0, sequence);
  for (auto [i, state] : llvm::enumerate(finals))
    node.setOutput(1 + i, state);
  return success();
}

//===----------------------------------------------------------------------===//
// The kinds of layers
//===----------------------------------------------------------------------===//

namespace {

struct Rnn : RecurrentLayer {
  explicit Rnn(Node &node) : RecurrentLayer(node, 1, 1, {"Tanh"}) {}

  FailureOr<States> step(const Direction &direction, Tensor inputs,
                         ArrayRef<Tensor> states) override {
    Tensor sum = product(states[0], direction.recurrence, inputs);
    return States{update(states[0], sum, [&](B &b, ValueRange arguments) {
      return activate(b, direction, 0, arguments[0]);
    })};
  }
};

/// Gates z, r and h.
struct Gru : RecurrentLayer {
  explicit Gru(Node &node)
      : RecurrentLayer(node, 3, 1, {"Sigmoid", "Tanh"}),
        resetsProduct(node.getInt("linear_before_reset", 0) != 0) {}

  bool keepsHiddenBias() const override { return resetsProduct; }

  FailureOr<States> step(const Direction &direction, Tensor inputs,
                         ArrayRef<Tensor> states) override {
    Tensor state = states[0], recurrence = direction.recurrence;
    Tensor gates =
        product(state, takeRows(recurrence, 0, 2), takeGates(inputs, 0, 2));
    Tensor update = takeGates(gates, 0), reset = takeGates(gates, 1);
    Tensor hidden = takeGates(inputs, 2);
    Tensor weights = takeRows(recurrence, 2, 1);
    auto sigmoid = [&](B &b, Value x) { return activate(b, direction, 0, x); };
    auto combine = [&](B &b, Value gate, Value candidate, Value old) {
      Value z = sigmoid(b, gate);
      Value h = activate(b, direction, 1, candidate);
      return add(b, multiply(b, subtractFromOne(b, z), h), multiply(b, z, old));
    };
    if (resetsProduct) {
      Tensor init;
      if (direction.hiddenBias) {
        FailureOr<Tensor> everywhere =
            node.broadcast(direction.hiddenBias, state.getShape());
        if (failed(everywhere))
          return failure();
        init = *everywhere;
      }
      Tensor term = product(state, weights, init);
      return States{this->update(
          state, {update, reset, hidden, term},
          [&](B &b, ValueRange arguments) {
            Value scaled = multiply(b, sigmoid(b, arguments[1]), arguments[3]);
            return combine(b, arguments[0], add(b, arguments[2], scaled),
                           arguments[4]);
          })};
    }
    FailureOr<Tensor> kept = node.elementwise(
        {reset, state}, state.dataType, [&](B &b, ValueRange arguments) {
          return multiply(b, sigmoid(b, arguments[0]), arguments[1]);
        });
    if (failed(kept))
      return failure();
    Tensor candidate = product(*kept, weights, hidden);
    return States{this->update(
        state, {update, candidate}, [&](B &b, ValueRange arguments) {
          return combine(b, arguments[0], arguments[1], arguments[2]);
        })};
  }

  /// The reset gate applies to the product with the state, not to the state.
  const bool resetsProduct;
};

/// Gates i, o, f and c.
struct Lstm : RecurrentLayer {
  explicit Lstm(Node &node)
      : RecurrentLayer(node, 4, 2, {"Sigmoid", "Tanh", "Tanh"}),
        couplesGates(node.getInt("input_forget", 0) != 0) {}

  FailureOr<States> step(const Direction &direction, Tensor inputs,
                         ArrayRef<Tensor> states) override {
    Tensor gates = product(states[0], direction.recurrence, inputs);
    SmallVector<Tensor> operands = {takeGates(gates, 0), takeGates(gates, 2),
                                    takeGates(gates, 3)};
    SmallVector<Tensor> outputOperands = {takeGates(gates, 1)};
    bool hasPeepholes = static_cast<bool>(direction.peepholes);
    if (hasPeepholes) {
      operands.push_back(takeGates(direction.peepholes, 0));
      operands.push_back(takeGates(direction.peepholes, 2));
      outputOperands.push_back(takeGates(direction.peepholes, 1));
    }
    auto gate = [&](B &b, Value x, Value cell, Value peephole) {
      if (peephole)
        x = add(b, x, multiply(b, peephole, cell));
      return activate(b, direction, 0, x);
    };
    Tensor cell = update(states[1], operands, [&](B &b, ValueRange arguments) {
      Value old = arguments.back();
      Value input =
          gate(b, arguments[0], old, hasPeepholes ? arguments[3] : Value());
      Value forget = couplesGates ? subtractFromOne(b, input)
                                  : gate(b, arguments[1], old,
                                         hasPeepholes ? arguments[4] : Value());
      Value candidate = activate(b, direction, 1, arguments[2]);
      return add(b, multiply(b, forget, old), multiply(b, input, candidate));
    });
    // Samples that are over keep their state, whatever their cell is.
    outputOperands.push_back(cell);
    Tensor hidden =
        update(states[0], outputOperands, [&](B &b, ValueRange arguments) {
          Value now = arguments[hasPeepholes ? 2 : 1];
          Value output =
              gate(b, arguments[0], now, hasPeepholes ? arguments[1] : Value());
          return multiply(b, output, activate(b, direction, 2, now));
        });
    return States{hidden, cell};
  }

  /// The forget gate is what the input gate leaves.
  const bool couplesGates;
};

template <typename LayerTy> LogicalResult importLayer(Node &node) {
  return LayerTy(node).import();
}

constexpr OperatorEntry kOperators[] = {
    {"RNN", 1, 3, 6, 2, importLayer<Rnn>},
    {"GRU", 1, 3, 6, 2, importLayer<Gru>},
    {"LSTM", 1, 3, 8, 3, importLayer<Lstm>},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getRecurrentOperators() {
  return kOperators;
}
