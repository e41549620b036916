// Compiles a model inside the application and runs it:
//
//   in_process MODEL.txtpb|MODEL.onnx
//
// prints what a fresh network makes of a bright sample.
#include <dann/compiler.hpp>
#include <dann/dann.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: in_process MODEL.txtpb|MODEL.onnx\n");
    return EXIT_FAILURE;
  }
  try {
    dann::Compilation result = dann::compile(argv[1]);
    for (const dann::Diagnostic &diagnostic : result.diagnostics)
      std::printf("%s\n", dann::to_string(diagnostic).c_str());
    if (!result)
      return EXIT_FAILURE;

    dann::Session session(result.program);
    session.initialize(/*seed=*/1);
    const dann::Description &description = result.program->description();
    dann::Shape shape = description.input_shape;
    shape.insert(shape.begin(), 1); // samples
    dann::Tensor x(dann::ElementType::F32, shape);
    std::fill_n(x.data<float>(), x.element_count(),
                float(description.input_maximum));
    dann::Tensor logits = session.forward(x);
    for (std::int64_t i = 0; i < logits.element_count(); ++i)
      std::printf("%g\n", logits.data<const float>()[i]);
  } catch (const dann::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
