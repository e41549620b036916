// A training loop of one's own on data of one's own:
//
//   dann-compile bars.txtpb --emit=shared -o bars.so
//   embed_train bars.so bars.safetensors
//
// learns whether the bar in a noisy picture is a row or a column, and saves the
// network.
#include <dann/dann.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace {

constexpr std::int64_t kSide = 8;

/// Pictures [samples, 64] with their labels [samples], 0 for a row and 1 for a
/// column, in the application's own memory.
struct Minibatch {
  explicit Minibatch(std::int64_t samples)
      : pixels(std::size_t(samples * kSide * kSide)),
        labels(std::size_t(samples)),
        x(dann::Tensor::borrow(pixels.data(), {samples, kSide * kSide})),
        y(dann::Tensor::borrow(labels.data(), {samples})) {}

  void draw(std::mt19937 &random) {
    std::uniform_real_distribution<float> noise(0, 0.5f), level(0.5f, 1);
    std::uniform_int_distribution<std::int64_t> place(0, kSide - 1), coin(0, 1);
    for (float &pixel : pixels)
      pixel = noise(random);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = coin(random);
      std::int64_t at = place(random);
      for (std::int64_t k = 0; k < kSide; ++k)
        pixels[i * kSide * kSide +
               std::size_t(labels[i] ? k * kSide + at : at * kSide + k)] =
            level(random);
    }
  }

  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  dann::Tensor x, y; // views of them
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: embed_train BARS.so OUTPUT.safetensors\n");
    return EXIT_FAILURE;
  }
  try {
    // [loop]
    auto program = dann::Program::load(argv[1]);
    dann::Session session(program, {/*threads=*/1});
    session.initialize(/*seed=*/1);

    std::mt19937 random(1);
    Minibatch batch(32);
    double rate = program->description().default_learning_rate, loss = 0;
    for (int step = 1; step <= 3000; ++step) {
      batch.draw(random);
      loss +=
          session.train_step(batch.x, batch.y, step <= 2500 ? rate : rate / 10);
      if (step % 500 == 0) {
        std::printf("step %4d  loss %.3f\n", step, loss / 500);
        loss = 0;
      }
    }

    Minibatch test(2000);
    test.draw(random);
    dann::Evaluation result = session.evaluate(test.x, test.y);
    std::printf("error %.2f %%\n", double(result.errors) / 20);
    session.save_parameters(argv[2]);
    // [loop]
  } catch (const dann::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
