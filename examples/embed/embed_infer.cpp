// Runs a compiled model inside an application:
//
//   dann-compile MODEL.txtpb --emit=shared -o MODEL.so
//   embed_infer MODEL.so PARAMETERS.safetensors VALUE...
#include <dann/dann.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: embed_infer MODEL.so PARAMETERS.safetensors "
                         "VALUE...\n");
    return EXIT_FAILURE;
  }
  std::vector<float> sample;
  for (int i = 3; i < argc; ++i)
    sample.push_back(std::strtof(argv[i], nullptr));
  try {
    auto program = dann::Program::load(argv[1]);
    dann::Session session(program, {/*threads=*/1});
    session.load_parameters(argv[2]);

    // One sample; the session reads the caller's own memory.
    auto x =
        dann::Tensor::borrow(sample.data(), {1, std::int64_t(sample.size())});
    dann::Tensor logits = session.forward(x);
    auto *z = logits.data<const float>();
    auto best = std::max_element(z, z + logits.element_count());
    std::printf("class %td\n", best - z);
  } catch (const dann::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
