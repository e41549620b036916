// What compiled code finds when it calls back into the runtime.
#ifndef DANN_RUNTIME_EXECUTION_H
#define DANN_RUNTIME_EXECUTION_H

#include "arena.h"
#include "matmul.h"

namespace dann {

/// The memory and kernels of one session.
struct Execution {
  Arena arena;
  MatmulCache matmuls;
};

/// Makes an execution the current one of the calling thread, and its number of
/// threads that of OpenMP, for as long as the scope lives. At the end all
/// scratch memory is released, also when an error unwinds.
class ExecutionScope {
public:
  ExecutionScope(Execution &execution, int threads);
  ~ExecutionScope();
  ExecutionScope(const ExecutionScope &) = delete;
  ExecutionScope &operator=(const ExecutionScope &) = delete;

  /// Throws Internal if no scope is alive on this thread, which means that
  /// compiled code was called past the session.
  static Execution &current();

private:
  Execution &execution_;
  Execution *outer_;
  int outer_threads_;
};

/// How many threads OpenMP would use.
int default_thread_count();

} // namespace dann

#endif // DANN_RUNTIME_EXECUTION_H
