/* Sessions: parameters, views, calls and files. */
#include "c_api_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t kWeights[] = {3, 4};

void test_parameters(dann_session *session) {
  dann_tensor view;
  OK(dann_session_get_parameter(session, "0.w", &view));
  CHECK(view.element_type == DANN_F32 && view.rank == 2);
  CHECK(view.shape[0] == 3 && view.shape[1] == 4 && !view.strides);
  CHECK(view.byte_size == 48);
  WRONG(dann_session_get_parameter(session, "9.w", &view), "9.w");
  CHECK(!view.data);
  WRONG(dann_session_get_parameter(session, NULL, &view), "name is null");
  WRONG(dann_session_get_parameter(NULL, "0.w", &view), "session is null");
  WRONG(dann_session_get_parameter(session, "0.w", NULL), "view is null");

  float weights[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  dann_tensor value = f32(kWeights, 2, weights);
  OK(dann_session_set_parameter(session, "0.w", &value));
  OK(dann_session_get_parameter(session, "0.w", &view));
  CHECK(memcmp(view.data, weights, sizeof weights) == 0);

  /* Contracts: what breaks them is refused, and nothing changes. */
  weights[5] = -1;
  WRONG(dann_session_set_parameter(session, "0.w", &value), "0.w[1, 1]");
  weights[5] = NAN;
  WRONG(dann_session_set_parameter(session, "0.w", &value), "0.w[1, 1]");
  CHECK(((const float *)view.data)[5] == 5);
  weights[5] = 5;

  WRONG(dann_session_set_parameter(session, "9.w", &value), "9.w");
  WRONG(dann_session_set_parameter(session, "0.b", &value), "[3, 4]");
  WRONG(dann_session_set_parameter(session, NULL, &value), "name is null");
  WRONG(dann_session_set_parameter(session, "0.w", NULL), "value is null");
  WRONG(dann_session_set_parameter(NULL, "0.w", &value), "session is null");

  WRONG(dann_session_initialize(NULL, 1), "session is null");
  OK(dann_session_initialize(session, 1));
}

/* What is wrong with a view, whoever takes it. */
void test_views(dann_session *session) {
  float logits[6];
  dann_tensor x = samples();
  x.element_type = (dann_element_type)99;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "x has the unknown element type 99");
  x = samples();
  x.shape = NULL;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "its shape is null");
  x = samples();
  x.rank = 1000;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "x has 1000 dimensions");
  x = samples();
  x.data = NULL;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "the data of x is null");
  x = samples();
  x.byte_size -= 1;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "x has 31 bytes, but f32 [2, 4] are 32");
  x = samples();
  x.data = (const char *)kPixels + 1;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "not aligned for f32");
  static const int64_t negative[] = {-2, 4};
  x = samples();
  x.shape = negative;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "the impossible shape [-2, 4]");
  static const int64_t huge[] = {INT64_MAX, INT64_MAX};
  x.shape = huge;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "the impossible shape");
  static const int64_t row_major[] = {4, 1}, column_major[] = {1, 2};
  x = samples();
  x.strides = row_major;
  OK(dann_session_forward(session, &x, logits, sizeof logits));
  x.strides = column_major;
  WRONG(dann_session_forward(session, &x, logits, sizeof logits),
        "the stride 2 along dimension 1");
}

void test_calls(dann_session *session) {
  dann_tensor x = samples(), y = labels();
  float logits[6] = {0};
  OK(dann_session_forward(session, &x, logits, sizeof logits));
  WRONG(dann_session_forward(NULL, &x, logits, sizeof logits),
        "session is null");
  WRONG(dann_session_forward(session, NULL, logits, sizeof logits),
        "x is null");
  WRONG(dann_session_forward(session, &x, NULL, sizeof logits),
        "logits is null");
  WRONG(dann_session_forward(session, &x, logits, 8),
        "logits has 8 bytes, but f32 [2, 3] are 24");
  static const int64_t wrong_shape[] = {4, 2};
  dann_tensor wrong = f32(wrong_shape, 2, kPixels);
  float more[12];
  WRONG(dann_session_forward(session, &wrong, more, sizeof more), "[4, 2]");
  dann_tensor scalar = f32(NULL, 0, kPixels);
  WRONG(dann_session_forward(session, &scalar, logits, sizeof logits),
        "x has the shape []");

  double first = -1, loss = -1;
  int64_t errors = -1;
  OK(dann_session_train_step(session, &x, &y, 0.1, &first));
  CHECK(first > 0);
  for (int i = 0; i < 200; ++i)
    OK(dann_session_train_step(session, &x, &y, 0.1, NULL));
  OK(dann_session_evaluate(session, &x, &y, &loss, &errors));
  CHECK(loss < first && errors == 0);
  OK(dann_session_evaluate(session, &x, &y, NULL, NULL));

  WRONG(dann_session_train_step(NULL, &x, &y, 0.1, &loss), "session is null");
  CHECK(loss == 0);
  WRONG(dann_session_train_step(session, NULL, &y, 0.1, &loss), "x is null");
  WRONG(dann_session_train_step(session, &x, NULL, 0.1, &loss), "y is null");
  WRONG(dann_session_train_step(session, &x, &y, NAN, &loss), "learning_rate");
  WRONG(dann_session_train_step(session, &x, &y, -1, &loss), "learning_rate");
  WRONG(dann_session_train_step(session, &x, &x, 0.1, &loss), "y");
  static const int64_t outside[] = {2, 3};
  y.data = outside;
  WRONG(dann_session_train_step(session, &x, &y, 0.1, &loss), "y[1] is 3");
  WRONG(dann_session_evaluate(session, &x, &y, &loss, &errors), "y[1] is 3");
  CHECK(loss == 0 && errors == 0);
  y = labels();
  WRONG(dann_session_evaluate(NULL, &x, &y, &loss, &errors), "session is null");
  WRONG(dann_session_evaluate(session, NULL, &y, &loss, &errors), "x is null");
  WRONG(dann_session_evaluate(session, &x, NULL, &loss, &errors), "y is null");
}

