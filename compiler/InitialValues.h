//===- InitialValues.h - From a model's values to a program's -------------===//

#ifndef DANN_COMPILER_INITIALVALUES_H
#define DANN_COMPILER_INITIALVALUES_H

#include "program.pb.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::dann {

/// The values that parameters begin with, on their way around the compiler:
/// they become neither text nor LLVM constants, but one file, which the
/// assembler takes into the object.
class InitialValues {
public:
  /// Takes the attributes `dann.initial` of `@forward`, which loses them.
  explicit InitialValues(ModuleOp module);

  bool empty() const { return values.empty(); }

  /// Gives each value its place, and tells the parameters of `program`.
  void layOut(::dann::proto::Program &program);
  /// Writes all values, as laid out.
  void write(llvm::raw_ostream &os) const;
  /// Drops the values. Large ones are freed.
  void release();
  /// How many bytes are written.
  uint64_t getSize() const { return size; }

private:
  struct Value {
    ElementsAttr elements;
    uint64_t offset = 0;
  };
  llvm::MapVector<StringAttr, Value> values; // by the parameter's name
  uint64_t size = 0;
};

} // namespace mlir::dann

#endif // DANN_COMPILER_INITIALVALUES_H
