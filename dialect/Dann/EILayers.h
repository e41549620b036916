//===- EILayers.h - What the operations of E/I layers have in common ------===//

#ifndef DANN_DIALECT_DANN_EILAYERS_H
#define DANN_DIALECT_DANN_EILAYERS_H

#include "Dann/Dann.h"

#include "mlir/IR/TypeUtilities.h"

namespace mlir::dann {

/// The constraints of every E/I layer, and of its gradient, on element types,
/// gain and epsilon. `z` is the result or its cotangent.
template <typename OpTy> LogicalResult verifyEILayer(OpTy op, Value z) {
  Type elementType = getElementTypeOrSelf(op.getWex().getType());
  for (Type type : op->getOperandTypes())
    if (getElementTypeOrSelf(type) != elementType)
      return op.emitOpError() << "element types differ: " << elementType
                              << " and " << getElementTypeOrSelf(type);
  if (getElementTypeOrSelf(z.getType()) != elementType)
    return op.emitOpError() << "element types differ: " << elementType
                            << " and " << getElementTypeOrSelf(z.getType());
  if (op.getGain() && !op.getAlpha())
    return op.emitOpError("gain needs alpha");
  if (!op.getEpsilon().isFinite() || op.getEpsilon().isNegative())
    return op.emitOpError("epsilon must be finite and not negative");
  return success();
}

/// Requires the results of a gradient to have the types of all operands but
/// dz, and x only on demand.
template <typename OpTy> LogicalResult verifyEIGradients(OpTy op) {
  auto differentiated =
      op.getOperands().drop_front(op.getParametersOnly() ? 2 : 1);
  if (op.getGradients().getTypes() == differentiated.getTypes())
    return success();
  return op.emitOpError() << "must have " << differentiated.size()
                          << " results, of the types of the operands that they "
                             "are gradients of";
}

/// What the operand `index` of a layer is, whose operands are x and the
/// parameters in the order of their roles.
template <typename OpTy>
std::optional<Role> getEILayerRole(OpTy op, unsigned index) {
  static constexpr Role roles[] = {Role::Wex,   Role::Wix,  Role::Wei,
                                   Role::Alpha, Role::Gain, Role::Bias};
  for (auto [position, role] : llvm::enumerate(roles)) {
    auto [start, length] = op.getODSOperandIndexAndLength(position + 1);
    if (length == 1 && start == index)
      return role;
  }
  return std::nullopt;
}

/// What Dale's law demands of a parameter with this role, or of the input.
inline Sign getSignForRole(std::optional<Role> role) {
  bool free = role == Role::Alpha || role == Role::Bias;
  return free ? Sign::Any : Sign::Nonneg;
}

} // namespace mlir::dann

#endif // DANN_DIALECT_DANN_EILAYERS_H
