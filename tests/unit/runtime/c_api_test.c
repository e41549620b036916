/* An application in C11 with the C interface alone: what it does, and what each
 * function says to wrong arguments. The model is linear_model.cpp.
 *
 * usage: c_api_test MODEL.so DIRECTORY
 */
#include <dann/dann.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void report(int line, const char *what, const char *message) {
  fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, line, what, message);
  ++failures;
}

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition))                                                          \
      report(__LINE__, "not true", #condition);                                \
  } while (0)

static void expect_ok(int line, dann_error *error) {
  if (error)
    report(line, "unexpected error", dann_error_get_message(error));
  dann_error_destroy(error);
}
#define OK(call) expect_ok(__LINE__, call)

/* Expects an error of this code whose sentence contains `part`. */
static void expect_error(int line, dann_error *error, dann_error_code code,
                         const char *part) {
  if (!error)
    report(line, "no error, but expected", part);
  else if (dann_error_get_code(error) != code)
    report(line, "another code of", dann_error_get_message(error));
  else if (!strstr(dann_error_get_message(error), part))
    report(line, "another sentence", dann_error_get_message(error));
  dann_error_destroy(error);
}
#define FAILS(call, code, part) expect_error(__LINE__, call, code, part)
#define WRONG(call, part) FAILS(call, DANN_INVALID_ARGUMENT, part)

static const int64_t kTwoSamples[] = {2, 4}, kLabels[] = {2},
                     kWeights[] = {3, 4};
static const float kPixels[] = {1, 0, 0, 0, 0, 1, 0, 0};
static const int64_t kClasses[] = {2, 1};

static dann_tensor f32(const int64_t *shape, size_t rank, const float *data) {
  dann_tensor view = {DANN_F32, rank, shape, NULL, data, sizeof(float)};
  for (size_t i = 0; i < rank; ++i)
    view.byte_size *= (size_t)shape[i];
  return view;
}

static dann_tensor samples(void) { return f32(kTwoSamples, 2, kPixels); }

static dann_tensor labels(void) {
  dann_tensor view = {DANN_I64, 1, kLabels, NULL, kClasses, sizeof kClasses};
  return view;
}

static void test_errors(void) {
  CHECK(strcmp(dann_version(), DANN_TEST_VERSION) == 0);
  CHECK(dann_error_get_code(NULL) == DANN_OK);
  CHECK(strcmp(dann_error_get_message(NULL), "") == 0);
  dann_error_destroy(NULL);
  dann_program_destroy(NULL);
  dann_session_destroy(NULL);
  dann_results_destroy(NULL);
  CHECK(dann_session_get_threads(NULL) == 0);
  CHECK(dann_results_get_count(NULL) == 0);
  CHECK(dann_element_size(DANN_F32) == 4 && dann_element_size(DANN_BOOL) == 1);
  CHECK(dann_element_size(DANN_BF16) == 2 && dann_element_size(DANN_I64) == 8);
  CHECK(dann_element_size((dann_element_type)12) == 0);
  CHECK(dann_element_size((dann_element_type)-1) == 0);
}

static void test_load(const char *model) {
  int anything = 0;
  dann_program *program = (dann_program *)(void *)&anything;
  FAILS(dann_program_load("/missing.so", &program), DANN_INPUT_OUTPUT,
        "/missing.so");
  CHECK(!program);
  /* A library, but no model. */
  FAILS(dann_program_load("libm.so.6", &program), DANN_INPUT_OUTPUT,
        "libm.so.6");
  WRONG(dann_program_load(NULL, &program), "path is null");
  WRONG(dann_program_load(model, NULL), "program is null");
}

