/* An application in C11 with the C interface alone: what it does, and what each
 * function says to wrong arguments. The model is linear_model.cpp.
 *
 * usage: c_api_test MODEL.so DIRECTORY
 */
#include "c_api_test.h"

#include <stdio.h>
#include <string.h>

static int failures = 0;

void report(const char *file, int line, const char *what, const char *message) {
  fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, message);
  ++failures;
}

void expect_ok(const char *file, int line, dann_error *error) {
  if (error)
    report(file, line, "unexpected error", dann_error_get_message(error));
  dann_error_destroy(error);
}
void expect_error(const char *file, int line, dann_error *error,
                  dann_error_code code, const char *part) {
  if (!error)
    report(file, line, "no error, but expected", part);
  else if (dann_error_get_code(error) != code)
    report(file, line, "another code of", dann_error_get_message(error));
  else if (!strstr(dann_error_get_message(error), part))
    report(file, line, "another sentence", dann_error_get_message(error));
  dann_error_destroy(error);
}

static const int64_t kTwoSamples[] = {2, 4}, kLabels[] = {2};
const float kPixels[8] = {1, 0, 0, 0, 0, 1, 0, 0};
static const int64_t kClasses[] = {2, 1};

dann_tensor f32(const int64_t *shape, size_t rank, const float *data) {
  dann_tensor view = {DANN_F32, rank, shape, NULL, data, sizeof(float)};
  for (size_t i = 0; i < rank; ++i)
    view.byte_size *= (size_t)shape[i];
  return view;
}

dann_tensor samples(void) { return f32(kTwoSamples, 2, kPixels); }

dann_tensor labels(void) {
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
