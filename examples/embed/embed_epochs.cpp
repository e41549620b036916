// Trains for whole epochs, and goes on where an earlier run has stopped:
//
//   dann-compile bars.txtpb --emit=shared -o bars.so
//   embed_epochs bars.so bars.safetensors EPOCHS
//
// The samples are made when they are asked for: no epoch sees those of another.
// Ctrl-C ends the training after the current step.
#include <dann/dann.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

namespace {

constexpr std::int64_t kSide = 8;

/// Noisy pictures of a bar: 0 for a row, 1 for a column.
class Bars : public dann::BatchSource {
public:
  std::int64_t sample_count() const override { return 6400; }

  void read(const std::int64_t *, std::int64_t count, const dann::Tensor &x,
            const dann::Tensor &y) override {
    std::uniform_real_distribution<float> noise(0, 0.5f);
    std::uniform_int_distribution<std::int64_t> place(0, kSide - 1), coin(0, 1);
    for (std::int64_t i = 0; i < count; ++i) {
      float *picture = x.data<float>() + i * kSide * kSide;
      for (std::int64_t k = 0; k < kSide * kSide; ++k)
        picture[k] = noise(random_);
      std::int64_t label = coin(random_), at = place(random_);
      for (std::int64_t k = 0; k < kSide; ++k)
        picture[label ? k * kSide + at : at * kSide + k] = 1;
      y.data<std::int64_t>()[i] = label;
    }
  }

private:
  std::mt19937 random_{std::random_device{}()};
};

std::atomic<bool> interrupted{false};

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr,
                 "usage: embed_epochs BARS.so CHECKPOINT.safetensors EPOCHS\n");
    return EXIT_FAILURE;
  }
  try {
    auto program = dann::Program::load(argv[1]);
    dann::Session session(program, {/*threads=*/1});
    dann::TrainingState state = dann::TrainingState::defaults(*program);
    if (std::filesystem::exists(argv[2])) {
      state = dann::load_checkpoint(argv[2], session);
    } else {
      session.initialize(state.seed);
      state.schedule.decay = dann::Decay::Exponential;
      state.schedule.factor = 0.5;
      state.schedule.steps = 1000;
    }

    std::signal(SIGINT, [](int) { interrupted = true; });
    dann::TrainingOptions options;
    options.epochs = std::atoll(argv[3]);
    options.checkpoint = argv[2];
    options.checkpoint_every = 100;
    options.progress = [](const dann::TrainingProgress &now) {
      if (now.epoch_done)
        std::printf("epoch %2lld  loss %.3f  next rate %.4f\n",
                    static_cast<long long>(now.epoch), now.loss,
                    now.learning_rate);
      bool good_enough = now.epoch_done && now.loss < 0.01;
      return !good_enough && !interrupted;
    };
    Bars bars;
    bool finished = dann::train(session, bars, state, options);
    std::printf("%s after %lld epochs\n", finished ? "finished" : "stopped",
                static_cast<long long>(state.epoch));
  } catch (const dann::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
