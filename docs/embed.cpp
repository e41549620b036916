#include <dann/dann.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

// Classifies a black image: embed MODEL.so CHECKPOINT.safetensors
int main(int argc, char **argv) {
  if (argc != 3)
    return EXIT_FAILURE;
  try {
    // Compiled by: dann-compile MODEL.txtpb --emit=shared -o MODEL.so
    auto program = dann::Program::load(argv[1]);
    dann::Session session(program, {/*threads=*/2});
    session.load_parameters(argv[2]);

    // One sample; the session reads the caller's own memory.
    std::vector<float> image(784, 0.0f);
    dann::Tensor x = dann::Tensor::borrow(image.data(), {1, 784});
    dann::Tensor logits = session.forward(x);
    auto *z = logits.data<const float>();
    auto best = std::max_element(z, z + logits.element_count());
    std::printf("class %td\n", best - z);

    // One optimizer step on a labelled sample.
    std::vector<std::int64_t> label = {4};
    dann::Tensor y = dann::Tensor::borrow(label.data(), {1});
    double loss = session.train_step(x, y, /*learning_rate=*/0.01);
    std::printf("loss %.4f\n", loss);
    session.save_parameters("tuned.safetensors");
  } catch (const dann::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