static void test_description(const dann_program *program) {
  dann_program_info info = {.size = sizeof info};
  OK(dann_program_get_info(program, &info));
  CHECK(info.size == sizeof info);
  CHECK(strcmp(info.name, "linear") == 0);
  CHECK(info.element_type == DANN_F32);
  CHECK(info.input_rank == 1 && info.input_shape[0] == 4);
  CHECK(info.input_minimum == 0 && info.input_maximum == 1);
  CHECK(info.classes == 3);
  CHECK(info.default_batch_size == 8 && info.default_epochs == 2);
  CHECK(info.default_learning_rate == 0.5);
  CHECK(strcmp(info.target_cpu, "x86-64") == 0);
  CHECK(info.parameter_count == 2 && info.entry_point_count == 6);
  WRONG(dann_program_get_info(NULL, &info), "program is null");
  WRONG(dann_program_get_info(program, NULL), "info is null");
  info.size = 0;
  WRONG(dann_program_get_info(program, &info), "the size 0");

  /* A caller of an earlier version knows less, and nothing else is written. */
  info.size = offsetof(dann_program_info, classes);
  info.classes = 77;
  OK(dann_program_get_info(program, &info));
  CHECK(info.size == offsetof(dann_program_info, classes));
  CHECK(info.classes == 77);
  /* One of a later version knows more, and gets zeros. */
  struct {
    dann_program_info info;
    int64_t later;
  } more = {.info = {.size = sizeof more}, .later = 77};
  OK(dann_program_get_info(program, &more.info));
  CHECK(more.info.classes == 3 && more.later == 0);

  dann_parameter_info parameter = {.size = sizeof parameter};
  OK(dann_program_get_parameter(program, 0, &parameter));
  CHECK(strcmp(parameter.name, "0.w") == 0);
  CHECK(strcmp(parameter.role, "w") == 0);
  CHECK(parameter.sign == DANN_NON_NEGATIVE);
  CHECK(parameter.rank == 2 && parameter.shape[0] == 3 &&
        parameter.shape[1] == 4);
  WRONG(dann_program_get_parameter(program, 2, &parameter),
        "there is no parameter 2: there are 2");
  WRONG(dann_program_get_parameter(NULL, 0, &parameter), "program is null");
  WRONG(dann_program_get_parameter(program, 0, NULL), "info is null");
  parameter.size = 1;
  WRONG(dann_program_get_parameter(program, 0, &parameter), "the size 1");

  dann_entry_point_info entry_point = {.size = sizeof entry_point};
  OK(dann_program_get_entry_point(program, 1, &entry_point));
  CHECK(strcmp(entry_point.name, "forward") == 0);
  CHECK(entry_point.argument_count == 5);
  WRONG(dann_program_get_entry_point(program, 6, &entry_point),
        "there is no entry point 6: there are 6");
  WRONG(dann_program_get_entry_point(NULL, 0, &entry_point), "program is null");
  WRONG(dann_program_get_entry_point(program, 0, NULL), "info is null");
  entry_point.size = 2;
  WRONG(dann_program_get_entry_point(program, 0, &entry_point), "the size 2");

  dann_argument_info argument = {.size = sizeof argument};
  OK(dann_program_get_argument(program, 1, 4, &argument));
  CHECK(strcmp(argument.name, "logits") == 0);
  CHECK(argument.element_type == DANN_F32 && argument.access == DANN_WRITE);
  CHECK(argument.rank == 2 && argument.shape[0] == DANN_BATCH &&
        argument.shape[1] == 3);
  WRONG(dann_program_get_argument(program, 6, 0, &argument),
        "there is no entry point 6");
  WRONG(dann_program_get_argument(program, 1, 5, &argument),
        "there is no argument 5: there are 5");
  WRONG(dann_program_get_argument(NULL, 0, 0, &argument), "program is null");
  WRONG(dann_program_get_argument(program, 0, 0, NULL), "info is null");
  argument.size = 3;
  WRONG(dann_program_get_argument(program, 0, 0, &argument), "the size 3");
}

static void test_create(const dann_program *program) {
  dann_session *session = NULL;
  OK(dann_session_create(program, NULL, &session));
  CHECK(dann_session_get_threads(session) >= 1);
  dann_session_destroy(session);

  dann_session_options options = {.size = sizeof options, .threads = 3};
  OK(dann_session_create(program, &options, &session));
  CHECK(dann_session_get_threads(session) == 3);
  dann_session_destroy(session);

  options.threads = -1;
  WRONG(dann_session_create(program, &options, &session), "-1 threads");
  CHECK(!session);
  options.threads = 1;
  options.size = 4;
  WRONG(dann_session_create(program, &options, &session), "the size 4");
  WRONG(dann_session_create(NULL, NULL, &session), "program is null");
  WRONG(dann_session_create(program, NULL, NULL), "session is null");

  struct {
    dann_session_options options;
    int64_t later;
  } more = {.options = {.size = sizeof more, .threads = 2}, .later = 0};
  OK(dann_session_create(program, &more.options, &session));
  CHECK(dann_session_get_threads(session) == 2);
  dann_session_destroy(session);
  more.later = 1;
  FAILS(dann_session_create(program, &more.options, &session),
        DANN_INCOMPATIBLE, "options that this version does not know");
}