void test_run(dann_session *session) {
  dann_named_tensor inputs[2] = {{"x", samples()}, {"x", samples()}};
  dann_results *results = NULL;
  OK(dann_session_run(session, "forward", inputs, 1, &results));
  CHECK(dann_results_get_count(results) == 1);
  dann_named_tensor result;
  OK(dann_results_get(results, 0, &result));
  CHECK(strcmp(result.name, "logits") == 0);
  CHECK(result.tensor.rank == 2 && result.tensor.shape[0] == 2 &&
        result.tensor.shape[1] == 3);
  float logits[6];
  OK(dann_session_forward(session, &inputs[0].tensor, logits, sizeof logits));
  CHECK(memcmp(result.tensor.data, logits, sizeof logits) == 0);

  WRONG(dann_results_get(results, 1, &result),
        "there is no result 1: there are 1");
  CHECK(!result.name);
  WRONG(dann_results_get(results, 0, NULL), "result is null");
  WRONG(dann_results_get(NULL, 0, &result), "results is null");
  dann_results_destroy(results);

  WRONG(dann_session_run(NULL, "forward", inputs, 1, &results),
        "session is null");
  WRONG(dann_session_run(session, NULL, inputs, 1, &results),
        "entry_point is null");
  WRONG(dann_session_run(session, "forward", NULL, 1, &results),
        "inputs is null");
  WRONG(dann_session_run(session, "forward", inputs, 1, NULL),
        "results is null");
  WRONG(dann_session_run(session, "backward", inputs, 1, &results),
        "no entry point backward");
  CHECK(!results);
  WRONG(dann_session_run(session, "forward", NULL, 0, &results),
        "needs the input x");
  WRONG(dann_session_run(session, "forward", inputs, 2, &results),
        "the input x occurs twice");
  inputs[1].name = "z";
  WRONG(dann_session_run(session, "forward", inputs, 2, &results),
        "has no input z");
  inputs[1].name = NULL;
  WRONG(dann_session_run(session, "forward", inputs, 2, &results),
        "the name of an input is null");
  /* Compiled code that fails. */
  FAILS(dann_session_run(session, "fail", NULL, 0, &results), DANN_INTERNAL,
        "");
}

void test_files(const dann_program *program, dann_session *session,
                const char *directory) {
  char path[4096], missing[4096];
  snprintf(path, sizeof path, "%s/c_api.safetensors", directory);
  snprintf(missing, sizeof missing, "%s/missing/c_api", directory);
  OK(dann_session_save_parameters(session, path));
  WRONG(dann_session_save_parameters(NULL, path), "session is null");
  WRONG(dann_session_save_parameters(session, NULL), "path is null");
  FAILS(dann_session_save_parameters(session, missing), DANN_INPUT_OUTPUT,
        missing);

  dann_session *other = NULL;
  dann_session_options options = {.size = sizeof options, .threads = 1};
  OK(dann_session_create(program, &options, &other));
  dann_tensor x = samples();
  float expected[6], logits[6];
  WRONG(dann_session_forward(other, &x, logits, sizeof logits),
        "has no value yet");
  WRONG(dann_session_save_parameters(other, path), "has no value yet");
  OK(dann_session_load_parameters(other, path));
  OK(dann_session_forward(session, &x, expected, sizeof expected));
  OK(dann_session_forward(other, &x, logits, sizeof logits));
  CHECK(memcmp(expected, logits, sizeof logits) == 0);

  WRONG(dann_session_load_parameters(NULL, path), "session is null");
  WRONG(dann_session_load_parameters(other, NULL), "path is null");
  FAILS(dann_session_load_parameters(other, missing), DANN_INPUT_OUTPUT,
        missing);
  FILE *file = fopen(path, "w");
  if (!file) {
    report(__FILE__, __LINE__, "cannot write", path);
  } else {
    fputs("no tensors", file);
    fclose(file);
    FAILS(dann_session_load_parameters(other, path), DANN_INVALID_DATA, path);
  }

  dann_onnx_options onnx = {.size = sizeof onnx, .plain_operators = 1};
  /* Written by hand, the model has no ONNX model. */
  FAILS(dann_session_export_onnx(session, path, &onnx), DANN_INCOMPATIBLE, "");
  WRONG(dann_session_export_onnx(NULL, path, NULL), "session is null");
  WRONG(dann_session_export_onnx(session, NULL, NULL), "path is null");
  onnx.size = 0;
  WRONG(dann_session_export_onnx(session, path, &onnx), "the size 0");
  dann_session_destroy(other);
}
