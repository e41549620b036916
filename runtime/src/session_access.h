// What the rest of the runtime may do with a session beyond its interface.
#ifndef DANN_RUNTIME_SESSION_ACCESS_H
#define DANN_RUNTIME_SESSION_ACCESS_H

#include "dann/session.hpp"

namespace dann {

class Execution;
class Batch;

struct SessionAccess {
  static Execution &execution(Session &session);

  /// Session::train_step and Session::evaluate on a batch; values that a data
  /// set has checked already are not looked at again. The random numbers of the
  /// step are those of `random_key`.
  static double train_step(Session &session, const Batch &batch,
                           double learning_rate, std::int64_t random_key);
  static Evaluation evaluate(Session &session, const Batch &batch);
};

} // namespace dann

#endif // DANN_RUNTIME_SESSION_ACCESS_H
