// The C interface of sessions: their parameters and their calls.
#include "c_api.h"

#include "dann/onnx.hpp"
#include "elements.h"

#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>

using namespace dann;

extern "C" {

dann_error *dann_session_create(const dann_program *program,
                                const dann_session_options *options,
                                dann_session **session) {
  if (session)
    *session = nullptr;
  return guarded([&] {
    checked(session, "session");
    dann_session_options given = read_options(options, "options");
    *session = new dann_session{
        Session(checked(program, "program").program, {given.threads})};
  });
}

void dann_session_destroy(dann_session *session) { delete session; }

int32_t dann_session_get_threads(const dann_session *session) {
  return session ? session->session.threads() : 0;
}

dann_error *dann_session_initialize(dann_session *session, int64_t seed) {
  return guarded([&] { checked(session, "session").session.initialize(seed); });
}

dann_error *dann_session_load_parameters(dann_session *session,
                                         const char *path) {
  return guarded([&] {
    checked(session, "session").session.load_parameters(&checked(path, "path"));
  });
}

dann_error *dann_session_save_parameters(const dann_session *session,
                                         const char *path) {
  return guarded([&] {
    checked(session, "session").session.save_parameters(&checked(path, "path"));
  });
}

dann_error *dann_session_get_parameter(const dann_session *session,
                                       const char *name, dann_tensor *view) {
  if (view)
    *view = {};
  return guarded([&] {
    const Session &from = checked(session, "session").session;
    checked(view, "view");
    std::string_view wanted = &checked(name, "name");
    *view = view_of(from.parameter(wanted));
    // The shape of the handle goes with it; that of the description stays.
    for (const Parameter &parameter : from.program().description().parameters)
      if (parameter.name == wanted)
        view->shape = parameter.shape.data();
  });
}

dann_error *dann_session_set_parameter(dann_session *session, const char *name,
                                       const dann_tensor *value) {
  return guarded([&] {
    checked(session, "session")
        .session.set_parameter(&checked(name, "name"), borrow(value, "value"));
  });
}

dann_error *dann_session_forward(dann_session *session, const dann_tensor *x,
                                 void *logits, size_t byte_size) {
  return guarded([&] {
    Session &to = checked(session, "session").session;
    Tensor input = borrow(x, "x");
    checked(static_cast<char *>(logits), "logits");
    const Description &described = to.program().description();
    // What is wrong with x itself is for the session to say.
    if (described.classes != 0 && input.rank() != 0) {
      std::optional<std::int64_t> count = element_count_of(
          {input.shape()[0], described.classes}, described.element_type);
      std::uint64_t bytes =
          count ? std::uint64_t(*count) * size_of(described.element_type)
                : std::numeric_limits<std::uint64_t>::max();
      if (byte_size != bytes)
        fail(ErrorCode::InvalidArgument, "logits has ", byte_size,
             " bytes, but ", name_of(described.element_type), " ",
             to_string({input.shape()[0], described.classes}), " are ", bytes);
    }
    Tensor result = to.forward(input);
    std::memcpy(logits, result.bytes(), result.byte_size());
  });
}

dann_error *dann_session_train_step(dann_session *session, const dann_tensor *x,
                                    const dann_tensor *y, double learning_rate,
                                    double *loss) {
  if (loss)
    *loss = 0;
  return guarded([&] {
    double mean =
        checked(session, "session")
            .session.train_step(borrow(x, "x"), borrow(y, "y"), learning_rate);
    if (loss)
      *loss = mean;
  });
}

dann_error *dann_session_evaluate(dann_session *session, const dann_tensor *x,
                                  const dann_tensor *y, double *loss,
                                  int64_t *errors) {
  if (loss)
    *loss = 0;
  if (errors)
    *errors = 0;
  return guarded([&] {
    Evaluation result = checked(session, "session")
                            .session.evaluate(borrow(x, "x"), borrow(y, "y"));
    if (loss)
      *loss = result.loss;
    if (errors)
      *errors = result.errors;
  });
}

dann_error *dann_session_run(dann_session *session, const char *entry_point,
                             const dann_named_tensor *inputs,
                             size_t input_count, dann_results **results) {
  if (results)
    *results = nullptr;
  return guarded([&] {
    Session &to = checked(session, "session").session;
    checked(entry_point, "entry_point");
    checked(results, "results");
    if (input_count != 0)
      checked(inputs, "inputs");
    TensorMap given;
    for (std::size_t i = 0; i < input_count; ++i) {
      const char *name = &checked(inputs[i].name, "the name of an input");
      if (!given.emplace(name, borrow(inputs[i].tensor, name)).second)
        fail(ErrorCode::InvalidArgument, "the input ", name, " occurs twice");
    }
    auto made = std::make_unique<dann_results>();
    made->tensors = to.run(entry_point, given);
    *results = made.release();
  });
}

size_t dann_results_get_count(const dann_results *results) {
  return results ? results->tensors.size() : 0;
}

dann_error *dann_results_get(const dann_results *results, size_t index,
                             dann_named_tensor *result) {
  if (result)
    *result = {};
  return guarded([&] {
    const TensorMap &tensors = checked(results, "results").tensors;
    checked(result, "result");
    check_index(index, tensors.size(), "result");
    auto found = std::next(tensors.begin(), std::ptrdiff_t(index));
    *result = {found->first.c_str(), view_of(found->second)};
  });
}

void dann_results_destroy(dann_results *results) { delete results; }

dann_error *dann_session_export_onnx(const dann_session *session,
                                     const char *path,
                                     const dann_onnx_options *options) {
  return guarded([&] {
    const Session &from = checked(session, "session").session;
    OnnxOptions to;
    to.plain_operators = read_options(options, "options").plain_operators != 0;
    export_onnx(from.program(), from.parameters(), &checked(path, "path"), to);
  });
}

} // extern "C"
