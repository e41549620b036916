/* Training runs, their data and their checkpoints. */
#include "c_api_test.h"

#include <stdio.h>
#include <string.h>

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

void test_training(const dann_program *program, dann_session *session,
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
