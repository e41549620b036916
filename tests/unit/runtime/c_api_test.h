/* What the files of the test of the C interface share: checks, which go on
 * after a failure, and two samples for the model of linear_model.cpp. */
#ifndef DANN_TESTS_C_API_TEST_H
#define DANN_TESTS_C_API_TEST_H

#include <dann/dann.h>

/* Prints a failure, and counts it for the exit status. */
void report(const char *file, int line, const char *what, const char *message);

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition))                                                          \
      report(__FILE__, __LINE__, "not true", #condition);                      \
  } while (0)

void expect_ok(const char *file, int line, dann_error *error);
#define OK(call) expect_ok(__FILE__, __LINE__, call)

/* Expects an error of this code whose sentence contains `part`. */
void expect_error(const char *file, int line, dann_error *error,
                  dann_error_code code, const char *part);
#define FAILS(call, code, part)                                                \
  expect_error(__FILE__, __LINE__, call, code, part)
#define WRONG(call, part) FAILS(call, DANN_INVALID_ARGUMENT, part)

/* A view of f32 elements. */
dann_tensor f32(const int64_t *shape, size_t rank, const float *data);

/* Two samples of four pixels, and the labels 2 and 1. */
extern const float kPixels[8];
dann_tensor samples(void);
dann_tensor labels(void);

/* Of sessions (c_api_session_test.c). */
void test_parameters(dann_session *session);
void test_views(dann_session *session);
void test_calls(dann_session *session);
void test_run(dann_session *session);
void test_files(const dann_program *program, dann_session *session,
                const char *directory);

/* Of training runs (c_api_training_test.c). */
void test_training(const dann_program *program, dann_session *session,
                   const char *directory);

#endif /* DANN_TESTS_C_API_TEST_H */