static void test_parameters(dann_session *session) {
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
static void test_views(dann_session *session) {
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

static void test_calls(dann_session *session) {
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

static void test_run(dann_session *session) {
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

/* Samples made on the fly: a bright pixel is the label. */
typedef struct {
  int reads, failing_read, bad_read;
} Maker;

static int32_t make(void *context, const int64_t *indices, int64_t count,
                    void *x, int64_t *y) {
  Maker *maker = context;
  float *pixels = x;
  for (int64_t i = 0; i < count; ++i) {
    y[i] = indices[i] % 3;
    for (int64_t j = 0; j < 4; ++j)
      pixels[4 * i + j] = j == y[i] ? 1 : 0.25f;
  }
  ++maker->reads;
  if (maker->reads == maker->bad_read)
    pixels[2] = 2;
  return maker->reads == maker->failing_read ? 7 : 0;
}

typedef struct {
  dann_training_progress last;
  int calls, last_call;
} Watcher;

static int32_t watch(void *context, const dann_training_progress *progress) {
  Watcher *watcher = context;
  watcher->last = *progress;
  return ++watcher->calls == watcher->last_call;
}

static void read_weights(dann_session *session, float weights[12]) {
  dann_tensor view;
  OK(dann_session_get_parameter(session, "0.w", &view));
  memcpy(weights, view.data, 12 * sizeof(float));
}

static void test_training(const dann_program *program, dann_session *session,
                          const char *directory) {
  char path[4096];
  snprintf(path, sizeof path, "%s/c_api_checkpoint.safetensors", directory);
  dann_training_state state = {.size = sizeof state};
  OK(dann_program_get_training_defaults(program, &state));
  CHECK(state.size == sizeof state);
  CHECK(state.batch_size == 8 && state.learning_rate == 0.5 && state.seed == 0);
  CHECK(state.decay == DANN_CONSTANT && state.decay_steps == 1);
  WRONG(dann_program_get_training_defaults(NULL, &state), "program is null");
  WRONG(dann_program_get_training_defaults(program, NULL), "state is null");
  dann_training_state small = {.size = 3};
  WRONG(dann_program_get_training_defaults(program, &small),
        "state has the size 3");

  /* On samples at hand, with the program's number of epochs. */
  dann_tensor x = samples(), y = labels();
  const dann_training_state start = state;
  int32_t finished = -1;
  OK(dann_session_train(session, &x, &y, &state, NULL, &finished));
  CHECK(finished == 1 && state.epoch == 2 && state.sample_count == 2);
  WRONG(dann_session_train(NULL, &x, &y, &state, NULL, &finished),
        "session is null");
  CHECK(finished == 0);
  WRONG(dann_session_train(session, NULL, &y, &state, NULL, NULL), "x is null");
  WRONG(dann_session_train(session, &x, NULL, &state, NULL, NULL), "y is null");
  WRONG(dann_session_train(session, &x, &y, NULL, NULL, NULL), "state is null");
  WRONG(dann_session_train(session, &x, &y, &small, NULL, NULL),
        "state has the size 3");
  dann_training_state wrong = start;
  wrong.batch_size = 0;
  WRONG(dann_session_train(session, &x, &y, &wrong, NULL, NULL), "batch_size");
  wrong = start;
  wrong.decay = (dann_decay)4;
  WRONG(dann_session_train(session, &x, &y, &wrong, NULL, NULL),
        "the unknown decay 4");
  dann_training_options options = {.size = 2};
  WRONG(dann_session_train(session, &x, &y, &state, &options, NULL),
        "options has the size 2");
  options.size = sizeof options;
  options.keep = 2;
  WRONG(dann_session_train(session, &x, &y, &state, &options, NULL),
        "need a checkpoint");
  options.keep = 0;

  /* On samples made on the fly, whole; cancelled and continued; and from the
   * checkpoint: the same. */
  Maker maker = {0};
  Watcher watcher = {.calls = 0};
  dann_batch_source source = {.size = sizeof source,
                              .sample_count = 20,
                              .read = make,
                              .context = &maker};
  options.epochs = 3;
  options.progress = watch;
  options.context = &watcher;
  float whole[12], weights[12];
  OK(dann_session_initialize(session, 1));
  state = start;
  state.decay = DANN_STEPWISE;
  state.decay_factor = 0.5;
  state.decay_steps = 4;
  const dann_training_state falling = state;
  OK(dann_session_train_from(session, &source, &state, &options, &finished));
  CHECK(finished == 1 && maker.reads == 9 && watcher.calls == 9);
  CHECK(watcher.last.size == sizeof watcher.last && watcher.last.epoch == 3 &&
        watcher.last.step == 9 && watcher.last.steps_per_epoch == 3 &&
        watcher.last.epoch_done && watcher.last.loss > 0 &&
        watcher.last.learning_rate == 0.125);
  read_weights(session, whole);

  OK(dann_session_initialize(session, 1));
  state = falling;
  watcher.calls = 0;
  watcher.last_call = 5;
  options.checkpoint = path;
  options.keep = 2;
  OK(dann_session_train_from(session, &source, &state, &options, &finished));
  CHECK(finished == 0 && state.epoch == 1 && state.position == 16);
  watcher.last_call = 0;
  OK(dann_session_train_from(session, &source, &state, &options, NULL));
  read_weights(session, weights);
  CHECK(memcmp(weights, whole, sizeof whole) == 0);
  char older[4200];
  snprintf(older, sizeof older, "%s.1", path);
  dann_training_state loaded = {.size = sizeof loaded};
  OK(dann_session_load_checkpoint(session, older, &loaded));
  CHECK(loaded.epoch == 2 && loaded.position == 0 &&
        loaded.decay == DANN_STEPWISE && loaded.decay_factor == 0.5 &&
        loaded.decay_steps == 4);
  OK(dann_session_train_from(session, &source, &loaded, &options, NULL));
  read_weights(session, weights);
  CHECK(memcmp(weights, whole, sizeof whole) == 0);

  maker.reads = 0;
  maker.failing_read = 2;
  state = falling;
  FAILS(dann_session_train_from(session, &source, &state, NULL, NULL),
        DANN_INVALID_DATA, "source returned 7");
  CHECK(state.position == 8);
  maker.bad_read = 3;
  WRONG(dann_session_train_from(session, &source, &state, NULL, NULL),
        "x[0, 2] is 2");
  WRONG(dann_session_train_from(NULL, &source, &state, NULL, NULL),
        "session is null");
  WRONG(dann_session_train_from(session, NULL, &state, NULL, NULL),
        "source is null");
  WRONG(dann_session_train_from(session, &source, NULL, NULL, NULL),
        "state is null");
  source.size = 1;
  WRONG(dann_session_train_from(session, &source, &state, NULL, NULL),
        "source has the size 1");
  source.size = sizeof source;
  source.read = NULL;
  WRONG(dann_session_train_from(session, &source, &state, NULL, NULL),
        "the function read of source is null");

  /* Checkpoints by hand. */
  OK(dann_session_save_checkpoint(session, path, &state));
  WRONG(dann_session_save_checkpoint(NULL, path, &state), "session is null");
  WRONG(dann_session_save_checkpoint(session, NULL, &state), "path is null");
  WRONG(dann_session_save_checkpoint(session, path, NULL), "state is null");
  WRONG(dann_session_save_checkpoint(session, path, &small), "the size 3");
  FAILS(dann_session_save_checkpoint(session, "/missing/c", &state),
        DANN_INPUT_OUTPUT, "/missing/c");
  WRONG(dann_session_load_checkpoint(NULL, path, &loaded), "session is null");
  WRONG(dann_session_load_checkpoint(session, NULL, &loaded), "path is null");
  WRONG(dann_session_load_checkpoint(session, path, NULL), "state is null");
  WRONG(dann_session_load_checkpoint(session, path, &small), "the size 3");
  FAILS(dann_session_load_checkpoint(session, "/missing/c", &loaded),
        DANN_INPUT_OUTPUT, "/missing/c");
  OK(dann_session_save_parameters(session, path));
  FAILS(dann_session_load_checkpoint(session, path, &loaded), DANN_INCOMPATIBLE,
        "no training to resume");
  remove(path);
  remove(older);
}

static void test_files(const dann_program *program, dann_session *session,
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
    report(__LINE__, "cannot write", path);
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

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: c_api_test MODEL.so DIRECTORY\n");
    return 2;
  }
  test_errors();
  test_load(argv[1]);
  dann_program *program = NULL;
  OK(dann_program_load(argv[1], &program));
  if (!program)
    return 1;
  test_description(program);
  test_create(program);
  dann_session *session = NULL;
  dann_session_options options = {.size = sizeof options, .threads = 2};
  OK(dann_session_create(program, &options, &session));
  if (!session)
    return 1;
  OK(dann_session_initialize(session, 1));
  test_parameters(session);
  test_views(session);
  test_calls(session);
  test_run(session);
  OK(dann_session_initialize(session, 1));
  test_files(program, session, argv[2]);
  test_training(program, session, argv[2]);
  /* A session keeps its program. */
  dann_program_destroy(program);
  dann_tensor x = samples();
  float logits[6];
  OK(dann_session_forward(session, &x, logits, sizeof logits));
  dann_session_destroy(session);
  if (failures)
    fprintf(stderr, "%d checks failed\n", failures);
  return failures != 0;
}
