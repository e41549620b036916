//===- DannDialect.cpp - The dann dialect and its attributes --------------===//

#include "Dann/Dann.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::dann;

#include "Dann/DannEnums.cpp.inc"

#include "Dann/DannInterfaces.cpp.inc"

#include "Dann/DannAttrInterfaces.cpp.inc"

#include "Dann/DannDialect.cpp.inc"

/// A setting of an optimizer.
static FailureOr<APFloat> parseNumber(AsmParser &parser) {
  double value = 0;
  if (parser.parseFloat(value))
    return failure();
  return APFloat(value);
}

#define GET_ATTRDEF_CLASSES
#include "Dann/DannAttributes.cpp.inc"

namespace {
struct DannInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void DannDialect::initialize() {
  addInterfaces<DannInlinerInterface>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Dann/DannAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Dann/DannOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Discardable attributes
//===----------------------------------------------------------------------===//

LogicalResult DannDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  auto mustBe = [&](bool holds, StringRef what) -> LogicalResult {
    if (holds)
      return success();
    return op->emitError() << "'" << attribute.getName().getValue()
                           << "' must be " << what;
  };
  if (attribute.getName() == kKernelAttr)
    return mustBe(isa<StringAttr>(attribute.getValue()), "a string");
  if (attribute.getName() == kOperationsAttr)
    return mustBe(isa<ArrayAttr>(attribute.getValue()), "an array");
  if (attribute.getName() == kScratchAttr)
    return mustBe(isa<DenseI64ArrayAttr>(attribute.getValue()),
                  "an array of i64");
  if (attribute.getName() == kInferenceAttr)
    return mustBe(isa<UnitAttr>(attribute.getValue()) &&
                      isa<FunctionOpInterface>(op),
                  "a unit attribute of a function");
  if (attribute.getName() != kSettingsAttr)
    return op->emitError() << "'" << attribute.getName().getValue()
                           << "' is not an attribute of operations";
  auto settings = dyn_cast<DictionaryAttr>(attribute.getValue());
  if (!settings || !isa_and_nonnull<IntegerAttr>(settings.get("batch_size")) ||
      !isa_and_nonnull<IntegerAttr>(settings.get("epochs")) ||
      !isa_and_nonnull<FloatAttr>(settings.get("learning_rate")) ||
      !isa_and_nonnull<StringAttr>(settings.get("loss")) ||
      !isa_and_nonnull<StringAttr>(settings.get("optimizer")) ||
      (settings.contains("schedule") &&
       !isa<ScheduleAttr>(settings.get("schedule"))))
    return op->emitError() << "'" << kSettingsAttr
                           << "' must hold the integers batch_size and epochs, "
                              "the float learning_rate, and the strings loss "
                              "and optimizer; and may hold a schedule";
  return success();
}

LogicalResult DannDialect::verifySignatureAttribute(Operation *op, Type type,
                                                    NamedAttribute attribute,
                                                    bool isResult) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  auto mustBe = [&](bool holds, StringRef what) -> LogicalResult {
    if (holds)
      return success();
    return op->emitError() << "'" << name << "' must be " << what;
  };
  if (name == kNameAttr)
    return mustBe(isa<StringAttr>(value), "a string");
  if (name == kSignAttr)
    return mustBe(isa<SignAttr>(value), "a sign");
  if (name == kRoleAttr && !isResult)
    return mustBe(isa<RoleAttr>(value), "a role");
  if (name == kUnsignedAttr)
    return mustBe(isa<UnitAttr>(value), "a unit");
  if (name == kInitialAttr && !isResult) {
    auto elements = dyn_cast<ElementsAttr>(value);
    return mustBe(elements && (!isa_and_nonnull<TensorType>(type) ||
                               elements.getType() == type),
                  "elements of the type of the argument");
  }
  if (name == kRangeAttr && !isResult) {
    auto range = dyn_cast<DenseF64ArrayAttr>(value);
    return mustBe(range && range.size() == 2 && range[0] <= range[1],
                  "an array of two f64s, the smaller first");
  }
  if (name == kUpdatesAttr && isResult) {
    auto index = dyn_cast<IntegerAttr>(value);
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (failed(mustBe(index && index.getType().isSignlessInteger(64) &&
                          function && index.getInt() >= 0 &&
                          index.getInt() < function.getNumArguments() &&
                          function.getArgumentTypes()[index.getInt()] == type,
                      "the index of an argument of the same type")))
      return failure();
    unsigned numUpdates = 0;
    for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
      numUpdates += function.getResultAttr(i, kUpdatesAttr) == value;
    return mustBe(numUpdates == 1, "another argument for each result");
  }
  return op->emitError() << "'" << name << "' is not an attribute of "
                         << (isResult ? "results" : "arguments");
}

LogicalResult DannDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned index,
                                                    NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  Type type = function ? function.getArgumentTypes()[index] : Type();
  return verifySignatureAttribute(op, type, attribute, /*isResult=*/false);
}

LogicalResult DannDialect::verifyRegionResultAttribute(
    Operation *op, unsigned, unsigned index, NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  Type type = function ? function.getResultTypes()[index] : Type();
  return verifySignatureAttribute(op, type, attribute, /*isResult=*/true);
}

bool mlir::dann::isTrained(Role role) {
  return role != Role::Stat && role != Role::Polarity;
}

//===----------------------------------------------------------------------===//
// Signs
//===----------------------------------------------------------------------===//

// The enumerators are sets: bit 0 stands for positive values, bit 1 for
// negative ones, and zero is always a member.
static_assert(static_cast<unsigned>(Sign::Zero) == 0 &&
              static_cast<unsigned>(Sign::Nonneg) == 1 &&
              static_cast<unsigned>(Sign::Nonpos) == 2 &&
              static_cast<unsigned>(Sign::Any) == 3);

Sign mlir::dann::joinSigns(Sign a, Sign b) {
  return static_cast<Sign>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

Sign mlir::dann::negateSign(Sign a) {
  unsigned bits = static_cast<unsigned>(a);
  return static_cast<Sign>((bits >> 1) | ((bits & 1) << 1));
}

Sign mlir::dann::addSigns(Sign a, Sign b) { return joinSigns(a, b); }

Sign mlir::dann::multiplySigns(Sign a, Sign b) {
  if (a == Sign::Zero || b == Sign::Zero)
    return Sign::Zero;
  if (a == Sign::Any || b == Sign::Any)
    return Sign::Any;
  return a == b ? Sign::Nonneg : Sign::Nonpos;
}

bool mlir::dann::isSubsetOf(Sign a, Sign b) { return joinSigns(a, b) == b; }
