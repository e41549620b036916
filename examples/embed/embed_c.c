/* Trains and runs a compiled model from C:
 *
 *   dann-compile bars.txtpb --emit=shared -o bars.so
 *   embed_c bars.so
 */
#include <dann/dann.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSide = 8, kPixels = kSide * kSide, kSamples = 32 };

static float pixels[kSamples][kPixels];
static int64_t labels[kSamples]; /* 0: the bar is a row, 1: a column */

static void draw(void) {
  for (int i = 0; i < kSamples; ++i) {
    int at = rand() % kSide;
    labels[i] = rand() % 2;
    for (int k = 0; k < kPixels; ++k)
      pixels[i][k] = 0.5f * (float)rand() / (float)RAND_MAX;
    for (int k = 0; k < kSide; ++k)
      pixels[i][labels[i] ? k * kSide + at : at * kSide + k] = 1;
  }
}

/* Ends the program if there was an error. */
static void check(dann_error *error) {
  if (!error)
    return;
  fprintf(stderr, "error: %s\n", dann_error_get_message(error));
  dann_error_destroy(error);
  exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: embed_c BARS.so\n");
    return EXIT_FAILURE;
  }
  dann_program *program;
  dann_session *session;
  dann_session_options options = {.size = sizeof options, .threads = 1};
  check(dann_program_load(argv[1], &program));
  check(dann_session_create(program, &options, &session));
  check(dann_session_initialize(session, /*seed=*/1));

  /* Views of the application's own memory. */
  const int64_t shape[] = {kSamples, kPixels};
  dann_tensor x = {.element_type = DANN_F32,
                   .rank = 2,
                   .shape = shape,
                   .data = pixels,
                   .byte_size = sizeof pixels};
  dann_tensor y = {.element_type = DANN_I64,
                   .rank = 1,
                   .shape = shape,
                   .data = labels,
                   .byte_size = sizeof labels};
  for (int step = 0; step < 3000; ++step) {
    draw();
    check(dann_session_train_step(session, &x, &y, /*learning_rate=*/0.01,
                                  /*loss=*/NULL));
  }

  draw();
  float logits[kSamples][2];
  check(dann_session_forward(session, &x, logits, sizeof logits));
  int right = 0;
  for (int i = 0; i < kSamples; ++i)
    right += (logits[i][1] > logits[i][0]) == labels[i];
  printf("%d of %d pictures are right\n", right, kSamples);

  dann_session_destroy(session);
  dann_program_destroy(program);
  return EXIT_SUCCESS;
}
